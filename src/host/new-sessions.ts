import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import type { PeerLocator } from '../shim6/context-io.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { parseIpv6Header } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Attempts, refuse } from './attempts.ts';
import { DeadPaths } from './dead-paths.ts';
import { Guards } from './guards.ts';
import type { HostContext } from './host-context.ts';
import type { HostEffect, HostLocator } from './host-io.ts';
import type { Paths } from './paths.ts';
import { RememberedPeers } from './remembered-peers.ts';
import type { RememberedPeer } from './remembered-peers.ts';

/** A program waits no longer than this for a new session, or for being told that there is none. */
const WITHIN_MS = 1_000;
/** The same when its first packet went unanswered for some time already. */
const WITHIN_AFTER_SILENCE_MS = 800;
/** A context that has explored for so long cannot serve new sessions. */
const STUCK_AFTER_MS = 600;
/** After a failed attempt, packets are refused at once for so long. */
const REFUSED_MS = 2_000;
const MAX_PAIRS = 4;
/** Answers to packets of contexts without a path. */
const REFUSALS_PER_SECOND = 20;
/** How soon what has changed is acted upon, many contexts together; and how often while a peer is in trouble. */
const SETTLE_MS = 20;
const WHILE_EXPLORING_MS = 100;
const MAX_OWN = 8;

export interface SessionSurroundings {
  locators(): readonly HostLocator[];
  context(ulids: LocatorPair): HostContext | undefined;
  /** RFC 5533 §7.7 over this pair; false when there shall be no context. */
  open(ulids: LocatorPair, pair: LocatorPair, now: Instant, out: HostEffect[]): boolean;
  /** Give packets between these to `held`, or no longer. */
  hold(ulids: LocatorPair, on: boolean): void;
  /** Do both addresses of ours belong to the same identity? */
  areOneIdentity(a: Address, b: Address): boolean;
  readonly paths: Paths;
}

/** What of a context matters here, as it was last seen. */
interface Seen {
  readonly pair: LocatorPair;
  readonly peer: readonly PeerLocator[];
  readonly state: string;
  readonly reap: string | undefined;
  readonly exploringSince: Instant;
}

/**
 * New sessions while the path between their identifiers is dead: packets to peers that are known from before are taken out of
 * the kernel's path, held, and go over any pair that a new context finds within a second; else their programs are told that
 * the peer is unreachable.
 */
