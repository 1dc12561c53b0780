import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** A test that was run, or a file that could not be loaded. */
export interface Result {
  readonly file: string;
  readonly title: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
}

/** How tests are run; a run that takes longer than `limitMs` is ended, and has `timedOut`. */
export interface Run {
  /** Where `node_modules` and the tests are. */
  readonly root: string;
  readonly files: readonly string[];
  /** Only these tests; all that cite a requirement when left out. */
  readonly titles?: readonly string[];
  /** More arguments for vitest. */
  readonly options: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

export interface Outcome {
  readonly results: readonly Result[];
  readonly timedOut: boolean;
  /** What vitest said, for people. */
  readonly output: string;
}

/** Only tests that cite a requirement. */
const CITING = '(?:S6|HIP)-\\d{3}';

/** More titles than this are not worth a pattern, which has to fit into an argument. */
const MOST_TITLES = 400;

/** Runs the tests in `files` that cite a requirement, with a process of their own. */
export async function runCitingTests({ root, files, titles, options, env = {}, limitMs }: Run): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'loci-conformance-'));
  const report = join(folder, 'results.json');
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['run', '-t', patternOf(titles), '--passWithNoTests', ...reporters, ...options, ...files];
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: a worker in an endless loop ends only with the group
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  let timedOut = false;
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  process.on('exit', end);
  const stop = (): void => process.exit(143);
  for (const signal of SIGNALS) process.on(signal, stop);
  const timer = setTimeout(
    () => {
      timedOut = true;
      end();
    },
    limitMs ?? 2 ** 31 - 1,
  );
  try {
    await once(child, 'close');
    const results = existsSync(report) ? parseReport(JSON.parse(readFileSync(report, 'utf8')), root) : [];
    return { results, timedOut, output };
  } finally {
    clearTimeout(timer);
    process.off('exit', end);
    for (const signal of SIGNALS) process.off(signal, stop);
    rmSync(folder, { recursive: true, force: true });
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function patternOf(titles: readonly string[] | undefined): string {
  if (titles === undefined || titles.length > MOST_TITLES) return CITING;
  return `^(?:${titles.map((title) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})$`;
}

/** The results in vitest's JSON report. A file that could not be loaded counts as one failed test. */
export function parseReport(report: unknown, root: string): Result[] {
  return list(report, 'testResults').flatMap((entry): Result[] => {
    const file = relative(root, text(entry, 'name'));
    const tests = list(entry, 'assertionResults').map((test): Result => {
      const status = text(test, 'status');
      const isDecided = status === 'passed' || status === 'failed';
      return {
        file,
        title: text(test, 'fullName'),
        status: isDecided ? status : 'skipped',
        durationMs: number(test, 'duration'),
      };
    });
    const isBroken = text(entry, 'status') === 'failed' && tests.every(({ status }) => status !== 'failed');
    return isBroken
      ? [
          ...tests,
          { file, title: `(the file) ${text(entry, 'message').split('\n')[0] ?? ''}`, status: 'failed', durationMs: 0 },
        ]
      : tests;
  });
}

function list(value: unknown, name: string): unknown[] {
  const entry = property(value, name);
  return Array.isArray(entry) ? entry : [];
}

function text(value: unknown, name: string): string {
  const entry = property(value, name);
  return typeof entry === 'string' ? entry : '';
}

function number(value: unknown, name: string): number {
  const entry = property(value, name);
  return typeof entry === 'number' ? entry : 0;
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}
