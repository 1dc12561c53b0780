import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { ReapEffect, ReapInput } from '../reap/input.ts';
import type { ReapState } from '../reap/probe.ts';
import type { ReapProfile } from '../reap/profile.ts';
import { Reap, RETURNED, WANTED } from '../reap/reap.ts';
import type { Random } from '../crypto/ports.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEffect, HostLocator, Profile } from './host-io.ts';
import type { Wish, Wishes } from './wish.ts';
import type { KnownPeer } from './known-peer.ts';
import { PairChoice } from './pair-choice.ts';
import type { CandidateLocator } from './pair-choice.ts';
import type { PeerPath } from './path-class.ts';
import type { Advice } from './shared-evidence.ts';
import type { Sharer, Sharing } from './sharing.ts';

/** After so long without use, what REAP knows of a context at rest is let go. */
const REST_AFTER_MS = 10_000;
/** A context that was not heard for so long tests its pair itself, if the budget allows, although others hear the peer. */
const OWN_EVIDENCE_MS = 1_000;
/** Without payload for so long it is not in use. */
const IN_USE_MS = 1_000;

/** The context whose pairs a detector watches. */
export interface Detected<Effect = HostEffect> {
  readonly ulids: LocatorPair;
  /** Where payload goes now. */
  readonly current: LocatorPair;
  /** Where the peer's payload comes from. */
  readonly incoming: LocatorPair;
  readonly isStanding: boolean;
  readonly usableLocators: readonly Address[];
  readonly peerLocators: readonly CandidateLocator[];
  /** What REAP found out or wants sent, as far as it is not the detector's own. */
  performed(effect: ReapEffect, now: Instant, out: Effect[]): void;
}

/** What both ends of a context agreed on. */
export interface Agreement {
  readonly profile: Profile;
  readonly reap: ReapProfile;
  readonly random: Random;
  readonly keepaliveTimeoutMs: number | undefined;
}

/**
 * REAP for one context, and its share in what all of them learn: who suspects, explores, waits or follows. The machine
 * exists while the context is in use.
 */
export class Detector<Effect = HostEffect> implements Sharer<Effect> {
  readonly profile: Profile;
  readonly #owner: Detected<Effect>;
  readonly #sharing: Sharing<Effect>;
  readonly #agreement: Agreement;
  readonly #choice: PairChoice;
  #keepaliveTimeoutMs: number | undefined;
  #reap: Reap | undefined;
  #known: KnownPeer;
  #way: PeerPath<Sharer<Effect>>;
  #wayIn: PeerPath<Sharer<Effect>>;
  #usedAt: Instant = -Infinity;
  #heardAt: Instant = -Infinity;
  #advice: Advice | { readonly what: 'return' } | undefined;
  /** Moved because others did, and nothing was heard since. */
  #hasFollowed = false;
  #isFollowing = false;
  /** Whether the peer has been looked for at all its locators: only while the context is in use. */
  #standby: 'open' | 'queued' | 'done' = 'open';
  #payloadAt: Instant = -Infinity;

  constructor(
    owner: Detected<Effect>,
    agreement: Agreement,
    peerKey: string,
    sharing: Sharing<Effect>,
    locators: () => readonly HostLocator[],
  ) {
    this.#owner = owner;
    this.profile = agreement.profile;
    this.#agreement = agreement;
    this.#keepaliveTimeoutMs = agreement.keepaliveTimeoutMs;
    this.#sharing = sharing;
    this.#choice = new PairChoice(owner, locators);
    this.#known = sharing.peers.acquire(peerKey);
    this.#way = this.#wayOf(owner.current);
    this.#wayIn = this.#wayOf(owner.incoming);
  }

  get state(): ReapState {
    return this.#reap?.state ?? 'Operational';
  }

  get patienceMs(): number {
    return this.#reap?.patienceMs ?? 0;
  }

