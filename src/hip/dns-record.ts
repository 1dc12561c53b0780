import type { HipCrypto } from '../crypto/ports.ts';
import { SIGNING_CURVES } from '../crypto/public-key.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { nameLength, readName, writeName } from './dns-name.ts';
import { HI_ALGORITHMS, hostIdentityOf, parseHostIdentity } from './host-identity.ts';
import type { HostIdentity } from './host-identity.ts';
import { verifyHit } from './orchid.ts';
import type { Hit } from './parameter.ts';

/** The TYPE of HIP resource records, RFC 8005 §10. */
export const HIP_RECORD = 55;

/**
 * RDATA of a HIP resource record, RFC 8005 §5.
 *
 *   +----------------+---------------+-------------------+
 *   | HIT length u8  | PK alg u8     | PK length u16     |
 *   +----------------+---------------+-------------------+
 *   | HIT | Public Key | Rendezvous Servers: names until the end, not compressed
 */
export interface HipRecord {
  readonly hit: Uint8Array;
  /** Numbers of IPSECKEY (RFC 4025 §2.4): 2 RSA, 3 ECDSA, 4 EdDSA. */
  readonly publicKeyAlgorithm: number;
  readonly publicKey: Uint8Array;
  /** In order of preference. */
  readonly rendezvousServers: readonly string[];
}

export function parseHipRecord(bytes: Uint8Array): Parsed<HipRecord> {
  const r = new Reader(bytes);
  const hitLength = r.u8();
  const publicKeyAlgorithm = r.u8();
  const publicKeyLength = r.u16();
  const hit = r.octets(hitLength);
  const publicKey = r.octets(publicKeyLength);
  const rendezvousServers: string[] = [];
  while (r.left > 0) rendezvousServers.push(readName(r)); // §5.6: MUST NOT be compressed
  return r.finish({ hit, publicKeyAlgorithm, publicKey, rendezvousServers });
}

export function hipRecordLength({ hit, publicKey, rendezvousServers }: HipRecord): number {
  return 4 + hit.length + publicKey.length + rendezvousServers.reduce((sum, name) => sum + nameLength(name), 0);
}

export function writeHipRecord(w: Writer, { hit, publicKeyAlgorithm, publicKey, rendezvousServers }: HipRecord): void {
  w.u8(hit.length);
  w.u8(publicKeyAlgorithm);
  w.u16(publicKey.length);
  w.octets(hit);
  w.octets(publicKey);
  for (const name of rendezvousServers) writeName(w, name);
}

const RSA = 2;
const ECDSA = 3;
const EDDSA = 4;

/** The record of a Host Identity. `undefined` for ECDSA_LOW, which has no number in DNS. */
export function hipRecordOf(
  hit: Hit,
  { hostIdentity, key }: HostIdentity,
  rendezvousServers: readonly string[] = [],
): HipRecord | undefined {
  switch (key.type) {
    case 'rsa':
      return { hit, publicKeyAlgorithm: RSA, publicKey: hostIdentity, rendezvousServers };
    case 'ecdsa':
      if (key.curve === 'secp160r1') return undefined;
      return { hit, publicKeyAlgorithm: ECDSA, publicKey: key.point, rendezvousServers }; // RFC 6605 §4: X | Y
    case 'eddsa':
      return { hit, publicKeyAlgorithm: EDDSA, publicKey: key.key, rendezvousServers };
  }
}

/** A Host Identity with the HIT that it proves. */
export interface NamedIdentity {
  readonly hit: Hit;
  readonly identity: HostIdentity;
}

/**
 * Who a record speaks of. RFC 8005 §4.1: the HIT in it is an index only; the Host Identity has to prove it, else there is nothing.
 * DNS does not tell whether an elliptic point had its 04 when the HIT was made: both are tried.
 */
export function identityOfRecord(crypto: HipCrypto, record: HipRecord): NamedIdentity | undefined {
  if (record.hit.length !== ADDRESS_LENGTH) return undefined;
  const identity = candidates(record).find((candidate) => verifyHit(crypto, record.hit, candidate));
  return identity && { hit: record.hit, identity };
}

function candidates({ publicKeyAlgorithm, publicKey }: HipRecord): HostIdentity[] {
  switch (publicKeyAlgorithm) {
    case RSA: {
      const parsed = parseHostIdentity(HI_ALGORITHMS.RSA, publicKey);
      return parsed.ok ? [parsed.value] : [];
    }
    case ECDSA: {
      const curve = (['P-256', 'P-384'] as const).find((one) => 2 * SIGNING_CURVES[one].field === publicKey.length);
      if (curve === undefined) return [];
      const long = hostIdentityOf({ type: 'ecdsa', curve, point: publicKey });
      const short = parseHostIdentity(long.algorithm, Uint8Array.of(...long.hostIdentity.subarray(0, 2), ...publicKey));
      return short.ok ? [long, short.value] : [long];
    }
    case EDDSA:
      return publicKey.length === 32 ? [hostIdentityOf({ type: 'eddsa', key: publicKey })] : []; // Ed448 has 57
    default:
      return [];
  }
}

/** RDATA in a master file, RFC 8005 §6: `( 2 HIT key server … )`, HIT and key without white space. */
export function formatHipRecord({ publicKeyAlgorithm, hit, publicKey, rendezvousServers }: HipRecord): string {
  const words = [String(publicKeyAlgorithm), toHex(hit).toUpperCase(), base64(publicKey)];
  return `( ${[...words, ...rendezvousServers.map((name) => (name === '.' ? name : `${name}.`))].join(' ')} )`;
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 §4. */
function base64(octets: Uint8Array): string {
  let text = '';
  for (let at = 0; at < octets.length; at += 3) {
    const [a = 0, b = 0, c = 0] = octets.subarray(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const digits = [18, 12, 6, 0].map((shift) => BASE64[(bits >> shift) & 63] ?? '').join('');
    const used = Math.min(octets.length - at, 3) + 1;
    text += digits.slice(0, used).padEnd(4, '=');
  }
  return text;
}
