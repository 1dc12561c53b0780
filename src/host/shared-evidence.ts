import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { PathClass, PeerPath } from './path-class.ts';
import type { Departure } from './path-class.ts';

/** A move that was proven counts for others so long, … */
const REMEMBERED_MS = 10_000;
/** … unless something came in on the old way later than this after it: then the way is not dead. */
const SETTLING_MS = 50;
/** Leaders in turn that may find nothing before everybody explores alone. */
const MAX_LEADERS = 3;

/** What a context that began to doubt its pair is to do. */
export type Advice =
  | { readonly what: 'explore' }
  /** Another context of the class explores already. */
  | { readonly what: 'wait' }
  /** Others have found a way out; the class that they left, when their alarm was false. */
  | { readonly what: 'follow'; readonly to: string };

/** A context that waited, and the class in which a pair works. */
export interface Freed<Member> {
  readonly member: Member;
  readonly to: string;
}

/**
 * Evidence that contexts share when their packets take the same way. DEVIATION(0007) from RFC 5534 §4.3, by which every
 * context explores for itself: in the profiles `fast` and `balanced` one of those that suspect explores, the others wait,
 * and follow to the class that it found. What no context suspects itself stays where it is.
 */
export class SharedEvidence<Member> {
  readonly #classes = new Map<string, PathClass<Member>>();
  /** Those in which somebody waits. */
  readonly #troubled = new Set<PathClass<Member>>();
  #freed: Freed<Member>[] = [];

  /** When `due` or `takeFreed` has something. */
  get deadline(): Instant {
    if (this.#freed.length > 0) return -Infinity;
    let first = NEVER;
    for (const path of this.#troubled) first = Math.min(first, until(path));
    return first;
  }

  /** The record of a peer on a class; `release` it later. */
  acquire(key: string, peer: string): PeerPath<Member> {
    let path = this.#classes.get(key);
    if (path === undefined) this.#classes.set(key, (path = new PathClass(key)));
    let record = path.peers.get(peer);
    if (record === undefined) path.peers.set(peer, (record = new PeerPath(path, peer)));
    record.users++;
    return record;
  }

  release(record: PeerPath<Member>): void {
    if (--record.users > 0) return;
    const { path, peer } = record;
    path.peers.delete(peer);
    if (path.peers.size === 0 && path.departure === undefined) this.#classes.delete(path.key);
  }

  /** Something of the peer came in on this way. */
  heard(on: PeerPath<Member>, now: Instant): void {
    on.heardAt = now;
    on.path.heardAt = now;
  }

  /** `member` doubts its pair; its own exploration would have found something after `patienceMs`. */
  suspects(member: Member, on: PeerPath<Member>, patienceMs: number, now: Instant): Advice {
    const departure = current(on.departure, on.heardAt, now) ?? current(on.path.departure, on.path.heardAt, now);
    if (departure !== undefined) return { what: 'follow', to: departure.to };
    const { path } = on;
    if (path.leaders.size === 0) {
      path.leaders.set(member, now + patienceMs);
      return { what: 'explore' };
    }
    path.waiting.add(member);
    this.#troubled.add(path);
    return { what: 'wait' };
  }

  /** `member` has proven that packets have to take another way, or had better take it when the old one is not dead. */
  moved(member: Member, from: PeerPath<Member>, to: string, isDead: boolean, now: Instant): void {
    from.departure = { to, at: now, isDead };
    from.path.departure = from.departure;
    const path = this.#classes.get(to);
    if (path !== undefined) {
      path.departure = undefined;
      for (const peer of path.peers.values()) peer.departure = undefined;
    }
    this.#solve(member, from.path, to);
  }

  /** The alarm of `member` was false. */
  cleared(member: Member, on: PeerPath<Member>): void {
    if (on.path.leaders.has(member)) this.#solve(member, on.path, on.path.key);
    else this.left(member, on);
  }

  /** `member` has no part in this any more. */
  left(member: Member, on: PeerPath<Member>): void {
    on.path.waiting.delete(member);
    on.path.leaders.delete(member);
    if (on.path.waiting.size === 0) this.#troubled.delete(on.path);
  }

  /** Where others had to go from this way lately. */
  departureOf(on: PeerPath<Member>, now: Instant): string | undefined {
    const recent = (departure: Departure | undefined): Departure | undefined =>
      departure?.isDead === true && now - departure.at < REMEMBERED_MS ? departure : undefined;
    return (recent(on.departure) ?? recent(on.path.departure))?.to;
  }

  /** Contexts that have waited long enough, and explore now: the next leader of a class, or all of it. */
  due(patienceMs: (member: Member) => number, now: Instant): Member[] {
    const explorers: Member[] = [];
    for (const path of this.#troubled) {
      if (until(path) > now) continue;
      path.leaders.clear();
      const count = ++path.failures < MAX_LEADERS ? 1 : path.waiting.size;
      for (const member of [...path.waiting].slice(0, count)) {
        path.waiting.delete(member);
        path.leaders.set(member, now + patienceMs(member));
        explorers.push(member);
      }
      if (path.waiting.size === 0) this.#troubled.delete(path);
    }
    return explorers;
  }

  /** Up to `count` contexts that may follow now. */
  takeFreed(count: number): readonly Freed<Member>[] {
    const taken = this.#freed.slice(0, count);
    this.#freed = this.#freed.slice(count);
    return taken;
  }

  #solve(member: Member, path: PathClass<Member>, to: string): void {
    path.waiting.delete(member);
    path.leaders.clear();
    path.failures = 0;
    for (const waiting of path.waiting) this.#freed.push({ member: waiting, to });
    path.waiting.clear();
    this.#troubled.delete(path);
  }
}

/** When the others of a class have waited long enough. */
function until<Member>(path: PathClass<Member>): Instant {
  let last = -Infinity;
  for (const at of path.leaders.values()) last = Math.max(last, at);
  return last;
}

function current(departure: Departure | undefined, heardAt: Instant, now: Instant): Departure | undefined {
  if (departure === undefined || now - departure.at >= REMEMBERED_MS) return undefined;
  return heardAt > departure.at + SETTLING_MS ? undefined : departure;
}
