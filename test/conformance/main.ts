import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePrivilege, obeyParent } from '../../src/node/privilege.ts';
import { citationsBelow } from './citations.ts';
import { judge, markdown, printMatrix } from './matrix.ts';
import { describeBranch, mutate, placeOf } from './mutate.ts';
import type { MutationReport } from './mutate.ts';
import { PROTOCOLS, SHIM6, readRegister } from './register.ts';
import type { Protocol, Row } from './register.ts';
import { runCitingTests } from './results.ts';

const USAGE = `usage: npm run conformance -- [options]

Runs the tests whose titles cite requirements, and lays the results beside the registers in docs/conformance: shim6.jsonl,
where no row may be open, and hip.jsonl.

  --pure        leave out the tests that need network namespaces
  --mutate N    break N cited branches of Shim6, one at a time, and tell which citing test noticed first
  --seed S      which branches these are (default 1)
  --write       write docs/conformance/shim6.md and hip.md again, and do nothing else
  --json        one JSON document on standard output

Exit status: 0 every requirement is shown, or 90 % were noticed; 1 not; 2 the tests could not be run.
`;

const LEAST_RATIO = 0.9;
const KERNEL = /^test\/(?:e2e|node)\/|^test\/contracts\/kernel/;

const root = join(import.meta.dirname, '../..');

function registerOf({ name }: Protocol): Row[] {
  return readRegister(join(root, `docs/conformance/${name}.jsonl`));
}

interface Options {
  readonly json: boolean;
  readonly pure: boolean;
  readonly write: boolean;
  readonly mutate: number | undefined;
  readonly seed: number;
}

class UsageError extends Error {}

function parseOptions(args: string[]): Options | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', short: 'h' },
      json: { type: 'boolean', default: false },
      pure: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      mutate: { type: 'string' },
      seed: { type: 'string', default: '1' },
    },
  });
  if (values.help === true) return 'help';
  const { json, pure, write } = values;
  const count = values.mutate === undefined ? undefined : natural('--mutate', values.mutate);
  return { json, pure, write, mutate: count, seed: natural('--seed', values.seed) };
}

function natural(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`${name} wants a number from 1 on, not "${text}"`);
  return Number(text);
}

function print(options: Options, document: unknown, text: string): void {
  process.stdout.write(options.json ? `${JSON.stringify(document)}\n` : `${text}\n`);
}

async function conformance(options: Options): Promise<number> {
  const rows = PROTOCOLS.flatMap(registerOf);
  const files = [...citationsBelow('test').keys()].filter((file) => !options.pure || !KERNEL.test(file));
  const projects = options.pure ? ['--project', 'pure'] : [];
  const { results, output } = await runCitingTests({ root, files, options: projects });
  if (results.length === 0) throw new Error(`no test was run: ${output}`);
  const matrix = judge(rows, results);
  print(options, matrix, printMatrix(matrix));
  return matrix.ok ? 0 : 1;
}

async function mutation(options: Options, count: number): Promise<number> {
  const citations = [...citationsBelow('test')].filter(([, ids]) => ids.some((id) => id.startsWith(SHIM6.prefix)));
  const files = citations.map(([file]) => file).filter((file) => !KERNEL.test(file));
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = await mutate(root, files, { count, seed: options.seed, tell });
  const ratio = report.mutants.length === 0 ? 0 : report.noticed / report.mutants.length;
  print(options, mutationDocument(report, ratio), mutationText(report, ratio));
  return ratio >= LEAST_RATIO ? 0 : 1;
}

function mutationDocument(report: MutationReport, ratio: number): unknown {
  const mutants = report.mutants.map(({ branch, noticedBy }) => {
    const { file, line, original, mutated } = branch;
    return { file, line, original, mutated, noticedBy: noticedBy ?? null };
  });
  return { ...report, mutants, ratio, ok: ratio >= LEAST_RATIO };
}

function mutationText({ mutants, noticed, covered, uncovered, seed }: MutationReport, ratio: number): string {
  const survivors = mutants.filter(({ noticedBy }) => noticedBy === undefined).map(({ branch }) => branch);
  return [
    `cited branches that no citing test takes, and that were not broken (${String(uncovered.length)}): ${uncovered.join(' ')}`,
    ...survivors.map((branch) => `survived: ${placeOf(branch)}  ${describeBranch(branch)}`),
    `noticed ${String(noticed)} of ${String(mutants.length)} (${(100 * ratio).toFixed(1)} %; ${String(covered)} branches to choose from, seed ${String(seed)})`,
  ].join('\n');
}

/** What the titles say now, formatted as everything else. */
function write(): number {
  const citations = citationsBelow('test');
  for (const protocol of PROTOCOLS) {
    const text = markdown(protocol, registerOf(protocol), citations);
    writeFileSync(join(root, `docs/conformance/${protocol.name}.md`), text);
  }
  return 0;
}

async function main(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  process.chdir(root);
  if (options.write) return write();
  if (options.mutate !== undefined) return mutation(options, options.mutate);
  if (!options.pure) {
    await ensurePrivilege();
    obeyParent();
  }
  return conformance(options);
}

const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : 'conformance';
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}
