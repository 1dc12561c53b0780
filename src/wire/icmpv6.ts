import type { Address } from './address.ts';
import { internetChecksum, pseudoHeaderSum } from './checksum.ts';
import { ICMPV6, IPV6_HEADER_LENGTH, writeIpv6Header } from './ipv6.ts';
import type { Parsed } from './parsed.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** ICMPv6 error types, RFC 4443 §3. */
export const DESTINATION_UNREACHABLE = 1;
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
export const PARAMETER_PROBLEM = 4;

/** Codes of Destination Unreachable and Parameter Problem that carry meaning here. */
export const ADDRESS_UNREACHABLE = 3;
export const PORT_UNREACHABLE = 4;
export const UNRECOGNIZED_NEXT_HEADER = 1;

/**
 * ICMPv6 error message, RFC 4443 §3.
 *
 *     0       1       2          4              8
 *   +-------+-------+----------+--------------+----------------------+
 *   | Type  | Code  | Checksum |  Parameter   | as much of invoking  |
 *   |       |       |          | (MTU, ptr)   | packet as fits       |
 */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  readonly parameter: number;
  readonly invokingPacket: Uint8Array;
}

/** An error message (type below 128). The checksum is the kernel's business: raw ICMPv6 sockets deliver verified messages. */
export function parseIcmpError(octets: Uint8Array): Parsed<IcmpError> {
  const r = new Reader(octets);
  const type = r.u8();
  const code = r.u8();
  r.skip(2);
  const parameter = r.u32();
  const invokingPacket = r.rest();
  if (!r.failed && type >= 128) r.reject('bad-value', 0); // §2.1: informational
  return r.finish({ type, code, parameter, invokingPacket });
}

const ICMP_HEADER_LENGTH = 8;
const CHECKSUM_AT = 2;
const HOP_LIMIT = 64;

/** A whole packet with this error, its checksum in place (RFC 4443 §2.3). */
export function icmpErrorPacket(source: Address, destination: Address, error: IcmpError): Uint8Array {
  const { type, code, parameter, invokingPacket } = error;
  const payloadLength = ICMP_HEADER_LENGTH + invokingPacket.length;
  const w = new Writer(IPV6_HEADER_LENGTH + payloadLength);
  const addresses = { source, destination };
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength,
    nextHeader: ICMPV6,
    hopLimit: HOP_LIMIT,
    ...addresses,
  });
  w.u8(type);
  w.u8(code);
  w.u16(0);
  w.u32(parameter);
  w.octets(invokingPacket);
  const packet = w.finish();
  const pseudo = pseudoHeaderSum(source, destination, payloadLength, ICMPV6);
  const sum = internetChecksum(packet.subarray(IPV6_HEADER_LENGTH), pseudo);
  packet[IPV6_HEADER_LENGTH + CHECKSUM_AT] = sum >> 8;
  packet[IPV6_HEADER_LENGTH + CHECKSUM_AT + 1] = sum & 0xff;
  return packet;
}
