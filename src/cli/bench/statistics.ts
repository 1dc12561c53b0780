import { median } from '../demo/report.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Middle and extremes, to `digits` significant digits; `null` without values. */
export function spread(values: readonly number[], digits = 4): Spread | null {
  if (values.length === 0) return null;
  return {
    median: significant(median(values), digits),
    min: significant(Math.min(...values), digits),
    max: significant(Math.max(...values), digits),
  };
}

/** The smallest value that at least `share` of the values do not exceed (nearest rank); `NaN` without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Median over the rounds of `values / reference` of the same round: what slows down the machine for a while slows down both,
 * and falls out. `null` when no round has both.
 */
export function medianRatio(values: readonly number[], reference: readonly number[]): number | null {
  const ratios = values.flatMap((value, round) => {
    const base = reference[round];
    return base === undefined || base === 0 ? [] : [value / base];
  });
  return ratios.length === 0 ? null : significant(median(ratios), 4);
}

/** Rounded to `digits` significant digits: more would pretend. */
export function significant(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}
