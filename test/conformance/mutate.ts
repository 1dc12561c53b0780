import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { seededRandom } from '../../src/sim/random.ts';
import { broken, citedBranches, withNotes } from './branches.ts';
import type { Branch } from './branches.ts';
import { runCitingTests } from './results.ts';
import type { Result } from './results.ts';

/** Where branches are broken. */
const FOLDERS = ['src/shim6', 'src/reap', 'src/cga', 'src/host', 'src/wire', 'src/locators'];

/** What a copy needs and does not change. */
const LINKED = ['node_modules', 'dist', 'build'];
const LEFT_OUT = ['.git', 'coverage', ...LINKED];

const OPTIONS = ['--config', 'test/conformance/vitest.config.ts', '--no-isolate'];

/** Tests that take longer wait until the others have not noticed. */
const QUICK_MS = 150;

/** Tests that take so much longer than before count as having noticed. */
const PATIENCE = 5;
const LEAST_PATIENCE_MS = 60_000;

/** A broken branch, and which test noticed first. */
export interface Mutant {
  readonly branch: Branch;
  readonly noticedBy: string | undefined;
}

export interface MutationReport {
  readonly seed: number;
  /** Cited branches, and how many of them citing tests take. */
  readonly cited: number;
  readonly covered: number;
  readonly uncovered: readonly string[];
  readonly mutants: readonly Mutant[];
  readonly noticed: number;
}

