import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import {
  DESTINATION_ADDRESS_AT,
  IPV6_HEADER_LENGTH,
  IPV6_MINIMUM_MTU,
  NEXT_HEADER_AT,
  PAYLOAD_LENGTH_AT,
  SHIM6,
  shimPosition,
  SOURCE_ADDRESS_AT,
} from '../wire/ipv6.ts';
import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { completeChecksum } from './fragments.ts';
import {
  CHECKSUM_OFFSET,
  CHECKSUM_START,
  DESTINATION_AT,
  FIELDS,
  GSO_SIZE,
  HOP_LIMIT,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
  TRAFFIC_CLASS,
} from './ports.ts';
import type { Batch } from './ports.ts';

/** RFC 5533 §5.2: the payload extension header is always 8 octets. */
const PAYLOAD_HEADER_LENGTH = 8;
/** A path with a smaller MTU cannot carry every packet that a program may send, with a payload header. */
const NARROW = IPV6_MINIMUM_MTU + PAYLOAD_HEADER_LENGTH;
const TCP_OFFSET_AT = 12; // RFC 9293 §3.1: length of the header, in the upper four bits

/** What the fast path knows of one context. The host writes it, packets only count in it. */
export interface Flow {
  readonly ulids: LocatorPair;
  readonly tagLocal: number;
  /** RFC 5533 §4.2: only tagged packets belong to a forked context. */
  readonly isForked?: boolean;
  /** Tag that the peer wants to see; `undefined` before it is known: then nothing is rewritten. */
  tagPeer: number | undefined;
  /** Pair for what we send. */
  pair: LocatorPair;
  /** Of the path that `pair` takes, once a router has told it; at least 1280. */
  mtu?: number | undefined;
  /** RFC 5533 §12.2: whether tagged packets may be delivered in the context's present state. */
  delivers: boolean;
  /** Pair on which the last tagged packet came. */
  heardOn: LocatorPair | undefined;
  /** Its context explores in vain: programs are to be told. */
  isStuck?: boolean;
  sent: number;
  heard: number;
}

/** A tagged packet that found no context (RFC 5533 §7.17), or a control message: for the host. */
export interface Aside {
  readonly source: Address;
  readonly destination: Address;
  readonly hopLimit: number;
  readonly octets: Uint8Array;
}

/** What becomes of outgoing packets that cannot simply be sent; all are copies. */
export interface OutboundAsides {
  /** It has to be fragmented. */
  tooLong(packet: Uint8Array, mtu: number, socket: number): void;
  /** It waits for a context, or belongs to one that is stuck: as the program sent it. */
  held(packet: Uint8Array): void;
}

const NOWHERE: OutboundAsides = { tooLong: () => undefined, held: () => undefined };

/** Rewrites packets in place between identifiers and locators, RFC 5533 §11 and §12.2. Allocates nothing per packet. */
export class FastPath {
  readonly #byUlids = new Map<string, Flow>();
  readonly #byTag = new Map<number, Flow>();
  readonly #touched = new Set<Flow>();
  readonly #held = new Set<string>();

  add(flow: Flow): void {
    if (flow.isForked !== true) this.#byUlids.set(addressKey(flow.ulids.local) + addressKey(flow.ulids.peer), flow);
    this.#byTag.set(flow.tagLocal, flow);
  }

  remove(flow: Flow): void {
    if (flow.isForked !== true) this.#byUlids.delete(addressKey(flow.ulids.local) + addressKey(flow.ulids.peer));
    this.#byTag.delete(flow.tagLocal);
    this.#touched.delete(flow);
  }

  /** Put packets between these aside while no context carries them, or no longer. */
  hold(ulids: LocatorPair, on: boolean): void {
    if (on) this.#held.add(pairKey(ulids));
    else this.#held.delete(pairKey(ulids));
  }

