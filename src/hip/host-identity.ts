import { ED25519_KEY_LENGTH, SIGNING_CURVES, UNCOMPRESSED } from '../crypto/public-key.ts';
import type { PublicKey, SigningCurve } from '../crypto/public-key.ts';
import { MAX_MODULUS_LENGTH, isUsableExponent } from '../crypto/rsa-key.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';

/** Algorithms of a Host Identity, RFC 7401 §5.2.9 and RFC 9374 §3.4.1; DSA (3) is not among them here. */
export const HI_ALGORITHMS = { RSA: 5, ECDSA: 7, ECDSA_LOW: 9, EDDSA: 13 } as const;

export type HiAlgorithm = (typeof HI_ALGORITHMS)[keyof typeof HI_ALGORITHMS];

/** A Host Identity with the octets that its HIT is the hash of. */
export interface HostIdentity {
  /** The Algorithm field of HOST_ID, which is also the SIG alg of its signatures (RFC 7401 §5.2.14). */
  readonly algorithm: HiAlgorithm;
  /** The Host Identity field of HOST_ID, exactly as it came. */
  readonly hostIdentity: Uint8Array;
  readonly key: PublicKey;
}

/** Curve labels, RFC 7401 §5.2.9. */
const CURVE_LABELS: Readonly<Record<SigningCurve, readonly [HiAlgorithm, number]>> = {
  'P-256': [HI_ALGORITHMS.ECDSA, 1],
  'P-384': [HI_ALGORITHMS.ECDSA, 2],
  secp160r1: [HI_ALGORITHMS.ECDSA_LOW, 1],
};

/** RFC 9374 §3.4.1.1: pure EdDSA on Curve25519. */
const EDDSA25519 = 1;

/**
 * The Host Identity field of HOST_ID, RFC 7401 §5.2.9. Refuses algorithms and curves without support.
 *
 *     RSA         e_len (u8, or 0 and u16) | e | n           RFC 3110 §2
 *     ECDSA       curve u16 | [04] | X | Y                   whether 04 is there tells the length
 *     ECDSA_LOW   the same
 *     EdDSA       curve u16 | 0 u16 | key                    RFC 9374 §3.4.1
 */
export function parseHostIdentity(algorithm: number, hostIdentity: Uint8Array): Parsed<HostIdentity> {
  const r = new Reader(hostIdentity);
  const known = knownAlgorithm(algorithm);
  if (known === undefined) return { ok: false, reason: 'bad-value', at: 0 };
  const key =
    known === HI_ALGORITHMS.RSA ? readRsa(r) : known === HI_ALGORITHMS.EDDSA ? readEddsa(r) : readEc(r, known);
  return r.finish({ algorithm: known, hostIdentity: hostIdentity.slice(), key });
}

/** The Host Identity of a key, as this host writes it: elliptic points with the leading 04. */
export function hostIdentityOf(key: PublicKey): HostIdentity {
  switch (key.type) {
    case 'rsa': {
      const short = key.exponent.length < 0x100; // RFC 3110 §2
      const w = new Writer((short ? 1 : 3) + key.exponent.length + key.modulus.length);
      if (!short) w.u8(0);
      if (short) w.u8(key.exponent.length);
      else w.u16(key.exponent.length);
      w.octets(key.exponent);
      w.octets(key.modulus);
      return { algorithm: HI_ALGORITHMS.RSA, hostIdentity: w.finish(), key };
    }
    case 'ecdsa': {
      const [algorithm, label] = CURVE_LABELS[key.curve];
      const w = new Writer(3 + key.point.length);
      w.u16(label);
      w.u8(UNCOMPRESSED);
      w.octets(key.point);
      return { algorithm, hostIdentity: w.finish(), key };
    }
    case 'eddsa': {
      const w = new Writer(4 + key.key.length);
      w.u16(EDDSA25519);
      w.u16(0);
      w.octets(key.key);
      return { algorithm: HI_ALGORITHMS.EDDSA, hostIdentity: w.finish(), key };
    }
  }
}

function knownAlgorithm(algorithm: number): HiAlgorithm | undefined {
  return Object.values(HI_ALGORITHMS).find((known) => known === algorithm);
}

function readRsa(r: Reader): PublicKey {
  const lengthAt = r.at;
  const short = r.u8();
  const length = short === 0 ? r.u16() : short;
  if (short === 0 && length < 0x100) r.reject('bad-length', lengthAt); // RFC 3110 §2: the long form only where it is needed
  const exponentAt = r.at;
  const exponent = r.octets(length);
  if (exponent[0] === 0 || !isUsableExponent(exponent)) r.reject('bad-value', exponentAt);
  const modulusAt = r.at;
  const modulus = r.rest();
  if ((modulus[0] ?? 0) === 0 || modulus.length > MAX_MODULUS_LENGTH) r.reject('bad-value', modulusAt);
  return { type: 'rsa', modulus, exponent };
}

function readEc(r: Reader, algorithm: HiAlgorithm): PublicKey {
  const label = r.u16();
  const curve = curveOf(algorithm, label);
  if (curve === undefined) r.reject('bad-value', 0);
  const length = 2 * SIGNING_CURVES[curve ?? 'P-256'].field;
  const at = r.at;
  if (r.left === length + 1 && r.u8() !== UNCOMPRESSED) r.reject('bad-value', at);
  return { type: 'ecdsa', curve: curve ?? 'P-256', point: r.octets(length) };
}

function curveOf(algorithm: HiAlgorithm, label: number): SigningCurve | undefined {
  const isLabelled = (curve: SigningCurve): boolean => {
    const [of, number] = CURVE_LABELS[curve];
    return of === algorithm && number === label;
  };
  return (['P-256', 'P-384', 'secp160r1'] as const).find(isLabelled);
}

function readEddsa(r: Reader): PublicKey {
  if (r.u16() !== EDDSA25519) r.reject('bad-value', 0);
  r.skip(2);
  return { type: 'eddsa', key: r.octets(ED25519_KEY_LENGTH) };
}
