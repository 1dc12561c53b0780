import { Reader } from '../wire/reader.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Writer } from '../wire/writer.ts';

/**
 * An RSA public key as DER SubjectPublicKeyInfo, RFC 3279 §2.3.1: algorithm rsaEncryption with NULL parameters,
 * the key a RSAPublicKey in a BIT STRING. Both numbers are unsigned, without leading zeros.
 *
 *     SEQUENCE
 *       SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.1.1, NULL }
 *       BIT STRING { SEQUENCE { INTEGER modulus, INTEGER publicExponent } }
 */
export interface RsaPublicKey {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const SEQUENCE = 0x30;
const RSA_ENCRYPTION = new Uint8Array([
  0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
]);

/**
 * Bounds that keep a verification below 2 ms whoever chose the key. A Shim6 message has no room for longer moduli
 * (RFC 5533 §5.1: 1280 octets), and longer exponents than these are not in use.
 */
export const MAX_MODULUS_LENGTH = 1024;
const MAX_EXPONENT_LENGTH = 4;

/** Odd, not 1, and short. */
export function isUsableExponent(exponent: Uint8Array): boolean {
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
  return odd && exponent.length <= MAX_EXPONENT_LENGTH && !(exponent.length === 1 && exponent[0] === 1);
}

/** Strict: anything but definite, minimal DER of exactly this shape is refused. */
export function parseRsaPublicKey(bytes: Uint8Array): Parsed<RsaPublicKey> {
  const r = new Reader(bytes);
  derHeader(r, SEQUENCE);
  const algorithmAt = r.at;
  const algorithm = r.octets(RSA_ENCRYPTION.length);
  if (!algorithm.every((octet, i) => octet === RSA_ENCRYPTION[i])) r.reject('bad-value', algorithmAt);
  derHeader(r, BIT_STRING);
  const unusedAt = r.at;
  if (r.u8() !== 0) r.reject('bad-value', unusedAt);
  derHeader(r, SEQUENCE);
  const modulusAt = r.at;
  const modulus = derUnsigned(r);
  if (modulus.length > MAX_MODULUS_LENGTH) r.reject('bad-value', modulusAt);
  const exponentAt = r.at;
  const exponent = derUnsigned(r);
  if (!isUsableExponent(exponent)) r.reject('bad-value', exponentAt);
  const parsed = r.finish({ modulus, exponent });
  // Every length inside must agree with its container: the canonical encoding is the only one accepted.
  if (parsed.ok && encodeRsaPublicKey(parsed.value).some((octet, i) => octet !== bytes[i])) {
    return { ok: false, reason: 'bad-length', at: 0 };
  }
  return parsed;
}

/** DER SubjectPublicKeyInfo of a key; leading zeros of the numbers are dropped. */
export function encodeRsaPublicKey(key: RsaPublicKey): Uint8Array {
  const numbers = [unsignedContents(key.modulus), unsignedContents(key.exponent)];
  const keyLength = numbers.reduce((sum, number) => sum + derLength(number.length), 0);
  const bitStringLength = 1 + derLength(keyLength);
  const bodyLength = RSA_ENCRYPTION.length + derLength(bitStringLength);
  const w = new Writer(derLength(bodyLength));
  writeDerHeader(w, SEQUENCE, bodyLength);
  w.octets(RSA_ENCRYPTION);
  writeDerHeader(w, BIT_STRING, bitStringLength);
  w.u8(0); // no unused bits
  writeDerHeader(w, SEQUENCE, keyLength);
  for (const number of numbers) {
    writeDerHeader(w, INTEGER, number.length);
    w.octets(number);
  }
  return w.finish();
}

/** Significant bits of the modulus: what "a key of n bits" means. */
export function modulusBits(key: RsaPublicKey): number {
  const first = key.modulus[0];
  return first === undefined ? 0 : key.modulus.length * 8 - Math.clz32(first) + 24;
}

/** Octets of the DER element at the start of `bytes`, header included; `undefined` unless it is a SEQUENCE that fits. */
export function derSequenceLength(bytes: Uint8Array): number | undefined {
  const r = new Reader(bytes);
  const contents = derHeader(r, SEQUENCE);
  return r.failed || contents > r.left ? undefined : r.at + contents;
}

function derHeader(r: Reader, tag: number): number {
  const at = r.at;
  if (r.u8() !== tag) r.reject('bad-value', at);
  const first = r.u8();
  if (first < 0x80) return first;
  if (first === 0x81) {
    const length = r.u8();
    if (length < 0x80) r.reject('bad-length', at + 1); // DER: shortest form
    return length;
  }
  const length = r.u16();
  if (first !== 0x82 || length < 0x100) r.reject('bad-length', at + 1);
  return length;
}

function derUnsigned(r: Reader): Uint8Array {
  const at = r.at;
  const contents = r.octets(derHeader(r, INTEGER));
  const [first = 0, second = 0] = contents;
  if (contents.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) r.reject('bad-value', at); // positive, minimal
  return first === 0 ? contents.slice(1) : contents;
}

/** Contents octets of a non-negative INTEGER. */
function unsignedContents(number: Uint8Array): Uint8Array {
  const start = number.findIndex((octet) => octet !== 0);
  if (start < 0) return Uint8Array.of(0);
  const digits = number.subarray(start);
  if ((digits[0] ?? 0) < 0x80) return digits;
  const padded = new Uint8Array(digits.length + 1);
  padded.set(digits, 1);
  return padded;
}

function derLength(contents: number): number {
  return (contents < 0x80 ? 2 : contents < 0x100 ? 3 : 4) + contents;
}

function writeDerHeader(w: Writer, tag: number, length: number): void {
  w.u8(tag);
  if (length < 0x80) {
    w.u8(length);
  } else if (length < 0x100) {
    w.u8(0x81);
    w.u8(length);
  } else if (length < 0x1_0000) {
    w.u8(0x82);
    w.u16(length);
  } else {
    throw new RangeError('DER element of 64 KiB or more');
  }
}
