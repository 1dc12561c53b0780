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
  TRAFFIC_CLASS,
} from '../host/ports.ts';
import type { Batch, PacketReceiver, PacketSender, Tun } from '../host/ports.ts';
import { ADDRESS_LENGTH, addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { completeChecksum, segments } from './segments.ts';

const IPV6_HEADER_LENGTH = 40;
const EBADF = 9;
const EINVAL = 22;
const EADDRNOTAVAIL = 99;

/** What a packet on its way into a TUN device leaves to be done. */
export interface Offload {
  readonly gsoSize: number; // 0: one packet
  readonly checksumStart: number; // 0: the checksum is complete
  readonly checksumOffset: number;
}

const NO_OFFLOAD: Offload = { gsoSize: 0, checksumStart: 0, checksumOffset: 0 };

/** Packets waiting to be read; calls back as level-triggered polling does, but at once. */
class Arrivals<T> {
  readonly #waiting: T[] = [];
  #callback: (() => void) | undefined;
  #calling = false;
  #closed = false;

  push(item: T): void {
    if (this.#closed) return;
    this.#waiting.push(item);
    this.#call();
  }

  shift(): T | undefined {
    return this.#waiting.shift();
  }

  onReadable(callback: () => void): void {
    if (this.#closed) return;
    this.#callback = callback;
    this.#call();
  }

  close(): void {
    this.#closed = true;
    this.#callback = undefined;
    this.#waiting.length = 0;
  }

  /** Again while the reader leaves something, until it takes nothing any more. */
  #call(): void {
    if (this.#calling) return; // what arrives meanwhile is seen by the loop below
    this.#calling = true;
    try {
      let before = Number.POSITIVE_INFINITY;
      while (this.#callback !== undefined && this.#waiting.length > 0 && this.#waiting.length !== before) {
        before = this.#waiting.length;
        this.#callback();
      }
    } finally {
      this.#calling = false;
    }
  }
}

/** A TUN device whose kernel is the caller: `inject` is the kernel routing into it, `deliver` gets what is written to it. */
export class MemoryTun implements Tun {
  readonly name: string;
  readonly index: number;
  readonly #deliver: (packet: Uint8Array, offload: Offload) => void;
  readonly #arrivals = new Arrivals<{ readonly packet: Uint8Array; readonly offload: Offload }>();
  #dropped = 0;
  #open = true;

  constructor(name: string, index: number, deliver: (packet: Uint8Array, offload: Offload) => void) {
    this.name = name;
    this.index = index;
    this.#deliver = deliver;
  }

  /** Packets dropped because they did not fit their slot. */
  get dropped(): number {
    return this.#dropped;
  }

  inject(packet: Uint8Array, offload: Offload = NO_OFFLOAD): void {
    this.#arrivals.push({ packet: packet.slice(), offload });
  }

  read(into: Batch): number {
    let slot = 0;
    while (slot < into.slots) {
      const arrival = this.#arrivals.shift();
      if (arrival === undefined) break;
      const { packet, offload } = arrival;
      if (!place(into, slot, packet)) {
        this.#dropped++;
        continue;
      }
      const row = slot * FIELDS;
      into.meta[row + GSO_SIZE] = offload.gsoSize;
      into.meta[row + CHECKSUM_START] = offload.checksumStart;
      into.meta[row + CHECKSUM_OFFSET] = offload.checksumOffset;
      slot++;
    }
    return slot;
  }

  write(from: Batch, count: number): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    let accepted = 0;
    for (let slot = 0; slot < count && this.#open; slot++) {
      const packet = packetAt(from, slot)?.slice();
      if (packet === undefined) continue;
      const row = slot * FIELDS;
      this.#deliver(packet, {
        gsoSize: from.meta[row + GSO_SIZE] ?? 0,
        checksumStart: from.meta[row + CHECKSUM_START] ?? 0,
        checksumOffset: from.meta[row + CHECKSUM_OFFSET] ?? 0,
      });
      accepted++;
    }
    return accepted;
  }

  onReadable(callback: () => void): void {
    this.#arrivals.onReadable(callback);
  }

  close(): void {
    this.#open = false;
    this.#arrivals.close();
  }
}

