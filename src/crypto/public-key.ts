import { Writer } from '../wire/writer.ts';
import { encodeRsaPublicKey } from './rsa-key.ts';

/** Curves of Host Identities, RFC 7401 §5.2.9. */
export type SigningCurve = 'P-256' | 'P-384' | 'secp160r1';

/** A public key that signs for a Host Identity. Octets in network order. */
export type PublicKey =
  | { readonly type: 'rsa'; readonly modulus: Uint8Array; readonly exponent: Uint8Array }
  /** `point`: X | Y, each of the field's length. */
  | { readonly type: 'ecdsa'; readonly curve: SigningCurve; readonly point: Uint8Array }
  /** Ed25519, RFC 8032 §5.1.5. */
  | { readonly type: 'eddsa'; readonly key: Uint8Array };

export const ED25519_KEY_LENGTH = 32;

interface CurveFacts {
  /** Octets of a coordinate. */
  readonly field: number;
  /** Octets of r and of s: those of the order, which for SECP160R1 has 161 bits. */
  readonly scalar: number;
  /** RFC 4754; SECP160R1 as its HIT suite. */
  readonly hash: 'sha1' | 'sha256' | 'sha384';
  /** DER AlgorithmIdentifier, RFC 5480 §2.1.1. */
  readonly algorithm: Uint8Array;
}

const EC_PUBLIC_KEY = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

export const SIGNING_CURVES: Readonly<Record<SigningCurve, CurveFacts>> = {
  'P-256': {
    field: 32,
    scalar: 32,
    hash: 'sha256',
    algorithm: Uint8Array.of(0x30, 0x13, ...EC_PUBLIC_KEY, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07),
  },
  'P-384': {
    field: 48,
    scalar: 48,
    hash: 'sha384',
    algorithm: Uint8Array.of(0x30, 0x10, ...EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22),
  },
  secp160r1: {
    field: 20,
    scalar: 21,
    hash: 'sha1',
    algorithm: Uint8Array.of(0x30, 0x10, ...EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x08),
  },
};

/** SEC 1 §2.3.3: what comes before an uncompressed point. */
export const UNCOMPRESSED = 4;

/** AlgorithmIdentifier of RFC 8410 §3. */
const ED25519 = Uint8Array.of(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70);

/** DER SubjectPublicKeyInfo of a key. */
export function encodePublicKey(key: PublicKey): Uint8Array {
  switch (key.type) {
    case 'rsa':
      return encodeRsaPublicKey(key);
    case 'ecdsa':
      return keyInfo(SIGNING_CURVES[key.curve].algorithm, Uint8Array.of(UNCOMPRESSED, ...key.point));
    case 'eddsa':
      return keyInfo(ED25519, key.key);
  }
}

/** All of these are shorter than 128 octets: every length takes one. */
function keyInfo(algorithm: Uint8Array, bits: Uint8Array): Uint8Array {
  const length = algorithm.length + 3 + bits.length;
  const w = new Writer(2 + length);
  w.u8(0x30);
  w.u8(length);
  w.octets(algorithm);
  w.u8(0x03);
  w.u8(1 + bits.length);
  w.u8(0); // no unused bits
  w.octets(bits);
  return w.finish();
}
