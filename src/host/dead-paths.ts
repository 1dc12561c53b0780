import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';

/** How long a path counts as dead after the last context that had left it is gone. */
const REMEMBERED_MS = 600_000;
/** … unless it had answered a test again, at most so long before. */
const ANSWERED_MS = 5_000;
/** Ways remembered at most; the one that was first left is forgotten first. */
const MAX_WAYS = 4_096;
/** RFC 4291 §2.5.4: what routing looks at. */
const PREFIX_OCTETS = 8;

interface Fate<Member> {
  /** The pair of identifiers of the last context that has left it. */
  home: LocatorPair;
  /** Contexts whose home it is, and which have left it. */
  readonly away: Set<Member>;
  leftAt: Instant;
  homeAt: Instant;
  deadUntil: Instant;
}

/** Which ways between two networks are known to be dead, because contexts have left them and none has come back. */
export class DeadPaths<Member extends { readonly ulids: LocatorPair }> {
  readonly #fates = new Map<string, Fate<Member>>();
  readonly #answeredAt: (pair: LocatorPair) => Instant | undefined;

  /** `answeredAt`: when the peer last answered a test of a pair. */
  constructor(answeredAt: (pair: LocatorPair) => Instant | undefined) {
    this.#answeredAt = answeredAt;
  }

  isDead(pair: LocatorPair, now: Instant): boolean {
    const fate = this.#fates.get(wayOf(pair));
    return fate !== undefined && this.#isDead(fate, now);
  }

  /** Whether a way to one of these addresses is dead, from wherever. */
  endAt(addresses: readonly Address[], now: Instant): boolean {
    if (this.#fates.size === 0) return false;
    const prefixes = new Set(addresses.map(prefixText));
    for (const [way, fate] of this.#fates) {
      if (prefixes.has(way.slice(PREFIX_OCTETS)) && this.#isDead(fate, now)) return true;
    }
    return false;
  }

  left(member: Member, now: Instant): void {
    const fate = this.#fate(member);
    if (fate.away.has(member)) return;
    fate.away.add(member);
    fate.home = member.ulids;
    fate.leftAt = now;
  }

  /** It uses its identifiers again, or for the first time. */
  isHome(member: Member, now: Instant): void {
    const fate = this.#fates.get(wayOf(member.ulids));
    if (fate?.away.delete(member) !== true) return;
    fate.homeAt = now;
    fate.deadUntil = 0;
    this.#tidy(member, fate, now);
  }

  gone(member: Member, now: Instant): void {
    const fate = this.#fates.get(wayOf(member.ulids));
    if (fate?.away.delete(member) !== true) return;
    if (fate.away.size === 0 && fate.leftAt > fate.homeAt) fate.deadUntil = now + REMEMBERED_MS;
    this.#tidy(member, fate, now);
  }

  #isDead(fate: Fate<Member>, now: Instant): boolean {
    if (fate.away.size > 0) return fate.leftAt > fate.homeAt;
    const answeredAt = this.#answeredAt(fate.home) ?? -Infinity;
    const isBack = answeredAt > Math.max(fate.leftAt, fate.deadUntil - REMEMBERED_MS - ANSWERED_MS);
    return now < fate.deadUntil && !isBack;
  }

  #fate(member: Member): Fate<Member> {
    const key = wayOf(member.ulids);
    let fate = this.#fates.get(key);
    if (fate === undefined) {
      for (const oldest of this.#fates.keys()) {
        if (this.#fates.size < MAX_WAYS) break;
        this.#fates.delete(oldest);
      }
      fate = { home: member.ulids, away: new Set(), leftAt: 0, homeAt: 0, deadUntil: 0 };
      this.#fates.set(key, fate);
    }
    return fate;
  }

  #tidy(member: Member, fate: Fate<Member>, now: Instant): void {
    if (fate.away.size === 0 && fate.deadUntil <= now) this.#fates.delete(wayOf(member.ulids));
  }
}

function wayOf({ local, peer }: LocatorPair): string {
  return prefixText(local) + prefixText(peer);
}

function prefixText(address: Address): string {
  return String.fromCharCode(...address.subarray(0, PREFIX_OCTETS));
}
