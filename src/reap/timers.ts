import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';

/** Named points in time. `deadline` and whoever asks what is due read the same table. */
export class Timers<Name extends string> {
  readonly #due = new Map<Name, Instant>();

  get deadline(): Instant {
    let first = NEVER;
    for (const at of this.#due.values()) if (at < first) first = at;
    return first;
  }

  at(name: Name): Instant {
    return this.#due.get(name) ?? NEVER;
  }

  isRunning(name: Name): boolean {
    return this.#due.has(name);
  }

  set(name: Name, at: Instant): void {
    this.#due.set(name, at);
  }

  stop(...names: Name[]): void {
    for (const name of names) this.#due.delete(name);
  }

  clear(): void {
    this.#due.clear();
  }

  /** The timer that is due first at `now`; it no longer runs. */
  take(now: Instant): Name | undefined {
    let first: Name | undefined;
    for (const [name, at] of this.#due) if (at <= now && (first === undefined || at < this.at(first))) first = name;
    if (first !== undefined) this.#due.delete(first);
    return first;
  }

  /** Move running timers `by` ms later. */
  shift(by: number, names: Iterable<Name> = [...this.#due.keys()]): void {
    for (const name of names) if (this.#due.has(name)) this.#due.set(name, this.at(name) + by);
  }
}
