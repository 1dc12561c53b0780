import { constants } from 'node:os';
import type { Batch, PacketReceiver, PacketSender } from '../host/ports.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { addon } from './addon.ts';
import { systemError } from './error.ts';
import { Descriptor } from './poll.ts';

/** Packets with this mark are not diverted into the TUN device again. */
export const BYPASS_MARK = 0x10000000;

const ICMPV6 = 58;
const ICMPV6_ERRORS: readonly number[] = [1, 2, 3, 4]; // RFC 4443 §2.1: the errors that are defined
const { EADDRNOTAVAIL, EINVAL } = constants.errno;

/** All packets of one protocol that reach this host, or those that `filter` lets through (see `packet-filter.ts`). */
export class RawReceiver extends Descriptor implements PacketReceiver {
  static open(protocol: number, filter?: Uint8Array): RawReceiver {
    const fd = addon().receiverOpen(protocol, 0, new Uint8Array(0));
    const receiver = new RawReceiver(fd, `cannot open a raw socket for protocol ${String(protocol)}`);
    const result = filter === undefined ? 0 : addon().receiverFilter(fd, filter);
    if (result === 0) return receiver;
    receiver.close();
    throw systemError(-result, 'cannot filter a raw socket');
  }

  /** All IPv4 packets of one protocol; rows hold what follows the IPv4 header, and IPv4-mapped addresses. */
  static openIpv4(protocol: number): RawReceiver {
    return new RawReceiver(
      addon().receiverOpenIpv4(protocol, 0),
      `cannot open an IPv4 raw socket for protocol ${String(protocol)}`,
    );
  }

  receive(into: Batch): number {
    return receive(this.fd, into);
  }
}

/**
 * ICMPv6 messages of the `types` asked for, errors unless told otherwise; and a sender, with hop limit 255 (RFC 4861 §4.1)
 * and the checksum filled in by the kernel.
 */
export class Icmpv6Socket extends Descriptor implements PacketReceiver {
  static open(types: readonly number[] = ICMPV6_ERRORS): Icmpv6Socket {
    return new Icmpv6Socket(addon().receiverOpen(ICMPV6, 0, Uint8Array.from(types)), 'cannot open an ICMPv6 socket');
  }

  receive(into: Batch): number {
    return receive(this.fd, into);
  }

  /** Send a message, whose checksum field may hold anything. `interfaceIndex` is needed for link-local and multicast; 0: routed. */
  send(destination: Address, interfaceIndex: number, octets: Uint8Array): void {
    const result = addon().icmpv6Send(this.fd, destination, interfaceIndex, octets);
    if (result < 0) throw systemError(-result, 'cannot send an ICMPv6 message');
  }
}

/** One raw socket per own locator, for IPv4 when that is IPv4-mapped. `mark` keeps what is sent out of the policy rules that divert traffic. */
export class RawSender implements PacketSender {
  readonly #mark: number;
  readonly #sockets = new Map<string, Descriptor>();

  constructor(mark: number = BYPASS_MARK) {
    this.#mark = mark;
  }

  descriptor(locator: Address): number {
    const key = addressKey(locator);
    const known = this.#sockets.get(key);
    if (known !== undefined) return known.fd;
    const fd = addon().senderOpen(locator, this.#mark);
    if (fd === -EADDRNOTAVAIL || fd === -EINVAL) return -1;
    this.#sockets.set(key, new Descriptor(fd, 'cannot open a raw socket'));
    return fd;
  }

  release(locator: Address): void {
    const key = addressKey(locator);
    this.#sockets.get(key)?.close();
    this.#sockets.delete(key);
  }

  /**
   * A negative SOCKET yields EADDRNOTAVAIL, one that is not ours EBADF, a packet that contradicts its row EINVAL. Finished
   * checksums are written into the slab, and their CHECKSUM_START cleared.
   */
  send(from: Batch, count: number): void {
    if (count > from.slots) throw new RangeError('more packets than slots');
    const result = addon().senderSend(-1, from.slab, from.meta, count, from.stride);
    if (result < 0) throw systemError(-result, 'cannot send packets');
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}

/** Columns of a captured frame, over those of `Batch.meta`. */
export const CAPTURE = {
  direction: 9, // TRAFFIC_CLASS: sll_pkttype; 4 (PACKET_OUTGOING) for what this host sends
  seconds: 10, // FLAGS: of arrival, since 1970
  nanoseconds: 11, // SPARE: within the second
} as const;

/** Copies of all frames of an interface, both directions, from the link header on (a TUN device has none). */
export class Capture extends Descriptor {
  static open(interfaceIndex: number): Capture {
    return new Capture(addon().captureOpen(interfaceIndex), `cannot capture on interface ${String(interfaceIndex)}`);
  }

  /** Whole frames; those larger than their slot are dropped and counted. `CAPTURE` names the columns of time and direction. */
  receive(into: Batch): number {
    if (this.fd < 0) return 0;
    const count = addon().captureReceive(this.fd, into.slab, into.meta, into.slots, into.stride);
    if (count < 0) throw systemError(-count, 'cannot capture');
    return count;
  }
}

function receive(fd: number, into: Batch): number {
  if (fd < 0) return 0;
  const count = addon().receiverReceive(fd, into.slab, into.meta, into.slots, into.stride);
  if (count < 0) throw systemError(-count, 'cannot receive from a raw socket');
  return count;
}
