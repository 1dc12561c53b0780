import type { LocatorPair } from '../locators/pair.ts';
import { isPayloadHeader, PAYLOAD_HEADER_LENGTH } from '../shim6/payload-header.ts';
import {
  DESTINATION_UNREACHABLE,
  PACKET_TOO_BIG,
  PARAMETER_PROBLEM,
  PORT_UNREACHABLE,
  TIME_EXCEEDED,
} from '../wire/icmpv6.ts';
import type { IcmpError } from '../wire/icmpv6.ts';
import {
  DESTINATION_ADDRESS_AT,
  IPV6_HEADER_LENGTH,
  IPV6_MINIMUM_MTU,
  PAYLOAD_LENGTH_AT,
  SHIM6,
  shimPosition,
  SOURCE_ADDRESS_AT,
} from '../wire/ipv6.ts';

/** RFC 4884 §3: the quoted packet is at least so long when extensions follow it. */
const MIN_QUOTED_WITH_EXTENSIONS = 128;

/**
 * Whose business an error is, RFC 5533 §8: the path's (Shim6 may find another one), that of the upper layer, or Shim6's own
 * because it speaks of a field that Shim6 wrote.
 */
export function concernOf(error: IcmpError): 'path' | 'upper' | 'shim6' {
  const { type, code } = error;
  if (type === TIME_EXCEEDED || (type === DESTINATION_UNREACHABLE && code !== PORT_UNREACHABLE)) return 'path';
  return type === PARAMETER_PROBLEM && pointsAtShim6(error) ? 'shim6' : 'upper';
}

/** The locators, the octet that announces the payload header, and the header itself but for the protocol that it announces. */
function pointsAtShim6({ parameter: pointer, invokingPacket }: IcmpError): boolean {
  const shim = taggedPosition(invokingPacket);
  if (shim === undefined) return false;
  if (pointer >= SOURCE_ADDRESS_AT && pointer < IPV6_HEADER_LENGTH) return true;
  return pointer === shim.nextHeaderAt || (pointer > shim.at && pointer < shim.at + PAYLOAD_HEADER_LENGTH);
}

/**
 * The error as the program behind it would have got it without Shim6 (RFC 5533 §8): about the packet that it sent, between
 * identifiers and without the payload header. `undefined` when too little is quoted, or the MTU is none.
 */
export function translated(error: IcmpError, ulids: LocatorPair): IcmpError | undefined {
  const { type, code, invokingPacket: whole } = error;
  const length = hasExtensions(type) ? (error.parameter >>> 24) * 8 : 0;
  const extensionsAt = length < whole.length ? length : 0;
  const quoted = extensionsAt === 0 ? whole : whole.subarray(0, extensionsAt);
  const shim = taggedPosition(quoted);
  if (shim === undefined || quoted.length < shim.at + PAYLOAD_HEADER_LENGTH) return undefined;
  const restored = restore(quoted, shim, ulids);
  const parameter = translatedParameter(error, shim);
  if (parameter === undefined) return undefined;
  if (extensionsAt === 0) return { type, code, parameter, invokingPacket: restored };
  return { type, code, ...joined(restored, whole.subarray(extensionsAt), parameter) };
}

interface Position {
  readonly at: number;
  readonly nextHeaderAt: number;
}

function taggedPosition(packet: Uint8Array): Position | undefined {
  const position = shimPosition(packet, 0, packet.length);
  if (position === undefined || packet[position.nextHeaderAt] !== SHIM6) return undefined;
  return isPayloadHeader(packet, position.at) ? position : undefined;
}

function restore(quoted: Uint8Array, { at, nextHeaderAt }: Position, ulids: LocatorPair): Uint8Array {
  const packet = new Uint8Array(quoted.length - PAYLOAD_HEADER_LENGTH);
  packet.set(quoted.subarray(0, at));
  packet.set(quoted.subarray(at + PAYLOAD_HEADER_LENGTH), at);
  packet[nextHeaderAt] = quoted[at] ?? 0;
  const view = new DataView(packet.buffer);
  view.setUint16(PAYLOAD_LENGTH_AT, Math.max(0, view.getUint16(PAYLOAD_LENGTH_AT) - PAYLOAD_HEADER_LENGTH));
  packet.set(ulids.local, SOURCE_ADDRESS_AT);
  packet.set(ulids.peer, DESTINATION_ADDRESS_AT);
  return packet;
}

/** §8: the tag takes 8 octets of every packet. RFC 8201 §4: an MTU below 1280 is no MTU, and none is told to anybody. */
function translatedParameter({ type, parameter }: IcmpError, shim: Position): number | undefined {
  if (type === PACKET_TOO_BIG) {
    return parameter < IPV6_MINIMUM_MTU ? undefined : Math.max(IPV6_MINIMUM_MTU, parameter - PAYLOAD_HEADER_LENGTH);
  }
  if (type !== PARAMETER_PROBLEM) return parameter;
  if (parameter === shim.at) return shim.nextHeaderAt;
  return parameter < shim.at ? parameter : parameter - PAYLOAD_HEADER_LENGTH;
}

function hasExtensions(type: number): boolean {
  return type === DESTINATION_UNREACHABLE || type === TIME_EXCEEDED; // RFC 4884 §4.4, §4.5
}

/** RFC 4884 §3: what is too short for extensions to follow is padded with zeros; the length counts units of 8 octets. */
function joined(
  quoted: Uint8Array,
  extensions: Uint8Array,
  parameter: number,
): Pick<IcmpError, 'parameter' | 'invokingPacket'> {
  const length = Math.max(MIN_QUOTED_WITH_EXTENSIONS, quoted.length);
  const invokingPacket = new Uint8Array(length + extensions.length);
  invokingPacket.set(quoted);
  invokingPacket.set(extensions, length);
  return { parameter: (length / 8) * 0x100_0000 + (parameter & 0xff_ffff), invokingPacket };
}
