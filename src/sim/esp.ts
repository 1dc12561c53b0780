import type { Random } from '../crypto/ports.ts';
import { withInnerHeader, withoutInnerHeader } from '../esp/beet.ts';
import { InboundAssociation, OutboundAssociation } from '../esp/security-association.ts';
import type { EspRefusal, SecurityAssociation } from '../esp/security-association.ts';
import { HIP_MARKER_LENGTH } from '../esp/udp-encapsulation.ts';
import { CONTROL, UNKNOWN_SPI } from '../host/esp-ports.ts';
import type { Esp, EspCarrier, EspCounters, EspPath } from '../host/esp-ports.ts';
import {
  CHECKSUM_OFFSET,
  CHECKSUM_START,
  DESTINATION_AT,
  ERROR,
  FIELDS,
  FLAGS,
  GSO_SIZE,
  HEADROOM,
  HOP_LIMIT,
  INTERFACE,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
  SPARE,
  TRAFFIC_CLASS,
} from '../host/ports.ts';
import type { Batch } from '../host/ports.ts';
import { writeIpv6Header } from '../wire/ipv6.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import { completeChecksum, segments } from './segments.ts';

const EPERM = 1;
const ENOENT = 2;
const EEXIST = 17;
const EINVAL = 22;
const EOVERFLOW = 75;
const EMSGSIZE = 90;
const ENOBUFS = 105;

const ESP = 50;
const IPV4_HEADER_LENGTH = 20;
const TRAIN_DATAGRAMS = 64;
const TRAIN_OCTETS = 65_000;

type Counts = { -readonly [Name in Exclude<keyof EspCounters, 'sequence'>]: EspCounters[Name] };

interface Outbound {
  readonly sa: SecurityAssociation;
  readonly association: OutboundAssociation;
  readonly counts: Counts;
  path: EspPath | undefined;
}

interface Inbound {
  readonly sa: SecurityAssociation;
  readonly association: InboundAssociation;
  readonly counts: Counts;
}

/** Which counter a refusal belongs to. */
const COUNTED = {
  malformed: 'malformed',
  replay: 'replayed',
  integrity: 'forged',
  padding: 'padding',
  dummy: 'dummies',
} as const satisfies Record<EspRefusal, keyof Counts>;

/** ESP in memory, by the portable code: the twin of the addon's. */
export class MemoryEsp implements Esp {
  readonly #random: Random;
  readonly #outbound = new Map<number, Outbound>();
  readonly #inbound = new Map<number, Inbound>();
  readonly #bySpi = new Map<number, number>();
  #next = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  addInbound(sa: SecurityAssociation): number {
    if (this.#bySpi.has(sa.spi)) throw new EspError(EEXIST);
    this.#inbound.set(this.#next, { sa, association: new InboundAssociation(sa), counts: noCounts() });
    this.#bySpi.set(sa.spi, this.#next);
    return this.#next++;
  }

