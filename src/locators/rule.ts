/** One of the rules that put candidates in order; the first that tells two apart decides. */
export interface Rule<T> {
  /** Its number in the RFC, or a word where it is ours. */
  readonly rule: string;
  /** What it says about the candidate that comes later. */
  readonly text: string;
  /** Negative when `a` comes first. */
  readonly compare: (a: T, b: T) => number;
}

/** Negative when `a` comes first by the first rule that decides. */
export function compareBy<T>(rules: readonly Rule<T>[], a: T, b: T): number {
  for (const { compare } of rules) {
    const order = compare(a, b);
    if (order !== 0) return order;
  }
  return 0;
}

/** The rule by which `a` comes before or behind `b`; `undefined` when none tells them apart. */
export function decidingRule<T>(rules: readonly Rule<T>[], a: T, b: T): Rule<T> | undefined {
  return rules.find(({ compare }) => compare(a, b) !== 0);
}
