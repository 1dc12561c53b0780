import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { Rate } from './token-bucket.ts';

/** Places for a prefix: of these, the one unused for longest is taken. */
const WAYS = 4;
const SETS = 1024;
const PLACES = WAYS * SETS;

/**
 * Token buckets of /64 prefixes in columns, so that a flood from everywhere leaves no garbage behind. A prefix that is crowded
 * out finds a full bucket again; the total holds all the same.
 */
export class PrefixBuckets {
  readonly #rate: Rate;
  readonly #high = new Uint32Array(PLACES);
  readonly #low = new Uint32Array(PLACES);
  readonly #tokens = new Float64Array(PLACES);
  readonly #filledAt = new Float64Array(PLACES).fill(Number.NEGATIVE_INFINITY);
  #used = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Places taken, for tests and metrics. */
  get size(): number {
    return this.#used;
  }

  /** Takes a token of the prefix of `address`, if there is one. */
  take(address: Address, now: Instant): boolean {
    const at = this.#placeOf(word(address, 0), word(address, 4), now);
    const gained = (Math.max(0, now - (this.#filledAt[at] ?? now)) / 1000) * this.#rate.perSecond;
    const tokens = Math.min(this.#rate.burst, (this.#tokens[at] ?? 0) + gained);
    const isThere = tokens >= 1;
    this.#tokens[at] = isThere ? tokens - 1 : tokens;
    this.#filledAt[at] = Math.max(now, this.#filledAt[at] ?? now);
    return isThere;
  }

  #placeOf(high: number, low: number, now: Instant): number {
    const first = WAYS * ((Math.imul(Math.imul(high, 0x9e3779b1) ^ low, 0x85ebca6b) >>> 16) % SETS);
    let oldest = first;
    for (let at = first; at < first + WAYS; at++) {
      const isUsed = this.#filledAt[at] !== Number.NEGATIVE_INFINITY;
      if (isUsed && this.#high[at] === high && this.#low[at] === low) return at;
      if ((this.#filledAt[at] ?? 0) < (this.#filledAt[oldest] ?? 0)) oldest = at;
    }
    if (this.#filledAt[oldest] === Number.NEGATIVE_INFINITY) this.#used++;
    this.#high[oldest] = high;
    this.#low[oldest] = low;
    this.#tokens[oldest] = this.#rate.burst;
    this.#filledAt[oldest] = now;
    return oldest;
  }
}

function word(octets: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
