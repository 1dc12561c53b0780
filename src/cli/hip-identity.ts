import { formatHipRecord, hipRecordOf } from '../hip/dns-record.ts';
import { parseDet, serialOf } from '../hip/det.ts';
import type { HostIdentity } from '../hip/host-identity.ts';
import { hitSuiteOf, rhashOf } from '../hip/orchid.ts';
import { formatAddress } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';

/** Algorithms as the command line calls them. */
export function algorithmName({ key }: HostIdentity): string {
  switch (key.type) {
    case 'rsa':
      return 'rsa';
    case 'ecdsa':
      return key.curve.toLowerCase();
    case 'eddsa':
      return 'ed25519';
  }
}

/** What an address says of itself: its HIT suite, and of a DET its authorities and serial number. */
export function describeHit(hit: Address): object {
  const det = parseDet(hit);
  const suite = hitSuiteOf(hit);
  const domain = det && { raa: det.raa, hda: det.hda, serial: serialOf(det) };
  return {
    hit: formatAddress(hit),
    suite: suite ?? null,
    hash: suite === undefined ? null : rhashOf(suite),
    ...(domain === undefined ? {} : { det: domain }),
  };
}

/** What a Host Identity is known by, for JSON. `dns` is RDATA of RFC 8005, null where DNS has no number for the algorithm. */
export function describeIdentity(hit: Address, identity: HostIdentity): object {
  const record = hipRecordOf(hit, identity);
  return {
    ...describeHit(hit),
    algorithm: algorithmName(identity),
    hostIdentity: toHex(identity.hostIdentity),
    dns: record === undefined ? null : formatHipRecord(record),
  };
}

/** The same for people. */
export function identityText(hit: Address, identity: HostIdentity): string {
  const record = hipRecordOf(hit, identity);
  const dns = record === undefined ? '' : `  IN HIP ${formatHipRecord(record)}\n`;
  return `${hitText(hit, algorithmName(identity))}${dns}`;
}

/** A HIT in one line, a DET in two. */
export function hitText(hit: Address, algorithm?: string): string {
  const suite = hitSuiteOf(hit);
  const det = parseDet(hit);
  const hash = suite === undefined ? 'unknown suite' : `suite ${String(suite)} (${rhashOf(suite)})`;
  const line = `${[formatAddress(hit), hash, ...(algorithm === undefined ? [] : [algorithm])].join('  ')}\n`;
  if (det === undefined) return line;
  return `${line}  DET: RAA ${String(det.raa)}, HDA ${String(det.hda)}, serial ending ${serialOf(det)}\n`;
}