  /** Flows that carried packets since the last call. */
  takeTouched(): Flow[] {
    if (this.#touched.size === 0) return [];
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  /**
   * Prepare packets read from the TUN device for sending (RFC 5533 §11): the pair of the context, and the payload header
   * when it is not the ULID pair. `descriptor` gives the socket for a source locator, -1 for none.
   */
  outbound(
    batch: Batch,
    count: number,
    descriptor: (locator: Address) => number,
    asides: OutboundAsides = NOWHERE,
  ): void {
    const { slab, meta } = batch;
    let flow: Flow | undefined;
    let socket = -1;
    let isHeld = false;
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const start = meta[row + OFFSET] ?? 0;
      const length = meta[row + LENGTH] ?? 0;
      if (length < IPV6_HEADER_LENGTH || (slab[start] ?? 0) >> 4 !== 6) {
        meta[row + SOCKET] = -1;
        continue;
      }
      const from = start + SOURCE_ADDRESS_AT;
      if (flow === undefined || !carries(slab, from, flow)) {
        const source = slab.slice(from, from + 16);
        const destination = slab.slice(from + 16, from + 32);
        flow = this.#byUlids.get(addressKey(source) + addressKey(destination));
        socket = descriptor(flow?.tagPeer === undefined ? source : flow.pair.local);
        const waits = flow?.tagPeer === undefined && this.#held.size > 0;
        isHeld = waits && this.#held.has(pairKey({ local: source, peer: destination }));
      }
      if (isHeld || flow?.isStuck === true) {
        const packet = copied(batch, row);
        if (packet !== undefined) asides.held(packet);
        if (isHeld) {
          meta[row + SOCKET] = -1;
          continue;
        }
      }
      meta[row + SOCKET] = socket;
      if (flow?.tagPeer === undefined) continue;
      flow.sent++;
      this.#touched.add(flow);
      if (!samePair(flow.pair, flow.ulids) && !tag(batch, row, start, length, flow, flow.tagPeer)) {
        meta[row + SOCKET] = -1;
      } else if (flow.mtu !== undefined && flow.mtu < NARROW && (meta[row + LENGTH] ?? 0) > flow.mtu) {
        const packet = fit(batch, row, flow.mtu);
        if (packet !== undefined) asides.tooLong(packet, flow.mtu, socket);
      }
    }
  }

  /**
   * Restore tagged packets (RFC 5533 §12.2) and move them to the front of the batch; returns how many are to be written
   * to the TUN device. Everything else is given to `aside`, copied.
   */
  inbound(batch: Batch, count: number, aside: (packet: Aside) => void): number {
    const { slab, meta, stride } = batch;
    let ready = 0;
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const start = meta[row + OFFSET] ?? 0;
      const length = meta[row + LENGTH] ?? 0;
      const base = slot * stride;
      const flow = length > PAYLOAD_HEADER_LENGTH ? this.#taggedFlow(slab, start) : undefined;
      if (flow === undefined) {
        aside(asideAt(batch, slot));
        continue;
      }
      flow.heard++;
      this.#touched.add(flow);
      noteArrival(flow, slab, base);
      restore(batch, row, start, length, flow);
      const to = ready++ * FIELDS;
      if (to !== row) {
        meta[to + OFFSET] = meta[row + OFFSET] ?? 0;
        meta[to + LENGTH] = meta[row + LENGTH] ?? 0;
        meta[to + CHECKSUM_START] = 0;
        meta[to + GSO_SIZE] = 0;
      }
    }
    return ready;
  }

  /** P bit set and Hdr Ext Len 0, a known tag, and a state that delivers. */
  #taggedFlow(slab: Uint8Array, at: number): Flow | undefined {
    if ((slab[at + 2] ?? 0) < 0x80 || slab[at + 1] !== 0) return undefined;
    let value = (slab[at + 2] ?? 0) & 0x7f;
    for (let i = 3; i < 8; i++) value = value * 256 + (slab[at + i] ?? 0);
    const flow = this.#byTag.get(value);
    return flow?.delivers === true ? flow : undefined;
  }
}

/** A received packet, copied. */
export function asideAt({ slab, meta, stride }: Batch, slot: number): Aside {
  const base = slot * stride;
  const start = meta[slot * FIELDS + OFFSET] ?? 0;
  return {
    source: slab.slice(base + SOURCE_AT, base + SOURCE_AT + 16),
    destination: slab.slice(base + DESTINATION_AT, base + DESTINATION_AT + 16),
    hopLimit: meta[slot * FIELDS + HOP_LIMIT] ?? 0,
    octets: slab.slice(start, start + (meta[slot * FIELDS + LENGTH] ?? 0)),
  };
}

/** Whether source and destination at `at` are the identifiers of `flow`. */
function carries(slab: Uint8Array, at: number, flow: Flow): boolean {
  return octetsAt(slab, at + 16, flow.ulids.peer) && octetsAt(slab, at, flow.ulids.local);
}

/** RFC 5533 §11.1: insert the payload header, put the locators in; upper-layer checksums stay as they are. */
function tag(batch: Batch, row: number, start: number, length: number, flow: Flow, tagPeer: number): boolean {
  const { slab, meta } = batch;
  const position = shimPosition(slab, start, start + length);
  if (position === undefined) return false;
  const to = start - PAYLOAD_HEADER_LENGTH;
  slab.copyWithin(to, start, start + position.at);
  const shim = to + position.at;
  slab[shim] = slab[to + position.nextHeaderAt] ?? 0;
  slab[to + position.nextHeaderAt] = SHIM6;
  slab[shim + 1] = 0;
  const high = Math.floor(tagPeer / 0x1_0000_0000);
  slab[shim + 2] = 0x80 | (high >>> 8);
  slab[shim + 3] = high & 0xff;
  slab[shim + 4] = (tagPeer / 0x100_0000) & 0xff;
  slab[shim + 5] = (tagPeer >>> 16) & 0xff;
  slab[shim + 6] = (tagPeer >>> 8) & 0xff;
  slab[shim + 7] = tagPeer & 0xff;
  const payloadLength = length + PAYLOAD_HEADER_LENGTH - IPV6_HEADER_LENGTH;
  slab[to + PAYLOAD_LENGTH_AT] = (payloadLength >>> 8) & 0xff;
  slab[to + PAYLOAD_LENGTH_AT + 1] = payloadLength & 0xff;
  slab.set(flow.pair.local, to + SOURCE_ADDRESS_AT);
  slab.set(flow.pair.peer, to + DESTINATION_ADDRESS_AT);
  meta[row + OFFSET] = to;
  meta[row + LENGTH] = length + PAYLOAD_HEADER_LENGTH;
  const sumFrom = meta[row + CHECKSUM_START] ?? 0;
  if (sumFrom > 0) meta[row + CHECKSUM_START] = sumFrom + PAYLOAD_HEADER_LENGTH;
  return true;
}

