import { ADDRESS_LENGTH } from '../wire/address.ts';
import { NO_NEXT_HEADER } from '../wire/ipv6.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import { PACKET_TYPES } from './packet.ts';
import type { HipPacket, HipRefused, PacketType, ParsedHip } from './packet.ts';
import type { HipParameter } from './parameter.ts';
import { parametersLength, parseParameters, writeParameters } from './parameter-list.ts';
import { byNumber } from './registry.ts';

/** RFC 7401 §5.1: the fixed header, up to the end of the Receiver's HIT. */
export const HIP_HEADER_LENGTH = 40;
/** RFC 7401 §5.1: a Header Length of 255. */
export const MAX_HIP_LENGTH = 2048;
/** Offsets in the header. */
export const HEADER_LENGTH_AT = 1;
export const CHECKSUM_AT = 4;
export const RECEIVER_HIT_AT = 24;

const PACKET_TYPE_AT = 2;
const VERSION_AT = 3;
const VERSION = 2;
/** RFC 7401 §5.1: the bit that tells HIP from Shim6, 1 when sent. */
const FIXED_BIT = 1;
/** RFC 7401 §5.1.2. */
const ANONYMOUS = 0x0001;

const TYPE_OF = byNumber(PACKET_TYPES);

/** The name of a packet type; `undefined` for one that is not supported. */
export function packetTypeOf(number: number): PacketType | undefined {
  return TYPE_OF.get(number);
}

/** Octets of the packet whose header `octets` starts with, by its Header Length, RFC 7401 §5.1. */
export function hipLength(octets: Uint8Array): number {
  return ((octets[HEADER_LENGTH_AT] ?? 0) + 1) * 8;
}

/**
 * A HIP packet, RFC 7401 §5.1, its checksum aside. `octets` start at the header; what follows the packet is not looked at.
 *
 *     0                1                2                3
 *   +----------------+----------------+-+--------------+-------+-----+-+
 *   |  Next Header   | Header Length  |0| Packet Type  |Version| RES |1|
 *   |            Checksum             |            Controls            |
 *   |                        Sender's HIT, 16                          |
 *   |                       Receiver's HIT, 16                         |
 *   |                          Parameters                              |
 */
export function parseHip(octets: Uint8Array): ParsedHip {
  if (octets.length < HIP_HEADER_LENGTH) return refused('truncated', octets.length);
  if ((octets[VERSION_AT] ?? 0) >> 4 !== VERSION) return refused('unknown-version', VERSION_AT);
  const length = hipLength(octets);
  if (length < HIP_HEADER_LENGTH) return refused('bad-length', HEADER_LENGTH_AT);
  if (octets.length < length) return refused('truncated', HEADER_LENGTH_AT);
  const type = packetTypeOf((octets[PACKET_TYPE_AT] ?? 0) & 0x7f);
  if (type === undefined) return refused('unknown-type', PACKET_TYPE_AT);
  const r = new Reader(octets);
  r.skip(CHECKSUM_AT + 2);
  const isAnonymous = (r.u16() & ANONYMOUS) !== 0;
  const senderHit = r.octets(ADDRESS_LENGTH);
  const receiverHit = r.octets(ADDRESS_LENGTH);
  const packet = octets.slice(0, length);
  const parameters = parseParameters(packet.subarray(HIP_HEADER_LENGTH), HIP_HEADER_LENGTH);
  if (!parameters.ok) return parameters;
  const value = { type, isAnonymous, senderHit, receiverHit, parameters: parameters.value, octets: packet };
  return { ok: true, value };
}

/** The whole packet with a Checksum of 0, as MACs and signatures see it and as UDP carries it. */
export function encodeHip({ type, isAnonymous, senderHit, receiverHit, parameters }: HipPacket): Uint8Array {
  const length = HIP_HEADER_LENGTH + parametersLength(parameters);
  if (length > MAX_HIP_LENGTH) throw new RangeError('longer than a HIP packet can be');
  const w = new Writer(length);
  w.u8(NO_NEXT_HEADER);
  w.u8(length / 8 - 1);
  w.u8(PACKET_TYPES[type]);
  w.u8(VERSION * 16 + FIXED_BIT);
  w.u16(0);
  w.u16(isAnonymous ? ANONYMOUS : 0);
  w.octets(senderHit);
  w.octets(receiverHit);
  writeParameters(w, parameters);
  return w.finish();
}

/** A packet that was encoded, and one more parameter behind all that it has: a MAC or signature over them. */
export function append(octets: Uint8Array, parameter: HipParameter): Uint8Array {
  const length = octets.length + parametersLength([parameter]);
  if (length > MAX_HIP_LENGTH) throw new RangeError('longer than a HIP packet can be');
  const w = new Writer(length);
  w.octets(octets);
  writeParameters(w, [parameter]);
  const packet = w.finish();
  packet[HEADER_LENGTH_AT] = length / 8 - 1;
  return packet;
}

function refused(reason: HipRefused['reason'], at: number): HipRefused {
  return { ok: false, reason, at };
}
