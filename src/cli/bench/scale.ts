import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { nodeCrypto, rsaSigner } from '../../node/crypto.ts';
import { areEstablished, Crowd } from '../../sim/crowd.ts';
import { failCrowd } from '../../sim/crowd-failure.ts';
import type { Row } from './report.ts';
import { DAEMON_ROWS, scaleOfDaemon } from './scale-daemon.ts';
import { statusAtScale } from './scale-status.ts';
import { quantile, significant } from './statistics.ts';

const run = promisify(execFile);

/** Identifiers of each host; each of one joined with each of the other: 10,000 contexts. */
const IDENTITIES = 100;
const RSA_BITS = 2048;
const PROBE_BUDGET = 200;
/** Every program sends this often, both ways, all contexts at once. */
const EVERY_MS = 100;
const STEADY_MS = 2_000;
const WATCH_MS = 2_000;
/** Holes that short-lived objects leave between those of contexts differ from run to run by a third: close them, as V8 does. */
const SETTLING = ['--expose-gc', '--max-semi-space-size=1', '--compact-on-every-full-gc'];

/** Two hosts in virtual time with `identities` identifiers each and real keys. */
export function crowd(seed: number, identities: number): Crowd {
  const signer = (): ReturnType<typeof rsaSigner> =>
    rsaSigner(generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey);
  return new Crowd({
    seed,
    crypto: nodeCrypto,
    signers: { a: signer(), b: signer() },
    settings: { profile: 'fast', idleMs: 3_600_000, returnAfterMs: 5_000, probeBudget: PROBE_BUDGET },
    identities,
  });
}

/**
 * Many contexts between two hosts: what a failure does to them, and what they take, in virtual time, with the real machines;
 * and what they cost a real locid.
 */
export async function scale(
  rows: readonly string[],
  rounds: number,
  progress: (text: string) => void,
): Promise<readonly Row[]> {
  const done: Row[] = [];
  if (rows.includes('recovery')) done.push(recovery(progress));
  if (rows.includes('status')) done.push(await statusAtScale(establishedCrowd('status', progress)));
  if (rows.includes('memory')) {
    progress('memory: a process of its own');
    const script = fileURLToPath(import.meta.resolve('./scale-memory.js'));
    const { stdout } = await run(process.execPath, [...SETTLING, script]);
    done.push({ name: 'memory', ...MemoryFigures.parse(JSON.parse(stdout)) });
  }
  if (DAEMON_ROWS.some((row) => rows.includes(row))) done.push(...(await scaleOfDaemon(rows, rounds, progress)));
  return done;
}

/** What the process that measures memory prints. */
export const MemoryFigures: z.ZodObject<Record<'contexts' | 'bytesPerContext' | 'heapBytesPerContext', z.ZodNumber>> =
  z.object({ contexts: z.number(), bytesPerContext: z.number(), heapBytesPerContext: z.number() });

function establishedCrowd(row: string, progress: (text: string) => void): Crowd {
  const hosts = crowd(1, IDENTITIES);
  const pairs = hosts.pairs(IDENTITIES * IDENTITIES);
  progress(`${row}: ${String(pairs.length)} contexts are set up`);
  hosts.establish(pairs);
  if (!areEstablished(hosts, pairs)) throw new Error('not every context was established');
  return hosts;
}

function recovery(progress: (text: string) => void): Row {
  const hosts = establishedCrowd('recovery', progress);
  const pairs = hosts.pairs(IDENTITIES * IDENTITIES);
  progress('recovery: all of them are in use, then provider 1 falls silent');
  const { recoveryMs, moved, controlBefore, controlAfter } = failCrowd(hosts, pairs, {
    everyMs: EVERY_MS,
    steadyMs: STEADY_MS,
    watchMs: WATCH_MS,
    dead: 'both',
  });
  const lost = recoveryMs.filter((ms) => !Number.isFinite(ms)).length;
  return {
    name: 'recovery',
    contexts: pairs.length,
    recoveryMs: { median: significant(quantile(recoveryMs, 0.5), 4), p99: significant(quantile(recoveryMs, 0.99), 4) },
    moved,
    controlPacketsPerSecondBefore: controlBefore,
    controlPacketsPerSecondAfter: controlAfter,
    failed: lost,
  };
}
