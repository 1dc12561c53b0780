import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import { Endpoint } from './endpoint.ts';
import { HotStandby } from './hot-standby.ts';
import { Incident } from './incident.ts';
import type { Cause, ReapEffect } from './input.ts';
import type { SentProbe } from './sent-probes.ts';
import { TRANSITIONS } from './transitions.ts';
import type { ReapEvent } from './transitions.ts';

/** Suspicion, exploration and choice: RFC 5534 §4.2, §4.3 and the table of §6. */
export abstract class Explorer extends Endpoint {
  /** Does what the table says. `reported` are the probes of ours that the message names, `at` is when payload was sent. */
  protected react(
    event: ReapEvent,
    pair: LocatorPair,
    now: Instant,
    out: ReapEffect[],
    at: Instant = now,
    reported: readonly SentProbe[] = [],
  ): void {
    const reaction = TRANSITIONS[event][this.currentState];
    if (reaction.select === true && !(this.hasGrace && this.currentState === 'Operational')) {
      const chosen = this.choose(reported.filter((probe) => this.counts(probe)).map((probe) => probe.pair));
      if (chosen !== undefined) this.select(chosen, this.incident?.cause ?? 'peer-exploring', now, out);
      else if (this.isBound) return; // never back to Operational on a pair that is known to be dead
    }
    const before = this.currentState;
    const next = reaction.next ?? before;
    if (next === 'Exploring' && before !== 'Exploring') return this.suspect('send-timeout', 'suspecting', now, out);
    if (reaction.probe !== undefined) this.reply(pair, reaction.probe, now, out); // before any list is cleared
    if (next !== before) this.enter(next, now, out);
    if (reaction.send === 'STOP') this.stopSend();
    else if (reaction.send !== undefined && !this.timers.isRunning('hold')) {
      this.startSend(reaction.send === 'RESTART' ? now : Math.max(at, this.heardAt), reaction.send === 'RESTART');
    }
    if (reaction.keepalive === 'STOP') this.keepalives.stop();
    if (reaction.keepalive === 'START' && this.keepalives.start(now)) this.sendKeepalive(out);
  }

  /** Old reports say nothing about the pair that is suspected now. */
  protected counts(probe: SentProbe): boolean {
    return !samePair(probe.pair, this.currentPair) || (this.incident?.isFresh(probe) ?? true);
  }

  /** The exploration must not end on the current pair. */
  protected get isBound(): boolean {
    return (
      this.currentState !== 'Operational' &&
      (this.incident?.avoid !== undefined || !this.exploration.isUsable(this.currentPair))
    );
  }

  /** The end of contentment, or of an answered peer: an incident of this host's own. */
  protected suspect(
    cause: Cause,
    role: 'suspecting' | 'certain',
    now: Instant,
    out: ReapEffect[],
    about: LocatorPair = this.currentPair,
    avoid?: LocatorPair,
    wanted?: LocatorPair,
  ): void {
    const wasOperational = this.currentState === 'Operational';
    const provesSince = role === 'certain' ? now : (this.testedAt ?? now);
    this.stopSend();
    this.timers.stop('hold', 'nudge');
    this.heard.clear();
    const incident = new Incident(cause, role, now, provesSince);
    this.incident = incident;
    if (wasOperational) this.exploration.restart();
    else this.exploration.rewind(); // §4.3: the back-off goes on
    this.probedOn = undefined;
    this.unwanted = avoid;
    incident.avoid = avoid;
    incident.wanted = wanted;
    out.push({ type: 'suspect', cause, pair: about });
    if (this.currentState !== 'Exploring') this.enter('Exploring', now, out);
    this.round(now, out);
    if (!this.hasGrace || incident.isCertain) return;
    this.timers.set(
      'hold',
      incident.decideAt(this.currentPair, this.profile.graceMs, this.trips.answerTime(this.currentPair)),
    );
    this.timers.set('nudge', now + this.profile.graceMs / 3);
  }

  protected round(now: Instant, out: ReapEffect[]): void {
    if (this.isWaiting) return this.armProbe(now);
    const incident = this.incident;
    const { initialProbes } = this.profile;
    const patience = incident?.wanted === undefined ? 2 * initialProbes : initialProbes;
    if (incident?.avoid !== undefined && this.exploration.rounds >= patience) {
      incident.avoid = undefined; // nothing else works: better a pair that will go, or that nobody wants, than none
      incident.wanted = undefined;
      this.unwanted = undefined;
    }
    const first = [this.currentPair];
    if (this.profile.burst > 1 && this.currentState === 'InboundOk' && this.probedOn !== undefined) {
      if (!samePair(this.probedOn, this.currentPair)) first.unshift(this.probedOn);
    }
    const { avoid, wanted } = incident ?? {};
    const pairs = wanted === undefined ? this.exploration.next(first, avoid) : this.exploration.only(wanted);
    for (const pair of pairs) this.probe(pair, this.currentState, now, out);
    this.armProbe(now);
  }

