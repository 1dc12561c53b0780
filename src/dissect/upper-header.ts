import { formatAddress } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { isIpv4Mapped, parseIpv4Header } from '../wire/ipv4.ts';
import {
  DESTINATION_OPTIONS,
  FRAGMENT,
  HOP_BY_HOP,
  IPV6_HEADER_LENGTH,
  ROUTING,
  parseIpv6Header,
} from '../wire/ipv6.ts';

/** What an IP packet carries behind its own header and extension headers. IPv4 addresses are IPv4-mapped. */
export interface UpperHeader {
  readonly source: Address;
  readonly destination: Address;
  /** Protocol number. */
  readonly protocol: number;
  /** From the upper header to the end of the packet, or of what was captured of it. A view of the packet. */
  readonly octets: Uint8Array;
  /** This is part of a fragmented packet: the first part, with the upper header, or a later one, without. */
  readonly fragment?: 'first' | 'later';
}

const FRAGMENT_HEADER_LENGTH = 8;
const OFFSET = 0xfff8; // RFC 8200 §4.5
const MORE = 0x0001;

/** `undefined` for what is not IP, or when the capture ends before the upper header. */
export function upperHeader(packet: Uint8Array): UpperHeader | undefined {
  return (packet[0] ?? 0) >> 4 === 4 ? upperHeader4(packet) : upperHeader6(packet);
}

function upperHeader4(packet: Uint8Array): UpperHeader | undefined {
  const ip = parseIpv4Header(packet);
  if (!ip.ok) return undefined;
  const { source, destination, protocol, headerLength, totalLength, fragmentOffset, moreFragments } = ip.value;
  const octets = packet.subarray(headerLength, totalLength === 0 ? packet.length : totalLength); // no link padding
  const found = { source, destination, protocol, octets };
  if (fragmentOffset > 0) return { ...found, fragment: 'later' };
  return moreFragments ? { ...found, fragment: 'first' } : found;
}

/**
 * Walks the extension headers of RFC 8200 §4 in any order, as a receiver does. A payload length of 0 (a jumbogram, or a kernel that will segment later)
 * means all that was captured.
 */
function upperHeader6(packet: Uint8Array): UpperHeader | undefined {
  const ip = parseIpv6Header(packet);
  if (!ip.ok) return undefined;
  const { source, destination, payloadLength, nextHeader } = ip.value;
  const octets = payloadLength === 0 ? packet : packet.subarray(0, IPV6_HEADER_LENGTH + payloadLength); // no link padding
  let protocol = nextHeader;
  let at = IPV6_HEADER_LENGTH;
  let fragment: 'first' | 'later' | undefined;
  while (isExtension(protocol) && fragment !== 'later') {
    const view = new DataView(octets.buffer, octets.byteOffset + at, octets.length - at);
    if (view.byteLength < FRAGMENT_HEADER_LENGTH) return undefined;
    if (protocol === FRAGMENT) {
      const field = view.getUint16(2);
      if ((field & OFFSET) !== 0) fragment = 'later';
      else if ((field & MORE) !== 0) fragment = 'first'; // RFC 6946: neither is a whole packet
    }
    const length = protocol === FRAGMENT ? FRAGMENT_HEADER_LENGTH : (view.getUint8(1) + 1) * 8;
    protocol = view.getUint8(0);
    at += length;
    if (at > octets.length) return undefined;
  }
  const found = { source, destination, protocol, octets: octets.subarray(at) };
  return fragment === undefined ? found : { ...found, fragment };
}

function isExtension(protocol: number): boolean {
  return protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION_OPTIONS || protocol === FRAGMENT;
}

/** Text of the addresses, RFC 5952; of IPv4 with dots alone. */
export function addressesOf({ source, destination }: Pick<UpperHeader, 'source' | 'destination'>): {
  readonly src: string;
  readonly dst: string;
} {
  return { src: addressText(source), dst: addressText(destination) };
}

/** RFC 5952, an IPv4-mapped address as the IPv4 one that it stands for. */
export function addressText(address: Address): string {
  return isIpv4Mapped(address) ? address.slice(12).join('.') : formatAddress(address);
}
