import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { modularPower, toBigInt } from './big-integer.ts';
import type { Crypto } from './ports.ts';
import { modulusBits, parseRsaPublicKey } from './rsa-key.ts';

/** The `Crypto` port without an operating system: slower, and written by other people than OpenSSL. */
export const portableCrypto: Crypto = {
  sha1: (octets) => sha1(octets),
  sha256: (octets) => sha256(octets),
  hmacSha256: (key, octets) => hmac(sha256, key, octets),
  equal,
  verifyRsaSha1,
};

/** Takes the same time wherever the octets differ. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** DigestInfo of SHA-1 up to the digest, RFC 8017 §9.2. */
const SHA1_DIGEST_INFO = new Uint8Array([
  0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
]);
const SHA1_LENGTH = 20;

/** RFC 8017 §8.2.2: the encoded message is rebuilt and compared, never parsed. */
function verifyRsaSha1(publicKey: Uint8Array, octets: Uint8Array, signature: Uint8Array): boolean {
  const parsed = parseRsaPublicKey(publicKey);
  if (!parsed.ok) return false;
  const length = Math.ceil(modulusBits(parsed.value) / 8);
  const modulus = toBigInt(parsed.value.modulus);
  const s = toBigInt(signature);
  if (signature.length !== length || s >= modulus) return false;
  const message = emsaPkcs1(octets, length);
  return message !== undefined && modularPower(s, toBigInt(parsed.value.exponent), modulus) === toBigInt(message);
}

/** EMSA-PKCS1-v1_5, RFC 8017 §9.2; `undefined` when the modulus is too short for it. */
function emsaPkcs1(octets: Uint8Array, length: number): Uint8Array | undefined {
  const tail = SHA1_DIGEST_INFO.length + SHA1_LENGTH;
  if (length < tail + 11) return undefined;
  const message = new Uint8Array(length).fill(0xff);
  message[0] = 0;
  message[1] = 1;
  message[length - tail - 1] = 0;
  message.set(SHA1_DIGEST_INFO, length - tail);
  message.set(sha1(octets), length - SHA1_LENGTH);
  return message;
}
