/** Numbers behind the highest one that are told apart. */
const BEHIND = 64;

/** Which of a sequence of 32-bit numbers came already; they compare modulo 2^32 (RFC 7401 §6.12). */
export class IdWindow {
  readonly #ahead: number;
  readonly #seen = new Set<number>();
  #highest = -1;

  /** `ahead`: how far beyond the highest number a new one may be. */
  constructor(ahead: number) {
    this.#ahead = ahead;
  }

  has(id: number): boolean {
    return this.#seen.has(id);
  }

  /** Not seen, and neither too far ahead nor too old to be told. */
  isNew(id: number): boolean {
    const distance = this.#distance(id);
    return !this.#seen.has(id) && distance <= this.#ahead && distance > -BEHIND;
  }

  add(id: number): void {
    this.#seen.add(id);
    if (this.#distance(id) > 0) this.#highest = id;
    if (this.#seen.size <= 2 * BEHIND) return;
    for (const old of this.#seen) if (this.#distance(old) <= -BEHIND) this.#seen.delete(old);
  }

  /** How far ahead of the highest one, negative behind it. */
  #distance(id: number): number {
    return (id - this.#highest) | 0;
  }
}
