import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inside } from '../demo/namespaces.ts';
import type { Ends } from './iperf.ts';
import { quantile, significant } from './statistics.ts';

const run = promisify(execFile);

const INTERVAL_SECONDS = '0.002'; // the least that ping grants everyone

export interface PingUs {
  readonly median: number;
  readonly p99: number;
}

/** Round-trip times in microseconds, one for each echo that was answered. */
export async function ping(ends: Ends, count: number): Promise<readonly number[]> {
  const words = ['ping', '-n', '-c', String(count), '-i', INTERVAL_SECONDS, '-I', ends.source, ends.destination];
  const [file, args] = inside(ends.clientNamespace, words);
  const { stdout } = await run(file, args, { env: { ...process.env, LC_ALL: 'C' } });
  return timesIn(stdout);
}

/** The times in what ping printed, in microseconds. */
export function timesIn(text: string): readonly number[] {
  return [...text.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1_000);
}

/** Sums up round-trip times; `null` without any. */
export function pingUs(times: readonly number[]): PingUs | null {
  if (times.length === 0) return null;
  return { median: significant(quantile(times, 0.5), 3), p99: significant(quantile(times, 0.99), 3) };
}
