import type { LocatorPair } from '../locators/pair.ts';
import type { ReapProfile } from '../reap/profile.ts';
import { RoundTrips } from '../reap/round-trips.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import { addressKey } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEffect, HostLocator } from './host-io.ts';
import { KnownPeers } from './known-peer.ts';
import { pathClassKey } from './path-class.ts';
import type { PeerPath } from './path-class.ts';
import { ProbeBudget } from './probe-budget.ts';
import { SharedEvidence } from './shared-evidence.ts';

/** Keepalives of single contexts, as a multiple of the budget of probes; beyond it, one speaks for all of a peer. */
const KEEPALIVES_PER_PROBE = 4;
/** The share of the probes that looks for peers at locators which nothing needs yet. */
const STANDBY_SHARE = 1 / 10;
/** The first of them comes so long after the context. */
const STANDBY_AFTER_MS = 1_000;
/** Contexts that follow in one go; more would keep packets waiting. */
const FOLLOWERS_TOGETHER = 256;
/** Who tests the way home for all, and was not heard of for so long, does so no longer. */
const HOME_TESTER_MS = 5_000;

/** What a context does when the contexts of a host share what they learn. */
export interface Sharer<Effect = HostEffect> {
  /** How long an exploration takes that finds something. */
  readonly patienceMs: number;
  explore(now: Instant, out: Effect[]): void;
  /** To the pair in the class `to`. */
  follow(to: string, now: Instant, out: Effect[]): void;
  /** Look for the peer at one more of its locators; false when nothing is left to do. */
  confirmNext(now: Instant, out: Effect[]): boolean;
}

/** What the contexts of a host have in common about paths and peers, and what they may send to learn it. */
export class Sharing<Effect = HostEffect> {
  readonly evidence: SharedEvidence<Sharer<Effect>> = new SharedEvidence<Sharer<Effect>>();
  readonly peers: KnownPeers = new KnownPeers();
  readonly budget: ProbeBudget<Sharer<Effect>>;
  readonly #keepalives: TokenBucket;
  readonly #locators: () => readonly HostLocator[];
  /** The locators of which the interfaces are. */
  #known: readonly HostLocator[] = [];
  #interfaces: ReadonlyMap<string, string> = new Map();
  readonly #trips = new Map<ReapProfile, RoundTrips>();
  readonly #standbyEveryMs: number;
  readonly #standby = new Set<Sharer<Effect>>();
  #standbyAt: Instant = NEVER;

  constructor(probeBudget: number, locators: () => readonly HostLocator[], now: Instant) {
    this.budget = new ProbeBudget(probeBudget, now);
    this.#keepalives = new TokenBucket({ perSecond: KEEPALIVES_PER_PROBE * probeBudget, burst: probeBudget }, now);
    this.#standbyEveryMs = 1000 / (STANDBY_SHARE * probeBudget);
    this.#locators = locators;
  }

  /** When `tick` is next due. */
  get deadline(): Instant {
    return Math.min(this.evidence.deadline, this.budget.deadline, this.#standbyAt);
  }

  tick(now: Instant, out: Effect[]): void {
    for (const { member, to } of this.evidence.takeFreed(FOLLOWERS_TOGETHER)) member.follow(to, now, out);
    for (const member of this.evidence.due(({ patienceMs }) => patienceMs, now)) member.explore(now, out);
    this.budget.serve(now, (member) => {
      member.explore(now, out);
    });
    if (now >= this.#standbyAt) this.#lookForPeers(now, out);
  }

  classOf(pair: LocatorPair): string {
    const locators = this.#locators();
    if (locators !== this.#known) {
      this.#known = locators;
      this.#interfaces = new Map(locators.map((locator) => [addressKey(locator.address), locator.interface]));
    }
    return pathClassKey(pair, this.#interfaces.get(addressKey(pair.local)) ?? '');
  }

  /** Round trips of all contexts with this profile: those of one class have the same. */
  tripsOf(profile: ReapProfile): RoundTrips {
    let trips = this.#trips.get(profile);
    if (trips === undefined) {
      trips = new RoundTrips(profile, (pair) => this.classOf(pair));
      this.#trips.set(profile, trips);
    }
    return trips;
  }

  /** May a context say that it hears the peer? Not when another one has just said it on the same way, and there are many. */
  mayVouch(on: PeerPath<Sharer<Effect>>, spacingMs: number, now: Instant): boolean {
    if (!this.#keepalives.take(now) && now - on.vouchedAt < spacingMs) return false;
    on.vouchedAt = now;
    return true;
  }

  /** May a context test the way home? One does so for all that take the same way now. */
  mayTestHome(member: Sharer<Effect>, { path }: PeerPath<Sharer<Effect>>, now: Instant): boolean {
    const { home } = path;
    if (home !== undefined && home.by !== member && now - home.at < HOME_TESTER_MS) return false;
    if (!this.budget.take('test', now)) return false;
    path.home = { by: member, at: now };
    return true;
  }

  /** `member` has a peer at locators where it was not seen yet: look there, slowly, so that it can be followed later. */
  standBy(member: Sharer<Effect>, now: Instant): void {
    this.#standby.add(member);
    if (this.#standbyAt === NEVER) this.#standbyAt = now + STANDBY_AFTER_MS;
  }

  /** Nothing is left of it. */
  forget(member: Sharer<Effect>, on: PeerPath<Sharer<Effect>>): void {
    this.#standby.delete(member);
    this.budget.leave(member, on.path);
    this.evidence.left(member, on);
  }

  #lookForPeers(now: Instant, out: Effect[]): void {
    this.#standbyAt = now + this.#standbyEveryMs;
    for (const member of this.#standby) {
      if (!this.budget.take('standby', now)) return;
      this.#standby.delete(member);
      if (!member.confirmNext(now, out)) {
        this.budget.refund();
        continue;
      }
      this.#standby.add(member); // behind the others
      return;
    }
    this.#standbyAt = NEVER;
  }
}
