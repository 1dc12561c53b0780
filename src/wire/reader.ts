import type { Parsed, Reason, Refused } from './parsed.ts';

const NOTHING = new Uint8Array(0);

/**
 * Big-endian cursor over octets. The first failure sticks: every later read yields zeros, so decoders stay
 * straight-line and ask once, in `finish`. Nothing throws.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  #offset = 0;
  #refused: Refused | undefined;

  /** `base` is added to reported offsets: where `bytes` starts inside what the caller parses. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
  }

  /** Offset of the next octet, including `base`. */
  get at(): number {
    return this.#base + this.#offset;
  }

  /** Octets not read yet; 0 after a failure. */
  get left(): number {
    return this.#refused === undefined ? this.#bytes.length - this.#offset : 0;
  }

  get failed(): boolean {
    return this.#refused !== undefined;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : (this.#bytes[at] ?? 0);
  }

  u16(): number {
    return this.#unsigned(2);
  }

  u32(): number {
    return this.#unsigned(4);
  }

  /** 48 bits: exact in a double. */
  u48(): number {
    return this.#unsigned(6);
  }

  /** A copy of the next `length` octets. */
  octets(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? NOTHING : this.#bytes.slice(at, at + length);
  }

  /** A copy of everything left. */
  rest(): Uint8Array {
    return this.octets(this.left);
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** `count` elements; stops at the first failure, so that a count from the network cannot make it spin. */
  list<T>(count: number, element: () => T): T[] {
    const elements: T[] = [];
    for (let i = 0; i < count && this.#refused === undefined; i++) elements.push(element());
    return elements;
  }

  /** Refuse, at an offset counted like `at`. Only the first refusal is kept. */
  reject(reason: Reason, at: number): void {
    this.#refused ??= { ok: false, reason, at };
  }

  /** Take over the refusal of a nested parser, or its value. */
  accept<T>(parsed: Parsed<T>): T | undefined {
    if (parsed.ok) return parsed.value;
    this.#refused ??= parsed;
    return undefined;
  }

  /** The value, unless something failed or octets are left over. */
  finish<T>(value: T): Parsed<T> {
    if (this.#refused === undefined && this.#offset !== this.#bytes.length) this.reject('trailing', this.at);
    return this.#refused ?? { ok: true, value };
  }

  #unsigned(length: number): number {
    let at = this.#take(length);
    if (at < 0) return 0;
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + (this.#bytes[at++] ?? 0);
    return value;
  }

  #take(length: number): number {
    if (this.#refused !== undefined) return -1;
    const at = this.#offset;
    if (length < 0 || at + length > this.#bytes.length) {
      this.reject('truncated', this.at);
      return -1;
    }
    this.#offset = at + length;
    return at;
  }
}
