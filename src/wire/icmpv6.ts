import type { Parsed } from './parsed.ts';
import { Reader } from './reader.ts';

/** ICMPv6 error types, RFC 4443 §3. */
export const DESTINATION_UNREACHABLE = 1;
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
export const PARAMETER_PROBLEM = 4;

/** Codes of Destination Unreachable and Parameter Problem that carry meaning here. */
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
