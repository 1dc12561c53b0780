import type { Instant } from '../wire/time.ts';

/** RFC 8046 §5.6.2. */
export const CREDIT_AGING_INTERVAL_MS = 5000;
const AGING_FACTOR = 7 / 8;

/** Credit-based authorization, RFC 8046 §5.6: how many octets may go to an address that is not verified. */
export class Credit {
  #octets = 0;
  #agedAt: Instant;

  constructor(now: Instant) {
    this.#agedAt = now;
  }

  /** What authentic packets of the peer add up to; forgeries and replays count nothing. */
  earn(octets: number, now: Instant): void {
    this.#age(now);
    this.#octets += octets;
  }

  left(now: Instant): number {
    this.#age(now);
    return Math.floor(this.#octets);
  }

  /** §5.6.1: so much went to an address that is not verified. */
  spend(octets: number, now: Instant): void {
    this.#age(now);
    this.#octets = Math.max(0, this.#octets - octets);
  }

  #age(now: Instant): void {
    const intervals = Math.floor((now - this.#agedAt) / CREDIT_AGING_INTERVAL_MS);
    if (intervals <= 0) return;
    this.#octets *= AGING_FACTOR ** intervals;
    this.#agedAt += intervals * CREDIT_AGING_INTERVAL_MS;
  }
}