/** A raw socket for one protocol: `arrive` is the network. */
export class MemoryReceiver implements PacketReceiver {
  readonly #protocol: number;
  readonly #arrivals = new Arrivals<{ readonly packet: Uint8Array; readonly interfaceIndex: number }>();
  #dropped = 0;

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  /** Packets dropped because they did not fit their slot. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A whole IPv6 packet has come in; false when it is not of this socket's protocol. */
  arrive(packet: Uint8Array, interfaceIndex: number): boolean {
    if (packet.length < IPV6_HEADER_LENGTH || packet[6] !== this.#protocol) return false;
    this.#arrivals.push({ packet: packet.slice(), interfaceIndex });
    return true;
  }

  receive(into: Batch): number {
    let slot = 0;
    while (slot < into.slots) {
      const arrival = this.#arrivals.shift();
      if (arrival === undefined) break;
      const { packet, interfaceIndex } = arrival;
      if (!place(into, slot, packet.subarray(IPV6_HEADER_LENGTH))) {
        this.#dropped++;
        continue;
      }
      const row = slot * FIELDS;
      into.meta.fill(0, row + GSO_SIZE, row + FLAGS);
      into.meta[row + INTERFACE] = interfaceIndex;
      into.meta[row + HOP_LIMIT] = packet[7] ?? 0;
      into.meta[row + TRAFFIC_CLASS] = (((packet[0] ?? 0) << 4) & 0xf0) | ((packet[1] ?? 0) >> 4);
      into.slab.set(packet.subarray(8, 8 + ADDRESS_LENGTH), slot * into.stride + SOURCE_AT);
      into.slab.set(packet.subarray(24, 24 + ADDRESS_LENGTH), slot * into.stride + DESTINATION_AT);
      slot++;
    }
    return slot;
  }

  onReadable(callback: () => void): void {
    this.#arrivals.onReadable(callback);
  }

  close(): void {
    this.#arrivals.close();
  }
}

/** The network under a `MemorySender`. */
export interface Wire {
  /** Whether the host has this address now. */
  has(locator: Address): boolean;
  /** Take a packet sent from a socket bound to `locator`; 0, or the errno that the kernel would give. */
  transmit(packet: Uint8Array, locator: Address): number;
}

/** Raw sockets that send into a `Wire`. */
export class MemorySender implements PacketSender {
  readonly #wire: Wire;
  readonly #descriptors = new Map<string, number>();
  readonly #locators = new Map<number, Address>();
  #next = 1;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  descriptor(locator: Address): number {
    const key = addressKey(locator);
    const known = this.#descriptors.get(key);
    if (known !== undefined) return known;
    if (!this.#wire.has(locator)) return -1;
    const descriptor = this.#next++;
    this.#descriptors.set(key, descriptor);
    this.#locators.set(descriptor, locator.slice());
    return descriptor;
  }

  release(locator: Address): void {
    const key = addressKey(locator);
    this.#locators.delete(this.#descriptors.get(key) ?? -1);
    this.#descriptors.delete(key);
  }

  send(from: Batch, count: number): void {
    if (count > from.slots) throw new RangeError('more packets than slots');
    for (let slot = 0; slot < count; slot++) from.meta[slot * FIELDS + ERROR] = this.#sendSlot(from, slot);
  }

  close(): void {
    this.#descriptors.clear();
    this.#locators.clear();
  }

  #sendSlot(from: Batch, slot: number): number {
    const row = slot * FIELDS;
    const socket = from.meta[row + SOCKET] ?? -1;
    if (socket < 0) return EADDRNOTAVAIL;
    const locator = this.#locators.get(socket);
    if (locator === undefined) return EBADF;
    const packet = packetAt(from, slot);
    if (packet === undefined || packet.length < IPV6_HEADER_LENGTH || (packet[0] ?? 0) >> 4 !== 6) return EINVAL;
    const gsoSize = from.meta[row + GSO_SIZE] ?? 0;
    const start = from.meta[row + CHECKSUM_START] ?? 0;
    const offset = from.meta[row + CHECKSUM_OFFSET] ?? 0;
    if (gsoSize > 0) {
      const parts = start === 0 ? train(packet, gsoSize) : segments(packet, gsoSize, start, offset);
      if (parts === undefined) return EINVAL;
      for (const part of parts) {
        const error = this.#wire.transmit(part, locator);
        if (error !== 0) return error;
      }
      return 0;
    }
    if (start > 0) {
      if (!completeChecksum(packet, start, offset)) return EINVAL;
      from.meta[row + CHECKSUM_START] = 0;
    }
    return this.#wire.transmit(packet.slice(), locator);
  }
}

/** Packets of the same length, back to back; the last may be shorter. */
function train(octets: Uint8Array, size: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += size) packets.push(octets.slice(at, at + size));
  return packets;
}

function place(into: Batch, slot: number, packet: Uint8Array): boolean {
  if (packet.length > into.stride - HEADROOM) return false;
  const offset = slot * into.stride + HEADROOM;
  into.slab.set(packet, offset);
  into.meta[slot * FIELDS + OFFSET] = offset;
  into.meta[slot * FIELDS + LENGTH] = packet.length;
  return true;
}

function packetAt(from: Batch, slot: number): Uint8Array | undefined {
  const offset = from.meta[slot * FIELDS + OFFSET] ?? -1;
  const length = from.meta[slot * FIELDS + LENGTH] ?? -1;
  if (offset < 0 || length < 0 || offset + length > from.slab.length) return undefined;
  return from.slab.subarray(offset, offset + length);
}
