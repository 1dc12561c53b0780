import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { measured } from '../locators/round-trip.ts';
import type { RoundTrip } from '../locators/round-trip.ts';
import type { ReapProfile } from './profile.ts';

const FACTOR = 1.25;
const UNKNOWN_MS = 50; // for a pair that was never measured
const REMEMBERED = 64;

/** So many samples come quickly: the first ones are of code that never ran before, at both ends. */
const FIRST_SAMPLES = 8;
const HASTE = 10;

/** Round-trip times per pair, and what they add to the timers of a profile that counts in milliseconds. */
export class RoundTrips {
  readonly #profile: ReapProfile;
  readonly #trips = new Map<string, RoundTrip>();

  constructor(profile: ReapProfile) {
    this.#profile = profile;
  }

  add(pair: LocatorPair, ms: number): void {
    const key = pairKey(pair);
    const trip = measured(this.#trips.get(key), ms, this.#profile.sendTimeoutMs / 2);
    this.#trips.delete(key);
    this.#trips.set(key, trip);
    for (const oldest of this.#trips.keys()) {
      if (this.#trips.size <= REMEMBERED) break;
      this.#trips.delete(oldest);
    }
  }

  of(pair: LocatorPair): RoundTrip | undefined {
    return this.#trips.get(pairKey(pair));
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

  /** Until the next sample is worth its packets. */
  testInterval(pair: LocatorPair): number {
    const { testIntervalMs } = this.#profile;
    return (this.of(pair)?.samples ?? 0) < FIRST_SAMPLES ? testIntervalMs / HASTE : testIntervalMs;
  }

  /** More samples would shorten the allowance. */
  isVague(pair: LocatorPair): boolean {
    const trip = this.of(pair);
    return trip === undefined || trip.rttvar > Math.max(trip.srtt / 8, this.#profile.sendTimeoutMs / 60);
  }
}
