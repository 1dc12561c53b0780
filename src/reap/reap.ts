import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { sameOctets } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { NO_REPORTS } from './endpoint.ts';
import type { TimerName } from './endpoint.ts';
import { Explorer } from './explorer.ts';
import { Incident } from './incident.ts';
import type { Cause, ReapEffect, ReapInput } from './input.ts';
import type { Probe, ProbeReport } from './probe.ts';
import type { SentProbe } from './sent-probes.ts';

export type { ReapOptions } from './endpoint.ts';

/** Why payload goes back to the preferred pair. */
export const RETURNED = 'preferred pair works again';
/** Why payload goes where somebody wants it. */
export const WANTED = 'somebody prefers it';

/** RFC 5534: notices when payload to or from one peer stops arriving, and finds a locator pair that works. */
export class Reap extends Explorer {
  #hintCause: Cause = 'icmp';
  #usedAt: Instant = -Infinity;
  #hintedAt: Instant = -Infinity;
  #vouchedAt: Instant = -Infinity;
  #frozenAt: Instant | undefined;
  #isStopped = false;

  /** When `tick` is next due; `NEVER` when nothing is pending. Calling early is harmless. */
  get deadline(): Instant {
    if (this.#frozenAt !== undefined) return NEVER;
    const tests = Math.min(this.homing.deadline, this.hotStandby?.deadline ?? NEVER);
    return Math.min(this.timers.deadline, this.keepalives.deadline, tests);
  }

  get isSendTimerRunning(): boolean {
    return this.timers.isRunning('send');
  }

  /** Since when a sign of the peer is awaited; `NEVER` when none is. */
  get awaitsSince(): Instant {
    return this.isSendTimerRunning ? this.sendSince : NEVER;
  }

  /** How long an exploration takes that finds something. */
  get patienceMs(): number {
    return 2 * (this.profile.graceMs + this.trips.answerTime(this.currentPair));
  }

  /** The shortest Keepalive Interval that the peer may expect. */
  get keepaliveSpacingMs(): number {
    return this.profile.sendTimeoutMs * this.profile.keepaliveShare[0];
  }

  get isKeepaliveTimerRunning(): boolean {
    return this.keepalives.isRunning;
  }

  handle(input: ReapInput, now: Instant): ReapEffect[] {
    const out: ReapEffect[] = [];
    if (this.#isStopped) return out;
    switch (input.type) {
      case 'candidates':
        this.#candidates(input.pairs, input.reserve, now, out);
        return out;
      case 'prefer':
        this.homing.prefer(input.pair);
        return out;
      case 'standby':
        this.standBy(input.pair);
        return out;
      case 'rtt':
        this.trips.add(input.pair, input.ms);
        return out;
      case 'peer-timeout':
        if (input.keepaliveTimeoutMs > 0) this.keepalives.timeoutMs = input.keepaliveTimeoutMs;
        return out;
      case 'freeze':
        this.#frozenAt ??= now;
        return out;
      case 'thaw':
        this.#thaw(now);
        return out;
      case 'stop':
        this.#isStopped = true;
        this.timers.clear();
        this.keepalives.stop();
        this.homing.prefer(undefined);
        this.hotStandby = undefined;
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
        return this.#pairDead(input.cause, input.pair ?? this.currentPair, now, out);
      case 'hint':
        return this.#hint(input.cause, now, out);
      case 'deprecate':
        return this.#deprecate(input.pair, input.cause ?? 'address-deprecated', now, out);
      case 'move':
        return this.#move(input.pair, now, out);
      case 'lag':
        return this.#lag(input.ms, now, out);
      case 'wait':
        this.isWaiting = this.currentState !== 'Operational';
        return;
      case 'explore':
        this.isWaiting = false;
        if (this.currentState !== 'Operational') this.round(now, out);
        return;
      case 'follow':
        return this.follow(input.pair, now, out);
      case 'vouched':
        if (this.currentState === 'Operational') this.stopSend();
        return;
      case 'return':
        return this.goTo(this.homing.pair, RETURNED, now, out);
      case 'test':
        return this.test(input.pair, 'standby', now, out);
      default:
        return;
    }
  }

  #payloadSent(at: Instant, now: Instant, out: ReapEffect[]): void {
    this.#use(now);
    this.react('payload sent', this.currentPair, now, out, at);
    if (!this.profile.pathTest || this.currentState !== 'Operational' || !this.trips.isVague(this.currentPair)) return;
    if (!this.trips.isTestDue(this.currentPair, now)) return;
    this.test(this.currentPair, 'refresh', now, out);
  }

  #payloadReceived(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    this.#use(now);
    this.heardAt = now;
    this.incident?.hear(pair, this.arrival, 'payload');
    this.arrival = pair;
    this.#vouch(now, out);
    if (this.isCollecting) this.weigh(now, out);
    else if (!this.#isLeaving) this.react('payload received', pair, now, out);
  }

  #keepaliveReceived(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    this.heardAt = now;
    this.incident?.hear(pair, this.arrival, 'payload');
    this.arrival = pair;
    if (this.hasGrace) this.incident?.vouch();
    if (this.isCollecting) this.weigh(now, out);
    else if (!this.#isLeaving) this.react('Keepalive received', pair, now, out);
  }

  #use(now: Instant): void {
    this.#usedAt = now;
    if (this.currentState !== 'Operational') return;
    this.homing.use(this.currentPair, now);
    this.hotStandby?.use(now);
  }

