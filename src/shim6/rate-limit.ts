import { PrefixBuckets } from '../locators/prefix-buckets.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import type { Rate } from '../locators/token-bucket.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { Acquaintances } from './acquaintances.ts';

/** Answers that are given without a context and therefore limited. */
export type Limited = 'R1' | 'R1bis' | 'Error';

export interface Limits {
  /** Of strangers together, and as much again of acquaintances. */
  readonly total: Rate;
  readonly perPrefix: Rate;
}

/** R1 may be many (a server after a restart); R1bis and Error are rare in a healthy network. */
const LIMITS: { readonly [Kind in Limited]: Limits } = {
  R1: { total: { perSecond: 2000, burst: 4000 }, perPrefix: { perSecond: 200, burst: 400 } },
  R1bis: { total: { perSecond: 500, burst: 1000 }, perPrefix: { perSecond: 10, burst: 50 } },
  Error: { total: { perSecond: 50, burst: 50 }, perPrefix: { perSecond: 5, burst: 10 } },
};

/** Token buckets for stateless answers, per source /64 and in total, in bounded memory. Strangers take nothing from acquaintances. */
export class RateLimits {
  readonly acquaintances: Acquaintances = new Acquaintances();
  readonly #limits: { readonly [Kind in Limited]: Limits };
  readonly #strangers = new Map<Limited, TokenBucket>();
  readonly #known = new Map<Limited, TokenBucket>();
  readonly #prefixes = new Map<Limited, PrefixBuckets>();

  constructor(limits: Partial<Record<Limited, Limits>> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** May an answer of this kind go to `destination` now? If so it is counted. */
  take(kind: Limited, destination: Address, now: Instant): boolean {
    const total = this.#total(kind, this.acquaintances.has(destination), now);
    if (!total.has(now)) return false;
    let prefixes = this.#prefixes.get(kind);
    if (prefixes === undefined) this.#prefixes.set(kind, (prefixes = new PrefixBuckets(this.#limits[kind].perPrefix)));
    return prefixes.take(destination, now) && total.take(now);
  }

  /** May any stranger have an answer of this kind now? Nothing is taken. */
  hasForStrangers(kind: Limited, now: Instant): boolean {
    return this.#total(kind, false, now).has(now);
  }

  #total(kind: Limited, isKnown: boolean, now: Instant): TokenBucket {
    const totals = isKnown ? this.#known : this.#strangers;
    let total = totals.get(kind);
    if (total === undefined) totals.set(kind, (total = new TokenBucket(this.#limits[kind].total, now)));
    return total;
  }

  /** Buckets in memory, for tests and metrics. */
  get size(): number {
    let size = 0;
    for (const prefixes of this.#prefixes.values()) size += prefixes.size;
    return size;
  }
}
