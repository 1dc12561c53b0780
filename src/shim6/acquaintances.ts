import type { Address } from '../wire/address.ts';

/** The one met longest ago is forgotten first. */
const MAX_ACQUAINTANCES = 8192;

/** Networks (/64) with whom this host has to do: their messages are not put in one line with those of strangers. */
export class Acquaintances {
  readonly #prefixes = new Set<string>();

  /** The address lies at `at`. */
  add(octets: Uint8Array, at = 0): void {
    const key = prefixKey(octets, at);
    this.#prefixes.delete(key);
    this.#prefixes.add(key); // last again in the order of meeting
    if (this.#prefixes.size <= MAX_ACQUAINTANCES) return;
    for (const oldest of this.#prefixes) {
      this.#prefixes.delete(oldest);
      break;
    }
  }

  has(octets: Uint8Array, at = 0): boolean {
    return this.#prefixes.has(prefixKey(octets, at));
  }

  /** For tests and metrics. */
  get size(): number {
    return this.#prefixes.size;
  }
}

/** The first 64 bits of the address at `at`. */
function prefixKey(a: Address, at: number): string {
  return String.fromCharCode(
    a[at] ?? 0,
    a[at + 1] ?? 0,
    a[at + 2] ?? 0,
    a[at + 3] ?? 0,
    a[at + 4] ?? 0,
    a[at + 5] ?? 0,
    a[at + 6] ?? 0,
    a[at + 7] ?? 0,
  );
}
