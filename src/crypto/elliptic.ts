import { ecdsa, weierstrass } from '@noble/curves/abstract/weierstrass.js';
import type { ECDSA } from '@noble/curves/abstract/weierstrass.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { toBigInt } from './big-integer.ts';
import type { DhCurve } from './dh-groups.ts';
import { UNCOMPRESSED } from './public-key.ts';

/** SEC 2 version 1.0 §2.4.2. */
const secp160r1 = ecdsa(
  weierstrass({
    p: 2n ** 160n - 2n ** 31n - 1n,
    a: 2n ** 160n - 2n ** 31n - 4n,
    b: 0x1c97befc54bd7a8b65acf89f81d4d4adc565fa45n,
    Gx: 0x4a96b5688ef573284664698968c38bb913cbfc82n,
    Gy: 0x23a628553168947d59dcc912042351377ac5fb32n,
    n: 0x0100000000000000000001f4c8f927aed3ca752257n,
    h: 1n,
  }),
  sha1,
);

/** Elliptic curves without an operating system. */
export const CURVES: Readonly<Record<DhCurve, ECDSA>> = { 'P-256': p256, 'P-384': p384, 'P-521': p521, secp160r1 };

/** The public point X | Y of a secret. */
export function publicPoint(curve: DhCurve, secret: Uint8Array): Uint8Array {
  const { Point } = CURVES[curve];
  return Point.BASE.multiply(scalar(curve, secret)).toBytes(false).slice(1);
}

/** The X coordinate of the common point; `undefined` when `peer` is no point X | Y of the curve. */
export function commonX(curve: DhCurve, secret: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  const { Point } = CURVES[curve];
  const field = Point.Fp.BYTES;
  if (peer.length !== 2 * field) return undefined;
  try {
    const point = Point.fromBytes(Uint8Array.of(UNCOMPRESSED, ...peer));
    return point
      .multiply(scalar(curve, secret))
      .toBytes(false)
      .slice(1, 1 + field);
  } catch {
    return undefined; // the only thing that can be wrong: not on the curve (RFC 5903 §8)
  }
}

/** A secret from uniform octets: 64 bits more than the order has make the bias negligible (FIPS 186-5 A.2.1). */
export function secretFrom(curve: DhCurve, random: (length: number) => Uint8Array): Uint8Array {
  const { Point } = CURVES[curve];
  const value = (toBigInt(random(Point.Fn.BYTES + 8)) % (Point.Fn.ORDER - 1n)) + 1n;
  return Point.Fn.toBytes(value);
}

function scalar(curve: DhCurve, secret: Uint8Array): bigint {
  return CURVES[curve].Point.Fn.fromBytes(secret);
}
