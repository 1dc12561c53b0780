import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { sameOctets } from '../wire/address.ts';
import { Reader } from '../wire/reader.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Exploration } from './exploration.ts';
import { HeardProbes } from './heard-probes.ts';
import { Homing } from './homing.ts';
import { Incident } from './incident.ts';
import type { Cause, ReapEffect, ReapInput } from './input.ts';
import { Keepalives } from './keepalives.ts';
import type { Probe, ProbeReport, ReapState } from './probe.ts';
import type { ReapProfile } from './profile.ts';
import { RoundTrips } from './round-trips.ts';
import { SentProbes } from './sent-probes.ts';
import type { Purpose, SentProbe } from './sent-probes.ts';
import { Timers } from './timers.ts';
import { TRANSITIONS } from './transitions.ts';
import type { ReapEvent } from './transitions.ts';

/** What a machine is made with; `random` gives unpredictable octets (RFC 5534 §5.2: nonces). */
export interface ReapOptions {
  readonly profile: ReapProfile;
  readonly random: (length: number) => Uint8Array;
  /** The pair in use when the context was established. */
  readonly pair: LocatorPair;
}

type TimerName = 'send' | 'early' | 'probe' | 'hold' | 'nudge' | 'hint';

const PROBE_SPREAD = [0.8, 1.2] as const; // §4.1: timers are randomised
const NO_REPORTS: readonly ProbeReport[] = [];

/** RFC 5534: notices when payload to or from one peer stops arriving, and finds a locator pair that works. */
export class Reap {
  readonly #profile: ReapProfile;
  readonly #random: (length: number) => Uint8Array;
  readonly #timers = new Timers<TimerName>();
  readonly #keepalives: Keepalives;
  readonly #exploration: Exploration;
  readonly #homing: Homing;
  readonly #sent = new SentProbes();
  readonly #heard = new HeardProbes();
  readonly #trips: RoundTrips;
  /** With a grace, the first report of another pair does not decide yet. */
  readonly #hasGrace: boolean;
  #state: ReapState = 'Operational';
  #pair: LocatorPair;
  /** Where the peer's payload comes from; unknown after the peer was told to choose anew. */
  #arrival: LocatorPair | undefined;
  /** Where the peer's last probe came from. */
  #probedOn: LocatorPair | undefined;
  #incident: Incident | undefined;
  readonly #repliedAt = new Map<string, Instant>();
  #hintCause: Cause = 'icmp';
  #sendSince: Instant = 0;
  #testedAt: Instant | undefined;
  #heardAt: Instant = -Infinity;
  #usedAt: Instant = -Infinity;
  #hintedAt: Instant = -Infinity;
  #refreshedAt: Instant = -Infinity;
  #vouchedAt: Instant = -Infinity;
  #frozenAt: Instant | undefined;
  #isStopped = false;

  constructor(options: ReapOptions) {
    this.#profile = options.profile;
    this.#random = options.random;
    this.#pair = options.pair;
    this.#arrival = options.pair;
    this.#hasGrace = options.profile.graceMs > 0;
    this.#keepalives = new Keepalives(options.profile, (range) => this.#uniform(range));
    this.#exploration = new Exploration(options.profile);
    this.#trips = new RoundTrips(options.profile);
    this.#homing = new Homing(options.profile);
  }

  get state(): ReapState {
    return this.#state;
  }

  /** The current pair for what this host sends. */
  get pair(): LocatorPair {
    return this.#pair;
  }

