import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { ReapProfile } from './profile.ts';

const FLAP_MS = 60_000;
const MAX_RETURN_AFTER_MS = 60_000;
const SLOWEST_TEST = 4; // times the test interval, while there is no answer

/** Going back to the preferred pair: tested while the context is in use, trusted after an unbroken run of answers. */
export class Homing {
  readonly #profile: ReapProfile;
  #pair: LocatorPair | undefined;
  #testAt = NEVER;
  #spacing: number;
  #isUnanswered = false;
  #goodSince: Instant | undefined;
  #returnAfterMs: number;
  #returnedAt: Instant | undefined;

  constructor(profile: ReapProfile) {
    this.#profile = profile;
    this.#spacing = profile.testIntervalMs;
    this.#returnAfterMs = profile.returnAfterMs;
  }

  get pair(): LocatorPair | undefined {
    return this.#pair;
  }

  get deadline(): Instant {
    return this.#testAt;
  }

  prefer(pair: LocatorPair | undefined): void {
    if (pair !== undefined && this.#pair !== undefined && samePair(pair, this.#pair)) return;
    this.#pair = pair;
    this.rest();
  }

  /** No tests until the context is in use again. */
  rest(): void {
    this.#testAt = NEVER;
    this.#goodSince = undefined;
    this.#isUnanswered = false;
    this.#spacing = this.#profile.testIntervalMs;
  }

  /** The context is in use, on `current`. */
  use(current: LocatorPair, now: Instant): void {
    if (this.#pair === undefined || !this.#profile.pathTest || samePair(current, this.#pair)) return;
    if (this.#testAt === NEVER) this.#testAt = now + this.#spacing;
  }

  /** The pair to test now, if one is due. */
  tick(now: Instant): LocatorPair | undefined {
    if (now < this.#testAt) return undefined;
    if (this.#isUnanswered) {
      this.#goodSince = undefined;
      this.#spacing = Math.min(2 * this.#spacing, SLOWEST_TEST * this.#profile.testIntervalMs);
    }
    this.#testAt = now + this.#spacing;
    this.#isUnanswered = true;
    return this.#pair;
  }

  /** A test sent at `sentAt` was answered. True: go back. */
  answered(sentAt: Instant, now: Instant): boolean {
    this.#isUnanswered = false;
    this.#spacing = this.#profile.testIntervalMs;
    this.#testAt = Math.min(this.#testAt, now + this.#spacing);
    this.#goodSince ??= sentAt;
    return now - this.#goodSince >= this.#returnAfterMs;
  }

  returned(now: Instant): void {
    this.#returnedAt = now;
    this.rest();
  }

  /** Payload had to leave `pair`. */
  left(pair: LocatorPair, now: Instant): void {
    this.rest();
    if (this.#pair === undefined || !samePair(pair, this.#pair)) return;
    const isFlapping = this.#returnedAt !== undefined && now - this.#returnedAt < FLAP_MS;
    this.#returnAfterMs = isFlapping
      ? Math.min(2 * this.#returnAfterMs, MAX_RETURN_AFTER_MS)
      : this.#profile.returnAfterMs;
  }

  shift(by: number): void {
    this.#testAt += by;
  }
}
