import { IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU, SHIM6, writeIpv6Header } from '../wire/ipv6.ts';
import { Writer } from '../wire/writer.ts';
import type { ErrorMessage } from './messages.ts';
import type { ReceivedPacket } from './received.ts';

/** Error codes, RFC 5533 §5.14. */
export const UNKNOWN_MESSAGE_TYPE = 0;
export const CRITICAL_OPTION = 1;
export const VERIFICATION_METHOD = 2;
export const WRONG_GENERATION = 3;
export const WRONG_ELEMENT_COUNT = 4;

/** Header of the Error message itself. */
const ERROR_HEADER_LENGTH = 8;

/** §5.14: the whole answer fits in 1280 octets. */
const MAX_QUOTED = IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - ERROR_HEADER_LENGTH;

/** Raw sockets do not pass on the IPv6 header, so the quoted one is made anew. */
const HOP_LIMIT = 64;

/**
 * The Error message about `packet`, RFC 5533 §5.14. `at` is the offset of the problem in the Shim6 header; the Pointer
 * counts from the IPv6 header, with which the packet in error begins.
 */
export function errorAbout(packet: ReceivedPacket, code: number, at: number): ErrorMessage {
  const { source, destination, octets } = packet;
  const w = new Writer(IPV6_HEADER_LENGTH + octets.length);
  const payloadLength = octets.length;
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength,
    nextHeader: SHIM6,
    hopLimit: HOP_LIMIT,
    source,
    destination,
  });
  w.octets(octets);
  const whole = w.bytes.length & ~7; // no padding, so that the answer exceeds what caused it by its own headers only
  return {
    type: 'Error',
    code,
    pointer: IPV6_HEADER_LENGTH + at,
    packet: w.finish().subarray(0, Math.min(whole, MAX_QUOTED)),
  };
}