  get deadline(): Instant {
    if (this.#reap === undefined) return NEVER;
    const { deadline } = this.#reap;
    return deadline === NEVER && this.#isAtRest ? this.#usedAt + REST_AFTER_MS : deadline;
  }

  isPresent(locator: Address): boolean {
    return this.#known.isPresent(locator);
  }

  get wishes(): Wishes {
    return this.#choice.wishes;
  }

  /** A former process saw the peer on this pair, and was told these wishes. */
  resume(pair: LocatorPair, wishes: Wishes, now: Instant, out: Effect[]): void {
    this.#known.confirmed(pair.peer);
    this.#choice.wishes = wishes;
    this.offerCandidates(now, out);
  }

  /** The key of the peer, or what its locators are, is known now. */
  setPeer(key: string, now: Instant, out: Effect[]): void {
    if (key !== this.#known.key) {
      const before = [this.#way, this.#wayIn];
      this.#sharing.peers.release(this.#known);
      this.#known = this.#sharing.peers.acquire(key);
      this.#way = this.#wayOf(this.#owner.current);
      this.#wayIn = this.#wayOf(this.#owner.incoming);
      for (const way of before) this.#sharing.evidence.release(way);
    }
    this.offerCandidates(now, out);
    this.#standby = 'open';
  }

  setKeepaliveTimeout(ms: number, now: Instant, out: Effect[]): void {
    this.#keepaliveTimeoutMs = ms;
    this.#handle({ type: 'peer-timeout', keepaliveTimeoutMs: ms }, now, out);
  }

  /** Payload or a Keepalive came in on `pair`. */
  heard(pair: LocatorPair, what: 'payload-received' | 'keepalive-received', now: Instant, out: Effect[]): void {
    const { evidence } = this.#sharing;
    if (!samePair(pair, this.#owner.incoming) || this.#sharing.classOf(pair) !== this.#wayIn.path.key) {
      evidence.release(this.#wayIn);
      this.#wayIn = this.#wayOf(pair);
    }
    this.#heardAt = now;
    this.#hasFollowed = false;
    evidence.heard(this.#wayIn, now);
    if (what === 'keepalive-received') {
      this.#wayIn.vouchedForAt = now;
      this.#wayIn.vouchedFor = this.#way.path;
    }
    if (this.#shares && this.#wayIn.path !== this.#way.path) {
      // The peer has left our way, as others have: it would not have without need.
      const to = this.#wayIn.path.key;
      if (evidence.departureOf(this.#way, now) === to) this.follow(to, now, out);
    }
    this.tell({ type: what, pair }, now, out);
  }

  tell(input: ReapInput, now: Instant, out: Effect[]): void {
    if (input.type === 'payload-sent' || input.type === 'payload-received') this.#inUse(now);
    if (input.type !== 'lag') {
      this.#usedAt = now;
      this.#reap ??= this.#made(now);
    }
    this.#handle(input, now, out);
  }

  /** The context is no longer ESTABLISHED, or is again. */
  setFrozen(isFrozen: boolean, now: Instant, out: Effect[]): void {
    this.#handle({ type: isFrozen ? 'freeze' : 'thaw' }, now, out);
  }

  tick(now: Instant, out: Effect[]): void {
    const reap = this.#reap;
    if (reap === undefined || now < this.deadline) return;
    if (this.#isAtRest) {
      this.#reap = undefined;
      return;
    }
    if (this.#shares && this.#isVouchedFor(reap.awaitsSince) && !this.#isDueForTest(now)) {
      this.#handle({ type: 'vouched' }, now, out);
    }
    this.#handle({ type: 'tick' }, now, out);
  }

  explore(now: Instant, out: Effect[]): void {
    this.tell({ type: 'explore' }, now, out);
  }

  follow(to: string, now: Instant, out: Effect[]): void {
    const pair = this.pairs.find((one) => this.#sharing.classOf(one) === to);
    const { current, ulids } = this.#owner;
    if (pair === undefined) return this.explore(now, out);
    const isKnown = samePair(pair, current) || sameOctets(pair.peer, ulids.peer) || this.isPresent(pair.peer);
    if (!isKnown) {
      if (this.state !== 'Operational') return this.explore(now, out); // RFC 5533 §7.2: by a probe of its own
      return this.tell({ type: 'test', pair }, now, out);
    }
    this.#hasFollowed = true;
    this.#isFollowing = true;
    this.tell({ type: 'follow', pair }, now, out);
    this.#isFollowing = false;
    if (this.state !== 'Operational') this.explore(now, out);
  }

  confirmNext(now: Instant, out: Effect[]): boolean {
    const isInUse = this.#owner.isStanding && now - this.#payloadAt < IN_USE_MS;
    const pair = isInUse ? this.#known.untried(this.pairs.filter((one) => !this.#choice.isReserve(one))) : undefined;
    if (pair === undefined) {
      this.#standby = isInUse ? 'done' : 'open';
      return false;
    }
    this.#known.tried(pair);
    this.tell({ type: 'test', pair }, now, out);
    return true;
  }

  get pairs(): LocatorPair[] {
    return this.#choice.pairs;
  }

  /** The order depends on the pair in use; and there may be another one to go back to. */
  offerCandidates(now: Instant, out: Effect[]): void {
    if (this.#reap === undefined) return;
    for (const input of this.#offers) this.#handle(input, now, out);
  }

  close(): void {
    this.#sharing.forget(this, this.#way);
    this.#sharing.evidence.release(this.#way);
    this.#sharing.evidence.release(this.#wayIn);
    this.#sharing.peers.release(this.#known);
  }

  /** What somebody above wants of this context. */
  wish(wish: Wish, now: Instant, out: Effect[]): void {
    switch (wish.type) {
      case 'feedback':
        if (wish.isGood) this.heard(this.#owner.incoming, 'payload-received', now, out);
        else this.tell({ type: 'hint', cause: 'application' }, now, out);
        return;
      case 'prefer':
        this.#choice.pinned = wish.pair;
        this.offerCandidates(now, out);
        if (wish.pair !== undefined) this.tell({ type: 'move', pair: wish.pair }, now, out);
        return;
      case 'standby':
        this.#choice.isHot = wish.isOn;
        this.offerCandidates(now, out);
        return;
    }
  }

  get #offers(): ReapInput[] {
    const { pairs, home, alternate } = this.#choice;
    const reserve = pairs.filter((pair) => this.#choice.isReserve(pair));
    return [
      { type: 'candidates', pairs, ...(reserve.length > 0 && { reserve }) },
      { type: 'prefer', pair: home },
      { type: 'standby', pair: alternate },
    ];
  }

  get #shares(): boolean {
    return this.profile !== 'rfc';
  }

  get #isAtRest(): boolean {
    const reap = this.#reap;
    return reap?.state === 'Operational' && reap.deadline === NEVER && this.#owner.isStanding;
  }

  #inUse(now: Instant): void {
    this.#payloadAt = now;
    if (this.#standby !== 'open' || !this.#shares) return;
    this.#standby = 'queued';
    this.#sharing.standBy(this, now);
  }

  /** The peer has heard others on our way since then, and said so where we await it. */
  #isVouchedFor(since: Instant): boolean {
    return this.#wayIn.vouchedForAt > since && this.#wayIn.vouchedFor === this.#way.path;
  }

  /** Nobody has heard this context itself for a while, and there is a probe to spare. */
  #isDueForTest(now: Instant): boolean {
    return now - this.#heardAt > OWN_EVIDENCE_MS && this.#sharing.budget.has('test', now);
  }

  #made(now: Instant): Reap {
    const { reap: profile, random } = this.#agreement;
    const { current } = this.#owner;
    const machine = new Reap({ profile, random, pair: current, trips: this.#sharing.tripsOf(profile) });
    const keepaliveTimeoutMs = this.#keepaliveTimeoutMs;
    if (keepaliveTimeoutMs !== undefined) machine.handle({ type: 'peer-timeout', keepaliveTimeoutMs }, now);
    for (const input of this.#offers) machine.handle(input, now);
    if (!this.#owner.isStanding) machine.handle({ type: 'freeze' }, now);
    return machine;
  }

  #handle(input: ReapInput, now: Instant, out: Effect[]): void {
    for (const effect of this.#reap?.handle(input, now) ?? []) this.#perform(effect, now, out);
    const advice = this.#advice;
    this.#advice = undefined;
    if (advice?.what === 'wait') this.#handle({ type: 'wait' }, now, out);
    if (advice?.what === 'follow') this.follow(advice.to, now, out);
    if (advice?.what === 'return') this.#handle({ type: 'return' }, now, out);
  }

  #perform(effect: ReapEffect, now: Instant, out: Effect[]): void {
    const { evidence } = this.#sharing;
    switch (effect.type) {
      case 'send-keepalive':
        if (this.#shares && !this.#sharing.mayVouch(this.#way, this.#reap?.keepaliveSpacingMs ?? 0, now)) return;
        break;
      case 'send-probe':
        if (!this.#maySend(effect, now)) return;
        break;
      case 'suspect':
        if (this.#shares && effect.cause !== 'peer-exploring' && !this.#hasFollowed)
          this.#advice = evidence.suspects(this, this.#way, this.patienceMs, now);
        break;
      case 'concluded':
        if (this.#shares) this.#concluded(effect.to, now);
        return;
      case 'selected': {
        const from = this.#way;
        this.#way = this.#wayOf(effect.to);
        const { pinned } = this.#choice;
        if (pinned !== undefined && samePair(effect.from, pinned)) this.#choice.pinned = undefined; // it failed
        if (this.#shares && !this.#isFollowing && effect.why !== WANTED)
          evidence.moved(this, from, this.#way.path.key, true, now);
        else evidence.left(this, from);
        if (effect.why === RETURNED) from.path.home = undefined;
        this.#sharing.budget.leave(this, from.path);
        evidence.release(from);
        this.#owner.performed(effect, now, out);
        this.offerCandidates(now, out);
        return;
      }
      case 'confirmed':
        this.#known.confirmed(effect.pair.peer);
        if (this.state === 'Operational' && samePair(effect.pair, this.#owner.current)) this.#heardAt = now;
        break;
      case 'state':
        if (effect.state === 'Operational') {
          evidence.left(this, this.#way);
          this.#sharing.budget.leave(this, this.#way.path);
        }
        break;
      case 'false-alarm':
        break;
    }
    this.#owner.performed(effect, now, out);
  }

  #concluded(to: LocatorPair, now: Instant): void {
    const key = this.#sharing.classOf(to);
    if (key === this.#way.path.key) this.#sharing.evidence.cleared(this, this.#way);
    else this.#sharing.evidence.moved(this, this.#way, key, false, now);
  }

  #maySend({ pair, purpose }: Extract<ReapEffect, { type: 'send-probe' }>, now: Instant): boolean {
    const { budget, evidence } = this.#sharing;
    switch (purpose) {
      case 'explore':
        return (
          (this.#advice === undefined || this.#advice.what === 'explore') && budget.explore(this, this.#way.path, now)
        );
      case 'answer':
      case 'hint':
        return budget.take('answer', now);
      case 'early':
      case 'hot':
      case 'refresh':
        return budget.take('test', now);
      case 'return':
        if (!this.#shares) return budget.take('test', now);
        if (evidence.departureOf(this.#way, now) === this.#sharing.classOf(pair)) {
          this.#advice = { what: 'return' }; // others have tested it
          return false;
        }
        return this.#sharing.mayTestHome(this, this.#way, now);
      case 'move':
      case 'standby':
        return true; // who asked for it has a token
    }
  }

  #wayOf(pair: LocatorPair): PeerPath<Sharer<Effect>> {
    return this.#sharing.evidence.acquire(this.#sharing.classOf(pair), this.#known.key);
  }
}
