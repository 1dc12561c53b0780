import type { Crypto } from '../crypto/ports.ts';
import { MODIFIER_LENGTH, PUBLIC_KEY_OFFSET } from './parameters.ts';

/** Security parameters that the registry of RFC 4982 assigns; each also names the hash, so far always SHA-1. */
export type Sec = 0 | 1 | 2;

export const INTERFACE_IDENTIFIER_LENGTH = 8;

/** RFC 3972 §3: Hash1 is the leftmost 64 bits. */
const HASH1_LENGTH = 8;
/** RFC 3972 §3: Hash2 is the leftmost 112 bits. */
const HASH2_LENGTH = 14;
/** The first octet of Mask1, RFC 3972 §2: Sec and the bits "u" and "g" are no hash bits. */
const MASK1_FIRST = 0x1c;

/** Hash1, RFC 3972 §3, of a CGA Parameters data structure. */
export function hash1(crypto: Crypto, parameters: Uint8Array): Uint8Array {
  return crypto.sha1(parameters).slice(0, HASH1_LENGTH);
}

/** Hash2, RFC 3972 §3: prefix and collision count are zeroed first. */
export function hash2(crypto: Crypto, parameters: Uint8Array): Uint8Array {
  return crypto.sha1(hash2Input(parameters)).slice(0, HASH2_LENGTH);
}

export function hash2Input(parameters: Uint8Array): Uint8Array {
  return parameters.slice().fill(0, MODIFIER_LENGTH, PUBLIC_KEY_OFFSET);
}

/** RFC 3972 §2: the 16*Sec leftmost bits of Hash2 are zero. */
export function satisfiesSec(hash: Uint8Array, sec: number): boolean {
  for (let i = 0; i < 2 * sec; i++) if (hash[i] !== 0) return false;
  return true;
}

/** RFC 3972 §4 step 6: Hash1 with Sec in bits 0 to 2 and bits 6 and 7 zero. */
export function interfaceIdentifier(hash: Uint8Array, sec: Sec): Uint8Array {
  const identifier = hash.slice();
  identifier[0] = ((hash[0] ?? 0) & MASK1_FIRST) | (sec << 5);
  return identifier;
}

/** RFC 3972 §5 step 4: equal under Mask1. */
export function matchesHash1(hash: Uint8Array, identifier: Uint8Array): boolean {
  return hash.every((octet, i) => ((octet ^ (identifier[i] ?? 0)) & (i === 0 ? MASK1_FIRST : 0xff)) === 0);
}

/** Sec as an address carries it: any of 0 to 7. */
export function secOf(address: Uint8Array): number {
  return (address[8] ?? 0) >> 5;
}

export function isAssignedSec(sec: number): sec is Sec {
  return sec === 0 || sec === 1 || sec === 2;
}
