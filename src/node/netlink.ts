import { constants } from 'node:os';
import { addon } from './addon.ts';
import { LociError, systemError } from './error.ts';
import { Descriptor } from './poll.ts';

const PROTOCOLS = { route: 0, netfilter: 12 } as const;

const HEADER_LENGTH = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_ACK = 0x04;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const DUMP_ATTEMPTS = 4;

/** A netlink socket of the kernel's routing or packet filter subsystem. Messages have their header, in host byte order. */
export class NetlinkSocket {
  readonly #descriptor: Descriptor;
  readonly #subscribed: boolean;
  #sequence = 0;

  private constructor(descriptor: Descriptor, subscribed: boolean) {
    this.#descriptor = descriptor;
    this.#subscribed = subscribed;
  }

  /** `groups` are multicast group numbers (RTNLGRP_…, NFNLGRP_…); a socket with groups serves `onMessage`, one without `exchange`. */
  static open(protocol: keyof typeof PROTOCOLS, groups: readonly number[] = []): NetlinkSocket {
    const result = addon().netlinkOpen(PROTOCOLS[protocol], Uint8Array.from(groups));
    return new NetlinkSocket(new Descriptor(result, `cannot open a ${protocol} netlink socket`), groups.length > 0);
  }

  /**
   * Send one or several messages and return what the kernel answers, without acknowledgements and end marks. Synchronous: the
   * kernel works on the request while it is sent. Sequence numbers are written into `request`, which may be used again.
   * Throws a `LociError` with the errno's name for the first message that the kernel refused.
   */
  exchange(request: Uint8Array): Uint8Array[] {
    if (this.#subscribed) throw new TypeError('a netlink socket with groups cannot exchange');
    for (let attempt = 1; ; attempt++) {
      const answers = this.#exchangeOnce(request);
      if (answers !== undefined) return answers;
      if (attempt === DUMP_ATTEMPTS)
        throw new LociError('EINTR', 'the kernel changed what a netlink dump lists, again and again');
    }
  }

  /** Call back with every multicast message; with `undefined` after messages were lost, so that the reader lists again. */
  onMessage(callback: (message: Uint8Array | undefined) => void): void {
    this.#descriptor.onReadable(() => {
      while (this.#descriptor.fd >= 0) {
        const received = addon().netlinkReceive(this.#descriptor.fd);
        if (typeof received !== 'number') {
          if (received.length === 0) return;
          for (const message of messagesIn(received)) callback(message);
        } else if (-received === constants.errno.ENOBUFS) {
          callback(undefined);
        } else {
          throw systemError(-received, 'cannot read netlink messages');
        }
      }
    });
  }

  /** Call back while messages wait; they do until `discard`. */
  onWaiting(callback: () => void): void {
    this.#descriptor.onReadable(callback);
  }

  /** Call back no more, or again. */
  pause(paused: boolean): void {
    this.#descriptor.pause(paused);
  }

  /** Throw away the messages that wait. */
  discard(): void {
    while (this.#descriptor.fd >= 0) {
      const received = addon().netlinkReceive(this.#descriptor.fd);
      if (typeof received !== 'number' && received.length === 0) return;
      if (typeof received === 'number' && -received !== constants.errno.ENOBUFS)
        throw systemError(-received, 'cannot read netlink messages');
    }
  }

  unref(): void {
    this.#descriptor.unref();
  }

  close(): void {
    this.#descriptor.close();
  }

  /** `undefined` when what was listed changed meanwhile. */
  #exchangeOnce(request: Uint8Array): Uint8Array[] | undefined {
    const first = this.#sequence;
    let answers = 0;
    const view = viewOf(request);
    for (const at of offsetsIn(request, view)) {
      const flags = view.getUint16(at + 6, true);
      if ((flags & NLM_F_ACK) !== 0 || (flags & NLM_F_DUMP) === NLM_F_DUMP) answers++;
      view.setUint32(at + 8, this.#sequence, true);
      this.#sequence = (this.#sequence + 1) >>> 0;
    }
    const count = (this.#sequence - first) >>> 0;
    const received = addon().netlinkExchange(this.#descriptor.fd, request, first | 0, count, answers);
    if (typeof received === 'number') throw systemError(-received, 'netlink');
    return repliesIn(received, first, count);
  }
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}

/** Where the messages begin. */
function* offsetsIn(octets: Uint8Array, view: DataView): Generator<number> {
  for (let at = 0; at + HEADER_LENGTH <= octets.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_LENGTH || at + length > octets.length) return;
    yield at;
    at += (length + 3) & ~3;
  }
}

function* messagesIn(octets: Uint8Array): Generator<Uint8Array> {
  const view = viewOf(octets);
  for (const at of offsetsIn(octets, view)) yield octets.subarray(at, at + view.getUint32(at, true));
}

function repliesIn(octets: Uint8Array, first: number, count: number): Uint8Array[] | undefined {
  const replies: Uint8Array[] = [];
  const view = viewOf(octets);
  let interrupted = false;
  for (const at of offsetsIn(octets, view)) {
    const type = view.getUint16(at + 4, true);
    const flags = view.getUint16(at + 6, true);
    if ((view.getUint32(at + 8, true) - first) >>> 0 >= count) continue; // the tail of an exchange that failed
    const message = octets.subarray(at, at + view.getUint32(at, true));
    if (type === NLMSG_ERROR || type === NLMSG_DONE) refuseFailure(message, view, at);
    else replies.push(message);
    interrupted ||= (flags & NLM_F_DUMP_INTR) !== 0;
  }
  return interrupted ? undefined : replies;
}

/** NLMSG_ERROR and NLMSG_DONE begin with an error number; the kernel's explanation may follow as an attribute. */
function refuseFailure(message: Uint8Array, view: DataView, at: number): void {
  if (message.length < HEADER_LENGTH + 4) return;
  const error = view.getInt32(at + HEADER_LENGTH, true);
  if (error >= 0) return;
  const echoed = view.getUint16(at + 4, true) === NLMSG_ERROR ? HEADER_LENGTH : 0; // NETLINK_CAP_ACK: only the header
  const hasDetail = (view.getUint16(at + 6, true) & NLM_F_ACK_TLVS) !== 0;
  throw systemError(
    -error,
    'netlink',
    hasDetail ? explanation(message.subarray(HEADER_LENGTH + 4 + echoed)) : undefined,
  );
}

function explanation(attributes: Uint8Array): string | undefined {
  const view = viewOf(attributes);
  for (let at = 0; at + 4 <= attributes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4) return undefined;
    if (view.getUint16(at + 2, true) === NLMSGERR_ATTR_MSG)
      return new TextDecoder().decode(attributes.subarray(at + 4, at + length - 1));
    at += (length + 3) & ~3;
  }
  return undefined;
}
