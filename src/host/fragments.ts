import { internetChecksum } from '../wire/checksum.ts';
import { FRAGMENT, IPV6_HEADER_LENGTH, PAYLOAD_LENGTH_AT, shimPosition } from '../wire/ipv6.ts';
import { Writer } from '../wire/writer.ts';

/** RFC 8200 §4.5. */
const FRAGMENT_HEADER_LENGTH = 8;
const MORE = 1;

/**
 * The fragments of a packet that is longer than `mtu`, RFC 8200 §4.5. A program's packet may always have 1280 octets; on a
 * path that carries no more, the payload header makes it too long.
 *
 *     0        1        2                 4
 *   +--------+--------+-----------------+----------------------+
 *   |NextHdr |   0    | Offset (13)|0 0|M|    Identification    |
 */
export function fragments(packet: Uint8Array, mtu: number, identification: number): Uint8Array[] {
  const position = shimPosition(packet, 0, packet.length);
  if (position === undefined) return [];
  const { at, nextHeaderAt } = position;
  const room = (mtu - at - FRAGMENT_HEADER_LENGTH) & ~7;
  if (room <= 0) throw new RangeError('no room for a fragment');
  const pieces: Uint8Array[] = [];
  for (let from = at; from < packet.length; from += room) {
    const piece = packet.subarray(from, from + room);
    const w = new Writer(at + FRAGMENT_HEADER_LENGTH + piece.length);
    w.octets(packet.subarray(0, at));
    w.u8(packet[nextHeaderAt] ?? 0);
    w.u8(0);
    w.u16((from - at) | (from + room < packet.length ? MORE : 0)); // multiples of 8, above three bits
    w.u32(identification);
    w.octets(piece);
    const fragment = w.finish();
    const payloadLength = fragment.length - IPV6_HEADER_LENGTH;
    fragment[nextHeaderAt] = FRAGMENT;
    fragment[PAYLOAD_LENGTH_AT] = payloadLength >>> 8;
    fragment[PAYLOAD_LENGTH_AT + 1] = payloadLength & 0xff;
    pieces.push(fragment);
  }
  return pieces;
}

/** Finish a checksum that holds the pseudo-header only: it covers what follows `start`, and stands at `start + offset`. */
export function completeChecksum(packet: Uint8Array, start: number, offset: number): void {
  const sum = internetChecksum(packet.subarray(start));
  const value = sum === 0 ? 0xffff : sum; // RFC 8200 §8.1: UDP has no zero; TCP takes either
  packet[start + offset] = value >>> 8;
  packet[start + offset + 1] = value & 0xff;
}
