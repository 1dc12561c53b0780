import { FAILURES } from '../demo/failures.ts';
import { measure } from '../demo/measure.ts';
import type { RunResult } from '../demo/measure.ts';
import type { Row } from './report.ts';
import { spread } from './statistics.ts';

const RATE_MBIT = 200;

/** The demonstration's runs, several of each failure in turn. A run that fails is counted, and leaves no times. */
export async function failover(
  rows: readonly string[],
  rounds: number,
  progress: (text: string) => void,
): Promise<readonly Row[]> {
  const failures = FAILURES.filter((failure) => rows.includes(failure));
  const results = new Map<string, RunResult[]>(failures.map((failure) => [failure, []]));
  for (let round = 0; round < rounds; round++) {
    for (const failure of failures) {
      progress(`round ${String(round + 1)} of ${String(rounds)}: ${failure}`);
      const options = {
        failure,
        cause: 'admin',
        profile: 'fast',
        rate: RATE_MBIT,
        seed: round + 1,
        loci: true,
      } as const;
      const result = await measure(options, () => undefined);
      if (!result.ok) progress(`  failed: ${result.reason ?? 'no reason'}`);
      results.get(failure)?.push(result);
    }
  }
  return failures.map((failure) => rowOf(failure, results.get(failure) ?? []));
}

/** Sums up the runs of one failure. */
export function rowOf(name: string, runs: readonly RunResult[]): Row {
  const good = runs.filter(({ ok }) => ok);
  const over = (pick: (run: RunResult) => number | null | undefined): ReturnType<typeof spread> =>
    spread(good.map(pick).filter((value) => typeof value === 'number'));
  return {
    name,
    udpGapMs: over((run) => run.udp?.gapMs),
    tcpStallMs: over((run) => run.tcp?.stallMs),
    detectMs: over((run) => run.detectMs),
    recoverMs: over((run) => run.recoverMs),
    runs: runs.length,
    failed: runs.length - good.length,
  };
}
