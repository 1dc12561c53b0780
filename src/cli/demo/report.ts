import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { RunOptions, RunResult } from './measure.ts';
import { tenths } from './traffic.ts';

interface Figures {
  readonly udpGapMs: number | null;
  readonly tcpStallMs: number | null;
  readonly detectMs: number | null;
  readonly recoverMs: number | null;
}

/** The one document of `npm run --silent demo -- … --json`. */
export interface DemoReport {
  readonly mode: 'tun' | 'simulated';
  readonly protocol: 'shim6';
  readonly failure: string;
  readonly profile: string;
  readonly kernel: string;
  readonly commit: string;
  readonly ok: boolean;
  readonly runs: readonly RunResult[];
  readonly median: Figures;
  readonly max: Figures;
}

/** Sums up the runs of one failure. */
export function reportOf(
  mode: DemoReport['mode'],
  { failure, profile }: RunOptions,
  runs: readonly RunResult[],
): DemoReport {
  return {
    mode,
    protocol: 'shim6',
    failure,
    profile,
    kernel: release(),
    commit: commit(),
    ok: runs.every((run) => run.ok),
    runs,
    median: figures(runs, median),
    max: figures(runs, (values) => Math.max(...values)),
  };
}

function figures(runs: readonly RunResult[], summary: (values: readonly number[]) => number): Figures {
  const over = (pick: (run: RunResult) => number | null | undefined): number | null => {
    const values = runs.map(pick).filter((value) => typeof value === 'number');
    return values.length === 0 ? null : tenths(summary(values));
  };
  return {
    udpGapMs: over((run) => run.udp?.gapMs),
    tcpStallMs: over((run) => run.tcp?.stallMs),
    detectMs: over((run) => run.detectMs),
    recoverMs: over((run) => run.recoverMs),
  };
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
}

/** What this was built from: `git describe`, or the version of the package where there is no repository. */
export function commit(): string {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const described = spawnSync('git', ['-C', root, 'describe', '--always', '--dirty'], { encoding: 'utf8' });
  if (described.status === 0) return described.stdout.trim();
  const Package = z.object({ version: z.string() });
  return Package.parse(JSON.parse(readFileSync(`${root}package.json`, 'utf8'))).version;
}
