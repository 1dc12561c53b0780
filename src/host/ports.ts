/**
 * The ports through which packets enter and leave a host. `node/` implements them with the addon, `sim/` in memory.
 *
 * Packets travel in batches: one slab of octets, one row of metadata per slot, no object per packet.
 * A slot begins at `slot * stride`. `OFFSET` is where the packet starts, counted from the start of the slab, at least
 * `HEADROOM` octets after the start of its slot, so that headers can grow in front of it.
 */
export interface Batch {
  readonly slab: Uint8Array;
  readonly meta: Int32Array;
  readonly slots: number;
  readonly stride: number;
}

/** Octets that every slot keeps free in front of the packet as received. */
export const HEADROOM = 64;

/** Columns of `Batch.meta`; a row has `FIELDS` of them. */
export const FIELDS = 12;
export const OFFSET = 0; // of the packet, from the start of the slab
export const LENGTH = 1; // octets of the packet
export const GSO_SIZE = 2; // payload octets per segment of a TCP super-packet; of a train (no CHECKSUM_START): octets of each packet; 0: one packet
export const CHECKSUM_START = 3; // offset from the packet's start of the octets still to be summed; 0: the checksum is complete
export const CHECKSUM_OFFSET = 4; // where the sum goes, from CHECKSUM_START
export const SOCKET = 5; // send: descriptor of the socket to use; negative: skip this slot
export const ERROR = 6; // after send: errno, 0 when handed to the kernel
export const INTERFACE = 7; // receive: index of the interface of arrival
export const HOP_LIMIT = 8; // receive
export const TRAFFIC_CLASS = 9; // receive
export const FLAGS = 10; // free for the caller
export const SPARE = 11;

/** Where a raw socket leaves the addresses of a received packet: at the start of its slot. */
export const SOURCE_AT = 0;
export const DESTINATION_AT = 16;

export function batch(slots: number, stride: number): Batch {
  return { slab: new Uint8Array(slots * stride), meta: new Int32Array(slots * FIELDS), slots, stride };
}

/** A TUN device. Packets start at their IPv6 header. */
export interface Tun {
  readonly name: string;
  readonly index: number;
  /** Packets that the kernel routed into the device, as many as are there and fit; a TCP super-packet has GSO_SIZE. */
  read(into: Batch): number;
  /** Hand the first `count` slots to the kernel; runs of TCP segments with good checksums may be merged. Returns how many were accepted. */
  write(from: Batch, count: number): number;
  onReadable(callback: () => void): void;
  close(): void;
}

/** All raw packets of one protocol that reach this host, whatever their addresses. Packets start after the IPv6 header. */
export interface PacketReceiver {
  receive(into: Batch): number;
  onReadable(callback: () => void): void;
  close(): void;
}

/** Sends whole IPv6 packets. One descriptor per own locator, so that routing follows the source. */
export interface PacketSender {
  /** Descriptor for slots whose source is the locator `text`; opened at first use. -1 when the address cannot be bound. */
  descriptor(locator: Uint8Array): number;
  /** Forget a locator that has gone. */
  release(locator: Uint8Array): void;
  /** Send the first `count` slots, in order, splitting super-packets and trains. SOCKET may be a UDP socket's. Leaves ERROR in each row. */
  send(from: Batch, count: number): void;
  close(): void;
}
