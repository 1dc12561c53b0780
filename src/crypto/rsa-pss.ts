import { sha256 } from '@noble/hashes/sha2.js';
import { equal } from './portable.ts';

/** RSASSA-PSS of RFC 8017 §9.1 with SHA-256, MGF1-SHA-256: what RFC 7401 §5.2.9 and §5.2.14 come to. */
const HASH_LENGTH = 32;
const TRAILER = 0xbc;

/** Octets of salt that are written. Any number is accepted. */
export const SALT_LENGTH = 32;

/** The encoded message of `bits` bits; `salt` is random. `RangeError` when the modulus is too short for both. */
export function encodePss(message: Uint8Array, salt: Uint8Array, bits: number): Uint8Array {
  const length = Math.ceil(bits / 8);
  const maskedLength = length - HASH_LENGTH - 1;
  if (maskedLength < salt.length + 1) throw new RangeError('the RSA key is too short for RSASSA-PSS');
  const hash = pssHash(message, salt);
  const encoded = new Uint8Array(length);
  encoded[maskedLength - salt.length - 1] = 1;
  encoded.set(salt, maskedLength - salt.length);
  encoded.set(hash, maskedLength);
  encoded[length - 1] = TRAILER;
  unmask(encoded.subarray(0, maskedLength), hash, bits);
  return encoded;
}

/** §9.1.2, the salt's length being whatever the padding leaves. */
export function verifiesPss(message: Uint8Array, encoded: Uint8Array, bits: number): boolean {
  const length = Math.ceil(bits / 8);
  const maskedLength = length - HASH_LENGTH - 1;
  if (encoded.length !== length || maskedLength < 1 || encoded[length - 1] !== TRAILER) return false;
  if ((encoded[0] ?? 0) >> topBits(bits) !== 0) return false;
  const hash = encoded.subarray(maskedLength, length - 1);
  const block = encoded.slice(0, maskedLength);
  unmask(block, hash, bits);
  const one = block.findIndex((octet) => octet !== 0);
  return one >= 0 && block[one] === 1 && equal(hash, pssHash(message, block.subarray(one + 1)));
}

/** Bits of the first octet that belong to the number. */
function topBits(bits: number): number {
  return bits - 8 * (Math.ceil(bits / 8) - 1);
}

/** Mask or unmask `block` in place: MGF1 (Appendix B.2.1), and the bits above the number are zero. */
function unmask(block: Uint8Array, seed: Uint8Array, bits: number): void {
  const input = new Uint8Array(HASH_LENGTH + 4);
  input.set(seed);
  for (let at = 0, counter = 0; at < block.length; at += HASH_LENGTH, counter++) {
    input.set([counter >> 24, counter >> 16, counter >> 8, counter], HASH_LENGTH);
    const mask = sha256(input);
    for (let i = at; i < Math.min(at + HASH_LENGTH, block.length); i++) {
      block[i] = (block[i] ?? 0) ^ (mask[i - at] ?? 0);
    }
  }
  block[0] = (block[0] ?? 0) & (0xff >> (8 - topBits(bits)));
}

function pssHash(message: Uint8Array, salt: Uint8Array): Uint8Array {
  const input = new Uint8Array(8 + HASH_LENGTH + salt.length);
  input.set(sha256(message), 8);
  input.set(salt, 8 + HASH_LENGTH);
  return sha256(input);
}