  addOutbound(sa: SecurityAssociation): number {
    const association = new OutboundAssociation(sa, this.#random);
    this.#outbound.set(this.#next, { sa, association, counts: noCounts(), path: undefined });
    return this.#next++;
  }

  setPath(outbound: number, path: EspPath): void {
    const found = this.#outbound.get(outbound);
    if (found === undefined) throw new EspError(ENOENT);
    found.path = path;
  }

  remove(handle: number): void {
    const { sa, association } = this.#find(handle);
    association.close();
    if (this.#bySpi.get(sa.spi) === handle) this.#bySpi.delete(sa.spi);
    this.#inbound.delete(handle);
    this.#outbound.delete(handle);
  }

  counters(handle: number): EspCounters {
    const { association, counts } = this.#find(handle);
    return { ...counts, sequence: association.sequence };
  }

  seal(from: Batch, count: number, into: Batch): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    const trains = new Trains(into);
    for (let slot = 0; slot < count; slot++) {
      const handle = from.meta[slot * FIELDS + FLAGS] ?? -1;
      if (handle < 0) continue;
      const outbound = this.#outbound.get(handle);
      from.meta[slot * FIELDS + ERROR] =
        outbound === undefined ? ENOENT : sealSlot(from, slot, handle, outbound, trains);
    }
    return trains.filled;
  }

  open(from: Batch, count: number, into: Batch, carrier: EspCarrier): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    let filled = 0;
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      for (let length = from.meta[row + LENGTH] ?? 0; length > 0; length = from.meta[row + LENGTH] ?? 0) {
        if (filled === into.slots) return filled;
        const size = from.meta[row + GSO_SIZE] ?? 0;
        const part = size > 0 && size < length ? size : length;
        const at = from.meta[row + OFFSET] ?? 0;
        from.meta[row + OFFSET] = at + part;
        from.meta[row + LENGTH] = length - part;
        const outer = { hopLimit: from.meta[row + HOP_LIMIT] ?? 0, trafficClass: from.meta[row + TRAFFIC_CLASS] ?? 0 };
        const taken = this.#take(from.slab.slice(at, at + part), carrier, outer, into.stride - HEADROOM);
        if (taken !== undefined) arrive(from, slot, into, filled++, taken, carrier);
      }
    }
    return filled;
  }

  #take(
    packet: Uint8Array,
    carrier: EspCarrier,
    outer: { readonly hopLimit: number; readonly trafficClass: number },
    room: number,
  ): Taken | undefined {
    if (packet.length < 8) return undefined;
    const spi = new Reader(packet.subarray(0, 4)).u32();
    const flags = this.#bySpi.get(spi);
    const inbound = flags === undefined ? undefined : this.#inbound.get(flags);
    if (flags === undefined || inbound === undefined) {
      if (spi !== 0 || carrier === 'raw') return { flags: UNKNOWN_SPI, octets: packet.subarray(0, room) };
      const octets = packet.subarray(HIP_MARKER_LENGTH);
      return octets.length > room ? undefined : { flags: CONTROL, octets };
    }
    const { association, counts, sa } = inbound;
    const opened = association.open(packet);
    if (!opened.ok) {
      counts[COUNTED[opened.reason]]++;
      return undefined;
    }
    counts.packets++;
    counts.octets += opened.payload.length;
    return { flags, octets: withInnerHeader(opened, { source: sa.source, destination: sa.destination }, outer) };
  }

  #find(handle: number): Outbound | Inbound {
    const found = this.#outbound.get(handle) ?? this.#inbound.get(handle);
    if (found === undefined) throw new EspError(ENOENT);
    return found;
  }
}

/** A caller's mistake, with the errno that the addon would give. */
class EspError extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`a security association: errno ${String(errno)}`);
    this.errno = errno;
  }
}

interface Taken {
  readonly flags: number;
  readonly octets: Uint8Array;
}

function arrive(
  from: Batch,
  slot: number,
  into: Batch,
  to: number,
  { flags, octets }: Taken,
  carrier: EspCarrier,
): void {
  const row = to * FIELDS;
  const base = to * into.stride;
  into.meta.fill(0, row, row + FIELDS);
  into.slab.set(from.slab.subarray(slot * from.stride, slot * from.stride + 32), base);
  into.slab.set(octets, base + HEADROOM);
  into.meta[row + OFFSET] = base + HEADROOM;
  into.meta[row + LENGTH] = octets.length;
  into.meta[row + FLAGS] = flags;
  for (const column of [INTERFACE, HOP_LIMIT, TRAFFIC_CLASS]) {
    into.meta[row + column] = from.meta[slot * FIELDS + column] ?? 0;
  }
  into.meta[row + SPARE] = carrier === 'udp' ? (from.meta[slot * FIELDS + SPARE] ?? 0) : 0;
}

/** One slot of a program; 0 or an errno. */
function sealSlot(from: Batch, slot: number, handle: number, outbound: Outbound, trains: Trains): number {
  const row = slot * FIELDS;
  const start = from.meta[row + OFFSET] ?? 0;
  const packet = from.slab.subarray(start, start + (from.meta[row + LENGTH] ?? 0));
  const sumFrom = from.meta[row + CHECKSUM_START] ?? 0;
  const sumAt = from.meta[row + CHECKSUM_OFFSET] ?? 0;
  const size = from.meta[row + GSO_SIZE] ?? 0;
  if (packet.length < 40 || (packet[0] ?? 0) >> 4 !== 6) return EINVAL;
  const { sa } = outbound;
  const ends = Uint8Array.of(...sa.source, ...sa.destination);
  if (ends.some((octet, i) => packet[8 + i] !== octet)) return EPERM;
  const parts = size > 0 ? segments(packet, size, sumFrom, sumAt) : [packet];
  if (parts === undefined || (size === 0 && sumFrom > 0 && !completeChecksum(packet, sumFrom, sumAt))) return EINVAL;
  if (size === 0) from.meta[row + CHECKSUM_START] = 0;
  for (const part of parts) {
    const reason = sealPacket(part, handle, outbound, trains);
    if (reason !== 0) return reason;
  }
  return 0;
}

