import type { Parsed, Reason, Refused } from './parsed.ts';
import { Writer } from './writer.ts';

export const LINKTYPE_ETHERNET = 1;
/** Packets begin with their IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101;

export interface CaptureInterface {
  readonly linkType: number;
  readonly name?: string;
}

export interface CapturedPacket {
  readonly interface: CaptureInterface;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** As captured, link layer header included. A view of the file's octets. */
  readonly octets: Uint8Array;
  /** On the wire: more than was captured when a snap length cut it. */
  readonly originalLength: number;
}

/** A file as far as it could be read: a capture that was cut off still shows what it holds. */
export interface Capture {
  readonly packets: readonly CapturedPacket[];
  readonly damage?: Refused;
}

const SECTION_HEADER = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const BLOCK_OVERHEAD = 12; // type, and the total length at both ends

const OPTION_END = 0;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const NANOSECONDS = 9; // if_tsresol: 10^-9 s

/** Start of a pcapng file, draft-ietf-opsawg-pcapng §4.1: Section Header Block of unspecified length. */
export function sectionHeader(): Uint8Array {
  const w = block(SECTION_HEADER, 16);
  w.u32(BYTE_ORDER_MAGIC);
  w.u16(1);
  w.u16(0); // version 1.0
  w.u32(0xffff_ffff);
  w.u32(0xffff_ffff); // section length not given
  return closed(w);
}

/** Interface Description Block, §4.2. Interfaces are numbered from 0 in the order of their blocks. */
export function interfaceDescription({ linkType, name = '' }: CaptureInterface): Uint8Array {
  const text = ascii(name);
  const w = block(INTERFACE_DESCRIPTION, 8 + 4 + padded(text.length) + 8 + 4);
  w.u16(linkType);
  w.u16(0);
  w.u32(0); // no snap length
  w.u16(IF_NAME);
  w.u16(text.length);
  w.octets(text);
  w.zeros(padded(text.length) - text.length);
  w.u16(IF_TSRESOL);
  w.u16(1);
  w.u8(NANOSECONDS);
  w.zeros(3);
  w.u16(OPTION_END);
  w.u16(0);
  return closed(w);
}

/** Enhanced Packet Block, §4.3, of a packet seen whole. `time` is in nanoseconds since 1970. */
export function enhancedPacket(interfaceNumber: number, time: bigint, octets: Uint8Array): Uint8Array {
  const w = block(ENHANCED_PACKET, 20 + padded(octets.length));
  w.u32(interfaceNumber);
  w.u32(Number((time >> 32n) & 0xffff_ffffn));
  w.u32(Number(time & 0xffff_ffffn));
  w.u32(octets.length);
  w.u32(octets.length);
  w.octets(octets);
  w.zeros(padded(octets.length) - octets.length);
  return closed(w);
}

/** A pcapng file, or a pcap file with micro- or nanoseconds, of either byte order. */
export function parseCapture(bytes: Uint8Array): Parsed<Capture> {
  if (bytes.length < 4) return refused('truncated', bytes.length);
  const magic = viewOf(bytes).getUint32(0);
  if (magic === SECTION_HEADER) return parsePcapng(bytes);
  for (const [known, littleEndian, resolution] of PCAP_MAGIC) {
    if (magic === known) return parsePcap(bytes, littleEndian, resolution);
  }
  return refused('bad-value', 0);
}

/** Magic number, little-endian, nanoseconds per unit of the fraction. */
const PCAP_MAGIC = [
  [0xa1b2_c3d4, false, 1000n],
  [0xd4c3_b2a1, true, 1000n],
  [0xa1b2_3c4d, false, 1n],
  [0x4d3c_b2a1, true, 1n],
] as const;
const PCAP_HEADER_LENGTH = 24;
const PCAP_RECORD_LENGTH = 16;

function parsePcap(bytes: Uint8Array, littleEndian: boolean, resolution: bigint): Parsed<Capture> {
  if (bytes.length < PCAP_HEADER_LENGTH) return refused('truncated', bytes.length);
  const view = viewOf(bytes);
  const u32 = (at: number): number => view.getUint32(at, littleEndian);
  const port: CaptureInterface = { linkType: u32(20) & 0x0fff_ffff }; // the bits above tell of frame check sequences
  const packets: CapturedPacket[] = [];
  for (let at = PCAP_HEADER_LENGTH; at < bytes.length;) {
    const start = at + PCAP_RECORD_LENGTH;
    if (start > bytes.length) return damaged(packets, 'truncated', at);
    const end = start + u32(at + 8);
    if (end > bytes.length) return damaged(packets, 'truncated', at + 8);
    const time = BigInt(u32(at)) * 1_000_000_000n + BigInt(u32(at + 4)) * resolution;
    packets.push({ interface: port, time, octets: bytes.subarray(start, end), originalLength: u32(at + 12) });
    at = end;
  }
  return { ok: true, value: { packets } };
}

/** An interface with what its packets' time stamps mean. */
interface Described {
  readonly port: CaptureInterface;
  readonly snapLength: number;
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
}

