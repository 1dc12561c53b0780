import type { HipCrypto } from '../crypto/ports.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { HostIdentity } from './host-identity.ts';

/**
 * Drone Remote ID Entity Tag: a hierarchical HIT, RFC 9374 §3.
 *
 *     prefix 2001:30::/28 | RAA 14 | HDA 14 | HHIT suite 8 | hash 64
 */
export interface DetDomain {
  /** Registered Assigning Authority. */
  readonly raa: number;
  /** HHIT Domain Authority. */
  readonly hda: number;
}

export interface Det extends DetDomain {
  readonly suite: number;
  readonly hash: Uint8Array;
}

const PREFIX = 0x2001003n; // 28 bits
/** RFC 9374 §3.2: the only suite that DETs have. */
const EDDSA_CSHAKE128 = 5;
const UPPER_LENGTH = 8;
const HASH_LENGTH = 8;
const MAX_AUTHORITY = 0x3fff;

/** RFC 9374 §8.1 (Context ID for DETs). */
const CONTEXT_ID = Uint8Array.of(
  ...[0x00, 0xb5, 0xa6, 0x9c, 0x79, 0x5d, 0xf5, 0xd5],
  ...[0xf0, 0x08, 0x7f, 0x56, 0x84, 0x3f, 0x2c, 0x40],
);

/** The parts of a DET; `undefined` for addresses outside its prefix. */
export function parseDet(address: Address): Det | undefined {
  const upper = new DataView(address.buffer, address.byteOffset, address.length).getBigUint64(0);
  if (upper >> 36n !== PREFIX) return undefined;
  return {
    raa: Number((upper >> 22n) & 0x3fffn),
    hda: Number((upper >> 8n) & 0x3fffn),
    suite: Number(upper & 0xffn),
    hash: address.slice(UPPER_LENGTH),
  };
}

/**
 * The DET of an Ed25519 Host Identity, RFC 9374 §3.5.2; of no other. The hash is over the bare key, as in the certificates of
 * RFC 9886 Appendix A.
 */
export function detOf(crypto: HipCrypto, { key }: HostIdentity, { raa, hda }: DetDomain): Address | undefined {
  if (key.type !== 'eddsa') return undefined;
  if (!isAuthority(raa) || !isAuthority(hda)) throw new RangeError('RAA and HDA have 14 bits');
  const det = new Uint8Array(ADDRESS_LENGTH);
  const upper = (PREFIX << 36n) | (BigInt(raa) << 22n) | (BigInt(hda) << 8n) | BigInt(EDDSA_CSHAKE128);
  new DataView(det.buffer).setBigUint64(0, upper);
  det.set(
    crypto.cshake128(Uint8Array.of(...det.subarray(0, UPPER_LENGTH), ...key.key), HASH_LENGTH, CONTEXT_ID),
    UPPER_LENGTH,
  );
  return det;
}

export function isAuthority(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_AUTHORITY;
}

/** Without letters that look like digits, or like one another. */
const SERIAL_ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUVWXY';
const SERIAL_LENGTH = 15;

/** The CTA-2063-A serial number of a DET after its manufacturer code, RFC 9374 §4.2: length code, suite and hash in base 32. */
export function serialOf({ suite, hash }: Det): string {
  let value = BigInt(suite);
  for (const octet of hash) value = (value << 8n) | BigInt(octet);
  let digits = '';
  for (let i = SERIAL_LENGTH - 1; i >= 0; i--) digits += SERIAL_ALPHABET[Number((value >> BigInt(5 * i)) & 31n)] ?? '';
  return `F${digits}`;
}
