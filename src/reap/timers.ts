import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';

/** Named points in time. `deadline` and whoever asks what is due read the same table. */
export class Timers<Name extends string> {
  readonly #names: readonly Name[];
  readonly #due: Instant[];

  /** `names` are shared by all tables of a kind; of two timers that are due at once, the one named first comes first. */
  constructor(names: readonly Name[]) {
    this.#names = names;
    this.#due = names.map(() => NEVER);
  }

  get deadline(): Instant {
    let first = NEVER;
    for (const at of this.#due) if (at < first) first = at;
    return first;
  }

  at(name: Name): Instant {
    return this.#due[this.#names.indexOf(name)] ?? NEVER;
  }

  isRunning(name: Name): boolean {
    return this.at(name) !== NEVER;
  }

  set(name: Name, at: Instant): void {
    this.#due[this.#names.indexOf(name)] = at;
  }

  stop(...names: Name[]): void {
    for (const name of names) this.set(name, NEVER);
  }

  clear(): void {
    this.#due.fill(NEVER);
  }

  /** The timer that is due first at `now`; it no longer runs. */
  take(now: Instant): Name | undefined {
    let first: Name | undefined;
    for (const name of this.#names) {
      const at = this.at(name);
      if (at <= now && (first === undefined || at < this.at(first))) first = name;
    }
    if (first !== undefined) this.stop(first);
    return first;
  }

  /** Move running timers `by` ms later. */
  shift(by: number, names: Iterable<Name> = this.#names): void {
    for (const name of names) if (this.isRunning(name)) this.set(name, this.at(name) + by);
  }
}
