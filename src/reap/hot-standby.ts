import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { ReapProfile } from './profile.ts';

/** In intervals between tests: one of them may get lost. */
const FRESH = 2.5;

/** RFC 6316 §6.3: a second pair that is known to work, so that a failure of the first one costs no exploration. */
export class HotStandby {
  readonly pair: LocatorPair;
  readonly #intervalMs: number;
  #testAt = NEVER;
  #confirmedAt: Instant = -Infinity;

  constructor(pair: LocatorPair, profile: ReapProfile) {
    this.pair = pair;
    this.#intervalMs = profile.testIntervalMs;
  }

  get deadline(): Instant {
    return this.#testAt;
  }

  /** The context is in use: the first test is due at once. */
  use(now: Instant): void {
    if (this.#testAt === NEVER) this.#testAt = now;
  }

  /** No tests until the context is in use again. */
  rest(): void {
    this.#testAt = NEVER;
  }

  /** Is a test due? */
  tick(now: Instant): boolean {
    if (now < this.#testAt) return false;
    this.#testAt = now + this.#intervalMs;
    return true;
  }

  /** A probe sent on `pair` at `at` has arrived. */
  confirmed(pair: LocatorPair, at: Instant): void {
    if (samePair(pair, this.pair)) this.#confirmedAt = Math.max(this.#confirmedAt, at);
  }

  isReady(now: Instant): boolean {
    return now - this.#confirmedAt < FRESH * this.#intervalMs;
  }

  shift(by: number): void {
    this.#testAt += by;
  }
}
