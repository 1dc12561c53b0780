/** What `nft -j list ruleset` says, as far as it matters here (libnftables-json(5)). */
export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Of base chains. */
  readonly hook: string | undefined;
  readonly policy: string | undefined;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly handle: number;
  readonly statements: readonly Statement[];
}

/** One statement of a rule: its name, such as `match`, `drop`, `jump`, and what belongs to it. */
export interface Statement {
  readonly name: string;
  readonly body: unknown;
}

/** The chains of a ruleset with their rules. Throws where the text is no ruleset. */
export function parseRuleset(text: string): Chain[] {
  const document: unknown = JSON.parse(text);
  const objects = field(document, 'nftables');
  if (!Array.isArray(objects)) throw new TypeError('not a ruleset in JSON');
  const rules = objects.map((object) => field(object, 'rule')).filter((rule) => rule !== undefined);
  return objects
    .map((object) => field(object, 'chain'))
    .filter((chain) => chain !== undefined)
    .map((chain) => ({
      family: wordOf(chain, 'family') ?? '',
      table: wordOf(chain, 'table') ?? '',
      name: wordOf(chain, 'name') ?? '',
      hook: wordOf(chain, 'hook'),
      policy: wordOf(chain, 'policy'),
      rules: rules
        .filter(
          (rule) =>
            wordOf(rule, 'family') === wordOf(chain, 'family') &&
            wordOf(rule, 'table') === wordOf(chain, 'table') &&
            wordOf(rule, 'chain') === wordOf(chain, 'name'),
        )
        .map((rule) => ({ handle: Number(field(rule, 'handle')), statements: statementsOf(field(rule, 'expr')) })),
    }));
}

function statementsOf(expressions: unknown): Statement[] {
  if (!Array.isArray(expressions)) return [];
  return expressions.flatMap((expression: unknown) =>
    isRecord(expression) ? Object.entries(expression).map(([name, body]) => ({ name, body })) : [],
  );
}

/** A member of an object; `undefined` where there is none. */
export function field(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const step of path) at = isRecord(at) ? at[step] : undefined;
  return at;
}

function wordOf(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
