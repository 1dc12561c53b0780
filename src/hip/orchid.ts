import type { HipCrypto, IdentitySigner, Rhash } from '../crypto/ports.ts';
import { ADDRESS_LENGTH, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { detOf, parseDet } from './det.ts';
import type { DetDomain } from './det.ts';
import { HI_ALGORITHMS, hostIdentityOf } from './host-identity.ts';
import type { HiAlgorithm, HostIdentity } from './host-identity.ts';

/**
 * ORCHIDv2, RFC 7343 §2: prefix 2001:20::/28, OGA ID, middle 96 bits of the hash. The OGA ID is the HIT suite (RFC 7401 §3.2).
 *
 *   | 2001 | 002 + OGA | 12 octets of the hash |
 */
const PREFIX_OCTETS = [0x20, 0x01, 0x00] as const;
const PREFIX_NIBBLE = 0x20;
const HASH_LENGTH = 12;

/** RFC 7401 §3.2. */
const CONTEXT_ID = Uint8Array.of(
  ...[0xf0, 0xef, 0xf0, 0x2f, 0xbf, 0xf4, 0x3d, 0x0f],
  ...[0xe7, 0x93, 0x0c, 0x3c, 0x6e, 0x61, 0x74, 0xea],
);

/** HIT suites, RFC 7401 §5.2.10 and RFC 9374 §3.4.2. Suite 5 is used where it is asked for only: it is half specified. */
export type HitSuite = 1 | 2 | 3 | 5;

const RHASH: Readonly<Record<HitSuite, Rhash>> = { 1: 'sha256', 2: 'sha384', 3: 'sha1', 5: 'shake128' };

const SUITE_OF_ALGORITHM: Readonly<Record<HiAlgorithm, HitSuite>> = {
  [HI_ALGORITHMS.RSA]: 1,
  [HI_ALGORITHMS.ECDSA]: 2,
  [HI_ALGORITHMS.ECDSA_LOW]: 3,
  [HI_ALGORITHMS.EDDSA]: 5,
};

/** The suite that HITs of this algorithm belong to. */
export function hitSuiteFor(algorithm: HiAlgorithm): HitSuite {
  return SUITE_OF_ALGORITHM[algorithm];
}

/** The suite of a HIT or DET; `undefined` for other addresses, and for suites that are unknown here. */
export function hitSuiteOf(hit: Address): HitSuite | undefined {
  const suite = isOrchid(hit) ? (hit[3] ?? 0) & 0x0f : parseDet(hit)?.suite;
  return suite !== undefined && isHitSuite(suite) ? suite : undefined;
}

export function isHitSuite(suite: number): suite is HitSuite {
  return Object.hasOwn(RHASH, suite);
}

/** RHASH of an association, RFC 7401 §5.2.10: that of the Responder's suite, for the association's whole life. */
export function rhashOf(suite: HitSuite): Rhash {
  return RHASH[suite];
}

/** Whether an address is in 2001:20::/28, whatever its OGA ID. */
export function isOrchid(address: Address): boolean {
  return PREFIX_OCTETS.every((octet, i) => address[i] === octet) && ((address[3] ?? 0) & 0xf0) === PREFIX_NIBBLE;
}

/** Whether an address can name a Host Identity: an ORCHID or a DET of a known suite. */
export function isHit(address: Address): boolean {
  return hitSuiteOf(address) !== undefined;
}

/** The HIT of a Host Identity, RFC 7343 §2. */
export function hitOf(crypto: HipCrypto, { algorithm, hostIdentity }: HostIdentity): Address {
  const suite = hitSuiteFor(algorithm);
  const input = Uint8Array.of(...CONTEXT_ID, ...hostIdentity);
  const hit = new Uint8Array(ADDRESS_LENGTH);
  hit.set([...PREFIX_OCTETS, PREFIX_NIBBLE | suite]);
  hit.set(
    suite === 5 ? encode96(crypto.cshake128(input, HASH_LENGTH, NOTHING)) : encode96(crypto.hash(RHASH[suite], input)),
    4,
  );
  return hit;
}

const NOTHING = new Uint8Array(0);

/** Encode_96, RFC 7343 §2: the middle. */
function encode96(digest: Uint8Array): Uint8Array {
  const start = (digest.length - HASH_LENGTH) / 2;
  return digest.subarray(start, start + HASH_LENGTH);
}

/** RFC 7401 §6.8 step 10: whether the HIT, or DET, is that of the Host Identity. */
export function verifyHit(crypto: HipCrypto, hit: Address, identity: HostIdentity): boolean {
  const det = parseDet(hit);
  return sameOctets(hit, (det === undefined ? hitOf(crypto, identity) : detOf(crypto, identity, det)) ?? NOTHING);
}

/** RFC 7401 §6.5: HITs compare as unsigned numbers. Negative when `a` is the smaller one. */
export function compareHits(a: Address, b: Address): number {
  for (let i = 0; i < ADDRESS_LENGTH; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A Host Identity of this host. */
export interface OwnIdentity {
  readonly hit: Address;
  readonly identity: HostIdentity;
  readonly signer: IdentitySigner;
}

/** What a signer's key is known by; with `domain` and an Ed25519 key by a DET (RFC 9374) instead of a HIT. */
export function ownIdentity(crypto: HipCrypto, signer: IdentitySigner, domain?: DetDomain): OwnIdentity {
  const identity = hostIdentityOf(signer.key);
  const hit = domain === undefined ? hitOf(crypto, identity) : detOf(crypto, identity, domain);
  if (hit === undefined) throw new TypeError('only Ed25519 keys have DETs');
  return { hit, identity, signer };
}
