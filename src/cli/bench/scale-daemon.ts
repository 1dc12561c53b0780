import { messageOf } from '../../node/error.ts';
import { pause } from '../demo/daemons.ts';
import { arm, repair } from '../demo/failures.ts';
import { eventually } from '../demo/stage.ts';
import { tenths } from '../demo/traffic.ts';
import { cpuSeconds } from './cpu.ts';
import { buildMultitude } from './multitude.ts';
import type { Multitude } from './multitude.ts';
import type { Row } from './report.ts';
import { significant, spread } from './statistics.ts';

const CONTEXTS = 10_000;
const ACTIVE = [1, 100];
/** Every program sends this often, and is answered. */
const EVERY_MS = 20;
/** Before a measurement: what began with the contexts, or with their traffic, is over. */
const SETTLE_MS = 15_000;
const MEASURED_MS = 30_000;

/** By then, what is known of a context at rest has been let go: `REST_AFTER_MS` and the time after which pairs are quiet. */
const REST_MS = 15_000;
const FLOWS_MS = 1_000;
const NOTICED_WITHIN_MS = 5_000;
/** A path that failed twice in a minute is not gone back to at once. */
const HOME_WITHIN_MS = 120_000;

export const DAEMON_ROWS: readonly string[] = ['observation', 'idle', 'idle-detection'];

/** What a real locid takes that has many contexts and observes their traffic on the kernel's path. */
export async function scaleOfDaemon(
  rows: readonly string[],
  rounds: number,
  progress: (text: string) => void,
): Promise<readonly Row[]> {
  const multitude = await buildMultitude();
  try {
    const done: Row[] = [];
    progress('idle: without contexts');
    const none = rows.includes('idle') ? await cpuPercent(multitude) : undefined;
    progress(`${String(CONTEXTS)} contexts are set up`);
    await multitude.grow(CONTEXTS);
    if (none !== undefined) {
      progress(`idle: with ${String(CONTEXTS)} contexts`);
      const established = await cpuPercent(multitude);
      done.push({ name: 'idle', contexts: CONTEXTS, cpuPercent: { none, established }, seconds: MEASURED_MS / 1000 });
    }
    if (rows.includes('observation')) {
      const cpu: Record<string, number> = {};
      for (const active of ACTIVE) {
        progress(`observation: ${String(active)} of ${String(CONTEXTS)} contexts in use`);
        const talkers = multitude.talk(multitude.peers(active), EVERY_MS);
        await talkers.next('answered');
        cpu[`active${String(active)}`] = await cpuPercent(multitude);
        talkers.kill();
      }
      done.push({ name: 'observation', contexts: CONTEXTS, cpuPercent: cpu, seconds: MEASURED_MS / 1000 });
    }
    if (rows.includes('idle-detection')) done.push(await idleDetection(multitude, rounds, progress));
    return done;
  } finally {
    await multitude.close();
  }
}

/** Of one core. */
async function cpuPercent({ daemon }: Multitude): Promise<number> {
  await pause(SETTLE_MS);
  const [cpu, at] = [cpuSeconds([daemon.pid]), performance.now()];
  await pause(MEASURED_MS);
  return significant(((cpuSeconds([daemon.pid]) - cpu) / (performance.now() - at)) * 100_000, 3);
}

/**
 * From the failure of a path in use to the suspicion; and from the first packet after a rest, on a path that failed
 * meanwhile, to the suspicion.
 */
async function idleDetection(multitude: Multitude, rounds: number, progress: (text: string) => void): Promise<Row> {
  const inUse: number[] = [];
  const rested: number[] = [];
  let failed = 0;
  for (let round = 0; round < rounds; round++) {
    progress(`idle-detection: round ${String(round + 1)} of ${String(rounds)}`);
    try {
      inUse.push(await detection(multitude, false, round));
      rested.push(await detection(multitude, true, round));
    } catch (error) {
      progress(`  failed: ${messageOf(error)}`);
      failed++;
      break; // nobody knows where traffic is now
    }
  }
  return {
    name: 'idle-detection',
    contexts: CONTEXTS,
    restSeconds: REST_MS / 1000,
    detectMs: { inUse: spread(inUse)?.median ?? null, rested: spread(rested)?.median ?? null },
    allMs: { inUse: inUse.map(tenths), rested: rested.map(tenths) },
    rounds: rested.length,
    failed,
  };
}

async function detection(multitude: Multitude, isRested: boolean, round: number): Promise<number> {
  const { stage, events } = multitude;
  const talk = (): ReturnType<Multitude['talk']> => multitude.talk([stage.identifiers.server], EVERY_MS);
  const noticed = (what: string, withinMs: number): Promise<number> =>
    eventually(
      `the client did not say "${what}"`,
      () => Promise.resolve(events.find(({ host, event }) => host === 'client' && event === what)?.at),
      withinMs,
    );
  const failure = await arm('blackhole', 'admin', stage.topology);
  let talkers = isRested ? undefined : talk();
  await talkers?.next('answered');
  await pause(isRested ? REST_MS : FLOWS_MS + ((7 * round) % EVERY_MS));
  events.length = 0;
  let { at } = await failure.strike();
  if (talkers === undefined) {
    talkers = talk();
    at = Number((await talkers.next('began'))['at']);
  }
  const ms = (await noticed('suspect', NOTICED_WITHIN_MS)) - at;
  failure.disarm();
  await repair('blackhole', stage.topology);
  await noticed('returned', HOME_WITHIN_MS); // on the kernel's path again
  talkers.kill();
  return ms;
}
