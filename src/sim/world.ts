import type { Instant } from '../wire/time.ts';

interface Pending {
  readonly at: Instant;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: everything that happens, happens in the order of its instant, then in the order it was asked for. */
export class World {
  readonly #heap: Pending[] = [];
  #order = 0;
  #now: Instant = 0;

  get now(): Instant {
    return this.#now;
  }

  /** Run at `at`, or at once when that has passed. */
  at(at: Instant, run: () => void): void {
    this.#push({ at: Math.max(at, this.#now), order: this.#order++, run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#now + delayMs, run);
  }

  every(intervalMs: number, run: () => void): void {
    this.after(intervalMs, () => {
      run();
      this.every(intervalMs, run);
    });
  }

  /** Let time pass until `until`, inclusive. */
  run(until: Instant): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) break;
      this.#pop();
      this.#now = next.at;
      next.run();
    }
    this.#now = Math.max(this.#now, until);
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(pending);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || before(parent, pending)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = pending;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const [a, b] = [heap[left], heap[left + 1]];
      if (a === undefined) break;
      const [child, at] = b !== undefined && before(b, a) ? [b, left + 1] : [a, left];
      if (before(last, child)) break;
      heap[i] = child;
      i = at;
    }
    heap[i] = last;
  }
}

function before(a: Pending, b: Pending): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