function sealPacket(
  packet: Uint8Array,
  handle: number,
  { sa, association, counts, path }: Outbound,
  trains: Trains,
): number {
  const inner = withoutInnerHeader(packet, sa);
  if (inner === undefined) return EINVAL;
  const esp = association.seal(inner.nextHeader, inner.payload);
  if (esp === undefined) {
    counts.exhausted++;
    return EOVERFLOW;
  }
  const reason = trains.add(handle, path ?? NOWHERE, packet, esp);
  if (reason !== 0) return reason;
  counts.packets++;
  counts.octets += inner.payload.length;
  return 0;
}

const NOWHERE: EspPath = { socket: -1, source: new Uint8Array(16), destination: new Uint8Array(16), port: 0 };

/** Rows of datagrams of one length, the last of each perhaps shorter. */
class Trains {
  readonly #into: Batch;
  #handle = -1;
  #size = 0;
  #count = 0;
  filled = 0;

  constructor(into: Batch) {
    this.#into = into;
  }

  add(handle: number, path: EspPath, inner: Uint8Array, esp: Uint8Array): number {
    const datagram = path.port === 0 ? withOuterHeader(path, inner, esp) : esp;
    const { meta, slab, stride, slots } = this.#into;
    if (datagram.length > stride - HEADROOM) return EMSGSIZE;
    const hopLimit = inner[7] ?? 0;
    const trafficClass = (((inner[0] ?? 0) << 4) & 0xf0) | ((inner[1] ?? 0) >> 4);
    if (!this.#joins(handle, datagram.length, hopLimit, trafficClass)) {
      this.#handle = -1;
      if (this.filled === slots) return ENOBUFS;
      const base = this.filled * stride;
      const row = this.filled++ * FIELDS;
      meta.fill(0, row, row + FIELDS);
      meta[row + OFFSET] = base + HEADROOM;
      meta[row + SOCKET] = path.socket;
      meta[row + HOP_LIMIT] = hopLimit;
      meta[row + TRAFFIC_CLASS] = trafficClass;
      meta[row + FLAGS] = handle;
      meta[row + SPARE] = path.port;
      slab.set(path.source, base + SOURCE_AT);
      slab.set(path.destination, base + DESTINATION_AT);
      [this.#handle, this.#size, this.#count] = [handle, datagram.length, 0];
    }
    const row = (this.filled - 1) * FIELDS;
    slab.set(datagram, (meta[row + OFFSET] ?? 0) + (meta[row + LENGTH] ?? 0));
    meta[row + LENGTH] = (meta[row + LENGTH] ?? 0) + datagram.length;
    if (++this.#count === 2) meta[row + GSO_SIZE] = this.#size;
    return 0;
  }

  #joins(handle: number, size: number, hopLimit: number, trafficClass: number): boolean {
    const { meta, stride } = this.#into;
    const row = (this.filled - 1) * FIELDS;
    const length = meta[row + LENGTH] ?? 0;
    return (
      this.#handle === handle &&
      size <= this.#size &&
      this.#count < TRAIN_DATAGRAMS &&
      length === this.#size * this.#count &&
      length + size <= Math.min(TRAIN_OCTETS, stride - HEADROOM) &&
      meta[row + HOP_LIMIT] === hopLimit &&
      meta[row + TRAFFIC_CLASS] === trafficClass
    );
  }
}

/** RFC 7402 §B.1.5: traffic class and hop limit as inside. For IPv4 the kernel fills in the checksum and an identification. */
function withOuterHeader({ source, destination }: EspPath, inner: Uint8Array, esp: Uint8Array): Uint8Array {
  const trafficClass = (((inner[0] ?? 0) << 4) & 0xf0) | ((inner[1] ?? 0) >> 4);
  const hopLimit = inner[7] ?? 0;
  const isIpv4 = source[10] === 0xff && source[11] === 0xff && source.subarray(0, 10).every((octet) => octet === 0);
  const w = new Writer((isIpv4 ? IPV4_HEADER_LENGTH : 40) + esp.length);
  if (isIpv4) {
    w.octets(Uint8Array.of(0x45, trafficClass));
    w.u16(IPV4_HEADER_LENGTH + esp.length);
    w.octets(Uint8Array.of(0, 0, 0, 0, hopLimit, ESP, 0, 0));
    w.octets(source.subarray(12));
    w.octets(destination.subarray(12));
  } else {
    const header = { trafficClass, flowLabel: 0, payloadLength: esp.length, nextHeader: ESP, hopLimit };
    writeIpv6Header(w, { ...header, source, destination });
  }
  w.octets(esp);
  return w.finish();
}

function noCounts(): Counts {
  return { packets: 0, octets: 0, replayed: 0, forged: 0, malformed: 0, padding: 0, dummies: 0, exhausted: 0 };
}
