import type { PublicKey } from './public-key.ts';

/** Unpredictable octets. Production: the operating system's generator; simulation: a seeded stream. */
export type Random = (length: number) => Uint8Array;

/** The cryptography that the pure layers ask for. Synchronous, and each call well below 2 ms. */
export interface Crypto {
  sha1(octets: Uint8Array): Uint8Array;
  sha256(octets: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, octets: Uint8Array): Uint8Array;
  /** Constant-time comparison; unequal lengths compare unequal. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** RSASSA-PKCS1-v1_5 with SHA-1 under a DER SubjectPublicKeyInfo; false for keys that do not parse. */
  verifyRsaSha1(publicKey: Uint8Array, octets: Uint8Array, signature: Uint8Array): boolean;
}

/** A private key that stays where it is: only signatures come out. */
export interface Signer {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** RSASSA-PKCS1-v1_5 with SHA-1, RFC 3972 §6. */
  sign(octets: Uint8Array): Uint8Array;
}

/**
 * RHASH, RFC 7401 §5.2.10: the hash of the Responder's HIT suite, which serves puzzle, KEYMAT and HIP_MAC. `shake128` is
 * that of suite 5, which no RFC defines inside an exchange: SHAKE128 with 256 bits of output, and KMAC128 as its MAC.
 */
export type Rhash = 'sha1' | 'sha256' | 'sha384' | 'shake128';

/** RHASH_len in octets: that of I, J, digests and MACs. */
export const RHASH_LENGTH: Readonly<Record<Rhash, number>> = { sha1: 20, sha256: 32, sha384: 48, shake128: 32 };

/** RFC 7401 §5.2.7: MODP groups of 1536 and 3072 bits, NIST P-256, P-384, P-521, SECP160R1. */
export type DhGroup = 3 | 4 | 7 | 8 | 9 | 10;

/** One end of a Diffie-Hellman exchange. The private value stays inside; it serves as often as the owner likes. */
export interface DhKeyPair {
  readonly group: DhGroup;
  /** As in DIFFIE_HELLMAN: of full length, for curves X | Y. */
  readonly publicValue: Uint8Array;
  /**
   * Kij, RFC 7401 §6.5: of the length of the prime or of the X coordinate, with leading zeros. `undefined` for a public value that is no element of the
   * group, or of the order 1 or 2 (RFC 2785 §3.1, RFC 5903 §8).
   */
  sharedSecret(peer: Uint8Array): Uint8Array | undefined;
}

/** The cryptography that HIP and ORCHIDs ask for. Synchronous. */
export interface HipCrypto {
  hash(rhash: Rhash, octets: Uint8Array): Uint8Array;
  /** HMAC with that hash, or KMAC128; as long as the hash. */
  mac(rhash: Rhash, key: Uint8Array, octets: Uint8Array): Uint8Array;
  /** SP 800-185 with an empty function name; `length` in octets. */
  cshake128(octets: Uint8Array, length: number, customization: Uint8Array): Uint8Array;
  /** AES-CBC with the key length's AES, without padding: whole blocks of 16 octets, else `RangeError`. */
  encryptCbc(key: Uint8Array, iv: Uint8Array, blocks: Uint8Array): Uint8Array;
  decryptCbc(key: Uint8Array, iv: Uint8Array, blocks: Uint8Array): Uint8Array;
  /** A fresh key pair. */
  dhKeyPair(group: DhGroup): DhKeyPair;
  /**
   * Whether the signature is the key's, RFC 7401 §5.2.14: RSASSA-PSS with SHA-256 and any salt length; ECDSA as r | s over SHA-256 (P-256), SHA-384
   * (P-384) or SHA-1 (SECP160R1); Ed25519.
   */
  verify(key: PublicKey, octets: Uint8Array, signature: Uint8Array): boolean;
  /** Constant-time comparison; unequal lengths compare unequal. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** A private key of a Host Identity: only signatures come out, of the kind that `HipCrypto.verify` accepts. */
export interface IdentitySigner {
  readonly key: PublicKey;
  sign(octets: Uint8Array): Uint8Array;
}

/** Uniform in [0, 1), from 32 bits of `random`. */
export function uniform(random: Random): number {
  return random32(random) / 0x1_0000_0000;
}

export function random32(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return a * 0x100_0000 + ((b << 16) | (c << 8) | d);
}
