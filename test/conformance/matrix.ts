import { citedIn, malformedIn } from './citations.ts';
import type { Protocol, Row } from './register.ts';
import { PROTOCOLS, STATUSES, protocolOf } from './register.ts';
import type { Result } from './results.ts';

export interface CitingTest {
  readonly file: string;
  readonly title: string;
  readonly passed: boolean;
}

/** A requirement with the tests that cite it, and what is wrong with it. */
export interface Verdict {
  readonly row: Row;
  readonly tests: readonly CitingTest[];
  readonly problem?: string;
}

export interface Matrix {
  readonly verdicts: readonly Verdict[];
  /** Citations that are none. */
  readonly strays: readonly string[];
  readonly totals: Readonly<Record<string, number>>;
  readonly ok: boolean;
}

/** Lays the results of the tests beside the register. A test that was skipped shows nothing. */
export function judge(rows: readonly Row[], results: readonly Result[]): Matrix {
  const tests = new Map<string, CitingTest[]>(rows.map(({ id }) => [id, []]));
  const strays = new Set<string>();
  for (const { file, title, status } of results) {
    const malformed = malformedIn(title);
    if (malformed !== undefined) strays.add(`${malformed} in "${title}" (${file}) is no id`);
    for (const id of citedIn(title)) {
      const citing = tests.get(id);
      if (citing === undefined) strays.add(`${id} in "${title}" (${file}) is not in the register`);
      else if (status !== 'skipped') citing.push({ file, title, passed: status === 'passed' });
    }
  }
  const verdicts = rows.map((row): Verdict => {
    const citing = tests.get(row.id) ?? [];
    const problem = problemOf(row, citing);
    return problem === undefined ? { row, tests: citing } : { row, tests: citing, problem };
  });
  const failed = results.filter(({ title, status }) => status === 'failed' && citedIn(title).length === 0);
  for (const { file, title } of failed) strays.add(`${title} failed (${file})`);
  const totals = totalsOf(rows);
  const ok = strays.size === 0 && verdicts.every(({ problem }) => problem === undefined);
  return { verdicts, strays: [...strays], totals, ok };
}

function totalsOf(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(STATUSES.map((status) => [status, rows.filter((row) => row.status === status).length]));
}

/** `255 done, 12 deviates, …` */
function countsOf(rows: readonly Row[]): string {
  const counts = Object.entries(totalsOf(rows)).map(([status, count]) => `${String(count)} ${status}`);
  return counts.join(', ');
}

/** Why a row is not shown, unless it may be open. */
function problemOf(row: Row, tests: readonly CitingTest[]): string | undefined {
  const failing = tests.find(({ passed }) => !passed);
  if (failing !== undefined) return `fails: ${failing.title} (${failing.file})`;
  if (row.status === 'open') return protocolOf(row).mayBeOpen ? undefined : `open: ${row.reason ?? ''}`;
  const isReviewed = row.where !== undefined && row.test.includes('R');
  if (row.status === 'done' && tests.length === 0 && !isReviewed) return 'no test that ran cites it';
  return undefined;
}

/** The matrix for a terminal: one line per row, and the titles of the tests below it. */
export function printMatrix({ verdicts, strays, ok }: Matrix): string {
  const lines = verdicts.flatMap(({ row, tests, problem }) => [
    `${row.id}  ${row.status.padEnd(8)}  ${String(row.rfc)} §${row.section}  ${row.level}: ${row.text}`,
    ...titlesOf(tests).map((title) => `          ${title}`),
    ...(row.where === undefined ? [] : [`          by review: ${row.where}`]),
    ...(row.see === undefined ? [] : [`          ${row.see}`]),
    ...(row.reason === undefined || problem?.startsWith('open') === true ? [] : [`          ${row.reason}`]),
    ...(problem === undefined ? [] : [`          ✗ ${problem}`]),
  ]);
  const wrong = verdicts.filter(({ problem }) => problem !== undefined).map(({ row }) => row.id);
  return [
    ...lines,
    '',
    ...PROTOCOLS.flatMap((protocol) => summaryOf(protocol, verdicts)),
    ...(wrong.length === 0 ? [] : [`not shown: ${wrong.join(' ')}`]),
    ...strays,
    ok ? 'every requirement is shown that is not open' : 'not every requirement is shown',
  ].join('\n');
}

function summaryOf(protocol: Protocol, verdicts: readonly Verdict[]): string[] {
  const of = verdicts.filter(({ row }) => protocolOf(row) === protocol);
  if (of.length === 0) return [];
  const cited = of.filter(({ tests }) => tests.length > 0).length;
  const counts = countsOf(of.map(({ row }) => row));
  return [`${protocol.title}: ${String(of.length)} requirements: ${counts}; ${String(cited)} cited by tests that ran`];
}

const MOST_TITLES = 4;

function titlesOf(tests: readonly CitingTest[]): string[] {
  const titles = tests.map(({ file, title, passed }) => `${passed ? '✓' : '✗'} ${file}: ${title}`);
  const more = titles.length - MOST_TITLES;
  return more > 1 ? [...titles.slice(0, MOST_TITLES), `… and ${String(more)} more`] : titles;
}

/** `docs/conformance/NAME.md`: the register for readers, with the files in which it is tested. */
export function markdown(
  { name, title, sources }: Protocol,
  rows: readonly Row[],
  citations: ReadonlyMap<string, readonly string[]>,
): string {
  const filesOf = (id: string): string[] => [...citations].filter(([, ids]) => ids.includes(id)).map(([file]) => file);
  const table = rows.map((row) => {
    const notes = [row.see, row.reason, ...filesOf(row.id).map(shortened), row.where].filter(
      (note) => note !== undefined,
    );
    const cells = [row.id, String(row.rfc), row.section, row.level, row.text, row.status, notes.join('; ')];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    `# ${title}, requirement by requirement`,
    '',
    `${sources} Written by \`npm run conformance -- --write\` from`,
    `[${name}.jsonl](${name}.jsonl) and from the titles of the tests; do not edit. [README](README.md) says how to read it.`,
    '',
    `${String(rows.length)} requirements: ${countsOf(rows)}.`,
    '',
    '| id | RFC | § | level | requirement | status | deviation, reason, tests (below `test/`), place to review |',
    '|---|---|---|---|---|---|---|',
    ...table,
    '',
  ].join('\n');
}

function shortened(file: string): string {
  return file.replace(/^test\//, '').replace(/\.test\.ts$/, '');
}
