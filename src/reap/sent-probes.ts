import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';

/** Why a probe went out: to explore, or as a Path Test. */
export type Purpose = 'explore' | 'early' | 'hint' | 'return' | 'refresh' | 'standby' | 'hot' | 'move';

export interface SentProbe {
  readonly nonce: number;
  readonly pair: LocatorPair;
  readonly key: string;
  readonly at: Instant;
  readonly purpose: Purpose;
  /** A report of it has come back. */
  reported: boolean;
}

const REMEMBERED_MS = 120_000; // twice the largest wait of §4.3
const REMEMBERED = 128;

/** Own probes by nonce. A report counts only if its nonce is here: that makes a probe a return-routability test. */
export class SentProbes {
  #made: Map<number, SentProbe> | undefined;

  add(nonce: number, pair: LocatorPair, purpose: Purpose, now: Instant): void {
    for (const [old, probe] of this.#probes) {
      if (this.#probes.size < REMEMBERED && now - probe.at <= REMEMBERED_MS) break;
      this.#probes.delete(old);
    }
    this.#probes.set(nonce, { nonce, pair, key: pairKey(pair), at: now, purpose, reported: false });
  }

  get(nonce: number, now: Instant): SentProbe | undefined {
    const probe = this.#made?.get(nonce);
    return probe !== undefined && now - probe.at <= REMEMBERED_MS ? probe : undefined;
  }

  get size(): number {
    return this.#made?.size ?? 0;
  }

  /** Most contexts never send a probe. */
  get #probes(): Map<number, SentProbe> {
    return (this.#made ??= new Map<number, SentProbe>());
  }

  /** Whether the newest probe on the pair is younger than `ms`. */
  hasRecent(pair: LocatorPair, ms: number, now: Instant): boolean {
    const key = pairKey(pair);
    for (const probe of this.#made?.values() ?? []) if (probe.key === key && now - probe.at < ms) return true;
    return false;
  }
}
