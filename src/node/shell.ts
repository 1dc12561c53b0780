import type { Host } from '../host/host.ts';
import { asideAt } from '../host/fast-path.ts';
import type { Aside, OutboundAsides } from '../host/fast-path.ts';
import type { HostEvent } from '../host/events.ts';
import type { HostEffect, HostInput } from '../host/host-io.ts';
import type { RememberedContext } from '../host/wish.ts';
import { fragments } from '../host/fragments.ts';
import { batch, ERROR, FIELDS, HEADROOM, LENGTH, OFFSET, SOCKET, SOURCE_AT } from '../host/ports.ts';
import type { Batch, PacketReceiver, PacketSender, Tun } from '../host/ports.ts';
import { random32 } from '../crypto/ports.ts';
import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { SHIM6 } from '../wire/ipv6.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { errorName } from './error.ts';
import type { Observation } from './observation.ts';
import { systemRandom } from './random.ts';
import { TUN_STRIDE } from './tun.ts';

/** Batches per wake-up and descriptor: enough to keep up, few enough that timers stay punctual. */
const ROUNDS = 4;
/** RFC 5533 §17. */
const I1 = 1;
const TUN_SLOTS = 16;
const RAW_SLOTS = 64;
/** While I1s come faster than they may be answered, they are read so often, … */
const CROWDED_MS = 20;
/** … so many batches at a time: what does not fit waits, and what the kernel cannot hold is lost. */
const CROWDED_ROUNDS = 32;
const RAW_STRIDE = 2048 + 2 * HEADROOM;
const LARGE_STRIDE = 9216 + 2 * HEADROOM;
const CONTROL_STRIDE = 2048;

/**
 * Being late by less than this needs no allowance: sockets are drained and counters read before silence is judged, so that
 * what came in meanwhile counts. More than this and the programs of this host were late as well.
 */
export const LAG_MS = 20;

/** What the shell does to the kernel's routing for the host. */
export interface Routing {
  divert(ulids: LocatorPair): void;
  restore(ulids: LocatorPair): void;
  forgetMtu(ulids: LocatorPair): void;
  peer(ulids: LocatorPair, locators: readonly Address[]): void;
}

export interface ShellPorts {
  readonly tun: Tun;
  /** Payload behind Shim6 headers. */
  readonly receiver: PacketReceiver;
  /** Control messages except I1. */
  readonly control: PacketReceiver;
  /** I1 alone: whoever sends too many of them has only these wait. */
  readonly initiators: PacketReceiver & { pause(paused: boolean): void };
  /** Visits pairs of addresses, ours first, between which this host has sent packets lately. */
  readonly correspondents: (visit: (octets: Uint8Array, at: number) => void) => void;
  readonly icmp: PacketReceiver;
  readonly sender: PacketSender;
  /** Sends what is for HITs among the packets of programs, and leaves those slots empty. */
  readonly toHits?: ((from: Batch, count: number) => void) | undefined;
  readonly observation: Observation;
  readonly routing: Routing;
  /** Milliseconds on the monotonic clock. */
  readonly now: () => Instant;
  readonly onEvent: (event: HostEvent) => void;
}

