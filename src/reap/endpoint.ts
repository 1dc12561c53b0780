import { pairKey, samePair } from '../locators/pair.ts';
import { random32 } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import { Exploration } from './exploration.ts';
import { HeardProbes } from './heard-probes.ts';
import type { HotStandby } from './hot-standby.ts';
import { Homing } from './homing.ts';
import type { Incident } from './incident.ts';
import type { ReapEffect } from './input.ts';
import { Keepalives } from './keepalives.ts';
import type { ProbeReport, ReapState } from './probe.ts';
import type { ReapProfile } from './profile.ts';
import { RoundTrips } from './round-trips.ts';
import { SentProbes } from './sent-probes.ts';
import { between } from './spread.ts';
import type { Purpose } from './sent-probes.ts';
import { Timers } from './timers.ts';

/** What a machine is made with; `random` gives unpredictable octets (RFC 5534 §5.2: nonces). */
export interface ReapOptions {
  readonly profile: ReapProfile;
  readonly random: Random;
  /** What is known of round trips, when contexts share it. */
  readonly trips?: RoundTrips | undefined;
  /** The pair in use when the context was established. */
  readonly pair: LocatorPair;
}

const TIMERS = ['send', 'early', 'probe', 'hold', 'nudge', 'hint'] as const;
export type TimerName = (typeof TIMERS)[number];

export const NO_REPORTS: readonly ProbeReport[] = [];
const PROBE_SPREAD = [0.8, 1.2] as const; // §4.1: timers are randomised

/** One end of a context: its timers, what it knows of pairs, and the messages it sends. */
export abstract class Endpoint {
  protected readonly profile: ReapProfile;
  protected readonly random: Random;
  protected readonly timers: Timers<TimerName> = new Timers<TimerName>(TIMERS);
  protected readonly keepalives: Keepalives;
  protected readonly exploration: Exploration;
  protected readonly homing: Homing;
  protected readonly sent: SentProbes = new SentProbes();
  protected readonly heard: HeardProbes = new HeardProbes();
  protected readonly trips: RoundTrips;
  /** With a grace, the first report of another pair does not decide yet. */
  protected readonly hasGrace: boolean;
  protected currentState: ReapState = 'Operational';
  protected currentPair: LocatorPair;
  /** Where the peer's payload comes from; unknown after the peer was told to choose anew. */
  protected arrival: LocatorPair | undefined;
  /** Where the peer's last probe came from. */
  protected probedOn: LocatorPair | undefined;
  protected incident: Incident | undefined;
  protected hotStandby: HotStandby | undefined;
  /** Another context explores for this one. */
  protected isWaiting = false;
  /** A pair that will go: the peer should leave it too. */
  protected unwanted: LocatorPair | undefined;
  /** When payload, a Keepalive or a Probe last came in. */
  protected heardAt: Instant = -Infinity;
  protected sendSince: Instant = 0;
  /** When a Path Test of the current pair went out that is unanswered. */
  protected testedAt: Instant | undefined;
  /** When what was last answered; only while this host is not content. */
  protected repliedAt: Map<string, Instant> | undefined;

  constructor(options: ReapOptions) {
    this.profile = options.profile;
    this.random = options.random;
    this.currentPair = options.pair;
    this.arrival = options.pair;
    this.hasGrace = options.profile.graceMs > 0;
    this.keepalives = new Keepalives(options.profile, options.random);
    this.exploration = new Exploration(options.profile);
    this.trips = options.trips ?? new RoundTrips(options.profile);
    this.homing = new Homing(options.profile);
  }

  get state(): ReapState {
    return this.currentState;
  }

  /** The current pair for what this host sends. */
  get pair(): LocatorPair {
    return this.currentPair;
  }

  protected enter(state: ReapState, now: Instant, out: ReapEffect[]): void {
    this.currentState = state;
    if (state === 'Operational') this.isWaiting = false;
    this.repliedAt = undefined;
    out.push({ type: 'state', state });
    if (state === 'Operational') {
      this.timers.stop('probe', 'hold', 'nudge');
      this.incident = undefined;
    } else {
      this.timers.stop('early', 'hint');
      this.keepalives.stop();
      this.homing.rest();
      this.hotStandby?.rest();
      if (!this.timers.isRunning('probe')) this.armProbe(now);
    }
  }

  protected select(to: LocatorPair, why: string, now: Instant, out: ReapEffect[]): void {
    if (samePair(to, this.currentPair)) return;
    const from = this.currentPair;
    this.currentPair = to;
    if (this.unwanted !== undefined && samePair(to, this.unwanted)) this.unwanted = undefined;
    this.homing.left(from, now);
    out.push({ type: 'selected', from, to, why });
  }

