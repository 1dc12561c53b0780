import {
  CHECKSUM_OFFSET,
  CHECKSUM_START,
  FIELDS,
  GSO_SIZE,
  HEADROOM,
  LENGTH,
  OFFSET,
  SOCKET,
} from '../../src/host/ports.ts';
import type { Batch } from '../../src/host/ports.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

export const TCP = 6;
export const UDP = 17;
export const SHIM6 = 140;
export const FIN = 0x01;
export const PSH = 0x08;
export const ACK = 0x10;
export const CWR = 0x80;

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

export interface Ends {
  readonly source: Address;
  readonly destination: Address;
}

export function octets(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i * 7 + (i >> 8)) & 0xff);
}

export function ipv6(ends: Ends, nextHeader: number, payload: Uint8Array, trafficClass = 0): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, (0x60000000 | (trafficClass << 20) | 0x12345) >>> 0);
  view.setUint16(4, payload.length);
  packet[6] = nextHeader;
  packet[7] = 61;
  packet.set(ends.source, 8);
  packet.set(ends.destination, 24);
  packet.set(payload, 40);
  return packet;
}

export interface Segment {
  readonly ports: readonly [number, number];
  readonly sequence: number;
  readonly flags: number;
  readonly options?: Uint8Array;
  readonly payload: Uint8Array;
}

/** A TCP segment with its checksum for `ends`. */
export function tcp(ends: Ends, { ports, sequence, flags, options, payload }: Segment): Uint8Array {
  const header = 20 + (options?.length ?? 0);
  const segment = new Uint8Array(header + payload.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint32(4, sequence);
  view.setUint32(8, 0x01020304);
  view.setUint8(12, (header / 4) << 4);
  view.setUint8(13, flags);
  view.setUint16(14, 4096);
  if (options !== undefined) segment.set(options, 20);
  segment.set(payload, header);
  view.setUint16(16, internetChecksum(segment, pseudoHeaderSum(ends.source, ends.destination, segment.length, TCP)));
  return segment;
}

/** As `tcp`, but with the sum of the pseudo-header in the checksum field, as left for an offload. */
export function unfinishedTcp(ends: Ends, segment: Segment): Uint8Array {
  const result = tcp(ends, segment);
  new DataView(result.buffer).setUint16(16, pseudoHeaderSum(ends.source, ends.destination, result.length, TCP));
  return result;
}

export function udp(ends: Ends, ports: readonly [number, number], payload: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(8 + payload.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, ports[0]);
  view.setUint16(2, ports[1]);
  view.setUint16(4, datagram.length);
  datagram.set(payload, 8);
  const sum = internetChecksum(datagram, pseudoHeaderSum(ends.source, ends.destination, datagram.length, UDP));
  view.setUint16(6, sum === 0 ? 0xffff : sum);
  return datagram;
}

export interface Row {
  readonly socket?: number;
  readonly gsoSize?: number;
  readonly checksumStart?: number;
  readonly checksumOffset?: number;
}

/** Put a packet into a slot, away from where a receiver would put it, and fill its row. */
export function put(into: Batch, slot: number, packet: Uint8Array, row: Row = {}): void {
  const offset = slot * into.stride + HEADROOM + 8;
  into.slab.set(packet, offset);
  const at = slot * FIELDS;
  into.meta.fill(-7, at, at + FIELDS);
  into.meta[at + OFFSET] = offset;
  into.meta[at + LENGTH] = packet.length;
  into.meta[at + GSO_SIZE] = row.gsoSize ?? 0;
  into.meta[at + CHECKSUM_START] = row.checksumStart ?? 0;
  into.meta[at + CHECKSUM_OFFSET] = row.checksumOffset ?? 0;
  into.meta[at + SOCKET] = row.socket ?? -1;
}

export function column(of: Batch, slot: number, field: number): number {
  return of.meta[slot * FIELDS + field] ?? Number.NaN;
}

/** A copy of the packet in a slot. */
export function packetIn(of: Batch, slot: number): Uint8Array {
  const offset = column(of, slot, OFFSET);
  return of.slab.slice(offset, offset + column(of, slot, LENGTH));
}

/** Wait until `condition` holds; what is under test may be asynchronous. */
export async function eventually(condition: () => boolean): Promise<void> {
  const end = performance.now() + 3000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not happen within 3 s');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Let everything happen that is going to happen now. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 30));
}