  /** When `tick` is next due; `NEVER` when nothing is pending. Calling early is harmless. */
  get deadline(): Instant {
    if (this.#frozenAt !== undefined) return NEVER;
    return Math.min(this.#timers.deadline, this.#keepalives.deadline, this.#homing.deadline);
  }

  get isSendTimerRunning(): boolean {
    return this.#timers.isRunning('send');
  }

  get isKeepaliveTimerRunning(): boolean {
    return this.#keepalives.isRunning;
  }

  handle(input: ReapInput, now: Instant): ReapEffect[] {
    const out: ReapEffect[] = [];
    if (this.#isStopped) return out;
    switch (input.type) {
      case 'candidates':
        this.#candidates(input.pairs, now, out);
        return out;
      case 'prefer':
        this.#homing.prefer(input.pair);
        return out;
      case 'rtt':
        this.#trips.add(input.pair, input.ms);
        return out;
      case 'peer-timeout':
        if (input.keepaliveTimeoutMs > 0) this.#keepalives.timeoutMs = input.keepaliveTimeoutMs;
        return out;
      case 'freeze':
        this.#frozenAt ??= now;
        return out;
      case 'thaw':
        this.#thaw(now);
        return out;
      case 'stop':
        this.#isStopped = true;
        this.#timers.clear();
        this.#keepalives.stop();
        this.#homing.prefer(undefined);
        return out;
      default:
        if (this.#frozenAt === undefined) this.#act(input, now, out);
        return out;
    }
  }

  #act(input: ReapInput, now: Instant, out: ReapEffect[]): void {
    switch (input.type) {
      case 'payload-sent':
        return this.#payloadSent(Math.min(input.at ?? now, now), now, out);
      case 'payload-received':
        return this.#payloadReceived(input.pair, now, out);
      case 'keepalive-received':
        return this.#keepaliveReceived(input.pair, now, out);
      case 'probe-received':
        return this.#probeReceived(input.pair, input.probe, now, out);
      case 'tick':
        return this.#tick(now, out);
      case 'pair-dead':
        return this.#pairDead(input.cause, input.pair ?? this.#pair, now, out);
      case 'hint':
        return this.#hint(input.cause, now, out);
      case 'deprecate':
        return this.#deprecate(input.pair, now, out);
      case 'lag':
        return this.#lag(input.ms, now, out);
      default:
        return;
    }
  }

  // Traffic, §6.1, §6.2.

  #payloadSent(at: Instant, now: Instant, out: ReapEffect[]): void {
    this.#use(now);
    this.#react('payload sent', this.#pair, now, out, at);
    if (!this.#profile.pathTest || this.#state !== 'Operational' || !this.#trips.isVague(this.#pair)) return;
    if (now - this.#refreshedAt < this.#profile.testIntervalMs) return;
    this.#refreshedAt = now;
    this.#test(this.#pair, 'refresh', now, out);
  }

  #payloadReceived(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    this.#use(now);
    this.#heardAt = now;
    this.#incident?.hear(pair, this.#arrival, 'payload');
    this.#arrival = pair;
    this.#vouch(now, out);
    if (this.#isCollecting) this.#weigh(now, out);
    else if (!this.#isLeaving) this.#react('payload received', pair, now, out);
  }

  #keepaliveReceived(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    this.#heardAt = now;
    this.#incident?.hear(pair, this.#arrival, 'payload');
    this.#arrival = pair;
    if (this.#hasGrace) this.#incident?.vouch();
    if (this.#isCollecting) this.#weigh(now, out);
    else if (!this.#isLeaving) this.#react('Keepalive received', pair, now, out);
  }

  #use(now: Instant): void {
    this.#usedAt = now;
    if (this.#state === 'Operational') this.#homing.use(this.#pair, now);
  }

  /** While one end explores, payload that arrives all the same is vouched for at once: no second Keepalive Timer, one per interval. */
  #vouch(now: Instant, out: ReapEffect[]): void {
    if (!this.#hasGrace || this.#state === 'Operational') return;
    if (now - this.#vouchedAt < this.#profile.sendTimeoutMs * this.#profile.keepaliveShare[1]) return;
    this.#vouchedAt = now;
    out.push({ type: 'send-keepalive', pair: this.#pair });
  }

  // Probes, §6.6-§6.9.

  #probeReceived(pair: LocatorPair, probe: Probe, now: Instant, out: ReapEffect[]): void {
    const [itself] = probe.sent;
    if (itself === undefined) return; // §5.2: Psent is at least 1
    if (probe.pathTest && !this.#profile.pathTest) return;
    const reported = this.#reported(probe.received, pair, now, out);
    this.#incident?.hear(pair, this.#arrival, 'probe');
    if (probe.pathTest) return this.#pathTest(pair, itself, probe, reported, now, out);
    this.#heardAt = now;
    this.#probedOn = pair;
    if (probe.state === 'Exploring' && this.#state === 'Operational') {
      this.#heard.clear();
      this.#incident = new Incident('peer-exploring', 'answering', now, -Infinity); // its list began with its exploration
      this.#exploration.restart();
      out.push({ type: 'suspect', cause: 'peer-exploring', pair: this.#pair });
    }
    if (probe.state !== 'Operational') this.#heard.add(itself, pair);
    const incident = this.#incident;
    incident?.peerIs(probe.state);
    if (this.#hasGrace && probe.state === 'Operational' && probe.received.length === 0) incident?.vouch();
    if (probe.state !== 'Exploring' && this.#isCollecting) return this.#weigh(now, out);
    this.#react(`Probe ${probe.state}`, pair, now, out, now, reported);
    if (this.#isCollecting) this.#weigh(now, out);
  }

  /** Takes reports in; the probes of ours that they name. */
  #reported(reports: readonly ProbeReport[], arrivedOn: LocatorPair, now: Instant, out: ReapEffect[]): SentProbe[] {
    const known: SentProbe[] = [];
    for (const [i, report] of reports.entries()) {
      const probe = this.#sent.get(report.nonce, now);
      if (probe === undefined) continue; // §8: an unknown nonce proves nothing
      known.push(probe);
      this.#incident?.confirm(probe, now);
      if (probe.reported) continue;
      probe.reported = true;
      const rttMs = now - probe.at;
      if (i === 0 && samePair(arrivedOn, probe.pair)) this.#trips.add(probe.pair, rttMs);
      out.push({ type: 'confirmed', pair: probe.pair, rttMs });
      if (probe.purpose === 'hint') this.#timers.stop('hint');
      if (probe.purpose === 'return') this.#homed(probe, now, out);
    }
    return known;
  }

  #pathTest(
    pair: LocatorPair,
    itself: ProbeReport,
    probe: Probe,
    reported: readonly SentProbe[],
    now: Instant,
    out: ReapEffect[],
  ): void {
    if (probe.received.length === 0) {
      const answer = this.#report(pair, 'explore', now);
      out.push({
        type: 'send-probe',
        pair,
        probe: { state: 'Operational', sent: [answer], received: [itself], pathTest: true },
      });
    }
    if (this.#isCollecting) this.#weigh(now, out);
    const isInboundFine = this.#arrival === undefined || samePair(pair, this.#arrival);
    if (this.#state === 'Operational' && isInboundFine && reported.some((test) => samePair(test.pair, this.#pair))) {
      this.#stopSend();
    }
  }

  #homed(probe: SentProbe, now: Instant, out: ReapEffect[]): void {
    const home = this.#homing.pair;
    if (home === undefined || !samePair(home, probe.pair) || this.#state !== 'Operational') return;
    if (!this.#homing.answered(probe.at, now) || samePair(home, this.#pair)) return;
    out.push({ type: 'selected', from: this.#pair, to: home, why: 'preferred pair works again' });
    this.#pair = home;
    this.#homing.returned(now);
    this.#stopSend();
  }

  // The table of §6.

  #react(
    event: ReapEvent,
    pair: LocatorPair,
    now: Instant,
    out: ReapEffect[],
    at: Instant = now,
    reported: readonly SentProbe[] = [],
  ): void {
    const reaction = TRANSITIONS[event][this.#state];
    if (reaction.select === true && !(this.#hasGrace && this.#state === 'Operational')) {
      const chosen = this.#choose(reported.filter((probe) => this.#counts(probe)).map((probe) => probe.pair));
      if (chosen !== undefined) this.#select(chosen, this.#incident?.cause ?? 'peer-exploring', now, out);
      else if (this.#isBound) return; // never back to Operational on a pair that is known to be dead
    }
    const before = this.#state;
    const next = reaction.next ?? before;
    if (next === 'Exploring' && before !== 'Exploring') return this.#suspect('send-timeout', 'suspecting', now, out);
    if (reaction.probe !== undefined) this.#reply(pair, reaction.probe, now, out); // before any list is cleared
    if (next !== before) this.#enter(next, now, out);
    if (reaction.send === 'STOP') this.#stopSend();
    else if (reaction.send !== undefined && !this.#timers.isRunning('hold')) {
      this.#startSend(reaction.send === 'RESTART' ? now : Math.max(at, this.#heardAt), reaction.send === 'RESTART');
    }
    if (reaction.keepalive === 'STOP') this.#keepalives.stop();
    if (reaction.keepalive === 'START' && this.#keepalives.start(now)) this.#sendKeepalive(out);
  }

  /** §6.8 with R-04: the current pair if it is among those that work, else the first in the local order. */
  #choose(pairs: readonly LocatorPair[]): LocatorPair | undefined {
    const avoid = this.#incident?.avoid;
    const usable = pairs.filter(
      (pair) => this.#exploration.isUsable(pair) && (avoid === undefined || !samePair(pair, avoid)),
    );
    const isAmong = (pair: LocatorPair): boolean => usable.some((other) => samePair(other, pair));
    if (isAmong(this.#pair)) return this.#pair;
    return this.#exploration.candidates.find(isAmong) ?? usable[0];
  }

  /** Old reports say nothing about the pair that is suspected now. */
  #counts(probe: SentProbe): boolean {
    return !samePair(probe.pair, this.#pair) || (this.#incident?.isFresh(probe) ?? true);
  }

  /** The pair in use will go: whatever is heard on it does not end the exploration. */
  get #isLeaving(): boolean {
    return this.#state === 'Exploring' && this.#incident?.avoid !== undefined;
  }

  /** The exploration must not end on the current pair. */
  get #isBound(): boolean {
    return (
      this.#state !== 'Operational' && (this.#incident?.avoid !== undefined || !this.#exploration.isUsable(this.#pair))
    );
  }

  #select(to: LocatorPair, why: string, now: Instant, out: ReapEffect[]): void {
    if (samePair(to, this.#pair)) return;
    const from = this.#pair;
    this.#pair = to;
    this.#homing.left(from, now);
    out.push({ type: 'selected', from, to, why });
  }

  #enter(state: ReapState, now: Instant, out: ReapEffect[]): void {
    this.#state = state;
    this.#repliedAt.clear();
    out.push({ type: 'state', state });
    if (state === 'Operational') {
      this.#timers.stop('probe', 'hold', 'nudge');
      this.#incident = undefined;
    } else {
      this.#timers.stop('early', 'hint');
      this.#keepalives.stop();
      this.#homing.rest();
      if (!this.#timers.isRunning('probe')) this.#armProbe(now);
    }
  }

  // Suspicion and exploration, §4.2, §4.3.

  #suspect(
    cause: Cause,
    role: 'suspecting' | 'certain',
    now: Instant,
    out: ReapEffect[],
    about = this.#pair,
    avoid?: LocatorPair,
  ): void {
    const wasOperational = this.#state === 'Operational';
    const provesSince = role === 'certain' ? now : (this.#testedAt ?? now);
    this.#stopSend();
    this.#timers.stop('hold', 'nudge');
    this.#heard.clear();
    const incident = new Incident(cause, role, now, provesSince);
    this.#incident = incident;
    if (wasOperational) this.#exploration.restart();
    else this.#exploration.rewind(); // §4.3: the back-off goes on
    this.#probedOn = undefined;
    if (avoid !== undefined) incident.avoid = avoid;
    out.push({ type: 'suspect', cause, pair: about });
    if (this.#state !== 'Exploring') this.#enter('Exploring', now, out);
    this.#round(now, out);
    if (!this.#hasGrace || incident.isCertain) return;
    this.#timers.set('hold', incident.decideAt(this.#pair, this.#profile.graceMs, this.#trips.answerTime(this.#pair)));
    this.#timers.set('nudge', now + this.#profile.graceMs / 3);
  }

  #round(now: Instant, out: ReapEffect[]): void {
    const incident = this.#incident;
    if (incident?.avoid !== undefined && this.#exploration.rounds >= 2 * this.#profile.initialProbes) {
      incident.avoid = undefined; // nothing else works: better a pair that will go than none
    }
    const first = [this.#pair];
    if (this.#profile.burst > 1 && this.#state === 'InboundOk' && this.#probedOn !== undefined) {
      if (!samePair(this.#probedOn, this.#pair)) first.unshift(this.#probedOn);
    }
    for (const pair of this.#exploration.next(first, incident?.avoid)) this.#probe(pair, this.#state, now, out);
    this.#armProbe(now);
  }

  #armProbe(now: Instant): void {
    const wait = this.#exploration.wait * this.#uniform(PROBE_SPREAD);
    this.#timers.set('probe', now + Math.min(wait, this.#profile.maxProbeMs));
  }

  /** Evidence is being collected for a choice that is this host's own. */
  get #isCollecting(): boolean {
    const incident = this.#incident;
    if (!this.#hasGrace || incident === undefined || !incident.isSuspecting || incident.isCertain) return false;
    return this.#timers.isRunning('hold') || incident.isAnswered;
  }

  #weigh(now: Instant, out: ReapEffect[]): void {
    const incident = this.#incident;
    if (incident === undefined) return;
    if (incident.clears(this.#pair)) {
      out.push({ type: 'false-alarm', pair: this.#pair });
      return this.#conclude(this.#pair, incident, now, out);
    }
    if (!incident.isAnswered) return;
    const decideAt = incident.decideAt(this.#pair, this.#profile.graceMs, this.#trips.answerTime(this.#pair));
    if (now >= decideAt) return this.#decide(now, out);
    if (!this.#timers.isRunning('hold') && !incident.isConfirmed(this.#pair)) this.#nudge(now, out);
    this.#timers.set('hold', decideAt);
  }

  #decide(now: Instant, out: ReapEffect[]): void {
    const incident = this.#incident;
    if (incident === undefined) return;
    const chosen = this.#choose(incident.confirmed);
    if (chosen !== undefined) return this.#conclude(chosen, incident, now, out);
    if (incident.isInboundHeard && this.#state === 'Exploring') {
      this.#react('payload received', this.#arrival ?? this.#pair, now, out);
    }
  }

  /** The end of an exploration with a grace: the pair is chosen, and the peer told what arrived from it. */
  #conclude(chosen: LocatorPair, incident: Incident, now: Instant, out: ReapEffect[]): void {
    const isConfirmed = incident.isConfirmed(chosen);
    this.#select(chosen, incident.cause, now, out);
    if (incident.isPeerContent) {
      this.#stopSend();
      this.#enter('Operational', now, out);
      if (this.#keepalives.start(now)) this.#sendKeepalive(out);
      return;
    }
    if (!incident.isInboundHeard) this.#arrival = undefined; // the peer has to choose anew
    this.#probe(isConfirmed ? chosen : (this.#probedOn ?? chosen), 'Operational', now, out);
    this.#enter('Operational', now, out);
    this.#keepalives.stop();
    this.#startSend(now, true);
  }

  #nudge(now: Instant, out: ReapEffect[]): void {
    if (this.#incident?.isConfirmed(this.#pair) === true) return;
    this.#probe(this.#pair, this.#state, now, out);
    this.#timers.set('nudge', now + this.#profile.graceMs / 3);
  }

  // What the host knows.

  #candidates(pairs: readonly LocatorPair[], now: Instant, out: ReapEffect[]): void {
    const isHopeful = this.#exploration.replace(pairs);
    if (!isHopeful || this.#state === 'Operational' || this.#frozenAt !== undefined) return;
    this.#exploration.restart(); // a pair that was not there before: worth a fresh start
    this.#round(now, out);
  }

  #pairDead(cause: 'address-lost' | 'peer-broken', dead: LocatorPair, now: Instant, out: ReapEffect[]): void {
    const isDead = (pair: LocatorPair): boolean =>
      cause === 'address-lost' ? sameOctets(pair.local, dead.local) : sameOctets(pair.peer, dead.peer);
    const arrival = this.#arrival;
    this.#exploration.ruleOut(isDead, arrival === undefined ? [this.#pair] : [this.#pair, arrival]);
    const isInboundDead = arrival !== undefined && isDead(arrival);
    if (!isDead(this.#pair) && !isInboundDead) return;
    if (isInboundDead) this.#arrival = undefined;
    const incident = this.#incident;
    if (incident === undefined || !incident.isSuspecting) {
      return this.#suspect(cause, 'certain', now, out, isDead(this.#pair) ? this.#pair : arrival);
    }
    incident.isCertain = true;
    this.#timers.stop('hold', 'nudge');
    const chosen = this.#choose(incident.confirmed);
    if (chosen !== undefined) return this.#conclude(chosen, incident, now, out);
    this.#exploration.rewind();
    this.#round(now, out);
  }

  /** §8: a hint leads to a test. A peer that knows no Path Test at least starts its Keepalive Timer. */
  #hint(cause: Cause, now: Instant, out: ReapEffect[]): void {
    if (this.#state !== 'Operational' || now - this.#hintedAt < this.#profile.sendTimeoutMs) return;
    this.#hintedAt = now;
    if (!this.#profile.pathTest) {
      this.#probe(this.#pair, 'Operational', now, out, NO_REPORTS);
      this.#keepalives.stop();
      this.#startSend(now, false);
      return;
    }
    this.#hintCause = cause;
    this.#testedAt ??= now;
    this.#test(this.#pair, 'hint', now, out);
    const patience = this.#hasGrace ? this.#profile.graceMs : this.#profile.initialProbeMs;
    this.#timers.set('hint', now + patience + this.#trips.allowance(this.#pair));
  }

  /** Make before break: the exploration leaves the pair out, payload stays on it until another one is confirmed. */
  #deprecate(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    const incident = this.#incident;
    if (incident?.isSuspecting === true) incident.avoid = pair;
    else if (samePair(pair, this.#pair)) this.#suspect('address-deprecated', 'certain', now, out, pair, pair);
  }

  /** Silence during our own absence is not the peer's. */
  #lag(ms: number, now: Instant, out: ReapEffect[]): void {
    this.#timers.shift(Math.max(0, Math.min(ms, now - this.#sendSince)), ['send', 'early']);
    this.#timers.shift(Math.max(0, Math.min(ms, now - this.#hintedAt)), ['hint']);
    if (this.#incident !== undefined) {
      const absent = Math.max(0, Math.min(ms, now - this.#incident.since));
      this.#incident.delay(absent);
      this.#timers.shift(absent, ['hold']);
    }
    if (this.#keepalives.tick(now)) this.#sendKeepalive(out);
  }

  #thaw(now: Instant): void {
    if (this.#frozenAt === undefined) return;
    const frozen = now - this.#frozenAt;
    this.#frozenAt = undefined;
    this.#timers.shift(frozen);
    this.#keepalives.shift(frozen);
    this.#homing.shift(frozen);
    this.#incident?.delay(frozen);
    this.#sendSince += frozen;
  }

  // Timers.

  #tick(now: Instant, out: ReapEffect[]): void {
    for (let name = this.#timers.take(now); name !== undefined; name = this.#timers.take(now))
      this.#expire(name, now, out);
    if (this.#keepalives.tick(now)) this.#sendKeepalive(out);
    if (now < this.#homing.deadline) return;
    if (now - this.#usedAt > this.#profile.returnAfterMs) return this.#homing.rest(); // not in use: no tests
    const home = this.#homing.tick(now);
    if (home !== undefined && this.#exploration.isUsable(home)) this.#test(home, 'return', now, out);
  }

  #expire(name: TimerName, now: Instant, out: ReapEffect[]): void {
    switch (name) {
      case 'send':
        return this.#react('Send Timer expires', this.#pair, now, out);
      case 'early': // half of the Send Timeout went by: ask, so that one lost Keepalive is no suspicion
        this.#testedAt = now;
        return this.#test(this.#pair, 'early', now, out);
      case 'probe':
        this.#round(now, out);
        if (this.#state === 'InboundOk' && !this.#timers.isRunning('hold')) this.#startSend(now, false); // §6.5
        return;
      case 'hold':
        return this.#decide(now, out);
      case 'nudge':
        if (this.#timers.isRunning('hold')) this.#nudge(now, out);
        return;
      case 'hint':
        return this.#suspect(this.#hintCause, 'suspecting', now, out);
    }
  }

  #startSend(since: Instant, restart: boolean): void {
    if (this.#timers.isRunning('send') && !restart) return;
    this.#sendSince = since;
    const { sendTimeoutMs, sendSpread, pollAllowanceMs } = this.#profile;
    const allowance = this.#hasGrace ? this.#trips.allowance(this.#pair) : 0;
    const timeout = sendTimeoutMs * this.#uniform(sendSpread) + pollAllowanceMs + allowance;
    this.#timers.set('send', since + timeout);
    if (this.#hasGrace && this.#profile.pathTest && this.#state === 'Operational') {
      this.#timers.set('early', since + timeout / 2);
    }
  }

  #stopSend(): void {
    this.#timers.stop('send', 'early');
    this.#testedAt = undefined;
  }

  // Messages.

  #sendKeepalive(out: ReapEffect[]): void {
    out.push({ type: 'send-keepalive', pair: this.#pair });
  }

  /**
   * To the reverse of the pair on which the peer was heard. In a burst also where our payload goes, and, unless one of
   * them is known to work, where probes of ours have arrived; probes that come in at once get one answer.
   */
  #reply(pair: LocatorPair, state: ReapState, now: Instant, out: ReapEffect[]): void {
    if (this.#profile.burst === 1) return this.#probe(pair, state, now, out);
    const pause = this.#profile.graceMs / 4;
    const key = `${state} ${pairKey(pair)}`;
    if (now - (this.#repliedAt.get(key) ?? -Infinity) < pause) return;
    this.#repliedAt.set(key, now);
    const targets = [pair];
    if (state === 'InboundOk') {
      if (this.#exploration.isUsable(this.#pair) && !this.#sent.hasRecent(this.#pair, pause, now))
        targets.push(this.#pair);
      const proven = this.#incident?.confirmed ?? [];
      const works = this.#choose(proven);
      if (works !== undefined && !targets.some((target) => proven.some((other) => samePair(target, other))))
        targets.push(works);
    }
    const distinct = targets.filter((target, i) => !targets.slice(0, i).some((other) => samePair(other, target)));
    for (const target of distinct) this.#probe(target, state, now, out);
  }

  #probe(pair: LocatorPair, state: ReapState, now: Instant, out: ReapEffect[], received = this.#reports(state)): void {
    const sent = [this.#report(pair, 'explore', now)];
    out.push({ type: 'send-probe', pair, probe: { state, sent, received, pathTest: false } });
  }

  #test(pair: LocatorPair, purpose: Purpose, now: Instant, out: ReapEffect[]): void {
    const sent = [this.#report(pair, purpose, now)];
    out.push({ type: 'send-probe', pair, probe: { state: 'Operational', sent, received: [], pathTest: true } });
  }

  #report(pair: LocatorPair, purpose: Purpose, now: Instant): ProbeReport {
    const nonce = new Reader(this.#random(4)).u32();
    this.#sent.add(nonce, pair, purpose, now);
    return { source: pair.local, destination: pair.peer, nonce, data: 0 };
  }

  /**
   * What arrived from the peer, as far as it should keep to it. A Probe(Operational) that leaves out the pair on which
   * the peer's payload does arrive would make the peer leave that pair: with a grace it then names none at all.
   */
  #reports(state: ReapState): readonly ProbeReport[] {
    const arrival = this.#arrival;
    if (this.#hasGrace && state === 'Operational' && arrival !== undefined && !this.#heard.arrivedOn(arrival))
      return NO_REPORTS;
    const avoid = this.#incident?.avoid;
    return this.#heard.reports(
      (pair) => this.#exploration.isUsable(pair) && (avoid === undefined || !samePair(avoid, pair)),
    );
  }

  #uniform([from, to]: readonly [number, number]): number {
    return from + (to - from) * (new Reader(this.#random(4)).u32() / 0x1_0000_0000);
  }
}
