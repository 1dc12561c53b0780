/** Instants in the order in which they were added, without an allocation per instant. */
export class Instants {
  #values = new Float64Array(65_536);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(instant: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#values.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = instant;
  }

  /**
   * The longest time between two neighbours within a window whose ends count as neighbours, when it began,
   * and how long nothing had come when the window ended.
   */
  longestGap(from: number, to: number): { readonly gapMs: number; readonly gapAt: number; readonly silentMs: number } {
    let gapMs = 0;
    let gapAt = from;
    let last = from;
    const look = (instant: number): void => {
      if (instant - last > gapMs) [gapMs, gapAt] = [instant - last, last];
      last = instant;
    };
    for (const instant of this.#values.subarray(0, this.#count)) {
      if (instant > to) break;
      if (instant >= from) look(instant);
    }
    const silentMs = to - last;
    look(to);
    return { gapMs, gapAt, silentMs };
  }
}
