import { endianness } from 'node:os';
import type { Parsed } from '../../wire/parsed.ts';

/** Netlink numbers are in the byte order of the host, unlike everything on the wire. */
export const LITTLE_ENDIAN: boolean = endianness() === 'LE';

const HEADER_LENGTH = 4;
const TYPE_MASK = 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
const NLA_F_NESTED = 0x8000;

/** The view through which the numbers of `octets` are read. */
export function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}

/** Lengths are padded to multiples of four. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/**
 * Walks the attributes (`struct nlattr`) of a message in place:
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   |      length     |       type      |   in host order; length counts this header
 *   |  value, padded to a multiple of 4 |
 *
 * A length that leaves its container, or a value shorter than what is asked of it, sticks as `malformed` and ends the walk.
 */
export class AttributeCursor {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  #next: number;
  #end: number;
  #refusedAt = -1;
  /** Type of the current attribute, without its flags. */
  type = 0;
  /** Where the value of the current attribute begins. */
  at = 0;
  /** Octets of the value. */
  length = 0;

  constructor(octets: Uint8Array, from = 0, end: number = octets.length) {
    this.#octets = octets;
    this.#view = viewOf(octets);
    this.#next = from;
    this.#end = Math.min(end, octets.length);
    if (from > end) this.#refuse(end);
  }

  get malformed(): boolean {
    return this.#refusedAt >= 0;
  }

  /** Start over inside other bounds of the same octets; what was malformed stays so. */
  within(from: number, end: number): this {
    this.#next = from;
    this.#end = Math.min(end, this.#octets.length);
    if (from > this.#end) this.#refuse(from);
    return this;
  }

  next(): boolean {
    const at = this.#next;
    if (this.#refusedAt >= 0 || at >= this.#end) return false;
    if (at + HEADER_LENGTH > this.#end) return this.#refuse(at);
    const length = this.#view.getUint16(at, LITTLE_ENDIAN);
    if (length < HEADER_LENGTH || at + length > this.#end) return this.#refuse(at);
    this.type = this.#view.getUint16(at + 2, LITTLE_ENDIAN) & TYPE_MASK;
    this.at = at + HEADER_LENGTH;
    this.length = length - HEADER_LENGTH;
    this.#next = at + aligned(length);
    return true;
  }

  /** Move to the next attribute of this type. */
  find(type: number): boolean {
    while (this.next()) if (this.type === type) return true;
    return false;
  }

  u8(): number {
    return this.#has(1) ? this.#view.getUint8(this.at) : 0;
  }

  u16(): number {
    return this.#has(2) ? this.#view.getUint16(this.at, LITTLE_ENDIAN) : 0;
  }

  u32(offset = 0): number {
    return this.#has(offset + 4) ? this.#view.getUint32(this.at + offset, LITTLE_ENDIAN) : 0;
  }

  i32(offset = 0): number {
    return this.u32(offset) | 0;
  }

  /** 64 bits in network order, as nf_tables counts; exact below 2^53. */
  u64BigEndian(): number {
    return this.#has(8) ? this.#view.getUint32(this.at) * 0x1_0000_0000 + this.#view.getUint32(this.at + 4) : 0;
  }

  /** A copy of the first `length` octets of the value. */
  octets(length: number): Uint8Array {
    return this.#has(length) ? this.#octets.slice(this.at, this.at + length) : new Uint8Array(length);
  }

  /** The value up to its terminating zero. */
  text(): string {
    const value = this.#octets.subarray(this.at, this.at + this.length);
    const zero = value.indexOf(0);
    return new TextDecoder().decode(zero < 0 ? value : value.subarray(0, zero));
  }

  /** A walk through the attributes inside the current one. */
  nested(): AttributeCursor {
    return new AttributeCursor(this.#octets, this.at, this.at + this.length);
  }

  /** Take over that a walk inside was malformed. */
  accept(inner: AttributeCursor): void {
    if (inner.malformed) this.#refuse(inner.#refusedAt);
  }

  /** The value, unless something was malformed. */
  finish<T>(value: T): Parsed<T> {
    return this.#refusedAt < 0 ? { ok: true, value } : { ok: false, reason: 'bad-length', at: this.#refusedAt };
  }

  #has(length: number): boolean {
    return length <= this.length || this.#refuse(this.at);
  }

  #refuse(at: number): false {
    if (this.#refusedAt < 0) this.#refusedAt = at;
    this.#next = this.#end;
    return false;
  }
}

/** One attribute with its header and padding. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const octets = new Uint8Array(HEADER_LENGTH + aligned(value.length));
  const view = viewOf(octets);
  view.setUint16(0, HEADER_LENGTH + value.length, LITTLE_ENDIAN);
  view.setUint16(2, type, LITTLE_ENDIAN);
  octets.set(value, HEADER_LENGTH);
  return octets;
}

export function u8Attribute(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value));
}

export function u32Attribute(type: number, value: number): Uint8Array {
  return attribute(type, hostU32(value));
}

/** A zero-terminated string. */
export function textAttribute(type: number, value: string): Uint8Array {
  return attribute(type, new TextEncoder().encode(`${value}\0`));
}

/** An attribute that holds attributes. */
export function nestedAttribute(type: number, ...inner: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, joined(inner));
}

/** 32 bits in host order. */
export function hostU32(...values: readonly number[]): Uint8Array {
  const octets = new Uint8Array(4 * values.length);
  const view = viewOf(octets);
  values.forEach((value, i) => {
    view.setUint32(4 * i, value >>> 0, LITTLE_ENDIAN);
  });
  return octets;
}

/** Parts one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}
