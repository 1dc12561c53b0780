import { ask } from '../client.ts';
import { pause } from '../demo/daemons.ts';
import type { Daemon, Noticed } from '../demo/daemons.ts';
import { startProgram } from '../demo/program.ts';
import { buildStage, eventually } from '../demo/stage.ts';
import type { Stage } from '../demo/stage.ts';
import { cpuSeconds } from './cpu.ts';
import type { Row } from './report.ts';
import { quantile, significant, spread } from './statistics.ts';

const PORT = '7002';
const INTERVAL_MS = '5';
const ESTABLISHED_WITHIN_MS = 10_000;
const TRIES = 10;
const QUIET_MS = 200;

/** One context set up anew: the client's events, in order. */
interface Handshake {
  readonly ms: number; // first I1 → R2 accepted
  readonly cpuMs: number; // of both daemons, from the closing of the old context on
}

/**
 * Contexts between the same two hosts, one after the other: traffic flows, the context is dropped at both ends, and the next
 * packets bring about a new one. Timed from the client's I1 to its R2 (RFC 5533 §7.1) by the daemon's own monotonic clock.
 */
export async function handshake(rounds: number, progress: (text: string) => void): Promise<readonly Row[]> {
  const events: Noticed[] = [];
  const stage = await buildStage({ profile: 'fast', loci: true, onEvent: (event) => events.push(event) });
  try {
    const { topology, identifiers } = stage;
    const at = (host: 'client' | 'server', name: string): { namespace: string; name: string } => ({
      namespace: topology.namespace(host),
      name,
    });
    const receiver = startProgram('udp-receiver', [PORT], at('server', 'UDP receiver'));
    await receiver.next('ready');
    const sender = startProgram('udp-sender', [identifiers.server, PORT, INTERVAL_MS], at('client', 'UDP sender'));
    await Promise.all([sender.next('ready'), receiver.next('flowing')]);
    await established(events);
    const done: Handshake[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`handshake ${String(round + 1)} of ${String(rounds)}`);
      done.push(await once(stage, events));
    }
    sender.kill();
    receiver.kill();
    return [summary(done)];
  } finally {
    await stage.close();
  }
}

/** Repeats until the client began with an I1: a late keepalive or probe makes the ends recover by R1bis instead (RFC 5533 §7.17). */
async function once({ daemons }: Stage, events: Noticed[]): Promise<Handshake> {
  const pids = daemons.map(({ pid }) => pid);
  for (let tries = 0; tries < TRIES; tries++) {
    const before = cpuSeconds(pids);
    events.length = 0;
    for (const daemon of daemons) await closeAll(daemon);
    const ms = await established(events);
    if (ms !== 'recovered') return { ms, cpuMs: (cpuSeconds(pids) - before) * 1_000 };
    await pause(QUIET_MS);
  }
  throw new Error(`the context was recovered ${String(TRIES)} times in a row, never set up anew`);
}

async function closeAll({ controlSocket }: Daemon): Promise<void> {
  await ask(controlSocket, { id: 1, command: 'close', ulids: undefined });
}

/** Waits until both ends have their context; milliseconds from I1-SENT to ESTABLISHED at the client. */
async function established(events: readonly Noticed[]): Promise<number | 'recovered'> {
  return eventually('no context was established', () => Promise.resolve(outcomeOf(events)), ESTABLISHED_WITHIN_MS);
}

/** What has come of a handshake so far; `undefined` while it is under way. */
export function outcomeOf(events: readonly Noticed[]): number | 'recovered' | undefined {
  const reached = (host: string, state: string): Noticed | undefined =>
    events.find((event) => event.host === host && event.event === 'state' && event.state === state);
  if (reached('client', 'I2BIS-SENT') !== undefined || reached('server', 'I2BIS-SENT') !== undefined)
    return 'recovered';
  const [from, to] = [reached('client', 'I1-SENT'), reached('client', 'ESTABLISHED')];
  return from === undefined || to === undefined || reached('server', 'ESTABLISHED') === undefined
    ? undefined
    : to.at - from.at;
}

function summary(done: readonly Handshake[]): Row {
  const times = done.map(({ ms }) => ms);
  return {
    name: 'loci-shim6',
    handshakeMs: { ...spread(times), p99: significant(quantile(times, 0.99), 4) },
    cpuMsPerHandshake: significant(done.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / done.length, 3),
    rounds: done.length,
  };
}
