import { internetChecksum, onesComplementSum } from '../wire/checksum.ts';

const IPV6_HEADER_LENGTH = 40;
const TCP_HEADER_LENGTH = 20;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
const LONGEST_HEADERS = 256;
const FIN_AND_PSH = 0x09;
const CWR = 0x80;

/**
 * Finish a checksum whose field, `offset` octets after `start`, holds the sum of the pseudo-header; false when it lies outside
 * the packet. RFC 8200 §8.1: UDP sends 0xffff for 0.
 */
export function completeChecksum(packet: Uint8Array, start: number, offset: number): boolean {
  const field = start + offset;
  if (offset < 0 || start >= packet.length || field + 2 > packet.length) return false;
  const checksum = internetChecksum(packet.subarray(start));
  viewOf(packet).setUint16(field, checksum === 0 && offset === UDP_CHECKSUM ? 0xffff : checksum);
  return true;
}

/**
 * Split a TCP super-packet into segments of `size` octets. All octets before the TCP payload are repeated; the sum of the
 * pseudo-header comes from the checksum field, since the addresses may have been rewritten. `undefined` for what is no TCP.
 */
export function segments(packet: Uint8Array, size: number, start: number, offset: number): Uint8Array[] | undefined {
  if (start < IPV6_HEADER_LENGTH || offset !== TCP_CHECKSUM || start + TCP_HEADER_LENGTH > packet.length)
    return undefined;
  const whole = viewOf(packet);
  const tcpHeaderLength = (whole.getUint8(start + 12) >> 4) * 4;
  const headerLength = start + tcpHeaderLength;
  if (tcpHeaderLength < TCP_HEADER_LENGTH || headerLength > Math.min(packet.length, LONGEST_HEADERS)) return undefined;
  const pseudo = whole.getUint16(start + TCP_CHECKSUM);
  const withoutLength = pseudo + (~onesComplementSum(NOTHING, packet.length - start) & 0xffff);
  const result: Uint8Array[] = [];
  let at = headerLength;
  do {
    const payload = packet.subarray(at, at + size);
    const segment = new Uint8Array(headerLength + payload.length);
    segment.set(packet.subarray(0, headerLength));
    segment.set(payload, headerLength);
    const view = viewOf(segment);
    let flags = view.getUint8(start + 13);
    if (at + payload.length < packet.length) flags &= ~FIN_AND_PSH;
    if (at > headerLength) flags &= ~CWR;
    view.setUint16(4, segment.length - IPV6_HEADER_LENGTH);
    view.setUint32(start + 4, whole.getUint32(start + 4) + at - headerLength);
    view.setUint8(start + 13, flags);
    view.setUint16(start + TCP_CHECKSUM, onesComplementSum(NOTHING, withoutLength + segment.length - start));
    completeChecksum(segment, start, TCP_CHECKSUM);
    result.push(segment);
    at += payload.length;
  } while (at < packet.length);
  return result;
}

const NOTHING = new Uint8Array(0);

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}
