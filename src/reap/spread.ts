import { uniform } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';

/** Uniform in a range: RFC 5534 §4.1 wants timers randomised. */
export function between([from, to]: readonly [number, number], random: Random): number {
  return from + (to - from) * uniform(random);
}
