import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';

/** Something that wants to be called at its `deadline`. */
export interface Scheduled {
  readonly deadline: Instant;
  /** Where it stands among others; kept by `Deadlines`, -1 outside. */
  place: number;
}

/** Many deadlines: the first one, and those that are due, without looking at the others (a binary heap). */
export class Deadlines<Item extends Scheduled> {
  readonly #heap: { at: Instant; readonly item: Item }[] = [];

  /** The earliest of all. */
  get first(): Instant {
    return this.#heap[0]?.at ?? NEVER;
  }

  /** The deadline of `item` may have changed. */
  update(item: Item): void {
    const at = item.deadline;
    const entry = this.#heap[item.place];
    if (entry === undefined) {
      if (at === NEVER) return;
      item.place = this.#heap.length;
      this.#heap.push({ at, item });
    } else {
      if (at === entry.at) return;
      entry.at = at;
      if (at === NEVER) return this.remove(item);
      this.#sink(item.place);
    }
    this.#rise(item.place);
  }

  remove(item: Item): void {
    const { place } = item;
    if (this.#heap[place] === undefined) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last.item === item) return;
    this.#put(place, last);
    this.#sink(place);
    this.#rise(place);
  }

  /** Removes those that are due: `update` puts them back. */
  take(now: Instant): Item[] {
    const due: Item[] = [];
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      due.push(top.item);
      this.remove(top.item);
    }
    return due;
  }

  #put(place: number, entry: { at: Instant; readonly item: Item }): void {
    this.#heap[place] = entry;
    entry.item.place = place;
  }

  #rise(from: number): void {
    const entry = this.#heap[from];
    if (entry === undefined) return;
    let place = from;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = this.#heap[up];
      if (parent === undefined || parent.at <= entry.at) break;
      this.#put(place, parent);
      place = up;
    }
    this.#put(place, entry);
  }

  #sink(from: number): void {
    const entry = this.#heap[from];
    if (entry === undefined) return;
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const [a, b] = [this.#heap[left], this.#heap[left + 1]];
      if (a === undefined) break;
      const child = b !== undefined && b.at < a.at ? b : a;
      if (entry.at <= child.at) break;
      this.#put(place, child);
      place = child === a ? left : left + 1;
    }
    this.#put(place, entry);
  }
}
