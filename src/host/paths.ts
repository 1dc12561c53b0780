import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';

/** What is known of one locator pair, whichever context learnt it. */
export interface Path {
  readonly pair: LocatorPair;
  rttMs: number | undefined;
  /** A probe of ours arrived on it. */
  confirmedAt: Instant | undefined;
  /** Something of the peer came in on it. */
  heardAt: Instant | undefined;
  suspectedAt: Instant | undefined;
}

/** Pairs remembered at most; the one that was first known is forgotten first. */
const MAX_PATHS = 16_384;

export class Paths {
  readonly #paths = new Map<string, Path>();

  [Symbol.iterator](): Iterator<Path> {
    return this.#paths.values();
  }

  get(pair: LocatorPair): Path | undefined {
    return this.#paths.get(pairKey(pair));
  }

  confirmed(pair: LocatorPair, rttMs: number, now: Instant): void {
    const path = this.#at(pair);
    path.rttMs = rttMs;
    path.confirmedAt = now;
    path.suspectedAt = undefined;
  }

  heard(pair: LocatorPair, now: Instant): void {
    this.#at(pair).heardAt = now;
  }

  suspected(pair: LocatorPair, now: Instant): void {
    this.#at(pair).suspectedAt ??= now;
  }

  cleared(pair: LocatorPair): void {
    const path = this.#paths.get(pairKey(pair));
    if (path !== undefined) path.suspectedAt = undefined;
  }

  #at(pair: LocatorPair): Path {
    const key = pairKey(pair);
    let path = this.#paths.get(key);
    if (path !== undefined) return path;
    for (const oldest of this.#paths.keys()) {
      if (this.#paths.size < MAX_PATHS) break;
      this.#paths.delete(oldest);
    }
    path = { pair, rttMs: undefined, confirmedAt: undefined, heardAt: undefined, suspectedAt: undefined };
    this.#paths.set(key, path);
    return path;
  }
}
