import { randomInt } from 'node:crypto';

const PRIME = 0x01000193; // of FNV-1a
const SEEDS = 2 ** 32;

interface Entry<Value> {
  readonly key: Uint8Array;
  readonly value: Value;
  readonly next: Entry<Value> | undefined;
}

/** Values by a few octets, such as a pair of addresses, that are found where they stand in a buffer: makes nothing to look one up. */
export class PairTable<Value> {
  readonly #length: number;
  readonly #entries = new Map<number, Entry<Value>>();
  /** Nobody outside shall know which keys meet in one place. */
  readonly #seed = randomInt(SEEDS);
  #size = 0;

  /** Of every key. */
  constructor(length: number) {
    this.#length = length;
  }

  get size(): number {
    return this.#size;
  }

  get(octets: Uint8Array, at = 0): Value | undefined {
    let entry = this.#entries.get(this.#hash(octets, at));
    while (entry !== undefined && !this.#isAt(entry.key, octets, at)) entry = entry.next;
    return entry?.value;
  }

  /** `key` stays as it is from now on. */
  set(key: Uint8Array, value: Value): void {
    this.delete(key);
    const hash = this.#hash(key, 0);
    this.#entries.set(hash, { key, value, next: this.#entries.get(hash) });
    this.#size++;
  }

  delete(key: Uint8Array): void {
    if (this.get(key) === undefined) return;
    const hash = this.#hash(key, 0);
    let rest: Entry<Value> | undefined;
    for (let entry = this.#entries.get(hash); entry !== undefined; entry = entry.next)
      if (!this.#isAt(entry.key, key, 0)) rest = { ...entry, next: rest };
    if (rest === undefined) this.#entries.delete(hash);
    else this.#entries.set(hash, rest);
    this.#size--;
  }

  #hash(octets: Uint8Array, at: number): number {
    let hash = this.#seed;
    for (let i = at; i < at + this.#length; i++) hash = Math.imul(hash ^ (octets[i] ?? 0), PRIME);
    return hash;
  }

  #isAt(key: Uint8Array, octets: Uint8Array, at: number): boolean {
    for (let i = 0; i < this.#length; i++) if (key[i] !== octets[at + i]) return false;
    return true;
  }
}
