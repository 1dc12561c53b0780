import type { LocatorPair } from '../locators/pair.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { keyOf } from './nftables.ts';
import type { CountVisitor, ObservedPair } from './nftables.ts';
import { PAIR_LENGTH } from './observation-rules.ts';
import { PairTable } from './pair-table.ts';

/** Counts packets on the kernel's own path between watched addresses, each direction for itself. */
export interface WatchCounters {
  watch(...pairs: readonly ObservedPair[]): void;
  unwatch(...pairs: readonly ObservedPair[]): void;
  counters(visit: CountVisitor): void;
  countersOf(pairs: readonly ObservedPair[], visit: CountVisitor): void;
  /** When nothing is in use: call `wake`, once, when something is. False when something is, or that cannot be known. */
  rest(wake: () => void): boolean;
}

/** While no pair in use awaits an answer, these are looked at this often; … */
const HEALTHY_MS = 6;
/** … when one does, more often; … */
const ACTIVE_MS = 3;
/** … all of them so often, unless the kernel says when one begins, … */
const ALL_MS = 20;
/** … and one without packets for so long is not in use. */
const ACTIVE_FOR_MS = 1_000;
/** A look costs by the pairs in use. For each of them, looks are so far apart, whoever wants one, … */
const SPACING_MS = 0.08;
/** … and no farther than this. */
const MAX_SPACING_MS = 8;

interface Watched {
  readonly ulids: LocatorPair;
  readonly pairs: readonly [out: ObservedPair, into: ObservedPair];
  sent: number;
  heard: number;
  /** Since the last look. */
  hasSent: boolean;
  hasHeard: boolean;
  /** Nothing was heard since something was sent. */
  awaits: boolean;
  readAt: Instant;
  activeUntil: Instant;
}

/** What packets from one address to another belong to: between two identifiers of this host, to two contexts. */
interface Direction {
  readonly key: Uint8Array;
  out: Watched | undefined;
  into: Watched | undefined;
}

/** Turns packet counts into "sent" and "heard" per context: cheap when idle, every few milliseconds for what is in use. */
export class Observation {
  readonly #counters: WatchCounters;
  readonly #directions = new PairTable<Direction>(PAIR_LENGTH);
  #active: Watched[] = [];
  #dueAll: Instant = NEVER;
  #dueActive: Instant = NEVER;
  #onWake: () => void = () => undefined;
  readonly #wake = (): void => {
    this.#dueAll = 0;
    this.#onWake();
  };
  #changed: Watched[] = [];
  #readAt: Instant = -Infinity;

  constructor(counters: WatchCounters) {
    this.#counters = counters;
  }

  get deadline(): Instant {
    return Math.min(this.#dueAll, this.#dueActive);
  }

  /** Before this, a look is not worth what it costs, also when somebody needs one. */
  get notBefore(): Instant {
    return this.#readAt + this.#spacingMs;
  }

  /** Call back when `poll` is due sooner than `deadline` said: something is in use after a while without anything. */
  onWake(callback: () => void): void {
    this.#onWake = callback;
  }

  watch(ulids: LocatorPair): void {
    const { local, peer } = ulids;
    const out = { source: local, destination: peer };
    const into = { source: peer, destination: local };
    const outgoing = this.#direction(out);
    if (outgoing.out !== undefined) return;
    const watched: Watched = {
      ulids,
      pairs: [out, into],
      sent: 0,
      heard: 0,
      hasSent: false,
      hasHeard: false,
      awaits: false,
      readAt: 0,
      activeUntil: 0,
    };
    outgoing.out = watched;
    this.#direction(into).into = watched;
    this.#counters.watch(out, into);
    this.#dueAll = 0;
  }

  unwatch({ local, peer }: LocatorPair): void {
    const outgoing = this.#direction({ source: local, destination: peer });
    const incoming = this.#direction({ source: peer, destination: local });
    const watched = outgoing.out;
    if (watched !== undefined) {
      outgoing.out = undefined;
      incoming.into = undefined;
      this.#active = this.#active.filter((one) => one !== watched);
      this.#changed = this.#changed.filter((one) => one !== watched);
      this.#counters.unwatch(...watched.pairs);
    }
    for (const direction of [outgoing, incoming])
      if (direction.out === undefined && direction.into === undefined) this.#directions.delete(direction.key);
    if (this.#directions.size === 0) this.#dueAll = NEVER;
  }

  /** Diverted packets are under way, which the kernel does not count: look soon. */
  keepActive(now: Instant): void {
    this.#dueActive = Math.min(this.#dueActive, now + ACTIVE_MS);
  }

  /** Report what changed since the last poll, if one is due, or if the answer is needed now. */
  poll(
    isNeeded: boolean,
    now: Instant,
    report: (ulids: LocatorPair, sent: boolean, heard: boolean, since: Instant) => void,
  ): void {
    if (now < this.deadline && !isNeeded) return;
    const visit: CountVisitor = (octets, at, packets) => {
      const direction = this.#directions.get(octets, at);
      if (direction !== undefined) this.#count(direction, packets, now);
    };
    if (now >= this.#dueAll - ACTIVE_MS) {
      this.#counters.counters(visit);
      this.#dueAll = this.#directions.size === 0 || this.#counters.rest(this.#wake) ? NEVER : now + ALL_MS;
    } else if (this.#active.length > 0) {
      this.#counters.countersOf(
        this.#active.flatMap(({ pairs }) => pairs),
        visit,
      );
    }
    this.#readAt = now;
    this.#active = this.#active.filter(({ activeUntil }) => now < activeUntil);
    const changed = this.#changed;
    this.#changed = [];
    for (const watched of changed) {
      const { ulids, hasSent, hasHeard, readAt } = watched;
      watched.hasSent = false;
      watched.hasHeard = false;
      watched.awaits = !hasHeard && (hasSent || watched.awaits);
      // A pair that was not in use is read too seldom for the time of the last reading to say anything.
      report(ulids, hasSent, hasHeard, now - readAt > 2 * HEALTHY_MS ? now : readAt);
    }
    const everyMs = this.#active.some(({ awaits }) => awaits) ? ACTIVE_MS : HEALTHY_MS;
    this.#dueActive = this.#active.length === 0 ? NEVER : now + Math.max(everyMs, this.#spacingMs);
    for (const watched of this.#active) watched.readAt = now;
  }

  get #spacingMs(): number {
    return Math.min(this.#active.length * SPACING_MS, MAX_SPACING_MS);
  }

  #direction(pair: ObservedPair): Direction {
    const key = keyOf(pair);
    let direction = this.#directions.get(key);
    if (direction === undefined) this.#directions.set(key, (direction = { key, out: undefined, into: undefined }));
    return direction;
  }

  #count({ out, into }: Direction, packets: number, now: Instant): void {
    if (out !== undefined && packets !== out.sent) {
      out.sent = packets;
      this.#note(out, now);
      out.hasSent = true;
    }
    if (into !== undefined && packets !== into.heard) {
      into.heard = packets;
      this.#note(into, now);
      into.hasHeard = true;
    }
  }

  #note(watched: Watched, now: Instant): void {
    if (watched.activeUntil <= now && !this.#active.includes(watched)) this.#active.push(watched);
    watched.activeUntil = now + ACTIVE_FOR_MS;
    if (!watched.hasSent && !watched.hasHeard) this.#changed.push(watched);
  }
}
