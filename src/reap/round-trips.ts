import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { measured } from '../locators/round-trip.ts';
import type { RoundTrip } from '../locators/round-trip.ts';
import type { Instant } from '../wire/time.ts';
import type { ReapProfile } from './profile.ts';

const FACTOR = 1.25;
const UNKNOWN_MS = 50; // for a pair that was never measured
const REMEMBERED = 1024;

/** So many samples come quickly: the first ones are of code that never ran before, at both ends. */
const FIRST_SAMPLES = 8;
const HASTE = 10;

/** Round-trip times per pair, and what they add to the timers of a profile that counts in milliseconds. */
export class RoundTrips {
  readonly #profile: ReapProfile;
  readonly #keyOf: (pair: LocatorPair) => string;
  readonly #trips = new Map<string, RoundTrip>();
  readonly #testedAt = new Map<string, Instant>();

  /** `keyOf`: pairs with the same key have the same round trips. */
  constructor(profile: ReapProfile, keyOf: (pair: LocatorPair) => string = pairKey) {
    this.#profile = profile;
    this.#keyOf = keyOf;
  }

  add(pair: LocatorPair, ms: number): void {
    const key = this.#keyOf(pair);
    const trip = measured(this.#trips.get(key), ms, this.#profile.sendTimeoutMs / 2);
    this.#trips.delete(key);
    this.#trips.set(key, trip);
    for (const oldest of this.#trips.keys()) {
      if (this.#trips.size <= REMEMBERED) break;
      this.#trips.delete(oldest);
      this.#testedAt.delete(oldest);
    }
  }

  of(pair: LocatorPair): RoundTrip | undefined {
    return this.#trips.get(this.#keyOf(pair));
  }

  /** What the Send Timeout must allow for. */
  allowance(pair: LocatorPair): number {
    const trip = this.of(pair);
    return trip === undefined ? UNKNOWN_MS : FACTOR * (trip.srtt + 2 * trip.rttvar);
  }

  /** What a probe just sent must be allowed for its report. */
  answerTime(pair: LocatorPair): number {
    return FACTOR * (this.of(pair)?.srtt ?? UNKNOWN_MS);
  }

  /** Is the next sample worth its packets? Then it is taken now. */
  isTestDue(pair: LocatorPair, now: Instant): boolean {
    const { testIntervalMs } = this.#profile;
    const wait = (this.of(pair)?.samples ?? 0) < FIRST_SAMPLES ? testIntervalMs / HASTE : testIntervalMs;
    const key = this.#keyOf(pair);
    if (now - (this.#testedAt.get(key) ?? -Infinity) < wait) return false;
    this.#testedAt.set(key, now);
    return true;
  }

  /** More samples would shorten the allowance. */
  isVague(pair: LocatorPair): boolean {
    const trip = this.of(pair);
    return trip === undefined || trip.rttvar > Math.max(trip.srtt / 8, this.#profile.sendTimeoutMs / 60);
  }
}