  /** Evidence is being collected for a choice that is this host's own. */
  protected get isCollecting(): boolean {
    const incident = this.incident;
    if (!this.hasGrace || incident === undefined || !incident.isSuspecting || incident.isCertain) return false;
    return this.timers.isRunning('hold') || incident.isAnswered;
  }

  /** After new evidence: the alarm was false, or it is time to choose, or the grace goes on. */
  protected weigh(now: Instant, out: ReapEffect[]): void {
    const incident = this.incident;
    if (incident === undefined) return;
    if (incident.clears(this.currentPair)) {
      out.push({ type: 'false-alarm', pair: this.currentPair });
      return this.conclude(this.currentPair, incident, now, out);
    }
    if (!incident.isAnswered) return;
    const decideAt = incident.decideAt(this.currentPair, this.profile.graceMs, this.trips.answerTime(this.currentPair));
    if (now >= decideAt) return this.decide(now, out);
    if (!this.timers.isRunning('hold') && !incident.isConfirmed(this.currentPair)) this.nudge(now, out);
    this.timers.set('hold', decideAt);
  }

  protected decide(now: Instant, out: ReapEffect[]): void {
    const incident = this.incident;
    if (incident === undefined) return;
    const chosen = this.choose(incident.confirmed);
    if (chosen !== undefined) return this.conclude(chosen, incident, now, out);
    if (incident.isInboundHeard && this.currentState === 'Exploring') {
      this.react('payload received', this.arrival ?? this.currentPair, now, out);
    }
  }

  /** The end of an exploration with a grace: the pair is chosen, and the peer told what arrived from it. */
  protected conclude(chosen: LocatorPair, incident: Incident, now: Instant, out: ReapEffect[]): void {
    const isConfirmed = incident.isConfirmed(chosen);
    out.push({ type: 'concluded', from: this.currentPair, to: this.#wayOut(chosen, incident) });
    this.select(chosen, incident.cause, now, out);
    if (incident.isPeerContent) {
      this.stopSend();
      this.enter('Operational', now, out);
      if (this.keepalives.start(now)) this.sendKeepalive(out);
      return;
    }
    if (!incident.isInboundHeard) this.arrival = undefined; // the peer has to choose anew
    this.probe(isConfirmed ? chosen : (this.probedOn ?? chosen), 'Operational', now, out);
    this.enter('Operational', now, out);
    this.keepalives.stop();
    this.startSend(now, true);
  }

  /** Where others had better go: when only the way in is dead, a pair on which the peer can answer. */
  #wayOut(chosen: LocatorPair, incident: Incident): LocatorPair {
    const from = this.currentPair;
    if (!samePair(chosen, from) || incident.clears(from)) return chosen;
    const others = incident.confirmed.filter((pair) => !samePair(pair, from));
    return this.exploration.candidates.find((pair) => others.some((other) => samePair(other, pair))) ?? chosen;
  }

  protected nudge(now: Instant, out: ReapEffect[]): void {
    if (this.isWaiting || this.incident?.isConfirmed(this.currentPair) === true) return;
    this.probe(this.currentPair, this.currentState, now, out);
    this.timers.set('nudge', now + this.profile.graceMs / 3);
  }

  /** Without an incident: somebody has tested the pair. */
  protected goTo(pair: LocatorPair | undefined, why: string, now: Instant, out: ReapEffect[]): void {
    if (pair === undefined || this.currentState !== 'Operational' || samePair(pair, this.currentPair)) return;
    out.push({ type: 'selected', from: this.currentPair, to: pair, why });
    this.currentPair = pair;
    this.homing.returned(now);
    this.stopSend();
  }

  protected standBy(pair: LocatorPair | undefined): void {
    if (pair === undefined || !this.profile.pathTest) this.hotStandby = undefined;
    else if (this.hotStandby === undefined || !samePair(pair, this.hotStandby.pair))
      this.hotStandby = new HotStandby(pair, this.profile);
  }

  /** RFC 6316 §5: payload moves with the suspicion, the exploration goes on behind it. */
  protected takeStandby(now: Instant, out: ReapEffect[]): void {
    const { hotStandby: standby, incident } = this;
    if (standby?.isReady(now) !== true || incident?.isSuspecting !== true || this.currentState !== 'Exploring') return;
    if (this.exploration.isUsable(standby.pair)) this.select(standby.pair, incident.cause, now, out);
  }

  /** §4.3 does not know this: the pair was found by another context. The peer's payload may come from anywhere then. */
  protected follow(pair: LocatorPair, now: Instant, out: ReapEffect[]): void {
    if (!this.exploration.isUsable(pair)) return;
    const why = this.incident?.cause ?? 'peer-exploring';
    if (!samePair(pair, this.currentPair)) this.arrival = undefined;
    this.select(pair, why, now, out);
    this.stopSend();
    if (this.currentState !== 'Operational') this.enter('Operational', now, out);
  }
}
