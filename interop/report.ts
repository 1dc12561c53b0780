import type { Endpoint } from './endpoint.ts';
import type { ScenarioName } from './names.ts';

export type Verdict = 'pass' | 'fail' | 'unsupported';

export interface Result {
  readonly initiator: string;
  readonly responder: string;
  readonly scenario: ScenarioName;
  readonly verdict: Verdict;
  /** Why not `pass`; empty otherwise. */
  readonly reason: string;
  /** The folder with captures and events. */
  readonly log: string;
}

/** The document of `--json`, as `contracts.md` gives it. */
export interface Report {
  readonly endpoints: readonly string[];
  readonly scenarios: readonly ScenarioName[];
  readonly results: readonly Result[];
}

/** A foreign implementation is there to meet Loci; two of them have no business here. */
export function casesOf(
  endpoints: readonly Endpoint[],
  initiators: readonly string[],
  responders: readonly string[],
): readonly { readonly initiator: Endpoint; readonly responder: Endpoint }[] {
  const named = (names: readonly string[]): Endpoint[] => endpoints.filter(({ name }) => names.includes(name));
  return named(initiators).flatMap((initiator) =>
    named(responders)
      .filter((responder) => initiator.kind === 'loci' || responder.kind === 'loci')
      .map((responder) => ({ initiator, responder })),
  );
}

/** 0 when every supported case passed, and there was one. */
export function statusOf({ results }: Report): 0 | 1 {
  const supported = results.filter(({ verdict }) => verdict !== 'unsupported');
  return supported.length > 0 && supported.every(({ verdict }) => verdict === 'pass') ? 0 : 1;
}

const SIGN: Readonly<Record<Verdict, string>> = { pass: 'pass', fail: 'FAIL', unsupported: '-' };

/** One table for people: a row per pair, a column per scenario, and what went wrong below. */
export function linesOf({ scenarios, results }: Report): readonly string[] {
  const pairs = [...new Set(results.map(pairOf))];
  const first = Math.max('initiator > responder'.length, ...pairs.map((pair) => pair.length));
  const row = (head: string, cells: readonly string[]): string =>
    [head.padEnd(first), ...cells.map((cell, i) => cell.padEnd(scenarios[i]?.length ?? 0))].join('  ').trimEnd();
  const table = pairs.map((pair) =>
    row(
      pair,
      scenarios.map((scenario) => {
        const result = results.find((one) => pairOf(one) === pair && one.scenario === scenario);
        return result === undefined ? '' : SIGN[result.verdict];
      }),
    ),
  );
  const faults = results
    .filter(({ verdict }) => verdict === 'fail')
    .map((result) => `${pairOf(result)}, ${result.scenario}: ${result.reason} (${result.log})`);
  const count = (verdict: Verdict): string =>
    `${String(results.filter((one) => one.verdict === verdict).length)} ${verdict}`;
  return [
    row('initiator > responder', scenarios),
    ...table,
    ...(faults.length === 0 ? [] : ['', ...faults]),
    '',
    [count('pass'), count('fail'), count('unsupported')].join(', '),
  ];
}

function pairOf({ initiator, responder }: Pick<Result, 'initiator' | 'responder'>): string {
  return `${initiator} > ${responder}`;
}