/** Breaks `count` cited and covered branches, one at a time in a copy, and runs the citing tests that take them. */
export async function mutate(
  root: string,
  testFiles: readonly string[],
  { count, seed, tell }: { readonly count: number; readonly seed: number; readonly tell: (line: string) => void },
): Promise<MutationReport> {
  const copy = copyOf(root);
  const remove = (): void => rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  process.on('exit', remove);
  try {
    const sources = sourcesOf(copy);
    const branches = [...sources].flatMap(([file, text]) => citedBranches(file, text));
    const { takenBy, durationMs } = await cover(copy, sources, branches, testFiles);
    const covered = branches.filter((_, i) => takenBy.has(i));
    const uncovered = branches.filter((_, i) => !takenBy.has(i)).map(placeOf);
    tell(
      `${String(branches.length)} cited branches, ${String(covered.length)} taken by citing tests (seed ${String(seed)})`,
    );
    const limitMs = Math.max(LEAST_PATIENCE_MS, PATIENCE * durationMs);
    const mutants: Mutant[] = [];
    for (const branch of sample(covered, count, seed)) {
      const tests = takenBy.get(branches.indexOf(branch)) ?? [];
      const mutant = { branch, noticedBy: await firstToNotice(copy, sources, branch, tests, limitMs) };
      mutants.push(mutant);
      tell(`${placeOf(branch)}  ${describeBranch(branch)}\n    ${mutant.noticedBy ?? 'SURVIVED'}`);
    }
    const noticed = mutants.filter(({ noticedBy }) => noticedBy !== undefined).length;
    return { seed, cited: branches.length, covered: covered.length, uncovered, mutants, noticed };
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** `file:line` of a branch. */
export function placeOf({ file, line }: Branch): string {
  return `${file}:${String(line)}`;
}

export function describeBranch({ original, mutated }: Branch): string {
  return `${oneLine(original)}  →  ${oneLine(mutated)}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

/** A copy of the work tree, in which nobody else edits. */
function copyOf(root: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'loci-mutants-'));
  for (const name of readdirSync(root)) {
    if (!LEFT_OUT.includes(name)) cpSync(join(root, name), join(copy, name), { recursive: true });
    else if (LINKED.includes(name)) symlinkSync(join(root, name), join(copy, name));
  }
  return copy;
}

function sourcesOf(copy: string): Map<string, string> {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(copy, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .map((name) => join(folder, name)),
  );
  return new Map(files.map((file) => [file, readFileSync(join(copy, file), 'utf8')]));
}

/** Which tests take which branches, found with notes in the sources. */
async function cover(
  copy: string,
  sources: ReadonlyMap<string, string>,
  branches: readonly Branch[],
  files: readonly string[],
): Promise<{ readonly takenBy: ReadonlyMap<number, readonly Result[]>; readonly durationMs: number }> {
  for (const [file, text] of sources) {
    const first = branches.findIndex((branch) => branch.file === file);
    const own = branches.filter((branch) => branch.file === file);
    if (first >= 0) writeFileSync(join(copy, file), withNotes(text, own, first, 'globalThis.branchTaken'));
  }
  const folder = join(copy, 'hits');
  mkdirSync(folder);
  const begun = performance.now();
  const { results, output } = await runCitingTests({
    root: copy,
    files,
    options: OPTIONS,
    env: { LOCI_CONFORMANCE_HITS: folder },
  });
  const durationMs = performance.now() - begun;
  for (const [file, text] of sources) writeFileSync(join(copy, file), text);
  const failed = results.find(({ status }) => status === 'failed');
  if (failed !== undefined) throw new Error(`nothing was broken yet, but this fails: ${failed.title} (${failed.file})`);
  if (results.length === 0) throw new Error(`no test was run: ${output}`);
  return { takenBy: hitsIn(folder, copy, results), durationMs };
}

function hitsIn(folder: string, copy: string, results: readonly Result[]): Map<number, Result[]> {
  const takenBy = new Map<number, Result[]>();
  const citing = results.filter(({ status }) => status === 'passed');
  for (const name of readdirSync(folder)) {
    const hits: unknown = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    if (!isHits(hits)) throw new Error(`${name} has no branches`);
    const file = relative(copy, hits.file);
    for (const result of citing.filter((test) => test.file === file)) {
      const own = hits.tests.filter(({ title }) => title === result.title).flatMap(({ branches }) => branches);
      for (const branch of new Set([...hits.before, ...own])) {
        takenBy.set(branch, [...(takenBy.get(branch) ?? []), result]);
      }
    }
  }
  return takenBy;
}

interface Hits {
  readonly file: string;
  readonly before: readonly number[];
  readonly tests: readonly { readonly title: string; readonly branches: readonly number[] }[];
}

function isHits(hits: unknown): hits is Hits {
  return typeof hits === 'object' && hits !== null && 'file' in hits && 'before' in hits && 'tests' in hits;
}

/** Runs the tests that take the broken branch, the quick ones first. */
async function firstToNotice(
  copy: string,
  sources: ReadonlyMap<string, string>,
  branch: Branch,
  tests: readonly Result[],
  limitMs: number,
): Promise<string | undefined> {
  const text = sources.get(branch.file) ?? '';
  writeFileSync(join(copy, branch.file), broken(text, branch));
  try {
    const quick = tests.filter(({ durationMs }) => durationMs <= QUICK_MS);
    const slow = tests.filter(({ durationMs }) => durationMs > QUICK_MS);
    for (const some of [quick, slow].filter(({ length }) => length > 0)) {
      const files = [...new Set(some.map(({ file }) => file))];
      const titles = some.map(({ title }) => title);
      const options = [...OPTIONS, '--bail', '1'];
      const { results, timedOut } = await runCitingTests({ root: copy, files, titles, options, limitMs });
      if (timedOut) return 'time: the tests did not end';
      const failed = results.find(({ status }) => status === 'failed');
      if (failed !== undefined) return `${failed.file}: ${failed.title}`;
      if (results.every(({ status }) => status === 'skipped'))
        throw new Error(`no test of ${titles.join(', ')} was run`);
    }
    return undefined;
  } finally {
    writeFileSync(join(copy, branch.file), text);
  }
}

/** `count` of them, in an order that the seed decides. */
function sample(branches: readonly Branch[], count: number, seed: number): Branch[] {
  const random = seededRandom(seed);
  const rest = [...branches];
  const chosen: Branch[] = [];
  while (chosen.length < count && rest.length > 0) {
    const [a = 0, b = 0, c = 0] = random(3);
    chosen.push(...rest.splice((a * 65_536 + b * 256 + c) % rest.length, 1));
  }
  return chosen;
}
