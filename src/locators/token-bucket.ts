import type { Instant } from '../wire/time.ts';

/** How often something may happen: `burst` at once, then so many per second. */
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
