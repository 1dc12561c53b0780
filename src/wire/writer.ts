/**
 * Big-endian cursor into storage of exactly the right size: lengths are computed first (`xLength`), then written.
 * Writing past the end, or finishing early, is a caller's mistake and throws `RangeError`.
 */
export class Writer {
  readonly bytes: Uint8Array;
  #offset = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  get at(): number {
    return this.#offset;
  }

  u8(value: number): void {
    this.#unsigned(value, 1);
  }

  u16(value: number): void {
    this.#unsigned(value, 2);
  }

  u32(value: number): void {
    this.#unsigned(value, 4);
  }

  u48(value: number): void {
    this.#unsigned(value, 6);
  }

  octets(octets: Uint8Array): void {
    if (this.#offset + octets.length > this.bytes.length) throw new RangeError('written past the computed length');
    this.bytes.set(octets, this.#offset);
    this.#offset += octets.length;
  }

  zeros(length: number): void {
    if (this.#offset + length > this.bytes.length) throw new RangeError('written past the computed length');
    this.#offset += length;
  }

  /** The storage, which must be full. */
  finish(): Uint8Array {
    if (this.#offset !== this.bytes.length) {
      throw new RangeError(`wrote ${String(this.#offset)} of ${String(this.bytes.length)} octets`);
    }
    return this.bytes;
  }

  #unsigned(value: number, length: number): void {
    if (this.#offset + length > this.bytes.length) throw new RangeError('written past the computed length');
    let rest = value;
    for (let i = length - 1; i >= 0; i--) {
      this.bytes[this.#offset + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#offset += length;
  }
}
