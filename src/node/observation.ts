import { addressKey } from '../wire/address.ts';
import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { CountVisitor, ObservedPair } from './nftables.ts';

/** Counts packets on the kernel's own path between watched addresses, each direction for itself. */
export interface WatchCounters {
  watch(...pairs: readonly ObservedPair[]): void;
  unwatch(...pairs: readonly ObservedPair[]): void;
  counters(visit: CountVisitor): void;
  countersOf(pairs: readonly ObservedPair[], visit: CountVisitor): void;
  /** When nothing is in use: call `wake`, once, when something is. False when something is, or that cannot be known. */
  rest(wake: () => void): boolean;
}

/** While the peers of all pairs in use are heard, these are looked at this often; … */
const HEALTHY_MS = 6;
/** … when one is silent, more often; … */
const ACTIVE_MS = 3;
/** … all of them so often, unless the kernel says when one begins, … */
const ALL_MS = 20;
/** … and one without packets for so long is not in use. */
const ACTIVE_FOR_MS = 1_000;

interface Watched {
  readonly ulids: LocatorPair;
  readonly pairs: readonly [out: ObservedPair, into: ObservedPair];
  sent: number;
  heard: number;
  readAt: Instant;
  activeUntil: Instant;
}

/** Turns packet counts into "sent" and "heard" per context: cheap when idle, every few milliseconds for what is in use. */
export class Observation {
  readonly #counters: WatchCounters;
  /** Both directions of each conversation, by source and destination. */
  readonly #outgoing = new Map<string, Watched>();
  readonly #incoming = new Map<string, Watched>();
  #active: Watched[] = [];
  #dueAll: Instant = NEVER;
  #dueActive: Instant = NEVER;
  #onWake: () => void = () => undefined;
  readonly #wake = (): void => {
    this.#dueAll = 0;
    this.#onWake();
  };
  readonly #changed = new Map<Watched, { sent: boolean; heard: boolean }>();

  constructor(counters: WatchCounters) {
    this.#counters = counters;
  }

  get deadline(): Instant {
    return Math.min(this.#dueAll, this.#dueActive);
  }

  /** Call back when `poll` is due sooner than `deadline` said: something is in use after a while without anything. */
  onWake(callback: () => void): void {
    this.#onWake = callback;
  }

  watch(ulids: LocatorPair): void {
    if (this.#outgoing.has(pairKey(ulids))) return;
    const { local, peer } = ulids;
    const pairs = [
      { source: local, destination: peer },
      { source: peer, destination: local },
    ] as const;
    const watched: Watched = { ulids, pairs, sent: 0, heard: 0, readAt: 0, activeUntil: 0 };
    this.#outgoing.set(pairKey(ulids), watched);
    this.#incoming.set(pairKey({ local: peer, peer: local }), watched);
    this.#counters.watch(...pairs);
    this.#dueAll = 0;
  }

  unwatch(ulids: LocatorPair): void {
    const watched = this.#outgoing.get(pairKey(ulids));
    if (watched === undefined) return;
    this.#outgoing.delete(pairKey(ulids));
    this.#incoming.delete(pairKey({ local: ulids.peer, peer: ulids.local }));
    this.#active = this.#active.filter((one) => one !== watched);
    this.#counters.unwatch(...watched.pairs);
    if (this.#outgoing.size === 0) this.#dueAll = NEVER;
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
      this.#count(addressKey(octets.subarray(at, at + 32)), packets, now);
    };
    if (now >= this.#dueAll) {
      this.#counters.counters(visit);
      this.#dueAll = this.#outgoing.size === 0 || this.#counters.rest(this.#wake) ? NEVER : now + ALL_MS;
    } else if (this.#active.length > 0) {
      this.#counters.countersOf(
        this.#active.flatMap(({ pairs }) => pairs),
        visit,
      );
    }
    this.#active = this.#active.filter(({ activeUntil }) => now < activeUntil);
    const isHealthy = this.#active.every((watched) => this.#changed.get(watched)?.heard === true);
    this.#dueActive = this.#active.length === 0 ? NEVER : now + (isHealthy ? HEALTHY_MS : ACTIVE_MS);
    for (const [watched, { sent, heard }] of this.#changed) {
      // A pair that was not in use is read too seldom for the time of the last reading to say anything.
      report(watched.ulids, sent, heard, now - watched.readAt > 2 * HEALTHY_MS ? now : watched.readAt);
    }
    for (const watched of this.#active) watched.readAt = now;
    this.#changed.clear();
  }

  #count(key: string, packets: number, now: Instant): void {
    const out = this.#outgoing.get(key);
    if (out !== undefined && packets !== out.sent) {
      out.sent = packets;
      this.#note(out, now).sent = true;
    }
    const into = this.#incoming.get(key);
    if (into !== undefined && packets !== into.heard) {
      into.heard = packets;
      this.#note(into, now).heard = true;
    }
  }

  #note(watched: Watched, now: Instant): { sent: boolean; heard: boolean } {
    if (watched.activeUntil <= now && !this.#active.includes(watched)) this.#active.push(watched);
    watched.activeUntil = now + ACTIVE_FOR_MS;
    let change = this.#changed.get(watched);
    if (change === undefined) this.#changed.set(watched, (change = { sent: false, heard: false }));
    return change;
  }
}