export class NewSessions {
  readonly peers: RememberedPeers = new RememberedPeers((peer) => this.#dirty.add(peer));
  readonly #surroundings: SessionSurroundings;
  readonly #dead: DeadPaths<HostContext>;
  readonly #attempts: Attempts;
  readonly #guards: Guards<RememberedPeer>;
  readonly #refusals: TokenBucket;
  readonly #seen = new Map<HostContext, Seen>();
  readonly #changed = new Set<HostContext>();
  readonly #exploring = new Set<HostContext>();
  #gone: HostContext[] = [];
  readonly #dirty = new Set<RememberedPeer>();
  #settleAt: Instant = NEVER;
  readonly #refused = new Map<string, Instant>();

  constructor(surroundings: SessionSurroundings, now: Instant) {
    this.#surroundings = surroundings;
    this.#dead = new DeadPaths((pair) => surroundings.paths.get(pair)?.confirmedAt);
    this.#guards = new Guards((ulids, on) => {
      surroundings.hold(ulids, on);
    });
    this.#refusals = new TokenBucket({ perSecond: REFUSALS_PER_SECOND, burst: REFUSALS_PER_SECOND }, now);
    this.#attempts = new Attempts({
      open: (ulids, pair, at, out) => surroundings.open(ulids, pair, at, out),
      holding: (ulids, at, out) => {
        this.#settleFor(ulids, at, out);
      },
      failed: (ulids, at, out) => {
        this.#refused.set(pairKey(ulids), at + REFUSED_MS);
        surroundings.context(ulids)?.tell({ type: 'discard', reason: 'unreachable' }, at, out);
        this.#settleFor(ulids, at, out);
      },
    });
  }

  /** When `tick` is next due. */
  get deadline(): Instant {
    if (this.#changed.size > 0 || this.#gone.length > 0) return -Infinity;
    return Math.min(this.#attempts.deadline, this.#settleAt);
  }

  /** Something happened to a context. Called for every packet of some: cheap when nothing matters. */
  touched(context: HostContext): void {
    const seen = this.#seen.get(context);
    const { flow, peerLocators, reap } = context;
    const same = seen?.pair === flow.pair && seen.peer === peerLocators && seen.reap === reap;
    if (!same || seen.state !== context.context.state) this.#changed.add(context);
  }

  gone(context: HostContext): void {
    this.#changed.delete(context);
    this.#gone.push(context);
  }

  /** Addresses or links of this host changed. */
  locatorsChanged(now: Instant): void {
    for (const peer of this.peers) this.#soil(peer, now);
  }

  /** A packet that was taken out of the kernel's path, as the program sent it. */
  held(packet: Uint8Array, now: Instant, out: HostEffect[]): void {
    const header = parseIpv6Header(packet);
    if (!header.ok) return;
    const ulids = { local: header.value.source, peer: header.value.destination };
    const context = this.#surroundings.context(ulids);
    if (context?.flow.tagPeer !== undefined) {
      if (context.flow.isStuck !== true) out.push({ type: 'forward', octets: packet });
      else if (this.#refusals.take(now)) refuse(ulids, packet, out);
      return;
    }
    if (!this.#attempts.has(ulids) && (this.#refused.get(pairKey(ulids)) ?? 0) <= now) {
      const pairs = this.#pairsFor(ulids, now);
      const home = this.#isUsable(ulids) ? [ulids] : []; // last: it may be alive after all
      this.#attempts.begin(ulids, { pairs: [...pairs, ...home], holds: true, withinMs: WITHIN_MS }, now, out);
    }
    if (!this.#attempts.hold(ulids, packet) && this.#refusals.take(now)) refuse(ulids, packet, out);
  }

  /** Packets to a peer known from before found no answer, on a pair without a context. */
  unanswered(ulids: LocatorPair, now: Instant, out: HostEffect[]): void {
    if (this.#surroundings.context(ulids)?.flow.tagPeer !== undefined || this.#attempts.has(ulids)) return;
    const pairs = this.#pairsFor(ulids, now);
    if (pairs.length === 0) return;
    const withinMs = WITHIN_AFTER_SILENCE_MS;
    this.#attempts.begin(ulids, { pairs: [ulids, ...pairs], holds: false, withinMs }, now, out); // no false alarm moves anything
  }

  tick(now: Instant, out: HostEffect[]): void {
    const gone = this.#gone;
    this.#gone = [];
    for (const context of gone) this.#follow(context, now, out, true);
    for (const context of [...this.#changed]) this.#follow(context, now, out, false);
    this.#attempts.tick(now, out);
    if (now >= this.#settleAt) this.#settle(now, out);
  }

  #follow(context: HostContext, now: Instant, out: HostEffect[], isGone: boolean): void {
    this.#changed.delete(context);
    const { flow, peerLocators, ulids } = context;
    const { reap } = context;
    const { state } = context.context;
    const before = this.#seen.get(context);
    const isExploring = !isGone && reap !== undefined && reap !== 'Operational';
    if (isExploring) this.#exploring.add(context);
    else this.#exploring.delete(context);
    if (!isExploring) flow.isStuck = false;
    if (isGone) {
      this.#seen.delete(context);
      this.#dead.gone(context, now);
    } else {
      const exploringSince = isExploring ? Math.min(before?.exploringSince ?? NEVER, now) : NEVER;
      this.#seen.set(context, { pair: flow.pair, peer: peerLocators, state, reap, exploringSince });
      if (context.reap !== undefined && samePair(flow.pair, ulids)) this.#dead.isHome(context, now);
      else if (context.reap !== undefined) this.#dead.left(context, now);
    }
    if (peerLocators.length === 0) return;
    const known = peerLocators.filter(({ broken }) => !broken).map(({ address }) => address);
    const peer = isGone ? this.peers.of(ulids.peer) : this.peers.remember(known, flow.pair);
    if (peer !== undefined) this.#soil(peer, now);
    if (!isGone && flow.tagPeer !== undefined && this.#attempts.has(ulids)) {
      this.#settle(now, out); // before the packets go out: where they have to go is clear now
      this.#attempts.established(ulids, out);
    }
  }

  #soil(peer: RememberedPeer, now: Instant): void {
    this.#dirty.add(peer);
    this.#settleAt = Math.min(this.#settleAt, now + SETTLE_MS);
  }

  #settleFor(ulids: LocatorPair, now: Instant, out: HostEffect[]): void {
    const peer = this.peers.of(ulids.peer);
    if (peer === undefined) return;
    this.#dirty.add(peer);
    this.#settle(now, out);
  }

  /** Take out of the kernel's path what would be lost there, and nothing else. */
  #settle(now: Instant, out: HostEffect[]): void {
    const peers = [...this.#dirty];
    this.#dirty.clear();
    this.#settleAt = NEVER;
    for (const [key, until] of this.#refused) if (until <= now) this.#refused.delete(key);
    for (const context of this.#exploring) this.#watch(context, now);
    for (const peer of peers) {
      const wanted = this.#ulidsWith(peer).filter((ulids) => this.#isToBeHeld(ulids, peer, now));
      this.#guards.set(peer, wanted, (ulids) => this.#surroundings.context(ulids)?.diverted === true, out);
    }
    for (const until of this.#refused.values()) this.#settleAt = Math.min(this.#settleAt, until);
  }

  /** Look again whether an exploration has ended. */
  #watch(context: HostContext, now: Instant): void {
    context.flow.isStuck = now - (this.#seen.get(context)?.exploringSince ?? NEVER) >= STUCK_AFTER_MS;
    const peer = this.peers.of(context.ulids.peer);
    if (peer === undefined) return;
    this.#dirty.add(peer);
    this.#settleAt = Math.min(this.#settleAt, now + WHILE_EXPLORING_MS);
  }

  #isToBeHeld(ulids: LocatorPair, peer: RememberedPeer, now: Instant): boolean {
    const context = this.#surroundings.context(ulids);
    if (context?.flow.tagPeer !== undefined) {
      return context.flow.isStuck === true && !context.diverted;
    }
    if (this.#attempts.isHolding(ulids) || (this.#refused.get(pairKey(ulids)) ?? 0) > now) return true;
    if (this.#pairsFor(ulids, now).length === 0) return false;
    if (!this.#isUsable(ulids) || this.#dead.isDead(ulids, now)) return true;
    return !this.#hasWorked(ulids) && this.#dead.endAt(peer.locators, now);
  }

  /** Pairs that may work for these identifiers while their own does not, the best first. */
  #pairsFor(ulids: LocatorPair, now: Instant): LocatorPair[] {
    const peer = this.peers.of(ulids.peer);
    if (peer === undefined) return [];
    const usable = this.#ulidsWith(peer).filter(
      (pair) =>
        this.#isUsable(pair) &&
        this.#surroundings.areOneIdentity(pair.local, ulids.local) &&
        !samePair(pair, ulids) &&
        !this.#dead.isDead(pair, now),
    );
    const score = (pair: LocatorPair): number => (samePair(pair, peer.lastPair) ? 2 : this.#hasWorked(pair) ? 1 : 0);
    return usable.sort((a, b) => score(b) - score(a)).slice(0, MAX_PAIRS);
  }

  #ulidsWith(peer: RememberedPeer): LocatorPair[] {
    const own = this.#surroundings.locators().filter(isOwn).slice(0, MAX_OWN);
    return own.flatMap(({ address }) => peer.locators.map((locator) => ({ local: address, peer: locator })));
  }

  #isUsable({ local }: LocatorPair): boolean {
    return this.#surroundings.locators().some((own) => own.operational && sameOctets(own.address, local));
  }

  #hasWorked(pair: LocatorPair): boolean {
    const path = this.#surroundings.paths.get(pair);
    return path?.heardAt !== undefined || path?.confirmedAt !== undefined;
  }
}

function isOwn(locator: HostLocator): boolean {
  return locator.parameters !== undefined && locator.state !== 'tentative';
}