/**
 * A tagged packet on a path that cannot carry 1280 octets and a payload header: TCP super-packets get smaller segments; what
 * a program may send on any IPv6 link (RFC 8200 §5) is returned, to be fragmented; about what is longer, a router complains.
 */
function fit(batch: Batch, row: number, mtu: number): Uint8Array | undefined {
  const { slab, meta } = batch;
  const start = meta[row + OFFSET] ?? 0;
  const length = meta[row + LENGTH] ?? 0;
  const sumFrom = meta[row + CHECKSUM_START] ?? 0;
  const size = meta[row + GSO_SIZE] ?? 0;
  if (size > 0) {
    const headers = sumFrom + ((slab[start + sumFrom + TCP_OFFSET_AT] ?? 0) >> 4) * 4;
    if (headers < mtu) meta[row + GSO_SIZE] = Math.min(size, mtu - headers);
    return undefined;
  }
  if (length - PAYLOAD_HEADER_LENGTH > IPV6_MINIMUM_MTU) return undefined;
  meta[row + SOCKET] = -1;
  return copied(batch, row);
}

/** One packet with its checksum finished; `undefined` for a super-packet. */
function copied({ slab, meta }: Batch, row: number): Uint8Array | undefined {
  if ((meta[row + GSO_SIZE] ?? 0) > 0) return undefined;
  const start = meta[row + OFFSET] ?? 0;
  const packet = slab.slice(start, start + (meta[row + LENGTH] ?? 0));
  const sumFrom = meta[row + CHECKSUM_START] ?? 0;
  if (sumFrom > 0) completeChecksum(packet, sumFrom, meta[row + CHECKSUM_OFFSET] ?? 0);
  return packet;
}

/** RFC 5533 §12.2: an IPv6 header with the identifiers grows over the payload header, into the headroom. */
function restore(batch: Batch, row: number, start: number, length: number, flow: Flow): void {
  const { slab, meta } = batch;
  const nextHeader = slab[start] ?? 0;
  const payloadLength = length - PAYLOAD_HEADER_LENGTH;
  const to = start + PAYLOAD_HEADER_LENGTH - IPV6_HEADER_LENGTH;
  const trafficClass = meta[row + TRAFFIC_CLASS] ?? 0;
  slab[to] = 0x60 | (trafficClass >> 4);
  slab[to + 1] = (trafficClass & 0xf) << 4;
  slab[to + 2] = 0;
  slab[to + 3] = 0;
  slab[to + PAYLOAD_LENGTH_AT] = payloadLength >>> 8;
  slab[to + PAYLOAD_LENGTH_AT + 1] = payloadLength & 0xff;
  slab[to + NEXT_HEADER_AT] = nextHeader;
  slab[to + 7] = meta[row + HOP_LIMIT] ?? 0;
  slab.set(flow.ulids.peer, to + SOURCE_ADDRESS_AT);
  slab.set(flow.ulids.local, to + DESTINATION_ADDRESS_AT);
  meta[row + OFFSET] = to;
  meta[row + LENGTH] = payloadLength + IPV6_HEADER_LENGTH;
  meta[row + CHECKSUM_START] = 0;
  meta[row + GSO_SIZE] = 0;
}

/** Keep the pair on which the peer sends now; a new object only when it changes. */
export function noteArrival(flow: Pick<Flow, 'heardOn'>, slab: Uint8Array, base: number): void {
  const on = flow.heardOn;
  if (
    on !== undefined &&
    octetsAt(slab, base + DESTINATION_AT, on.local) &&
    octetsAt(slab, base + SOURCE_AT, on.peer)
  ) {
    return;
  }
  flow.heardOn = {
    local: slab.slice(base + DESTINATION_AT, base + DESTINATION_AT + 16),
    peer: slab.slice(base + SOURCE_AT, base + SOURCE_AT + 16),
  };
}

function octetsAt(slab: Uint8Array, at: number, octets: Uint8Array): boolean {
  for (let i = 0; i < octets.length; i++) if (slab[at + i] !== octets[i]) return false;
  return true;
}
