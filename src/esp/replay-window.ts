/** RFC 4303 §3.4.3 wants 64; GSO, several queues and several paths put more packets out of order. */
export const DEFAULT_WINDOW = 1024;
export const SMALLEST_WINDOW = 64;
export const LARGEST_WINDOW = 65_536;

const LOW_NUMBERS = 1n << 32n;
const LAST_HIGH = LOW_NUMBERS - 1n;

/**
 * The receiver's anti-replay window, RFC 4303 §3.4.3, with the recovery of the high half of a number by Appendix A2.2.
 *
 *     Tl >= W-1:   0 ......... Bl ======= Tl ........ 2^32     one subspace
 *     Tl <  W-1:   0 == Tl ................... Bl ==== 2^32     the window begins in the one before
 */
export class ReplayWindow {
  readonly size: number;
  readonly #isExtended: boolean;
  /** One bit for each of the last `size` numbers, at number mod `size`. */
  readonly #seen: Uint8Array;
  #highest: bigint;

  /** Nothing up to `highest` is accepted again: at the start 0, which is never sent. */
  constructor(size: number = DEFAULT_WINDOW, highest = 0n, isExtended = true) {
    if (size < SMALLEST_WINDOW || size > LARGEST_WINDOW || (size & (size - 1)) !== 0) {
      throw new RangeError(`not a replay window: ${String(size)}`);
    }
    this.size = size;
    this.#isExtended = isExtended;
    this.#seen = new Uint8Array(size).fill(1);
    this.#highest = highest;
  }

  /** T: the highest number that was authenticated. */
  get highest(): bigint {
    return this.#highest;
  }

  /** The number that a packet with this low half has if it is genuine, Appendix A2.2; `undefined` when none can be. */
  recover(low: number): bigint | undefined {
    if (!this.#isExtended) return BigInt(low);
    const window = BigInt(this.size);
    const high = this.#highest / LOW_NUMBERS;
    const top = this.#highest % LOW_NUMBERS;
    const bottom = BigInt.asUintN(32, top - window + 1n);
    const isAbove = BigInt(low) >= bottom;
    const guess = top >= window - 1n ? (isAbove ? high : high + 1n) : isAbove ? high - 1n : high;
    return guess < 0n || guess > LAST_HIGH ? undefined : guess * LOW_NUMBERS + BigInt(low);
  }

  /** Whether a packet of this number is neither too old nor a replay. */
  isFresh(number: bigint): boolean {
    if (number > this.#highest) return true;
    return this.#highest - number < BigInt(this.size) && this.#seen[this.#index(number)] === 0;
  }

  /** A packet of this number, which is fresh, has been authenticated. */
  accept(number: bigint): void {
    if (number > this.#highest) {
      const gap = number - this.#highest;
      if (gap >= BigInt(this.size)) this.#seen.fill(0);
      else for (let skipped = this.#highest + 1n; skipped < number; skipped++) this.#seen[this.#index(skipped)] = 0;
      this.#highest = number;
    }
    this.#seen[this.#index(number)] = 1;
  }

  #index(number: bigint): number {
    return Number(number % BigInt(this.size));
  }
}