  /** While one end explores, payload that arrives all the same is vouched for at once: no second Keepalive Timer, one per interval. */
  #vouch(now: Instant, out: ReapEffect[]): void {
    if (!this.hasGrace || this.currentState === 'Operational') return;
    if (now - this.#vouchedAt < this.profile.sendTimeoutMs * this.profile.keepaliveShare[1]) return;
    this.#vouchedAt = now;
    out.push({ type: 'send-keepalive', pair: this.currentPair });
  }

  #probeReceived(pair: LocatorPair, probe: Probe, now: Instant, out: ReapEffect[]): void {
    const [itself] = probe.sent;
    if (itself === undefined) return; // §5.2: Psent is at least 1
    if (probe.pathTest && !this.profile.pathTest) return;
    const reported = this.#reported(probe.received, pair, now, out);
    this.incident?.hear(pair, this.arrival, 'probe');
    if (probe.pathTest) return this.#pathTest(pair, itself, probe, reported, now, out);
    this.heardAt = now;
    this.probedOn = pair;
    if (probe.state === 'Exploring' && this.currentState === 'Operational') {
      this.heard.clear();
      this.incident = new Incident('peer-exploring', 'answering', now, -Infinity); // its list began with its exploration
      this.exploration.restart();
      out.push({ type: 'suspect', cause: 'peer-exploring', pair: this.currentPair });
    }
    if (probe.state !== 'Operational') this.heard.add(itself, pair);
    const incident = this.incident;
    incident?.peerIs(probe.state);
    if (this.hasGrace && probe.state === 'Operational' && probe.received.length === 0) incident?.vouch();
    if (probe.state !== 'Exploring' && this.isCollecting) return this.weigh(now, out);
    this.react(`Probe ${probe.state}`, pair, now, out, now, reported);
    if (this.isCollecting) this.weigh(now, out);
  }

  /** Takes reports in; the probes of ours that they name. */
  #reported(reports: readonly ProbeReport[], arrivedOn: LocatorPair, now: Instant, out: ReapEffect[]): SentProbe[] {
    const known: SentProbe[] = [];
    for (const [i, report] of reports.entries()) {
      const probe = this.sent.get(report.nonce, now);
      if (probe === undefined) continue; // §8: an unknown nonce proves nothing
      known.push(probe);
      this.incident?.confirm(probe, now);
      this.hotStandby?.confirmed(probe.pair, probe.at);
      if (probe.reported) continue;
      probe.reported = true;
      const rttMs = now - probe.at;
      if (i === 0 && samePair(arrivedOn, probe.pair)) this.trips.add(probe.pair, rttMs);
      out.push({ type: 'confirmed', pair: probe.pair, rttMs });
      if (probe.purpose === 'hint') this.timers.stop('hint');
      if (probe.purpose === 'return') this.#homed(probe, now, out);
      if (probe.purpose === 'move') this.goTo(probe.pair, WANTED, now, out);
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
      const answer = this.report(pair, 'explore', now);
      out.push({
        type: 'send-probe',
        pair,
        probe: { state: 'Operational', sent: [answer], received: [itself], pathTest: true },
        purpose: 'answer',
      });
    }
    if (this.isCollecting) this.weigh(now, out);
    const isInboundFine = this.arrival === undefined || samePair(pair, this.arrival);
    if (
      this.currentState === 'Operational' &&
      isInboundFine &&
      reported.some((test) => samePair(test.pair, this.currentPair))
    ) {
      this.stopSend();
    }
  }

  #homed(probe: SentProbe, now: Instant, out: ReapEffect[]): void {
    const home = this.homing.pair;
    if (home === undefined || !samePair(home, probe.pair) || this.currentState !== 'Operational') return;
    if (this.homing.answered(probe.at, now)) this.goTo(home, RETURNED, now, out);
  }

  /** The pair in use will go: whatever is heard on it does not end the exploration. */
  get #isLeaving(): boolean {
    return this.currentState === 'Exploring' && this.incident?.avoid !== undefined;
  }

  /** A peer without Path Tests is asked by an exploration of this pair alone. */
  #move(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    if (samePair(pair, this.currentPair) || this.currentState !== 'Operational') return;
    if (this.profile.pathTest) this.test(pair, 'move', now, out);
    else this.suspect('application', 'certain', now, out, this.currentPair, this.currentPair, pair);
  }

  #candidates(
    pairs: readonly LocatorPair[],
    reserve: readonly LocatorPair[] | undefined,
    now: Instant,
    out: ReapEffect[],
  ): void {
    const isHopeful = this.exploration.replace(pairs, reserve);
    if (!isHopeful || this.currentState === 'Operational' || this.#frozenAt !== undefined) return;
    this.exploration.restart(); // a pair that was not there before: worth a fresh start
    this.round(now, out);
  }

  #pairDead(cause: 'address-lost' | 'peer-broken', dead: LocatorPair, now: Instant, out: ReapEffect[]): void {
    const isDead = (pair: LocatorPair): boolean =>
      cause === 'address-lost' ? sameOctets(pair.local, dead.local) : sameOctets(pair.peer, dead.peer);
    const arrival = this.arrival;
    this.exploration.ruleOut(isDead, arrival === undefined ? [this.currentPair] : [this.currentPair, arrival]);
    const isInboundDead = arrival !== undefined && isDead(arrival);
    if (!isDead(this.currentPair) && !isInboundDead) return;
    if (isInboundDead) this.arrival = undefined;
    const incident = this.incident;
    if (incident === undefined || !incident.isSuspecting) {
      this.suspect(cause, 'certain', now, out, isDead(this.currentPair) ? this.currentPair : arrival);
      return this.takeStandby(now, out);
    }
    incident.isCertain = true;
    this.timers.stop('hold', 'nudge');
    const chosen = this.choose(incident.confirmed);
    if (chosen !== undefined) return this.conclude(chosen, incident, now, out);
    this.exploration.rewind();
    this.round(now, out);
  }

  /** §8: a hint leads to a test. A peer that knows no Path Test at least starts its Keepalive Timer. */
  #hint(cause: Cause, now: Instant, out: ReapEffect[]): void {
    if (this.currentState !== 'Operational' || now - this.#hintedAt < this.profile.sendTimeoutMs) return;
    this.#hintedAt = now;
    if (!this.profile.pathTest) {
      this.probe(this.currentPair, 'Operational', now, out, NO_REPORTS);
      this.keepalives.stop();
      this.startSend(now, false);
      return;
    }
    this.#hintCause = cause;
    this.testedAt ??= now;
    this.test(this.currentPair, 'hint', now, out);
    const patience = this.hasGrace ? this.profile.graceMs : this.profile.initialProbeMs;
    this.timers.set('hint', now + patience + this.trips.allowance(this.currentPair));
  }

  /** Make before break: the exploration leaves the pair out, payload stays on it until another one is confirmed. */
  #deprecate(pair: LocatorPair, cause: Cause, now: Instant, out: ReapEffect[]): void {
    const incident = this.incident;
    if (incident?.isSuspecting === true) {
      incident.avoid = pair;
      this.unwanted = pair;
    } else if (samePair(pair, this.currentPair)) this.suspect(cause, 'certain', now, out, pair, pair);
  }

  /** Silence during our own absence is not the peer's. */
  #lag(ms: number, now: Instant, out: ReapEffect[]): void {
    this.timers.shift(Math.max(0, Math.min(ms, now - this.sendSince)), ['send', 'early']);
    this.timers.shift(Math.max(0, Math.min(ms, now - this.#hintedAt)), ['hint']);
    if (this.incident !== undefined) {
      const absent = Math.max(0, Math.min(ms, now - this.incident.since));
      this.incident.delay(absent);
      this.timers.shift(absent, ['hold']);
    }
    if (this.keepalives.tick(now)) this.sendKeepalive(out);
  }

  #thaw(now: Instant): void {
    if (this.#frozenAt === undefined) return;
    const frozen = now - this.#frozenAt;
    this.#frozenAt = undefined;
    this.timers.shift(frozen);
    this.keepalives.shift(frozen);
    this.homing.shift(frozen);
    this.hotStandby?.shift(frozen);
    this.incident?.delay(frozen);
    this.sendSince += frozen;
  }

  #tick(now: Instant, out: ReapEffect[]): void {
    for (let name = this.timers.take(now); name !== undefined; name = this.timers.take(now))
      this.#expire(name, now, out);
    if (this.keepalives.tick(now)) this.sendKeepalive(out);
    if (now >= Math.min(this.homing.deadline, this.hotStandby?.deadline ?? NEVER)) this.#testOthers(now, out);
  }

  #testOthers(now: Instant, out: ReapEffect[]): void {
    if (now - this.#usedAt > this.profile.returnAfterMs) {
      this.homing.rest(); // not in use: no tests
      this.hotStandby?.rest();
      return;
    }
    const standby = this.hotStandby;
    if (standby?.tick(now) === true) this.test(standby.pair, 'hot', now, out);
    const home = this.homing.tick(now);
    if (home !== undefined && this.exploration.isUsable(home)) this.test(home, 'return', now, out);
  }

  #expire(name: TimerName, now: Instant, out: ReapEffect[]): void {
    switch (name) {
      case 'send':
        this.react('Send Timer expires', this.currentPair, now, out);
        return this.takeStandby(now, out);
      case 'early': // half of the Send Timeout went by: ask, so that one lost Keepalive is no suspicion
        this.testedAt = now;
        return this.test(this.currentPair, 'early', now, out);
      case 'probe':
        this.round(now, out);
        if (this.currentState === 'InboundOk' && !this.timers.isRunning('hold')) this.startSend(now, false); // §6.5
        return;
      case 'hold':
        return this.decide(now, out);
      case 'nudge':
        if (this.timers.isRunning('hold')) this.nudge(now, out);
        return;
      case 'hint':
        this.suspect(this.#hintCause, 'suspecting', now, out);
        return this.takeStandby(now, out);
    }
  }
}
