import { addressKey, prefixOf } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A token bucket: full at first, one token per answer. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: Instant;

  constructor(rate: Rate, now: Instant) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = now;
  }

  /** Is there a token? Nothing is taken. */
  has(now: Instant): boolean {
    const gained = (Math.max(0, now - this.#filledAt) / 1000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + gained);
    this.#filledAt = Math.max(now, this.#filledAt);
    return this.#tokens >= 1;
  }

  take(now: Instant): boolean {
    if (!this.has(now)) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Answers that are given without a context and therefore limited. */
export type Limited = 'R1' | 'R1bis' | 'Error';

export interface Limits {
  readonly total: Rate;
  readonly perPrefix: Rate;
}

/** R1 may be many (a server after a restart); R1bis and Error are rare in a healthy network. */
const LIMITS: { readonly [Kind in Limited]: Limits } = {
  R1: { total: { perSecond: 2000, burst: 4000 }, perPrefix: { perSecond: 200, burst: 400 } },
  R1bis: { total: { perSecond: 500, burst: 1000 }, perPrefix: { perSecond: 10, burst: 50 } },
  Error: { total: { perSecond: 50, burst: 50 }, perPrefix: { perSecond: 5, burst: 10 } },
};

/** Prefixes remembered per kind; the one unused for longest is forgotten first, the total still holds then. */
const MAX_PREFIXES = 4096;

/** Token buckets for stateless answers, per source /64 and in total, in bounded memory. */
export class RateLimits {
  readonly #limits: { readonly [Kind in Limited]: Limits };
  readonly #totals = new Map<Limited, TokenBucket>();
  readonly #prefixes = new Map<string, TokenBucket>();

  constructor(limits: Partial<Record<Limited, Limits>> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** May an answer of this kind go to `destination` now? If so it is counted. */
  take(kind: Limited, destination: Address, now: Instant): boolean {
    const limits = this.#limits[kind];
    let total = this.#totals.get(kind);
    if (total === undefined) this.#totals.set(kind, (total = new TokenBucket(limits.total, now)));
    if (!total.has(now)) return false;
    const key = kind + addressKey(prefixOf(destination));
    const bucket = this.#prefixes.get(key) ?? new TokenBucket(limits.perPrefix, now);
    this.#prefixes.delete(key);
    this.#prefixes.set(key, bucket); // last again in the order of use
    if (this.#prefixes.size > MAX_PREFIXES) {
      for (const oldest of this.#prefixes.keys()) {
        this.#prefixes.delete(oldest);
        break;
      }
    }
    return bucket.take(now) && total.take(now);
  }

  /** Buckets in memory, for tests and metrics. */
  get size(): number {
    return this.#prefixes.size;
  }
}
