import { formatAddress, parseAddress } from '../../../src/wire/address.ts';
import type { Address } from '../../../src/wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../../src/wire/checksum.ts';
import { toHex } from '../../../src/wire/hex.ts';
import { ICMPV6, IPV6_HEADER_LENGTH, SHIM6, parseIpv6Header, writeIpv6Header } from '../../../src/wire/ipv6.ts';
import type { Ipv6Header } from '../../../src/wire/ipv6.ts';
import { networkPacket } from '../../../src/wire/link-layer.ts';
import { parseCapture } from '../../../src/wire/pcapng.ts';
import { Writer } from '../../../src/wire/writer.ts';

const TYPE_AT = 2;
const CHECKSUM_AT = 4;

/** The address that a text means. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

/** A whole packet in hexadecimal, as the injector takes it. */
export function packet(source: string, destination: string, payload: Uint8Array, nextHeader: number = SHIM6): string {
  const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: payload.length,
    nextHeader,
    hopLimit: 64,
    source: address(source),
    destination: address(destination),
  });
  w.octets(payload);
  return toHex(w.finish());
}

/** An ICMPv6 error about `invoking` with a right checksum. */
export function icmpError(
  source: string,
  destination: string,
  { type, code, parameter = 0 }: { readonly type: number; readonly code: number; readonly parameter?: number },
  invoking: Uint8Array,
): string {
  const quoted = invoking.subarray(0, 1280 - IPV6_HEADER_LENGTH - 8);
  const w = new Writer(8 + quoted.length);
  w.u8(type);
  w.u8(code);
  w.u16(0);
  w.u32(parameter);
  w.octets(quoted);
  const octets = w.finish();
  const sum = internetChecksum(octets, pseudoHeaderSum(address(source), address(destination), octets.length, ICMPV6));
  new DataView(octets.buffer, octets.byteOffset).setUint16(2, sum);
  return packet(source, destination, octets, ICMPV6);
}

/** The same message with a right checksum (RFC 5533 §5.3), or with one that is off by one. */
export function summed(message: Uint8Array, wrong = false): Uint8Array {
  const octets = message.slice();
  if (octets.length < CHECKSUM_AT + 2) return octets; // too short to have one
  const length = Math.min(((octets[1] ?? 0) + 1) * 8, octets.length);
  const view = new DataView(octets.buffer, octets.byteOffset);
  view.setUint16(CHECKSUM_AT, 0);
  const sum = internetChecksum(octets.subarray(0, length));
  view.setUint16(CHECKSUM_AT, wrong ? (sum + 1) & 0xffff : sum);
  return octets;
}

/** The Shim6 part of a captured packet. */
export interface Captured {
  readonly at: number; // milliseconds since 1970
  readonly source: string;
  readonly destination: string;
  readonly header: Ipv6Header;
  /** From the IPv6 header on. */
  readonly octets: Uint8Array;
  /** What follows the IPv6 header. */
  readonly payload: Uint8Array;
}

/** The IPv6 packets of a capture. */
export function packetsOf(file: Uint8Array): Captured[] {
  const capture = parseCapture(file);
  if (!capture.ok) throw new Error(`unreadable capture: ${capture.reason}`);
  if (capture.value.damage !== undefined) throw new Error('the capture is cut off');
  return capture.value.packets.flatMap(({ interface: { linkType }, octets: frame, time }) => {
    const octets = networkPacket(linkType, frame);
    if (octets === undefined) return [];
    const parsed = parseIpv6Header(octets);
    if (!parsed.ok) return [];
    const { value: header } = parsed;
    return [
      {
        at: Number(time / 1_000n) / 1e3,
        source: formatAddress(header.source),
        destination: formatAddress(header.destination),
        header,
        octets: octets.subarray(0, IPV6_HEADER_LENGTH + header.payloadLength),
        payload: octets.subarray(IPV6_HEADER_LENGTH, IPV6_HEADER_LENGTH + header.payloadLength),
      },
    ];
  });
}

/** Is it a Shim6 control message (P = 0), rather than payload behind a Shim6 header? */
export function isControl({ header, payload }: Captured): boolean {
  return header.nextHeader === SHIM6 && ((payload[TYPE_AT] ?? 0) & 0x80) === 0;
}

/** Is it payload behind a payload extension header (P = 1)? */
export function isTagged({ header, payload }: Captured): boolean {
  return header.nextHeader === SHIM6 && ((payload[TYPE_AT] ?? 0) & 0x80) !== 0;
}

/** The seven bits of the message type. */
export function typeOf({ payload }: Pick<Captured, 'payload'>): number {
  return (payload[TYPE_AT] ?? 0) & 0x7f;
}
