import { exitStatus, messageOf } from '../../node/error.ts';
import { pause } from './daemons.ts';
import type { Context, Daemon, Noticed, Pair, Profile } from './daemons.ts';
import { arm } from './failures.ts';
import type { Cause, Failure } from './failures.ts';
import { monotonicNow } from './lines.ts';
import { buildStage, eventually } from './stage.ts';
import type { Stage } from './stage.ts';
import { startTraffic, tenths } from './traffic.ts';
import type { TcpResult, UdpResult } from './traffic.ts';

export interface RunOptions {
  readonly failure: Failure;
  readonly cause: Cause;
  readonly profile: Profile;
  readonly rate: number;
  readonly seed: number;
  readonly loci: boolean;
  readonly pcap?: string | undefined;
}

/** One run, as `contracts.md` gives it. */
export interface RunResult {
  readonly ok: boolean;
  readonly reason?: string;
  readonly tcp: TcpResult | null;
  readonly udp: UdpResult | null;
  readonly detectMs: number | null;
  readonly recoverMs: number | null;
  readonly pairBefore: Pair | null;
  readonly pairAfter: Pair | null;
}

/** What a spectator of a run is shown while it happens. `at` is CLOCK_MONOTONIC in milliseconds. */
export type Moment = { readonly at: number } & (
  | { readonly kind: 'building' }
  | { readonly kind: 'flowing'; readonly source: string; readonly destination: string }
  | { readonly kind: 'protected' }
  | { readonly kind: 'noticed'; readonly event: Noticed }
  | { readonly kind: 'failure' | 'step'; readonly what: string }
  | { readonly kind: 'finished'; readonly result: RunResult }
);

const CONTEXT_WITHIN_MS = 10_000;
const STEADY_MS = 500;
/** Failures come at any phase of the timers at work. */
const JITTER_MS = 100;
const LOOK_BACK_MS = 100;
const AFTER_MS = { renumber: 2_000, usual: 2_500 } as const;
/** RFC 5534 §7 waits 15 s before it suspects anything, and then probes one pair after the other. */
const AFTER_RFC_MS = 25_000;

/** Builds everything, lets programs talk, breaks provider 1, and measures what the programs saw. */
export async function measure(options: RunOptions, show: (moment: Moment) => void): Promise<RunResult> {
  const result = await attempt(options, show).catch((error: unknown) => {
    if (exitStatus(error) === 2) throw error; // the next run would not do better
    return failed(messageOf(error));
  });
  show({ at: monotonicNow(), kind: 'finished', result });
  return result;
}

async function attempt(options: RunOptions, show: (moment: Moment) => void): Promise<RunResult> {
  const { failure, cause, profile, loci, pcap } = options;
  const events: Noticed[] = [];
  show({ at: monotonicNow(), kind: 'building' });
  const stage = await buildStage({
    profile,
    loci,
    pcap,
    onEvent: (event) => {
      events.push(event);
      show({ at: event.at, kind: 'noticed', event });
    },
  });
  try {
    const traffic = await startTraffic(stage.topology, stage.identifiers.server, options);
    try {
      const ulids = [traffic.source, stage.identifiers.server] as const;
      show({ at: monotonicNow(), kind: 'flowing', source: ulids[0], destination: ulids[1] });
      const pairBefore = loci ? await established(stage, ulids, events) : null;
      if (loci) show({ at: monotonicNow(), kind: 'protected' });
      const armed = await arm(failure, cause, stage.topology);
      await pause(STEADY_MS + ((options.seed * 37) % JITTER_MS));
      show({ at: monotonicNow(), kind: 'failure', what: armed.what });
      const { at } = await armed.strike((what) => {
        show({ at: monotonicNow(), kind: 'step', what });
      });
      await pause(profile === 'rfc' ? AFTER_RFC_MS : failure === 'renumber' ? AFTER_MS.renumber : AFTER_MS.usual);
      const { tcp, udp, faults } = await traffic.finish(at - LOOK_BACK_MS);
      armed.disarm();
      const pairAfter = loci ? await pairOf(stage.daemon('client'), ulids) : null;
      return {
        ok: faults.length === 0,
        ...(faults.length === 0 ? {} : { reason: faults.join('; ') }),
        tcp,
        udp,
        detectMs: firstAfter(at, events, 'suspect', ulids),
        recoverMs: firstAfter(at, events, 'arrived', ulids),
        pairBefore,
        pairAfter,
      };
    } finally {
      traffic.kill();
    }
  } finally {
    await stage.close();
  }
}

/** A run that did not come to its measurement. */
function failed(reason: string): RunResult {
  const nothing = { tcp: null, udp: null, detectMs: null, recoverMs: null, pairBefore: null, pairAfter: null };
  return { ok: false, reason, ...nothing };
}

/** Waits until the context of the two identifiers is ESTABLISHED at both ends; the client's pair. */
async function established(stage: Stage, ulids: Pair, events: readonly Noticed[]): Promise<Pair> {
  const announced = (daemon: Daemon): boolean =>
    events.some(
      ({ host, event, state, ulids: whose }) =>
        host === daemon.host && event === 'state' && state === 'ESTABLISHED' && sameIdentifiers(whose, ulids),
    );
  const { daemons } = stage;
  await eventually(
    'no context was established',
    () => Promise.resolve(daemons.every(announced) ? true : undefined),
    CONTEXT_WITHIN_MS,
  );
  for (const daemon of daemons) {
    const context = await contextOf(daemon, ulids);
    if (context?.state !== 'ESTABLISHED')
      throw new Error(`the context of the ${daemon.host} is ${String(context?.state)}`);
  }
  return pairOf(stage.daemon('client'), ulids);
}

async function contextOf(daemon: Daemon, ulids: Pair): Promise<Context | undefined> {
  return (await daemon.contexts()).find((context) => sameIdentifiers(context.ulids, ulids));
}

async function pairOf(daemon: Daemon, ulids: Pair): Promise<Pair> {
  const context = await contextOf(daemon, ulids);
  if (context === undefined) throw new Error(`the ${daemon.host} has no context any more`);
  return context.pair;
}

/** Both ends name the same two identifiers, each in its own direction. */
function sameIdentifiers(a: Pair | undefined, b: Pair): boolean {
  return a !== undefined && ((a[0] === b[0] && a[1] === b[1]) || (a[0] === b[1] && a[1] === b[0]));
}

function firstAfter(at: number, events: readonly Noticed[], event: string, ulids: Pair): number | null {
  const instants = events
    .filter((noticed) => noticed.event === event && noticed.at >= at && sameIdentifiers(noticed.ulids, ulids))
    .map((noticed) => noticed.at);
  return instants.length === 0 ? null : tenths(Math.min(...instants) - at);
}
