import type { Instant } from '../wire/time.ts';
import type { HipSettings } from './settings.ts';

/** Load is how many I1s came in intervals of so long. */
const INTERVAL_MS = 1000;

/** How hard puzzles are, RFC 7401 §7: not at all without load, harder with every doubling of it. */
export class PuzzleLoad {
  readonly #settings: HipSettings;
  #since: Instant = Number.NEGATIVE_INFINITY;
  #count = 0;
  #before = 0;

  constructor(settings: HipSettings) {
    this.#settings = settings;
  }

  /** An I1 arrived. */
  note(now: Instant): void {
    this.#turn(now);
    this.#count++;
  }

  /** The K of an R1 sent now: by the heavier of this interval and the one before. */
  k(now: Instant): number {
    this.#turn(now);
    const perSecond = Math.max(this.#count, this.#before) / (INTERVAL_MS / 1000);
    const { calmI1sPerSecond, loadedK } = this.#settings;
    if (perSecond <= calmI1sPerSecond) return 0;
    const [first, last] = loadedK;
    return Math.min(last, first + Math.floor(Math.log2(perSecond / calmI1sPerSecond)));
  }

  #turn(now: Instant): void {
    const passed = now - this.#since;
    if (passed < INTERVAL_MS) return;
    this.#before = passed < 2 * INTERVAL_MS ? this.#count : 0;
    this.#count = 0;
    this.#since = now;
  }
}