/** The one loop: wait for packet, command or deadline; `handle`; perform the effects; arm one timer. */
export class Shell {
  readonly #host: Host;
  readonly #ports: ShellPorts;
  readonly #fromTun: Batch = batch(TUN_SLOTS, TUN_STRIDE);
  readonly #fromWire: Batch;
  readonly #errors: Batch = batch(8, CONTROL_STRIDE);
  readonly #control: Batch = batch(1, TUN_STRIDE); // a message, or a packet of any size
  readonly #held: Uint8Array[] = [];
  readonly #asides: OutboundAsides = {
    tooLong: (packet, mtu, socket) => {
      for (const fragment of fragments(packet, mtu, random32(systemRandom))) this.#send(fragment, socket);
    },
    held: (packet) => this.#held.push(packet),
  };
  #timer: NodeJS.Timeout | undefined;
  #crowdTimer: NodeJS.Timeout | undefined;
  #armedFor: Instant = NEVER;
  #isClosed = false;
  readonly packets: { tunIn: number; tunOut: number; rawIn: number; rawOut: number; sendErrors: number } = {
    tunIn: 0,
    tunOut: 0,
    rawIn: 0,
    rawOut: 0,
    sendErrors: 0,
  };
  /** Shim6 control messages by type number. */
  readonly control: { readonly in: Float64Array; readonly out: Float64Array } = {
    in: new Float64Array(0x80),
    out: new Float64Array(0x80),
  };
  readonly lag: { last: number; max: number } = { last: 0, max: 0 };

  /** `mtu`: the largest packet that a locator's link can bring. */
  constructor(host: Host, ports: ShellPorts, mtu: number) {
    this.#host = host;
    this.#ports = ports;
    this.#fromWire = batch(RAW_SLOTS, mtu > 2048 ? Math.max(LARGE_STRIDE, (mtu + 3 * HEADROOM) & ~63) : RAW_STRIDE);
    ports.tun.onReadable(() => {
      this.#outbound();
    });
    for (const receiver of [ports.receiver, ports.control]) {
      receiver.onReadable(() => {
        this.#inbound(receiver);
        this.#arm();
      });
    }
    ports.initiators.onReadable(() => {
      this.#initiators();
      this.#arm();
    });
    ports.icmp.onReadable(() => {
      this.#icmp();
    });
    ports.observation.onWake(() => {
      this.#observe();
      this.#arm();
    });
    this.#arm();
  }

  /** Something happened: tell the host and do what it says. */
  input(input: HostInput): void {
    this.#perform(this.#host.handle(input, this.#ports.now()));
    this.#arm();
  }

  /** Go on with a context of the process before this one. */
  resume(memory: RememberedContext): void {
    this.#perform(this.#host.resume(memory, this.#ports.now()));
    this.#arm();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#crowdTimer);
  }

  /** Packets that the kernel diverted: rewrite and send. */
  #outbound(): void {
    const { tun, sender } = this.#ports;
    let carried = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const count = tun.read(this.#fromTun);
      if (count === 0) break;
      carried += count;
      this.packets.tunIn += count;
      this.#ports.toHits?.(this.#fromTun, count);
      this.#host.fastPath.outbound(this.#fromTun, count, (locator) => sender.descriptor(locator), this.#asides);
      sender.send(this.#fromTun, count);
      this.packets.rawOut += count;
      this.#reportErrors(this.#fromTun, count);
      if (count < this.#fromTun.slots) break;
    }
    if (carried > 0) this.#keepWatching();
    for (const octets of this.#held.splice(0)) this.input({ type: 'held', octets });
  }

  /** Shim6 packets from the wire: tagged ones go to their programs, the rest to the host. */
  #inbound(receiver: PacketReceiver): void {
    const { tun } = this.#ports;
    let carried = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const count = receiver.receive(this.#fromWire);
      if (count === 0) break;
      this.packets.rawIn += count;
      const ready = this.#host.fastPath.inbound(this.#fromWire, count, (packet) => {
        this.#hear(packet);
      });
      carried += ready;
      if (ready > 0) this.packets.tunOut += tun.write(this.#fromWire, ready);
      if (count < this.#fromWire.slots) break;
    }
    if (carried > 0) this.#keepWatching();
  }

  #hear(packet: Aside): void {
    tally(this.control.in, packet.octets);
    this.#perform(this.#host.handle({ type: 'control', packet }, this.#ports.now()));
  }

  /**
   * Requests for contexts. When there are more than may be answered, most of them are forged: then they are read now and then,
   * many together, after a look at whom this host has sent packets to; of all others only as many as strangers may get answers.
   */
  #initiators(): void {
    const { initiators, now, correspondents } = this.#ports;
    const { slab, stride, slots } = this.#fromWire;
    let hasLooked = false;
    for (let round = 0; round < CROWDED_ROUNDS; round++) {
      const count = initiators.receive(this.#fromWire);
      this.packets.rawIn += count;
      for (let slot = 0; slot < count; slot++) {
        if (!hasLooked && !this.#host.doorkeeper.isAtEase(now())) {
          hasLooked = true;
          correspondents((octets, at) => {
            this.#host.doorkeeper.meet(octets, at + 16);
          });
        }
        if (this.#host.doorkeeper.mayAnswerI1(slab, slot * stride + SOURCE_AT, now()))
          this.#hear(asideAt(this.#fromWire, slot));
        else this.control.in[I1] = (this.control.in[I1] ?? 0) + 1;
      }
      if (count < slots) break;
    }
    if (this.#host.doorkeeper.isAtEase(now())) return;
    initiators.pause(true);
    clearTimeout(this.#crowdTimer);
    this.#crowdTimer = setTimeout(() => {
      initiators.pause(false);
    }, CROWDED_MS);
  }

  /** What the fast path counted is taken in with the next poll. */
  #keepWatching(): void {
    this.#ports.observation.keepActive(this.#ports.now());
    this.#arm();
  }

  #icmp(): void {
    const { slab, meta } = this.#errors;
    const count = this.#ports.icmp.receive(this.#errors);
    for (let slot = 0; slot < count; slot++) {
      const start = meta[slot * FIELDS + OFFSET] ?? 0;
      const octets = slab.slice(start, start + (meta[slot * FIELDS + LENGTH] ?? 0));
      const from = slot * CONTROL_STRIDE + SOURCE_AT;
      this.input({ type: 'icmp', source: slab.slice(from, from + 16), octets });
    }
  }

  #wake(): void {
    const now = this.#ports.now();
    const late = now - this.#armedFor;
    this.lag.last = Math.max(0, late);
    this.lag.max = Math.max(this.lag.max, late);
    this.#armedFor = NEVER;
    if (late > LAG_MS) this.#perform(this.#host.handle({ type: 'lag', ms: late }, now));
    this.#inbound(this.#ports.receiver); // what waits in the sockets is not silence
    this.#inbound(this.#ports.control);
    this.#icmp();
    this.#observe();
    this.#perform(this.#host.handle({ type: 'tick' }, this.#ports.now()));
    this.#arm();
  }

  #observe(): void {
    const now = this.#ports.now();
    this.#ports.observation.poll(this.#host.deadline <= now, now, (ulids, sent, heard, since) => {
      this.#perform(this.#host.handle({ type: 'traffic', ulids, sent, heard, since }, this.#ports.now()));
    });
  }

  #arm(): void {
    if (this.#isClosed) return;
    const now = this.#ports.now();
    const { observation } = this.#ports;
    // The host's deadlines need fresh counts: with many pairs in use, several deadlines share a look.
    const due = Math.max(now, Math.min(Math.max(this.#host.deadline, observation.notBefore), observation.deadline));
    if (due >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = due;
    if (due === NEVER) return;
    this.#timer = setTimeout(() => {
      this.#wake();
    }, due - now);
  }

  #perform(effects: readonly HostEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'transmit':
          this.#transmit(effect.source, effect.destination, effect.octets);
          break;
        case 'watch':
          this.#ports.observation.watch(effect.ulids);
          break;
        case 'unwatch':
          this.#ports.observation.unwatch(effect.ulids);
          break;
        case 'divert':
          this.#ports.routing.divert(effect.ulids);
          break;
        case 'restore':
          this.#ports.routing.restore(effect.ulids);
          break;
        case 'forget-mtu':
          this.#ports.routing.forgetMtu(effect.ulids);
          break;
        case 'forward':
          this.#forward(effect.octets);
          break;
        case 'deliver':
          this.#deliver(effect.octets);
          break;
        case 'peer':
          this.#ports.routing.peer(effect.ulids, effect.locators);
          break;
        case 'event':
          this.#ports.onEvent(effect.event);
          break;
      }
    }
  }

  #transmit(source: Address, destination: Address, octets: Uint8Array): void {
    const { slab, meta } = this.#control;
    meta.fill(0);
    slab.set([0x60, 0, 0, 0, octets.length >> 8, octets.length & 0xff, SHIM6, 64], HEADROOM);
    slab.set(source, HEADROOM + 8);
    slab.set(destination, HEADROOM + 24);
    slab.set(octets, HEADROOM + 40);
    meta[OFFSET] = HEADROOM;
    meta[LENGTH] = 40 + octets.length;
    meta[SOCKET] = this.#ports.sender.descriptor(source);
    this.#ports.sender.send(this.#control, 1);
    if ((meta[ERROR] ?? 0) === 0) tally(this.control.out, octets);
    else this.packets.sendErrors++;
  }

  /** A packet of a program that waited. */
  #forward(packet: Uint8Array): void {
    const { sender } = this.#ports;
    this.#place(packet);
    this.#host.fastPath.outbound(this.#control, 1, (locator) => sender.descriptor(locator), this.#asides);
    sender.send(this.#control, 1);
    this.packets.rawOut++;
    this.#reportErrors(this.#control, 1);
    this.#keepWatching();
  }

  /** A packet for a program, as if it had come in. */
  #deliver(packet: Uint8Array): void {
    this.#place(packet);
    this.packets.tunOut += this.#ports.tun.write(this.#control, 1);
  }

  #send(packet: Uint8Array, socket: number): void {
    this.#place(packet)[SOCKET] = socket;
    this.#ports.sender.send(this.#control, 1);
    this.#reportErrors(this.#control, 1);
  }

  #place(packet: Uint8Array): Int32Array {
    const { slab, meta } = this.#control;
    meta.fill(0);
    slab.set(packet, HEADROOM);
    meta[OFFSET] = HEADROOM;
    meta[LENGTH] = packet.length;
    return meta;
  }

  /** The first refusal of each pair in a batch; the host decides what it means. */
  #reportErrors(sent: Batch, count: number): void {
    const { slab, meta } = sent;
    let reported: string | undefined;
    for (let slot = 0; slot < count; slot++) {
      const error = meta[slot * FIELDS + ERROR] ?? 0;
      if (error === 0 || (meta[slot * FIELDS + SOCKET] ?? 0) < 0) continue; // without a socket: not sent on purpose
      this.packets.sendErrors++;
      const start = meta[slot * FIELDS + OFFSET] ?? 0;
      const pair = { local: slab.slice(start + 8, start + 24), peer: slab.slice(start + 24, start + 40) };
      if (pairKey(pair) === reported) continue;
      reported = pairKey(pair);
      const name = errorName(error);
      if (PATH_ERRORS.has(name)) this.input({ type: 'send-error', pair, error: name });
    }
  }
}

/** Adds one to the type of a control message, RFC 5533 §5.3. Payload that found no context (P bit set) is none. */
function tally(types: Float64Array, octets: Uint8Array): void {
  const type = octets[2] ?? 0xff;
  if (type < types.length) types[type] = (types[type] ?? 0) + 1;
}

/** Errors that speak of the path, not of a full queue or a packet's size. */
const PATH_ERRORS: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ENODEV',
  'EACCES',
]);
