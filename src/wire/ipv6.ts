import type { Address } from './address.ts';
import { ADDRESS_LENGTH } from './address.ts';
import type { Parsed } from './parsed.ts';
import { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** Sizes and offsets of the IPv6 header, RFC 8200 §3. */
export const IPV6_HEADER_LENGTH = 40;
export const PAYLOAD_LENGTH_AT = 4;
export const NEXT_HEADER_AT = 6;
export const HOP_LIMIT_AT = 7;
export const SOURCE_ADDRESS_AT = 8;
export const DESTINATION_ADDRESS_AT = 24;

/** The smallest MTU of an IPv6 link, RFC 8200 §5. */
export const IPV6_MINIMUM_MTU = 1280;

/** Protocol numbers (IANA). */
export const HOP_BY_HOP = 0;
export const TCP = 6;
export const UDP = 17;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const ESP = 50;
export const ICMPV6 = 58;
export const NO_NEXT_HEADER = 59;
export const DESTINATION_OPTIONS = 60;
export const HIP = 139;
export const SHIM6 = 140;

/** RFC 8200 §3. */
export interface Ipv6Header {
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Address;
  readonly destination: Address;
}

/** The fixed header at the start of `packet`; what follows it is not looked at. */
export function parseIpv6Header(packet: Uint8Array): Parsed<Ipv6Header> {
  const r = new Reader(packet.subarray(0, IPV6_HEADER_LENGTH));
  const first = r.u32();
  const payloadLength = r.u16();
  const nextHeader = r.u8();
  const hopLimit = r.u8();
  const source = r.octets(ADDRESS_LENGTH);
  const destination = r.octets(ADDRESS_LENGTH);
  if (!r.failed && first >>> 28 !== 6) r.reject('bad-value', 0);
  const trafficClass = (first >>> 20) & 0xff;
  const flowLabel = first & 0xfffff;
  return r.finish({ trafficClass, flowLabel, payloadLength, nextHeader, hopLimit, source, destination });
}

export function writeIpv6Header(w: Writer, header: Ipv6Header): void {
  w.u32(0x6000_0000 + header.trafficClass * 0x10_0000 + header.flowLabel);
  w.u16(header.payloadLength);
  w.u8(header.nextHeader);
  w.u8(header.hopLimit);
  w.octets(header.source);
  w.octets(header.destination);
}

/**
 * Where a Shim6 header stands or belongs, RFC 5533 §4.6: behind Hop-by-Hop Options, Routing, and Destination Options that
 * precede a Routing header. `at` is its offset from the start of the packet; `nextHeaderAt` is the octet that announces it.
 * `undefined` when the chain runs past `end`.
 */
export function shimPosition(
  octets: Uint8Array,
  start: number,
  end: number,
): { readonly at: number; readonly nextHeaderAt: number } | undefined {
  let nextHeaderAt = NEXT_HEADER_AT;
  let at = IPV6_HEADER_LENGTH;
  for (;;) {
    const next = octets[start + nextHeaderAt];
    const precedesRouting = next === DESTINATION_OPTIONS && octets[start + at] === ROUTING;
    if (next !== HOP_BY_HOP && next !== ROUTING && !precedesRouting) return { at, nextHeaderAt };
    const length = ((octets[start + at + 1] ?? 0) + 1) * 8;
    if (start + at + length > end) return undefined;
    nextHeaderAt = at;
    at += length;
  }
}
