import type { Address } from './address.ts';
import { ADDRESS_LENGTH } from './address.ts';
import type { Parsed } from './parsed.ts';
import { Reader } from './reader.ts';

/** RFC 791 §3.1: the header without options. */
export const IPV4_HEADER_LENGTH = 20;

const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/** RFC 791 §3.1; addresses are in their IPv4-mapped form (RFC 4291 §2.5.5.2). */
export interface Ipv4Header {
  /** Octets up to what follows the header and its options. */
  readonly headerLength: number;
  readonly totalLength: number;
  /** Of a fragment, in octets. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly source: Address;
  readonly destination: Address;
}

/** The header at the start of `packet`, its checksum aside; what follows it is not looked at. */
export function parseIpv4Header(packet: Uint8Array): Parsed<Ipv4Header> {
  const headerLength = ((packet[0] ?? 0) & 0x0f) * 4;
  const r = new Reader(packet.subarray(0, Math.max(headerLength, IPV4_HEADER_LENGTH)));
  const version = r.u8() >> 4;
  r.u8();
  const totalLength = r.u16();
  r.u16();
  const fragment = r.u16();
  const timeToLive = r.u8();
  const protocol = r.u8();
  r.u16();
  const source = ipv4Mapped(r.octets(4));
  const destination = ipv4Mapped(r.octets(4));
  if (!r.failed && version !== 4) r.reject('bad-value', 0);
  if (!r.failed && headerLength < IPV4_HEADER_LENGTH) r.reject('bad-length', 0);
  r.skip(headerLength - IPV4_HEADER_LENGTH);
  return r.finish({
    headerLength,
    totalLength,
    fragmentOffset: (fragment & FRAGMENT_OFFSET) * 8,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    timeToLive,
    protocol,
    source,
    destination,
  });
}

/** The IPv4-mapped IPv6 address of four octets. */
export function ipv4Mapped(octets: Uint8Array): Address {
  const address = new Uint8Array(ADDRESS_LENGTH);
  address.fill(0xff, 10, 12);
  address.set(octets.subarray(0, 4), 12);
  return address;
}

/** Whether an address stands for an IPv4 one, RFC 4291 §2.5.5.2. */
export function isIpv4Mapped(address: Address): boolean {
  return address[10] === 0xff && address[11] === 0xff && address.subarray(0, 10).every((octet) => octet === 0);
}
