import type { Address } from '../wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../wire/checksum.ts';
import { HIP } from '../wire/ipv6.ts';
import { Writer } from '../wire/writer.ts';
import { CHECKSUM_AT } from './packet-codec.ts';

/** RFC 9028 §5.1: where ESP has its SPI inside UDP, HIP has zeros. */
const MARKER_LENGTH = 4;

/**
 * Whether the Checksum is right for a packet between these addresses, RFC 7401 §5.1.1; `octets` end where its Header Length
 * does. IPv4 addresses are IPv4-mapped: to the one's complement sum, what is in front of them is as good as nothing.
 */
export function hasGoodChecksum(octets: Uint8Array, source: Address, destination: Address): boolean {
  return internetChecksum(octets, pseudoHeaderSum(source, destination, octets.length, HIP)) === 0;
}

/** Put the Checksum into an encoded packet: it depends on the addresses, and comes last. */
export function writeChecksum(octets: Uint8Array, source: Address, destination: Address): void {
  octets.fill(0, CHECKSUM_AT, CHECKSUM_AT + 2);
  const checksum = internetChecksum(octets, pseudoHeaderSum(source, destination, octets.length, HIP));
  octets[CHECKSUM_AT] = checksum >> 8;
  octets[CHECKSUM_AT + 1] = checksum & 0xff;
}

/** What UDP carries, RFC 9028 §5.1: the marker, and an encoded packet whose Checksum is 0. */
export function udpPayload(octets: Uint8Array): Uint8Array {
  const w = new Writer(MARKER_LENGTH + octets.length);
  w.zeros(MARKER_LENGTH);
  w.octets(octets);
  const payload = w.finish();
  payload.fill(0, MARKER_LENGTH + CHECKSUM_AT, MARKER_LENGTH + CHECKSUM_AT + 2);
  return payload;
}