  /** §6.8 with R-04: the current pair if it is among those that work, else the first in the local order. */
  protected choose(pairs: readonly LocatorPair[]): LocatorPair | undefined {
    const avoid = this.incident?.avoid;
    const usable = pairs.filter(
      (pair) => this.exploration.isUsable(pair) && (avoid === undefined || !samePair(pair, avoid)),
    );
    const isAmong = (pair: LocatorPair): boolean => usable.some((other) => samePair(other, pair));
    if (isAmong(this.currentPair)) return this.currentPair;
    return this.exploration.candidates.find(isAmong) ?? usable[0];
  }

  protected armProbe(now: Instant): void {
    const wait = this.exploration.wait * between(PROBE_SPREAD, this.random);
    this.timers.set('probe', now + Math.min(wait, this.profile.maxProbeMs));
  }

  protected startSend(since: Instant, restart: boolean): void {
    if (this.timers.isRunning('send') && !restart) return;
    this.sendSince = since;
    const { sendTimeoutMs, sendSpread, pollAllowanceMs } = this.profile;
    const allowance = this.hasGrace ? this.trips.allowance(this.currentPair) : 0;
    const timeout = sendTimeoutMs * between(sendSpread, this.random) + pollAllowanceMs + allowance;
    this.timers.set('send', since + timeout);
    if (this.hasGrace && this.profile.pathTest && this.currentState === 'Operational') {
      this.timers.set('early', since + timeout / 2);
    }
  }

  protected stopSend(): void {
    this.timers.stop('send', 'early');
    this.testedAt = undefined;
  }

  protected sendKeepalive(out: ReapEffect[]): void {
    out.push({ type: 'send-keepalive', pair: this.currentPair });
  }

  /**
   * To the reverse of the pair on which the peer was heard. In a burst also where our payload goes, and, unless one of
   * them is known to work, where probes of ours have arrived; probes that come in at once get one answer.
   */
  protected reply(pair: LocatorPair, state: ReapState, now: Instant, out: ReapEffect[]): void {
    if (this.profile.burst === 1) return this.probe(pair, state, now, out);
    const pause = this.profile.graceMs / 4;
    const key = `${state} ${pairKey(pair)}`;
    const answered = (this.repliedAt ??= new Map<string, Instant>());
    if (now - (answered.get(key) ?? -Infinity) < pause) return;
    answered.set(key, now);
    const targets = [pair];
    if (state === 'InboundOk') {
      const isIdle = !this.sent.hasRecent(this.currentPair, pause, now);
      if (isIdle && this.exploration.isUsable(this.currentPair)) targets.push(this.currentPair);
      const proven = this.incident?.confirmed ?? [];
      const works = this.choose(proven);
      const isProven = targets.some((target) => proven.some((other) => samePair(target, other)));
      if (works !== undefined && !isProven) targets.push(works);
    }
    const distinct = targets.filter((target, i) => !targets.slice(0, i).some((other) => samePair(other, target)));
    for (const target of distinct) this.probe(target, state, now, out);
  }

  protected probe(
    pair: LocatorPair,
    state: ReapState,
    now: Instant,
    out: ReapEffect[],
    received: readonly ProbeReport[] = this.reports(state),
  ): void {
    const sent = [this.report(pair, 'explore', now)];
    const purpose = state === 'Operational' || received.length > 0 ? 'answer' : 'explore';
    out.push({ type: 'send-probe', pair, probe: { state, sent, received, pathTest: false }, purpose });
  }

  protected test(pair: LocatorPair, purpose: Purpose, now: Instant, out: ReapEffect[]): void {
    const sent = [this.report(pair, purpose, now)];
    const probe = { state: 'Operational', sent, received: NO_REPORTS, pathTest: true } as const;
    out.push({ type: 'send-probe', pair, probe, purpose });
  }

  protected report(pair: LocatorPair, purpose: Purpose, now: Instant): ProbeReport {
    const nonce = random32(this.random);
    this.sent.add(nonce, pair, purpose, now);
    return { source: pair.local, destination: pair.peer, nonce, data: 0 };
  }

  /**
   * What arrived from the peer, as far as it should keep to it. A Probe(Operational) that leaves out the pair on which
   * the peer's payload does arrive would make the peer leave that pair: with a grace it then names none at all.
   */
  protected reports(state: ReapState): readonly ProbeReport[] {
    const isWanted = (pair: LocatorPair): boolean =>
      this.exploration.isUsable(pair) && (this.unwanted === undefined || !samePair(this.unwanted, pair));
    const arrival = this.arrival;
    const isKept = arrival !== undefined && isWanted(arrival) && !this.heard.arrivedOn(arrival);
    if (this.hasGrace && state === 'Operational' && isKept) return NO_REPORTS;
    return this.heard.reports(isWanted);
  }
}