function parsePcapng(bytes: Uint8Array): Parsed<Capture> {
  const view = viewOf(bytes);
  const packets: CapturedPacket[] = [];
  let littleEndian = false;
  let interfaces: Described[] = [];
  const u32 = (at: number): number => view.getUint32(at, littleEndian);
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    if (at + BLOCK_OVERHEAD > bytes.length) return damaged(packets, 'truncated', at);
    if (view.getUint32(at) === SECTION_HEADER) {
      littleEndian = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
      if (u32(at + 8) !== BYTE_ORDER_MAGIC) return damaged(packets, 'bad-value', at + 8);
      interfaces = []; // §4.1: each section numbers its own
    }
    const length = u32(at + 4);
    end = at + length;
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) return damaged(packets, 'bad-length', at + 4);
    if (end > bytes.length) return damaged(packets, 'truncated', at + 4);
    if (u32(end - 4) !== length) return damaged(packets, 'bad-length', end - 4);
    const body = new DataView(bytes.buffer, bytes.byteOffset + at + 8, length - BLOCK_OVERHEAD);
    switch (u32(at)) {
      case INTERFACE_DESCRIPTION:
        if (body.byteLength < 8) return damaged(packets, 'truncated', at);
        interfaces.push(describe(body, littleEndian));
        break;
      case ENHANCED_PACKET:
      case OBSOLETE_PACKET:
      case SIMPLE_PACKET: {
        const packet =
          u32(at) === SIMPLE_PACKET
            ? simple(body, littleEndian, interfaces)
            : enhanced(body, littleEndian, interfaces, u32(at));
        if (packet === undefined) return damaged(packets, 'bad-value', at + 8);
        packets.push(packet);
        break;
      }
      default: // §3.1: blocks of other types are passed over
    }
  }
  return { ok: true, value: { packets } };
}

/** §4.3; Appendix A: the block that it replaced has 16 bits of interface and a count of drops in the place of 32 bits. */
function enhanced(
  body: DataView,
  littleEndian: boolean,
  interfaces: readonly Described[],
  type: number,
): CapturedPacket | undefined {
  if (body.byteLength < 20) return undefined;
  const u32 = (at: number): bigint => BigInt(body.getUint32(at, littleEndian));
  const number = type === OBSOLETE_PACKET ? body.getUint16(0, littleEndian) : body.getUint32(0, littleEndian);
  const described = interfaces[number];
  const captured = body.getUint32(12, littleEndian);
  if (described === undefined || 20 + captured > body.byteLength) return undefined;
  const units = (u32(4) << 32n) | u32(8);
  return {
    interface: described.port,
    time: (units * 1_000_000_000n) / described.unitsPerSecond + described.offsetSeconds * 1_000_000_000n,
    octets: octetsOf(body, 20, captured),
    originalLength: body.getUint32(16, littleEndian),
  };
}

/** §4.4: no time, and always of the first interface. */
function simple(body: DataView, littleEndian: boolean, [described]: readonly Described[]): CapturedPacket | undefined {
  if (described === undefined || body.byteLength < 4) return undefined;
  const originalLength = body.getUint32(0, littleEndian);
  const captured = described.snapLength === 0 ? originalLength : Math.min(originalLength, described.snapLength);
  if (4 + captured > body.byteLength) return undefined;
  return { interface: described.port, time: 0n, octets: octetsOf(body, 4, captured), originalLength };
}

function describe(body: DataView, littleEndian: boolean): Described {
  const linkType = body.getUint16(0, littleEndian);
  const snapLength = body.getUint32(4, littleEndian);
  let port: CaptureInterface = { linkType };
  let unitsPerSecond = 1_000_000n; // §4.2: microseconds unless told otherwise
  let offsetSeconds = 0n;
  for (let at = 8; at + 4 <= body.byteLength;) {
    const code = body.getUint16(at, littleEndian);
    const length = body.getUint16(at + 2, littleEndian);
    const value = at + 4;
    if (code === OPTION_END || value + length > body.byteLength) break;
    if (code === IF_NAME) port = { linkType, name: String.fromCharCode(...octetsOf(body, value, length)) };
    if (code === IF_TSRESOL && length === 1) unitsPerSecond = unitsOf(body.getUint8(value));
    if (code === IF_TSOFFSET && length === 8) offsetSeconds = body.getBigInt64(value, littleEndian);
    at = value + padded(length);
  }
  return { port, snapLength, unitsPerSecond, offsetSeconds };
}

/** if_tsresol: a negative power of 10, or of 2 when the top bit is set. */
function unitsOf(resolution: number): bigint {
  return (resolution & 0x80) === 0 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution & 0x7f);
}

/** A block of `length` octets of body, which `closed` ends. */
function block(type: number, length: number): Writer {
  const w = new Writer(BLOCK_OVERHEAD + length);
  w.u32(type);
  w.u32(BLOCK_OVERHEAD + length);
  return w;
}

function closed(w: Writer): Uint8Array {
  w.u32(w.bytes.length);
  return w.finish();
}

/** Interface names are ASCII; anything else becomes a question mark. */
function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => (/[ -~]/.test(character) ? character.charCodeAt(0) : 0x3f));
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function octetsOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}

function refused(reason: Reason, at: number): Refused {
  return { ok: false, reason, at };
}

/** Nothing was readable: a refusal. Otherwise the packets so far. */
function damaged(packets: readonly CapturedPacket[], reason: Reason, at: number): Parsed<Capture> {
  return packets.length === 0 ? refused(reason, at) : { ok: true, value: { packets, damage: refused(reason, at) } };
}
