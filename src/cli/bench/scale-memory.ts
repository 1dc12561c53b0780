import { memoryUsage } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { areEstablished } from '../../sim/crowd.ts';
import { crowd } from './scale.ts';

const IDENTITIES = 100;
/** Contexts that come and go before the first measurement, so that compiled code is not counted as theirs. */
const WARM_UP_IDENTITIES = 20;
const REST_MS = 15_000;
/** V8 gives pages back to the kernel in a thread of its own. */
const UNMAPPED_MS = 500;

/** (RSS at N − RSS at 0) / N after garbage collection; both ends of every context are in this process, and counted. */
async function measure(): Promise<{ contexts: number; bytesPerContext: number; heapBytesPerContext: number }> {
  const warm = crowd(2, WARM_UP_IDENTITIES);
  warm.establish(warm.pairs(WARM_UP_IDENTITIES * WARM_UP_IDENTITIES));
  warm.run(REST_MS);
  const hosts = crowd(1, IDENTITIES);
  const before = await settled();
  const pairs = hosts.pairs(IDENTITIES * IDENTITIES);
  hosts.establish(pairs);
  hosts.run(REST_MS);
  if (!areEstablished(hosts, pairs)) throw new Error('not every context was established');
  const after = await settled();
  const ends = 2 * pairs.length;
  return {
    contexts: ends,
    bytesPerContext: Math.round((after.rss - before.rss) / ends),
    heapBytesPerContext: Math.round((after.heapUsed - before.heapUsed) / ends),
  };
}

async function settled(): Promise<NodeJS.MemoryUsage> {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  for (let i = 0; i < 6; i++) {
    void globalThis.gc();
    await pause(UNMAPPED_MS);
  }
  return memoryUsage();
}

process.stdout.write(`${JSON.stringify(await measure())}\n`);
