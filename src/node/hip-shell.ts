import { HIP_UDP_PORT } from '../esp/udp-encapsulation.ts';
import type { HostEvent } from '../host/events.ts';
import type { Esp, EspCarrier, UdpSocket } from '../host/esp-ports.ts';
import type { HipHost } from '../host/hip-host.ts';
import type { HipHostEffect, HipHostInput } from '../host/hip-io.ts';
import {
  batch,
  DESTINATION_AT,
  ERROR,
  FIELDS,
  HEADROOM,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
  SPARE,
} from '../host/ports.ts';
import type { Batch, PacketReceiver, PacketSender, Tun } from '../host/ports.ts';
import type { HipPath } from '../hip/association-io.ts';
import { udpPayload } from '../hip/packet-carriage.ts';
import type { PuzzleTask } from '../hip/puzzle.ts';
import type { Address } from '../wire/address.ts';
import { HIP } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { LAG_MS } from './shell.ts';
import { TUN_STRIDE } from './tun.ts';

/** Batches per wake-up and descriptor. */
const ROUNDS = 4;
const SEALED_SLOTS = 64;
const TRAIN_SLOTS = 16;
const PACKET_SLOTS = 256;

export interface HipShellPorts {
  readonly tun: Tun;
  readonly esp: Esp;
  /** Protocols 139 and 50. */
  readonly hip: PacketReceiver;
  readonly raw: PacketReceiver;
  readonly udp: UdpSocket | undefined;
  readonly sender: PacketSender;
  readonly solve: (task: PuzzleTask, withinMs: number) => Promise<Uint8Array | undefined>;
  /** Milliseconds on the monotonic clock. */
  readonly now: () => Instant;
  readonly onEvent: (event: HostEvent) => void;
  readonly onKeys: (keys: Extract<HipHostEffect, { readonly type: 'keys' }>) => void;
}

/** The loop of HIP: as `Shell`, which hands over what the TUN device has for HITs. */
export class HipShell {
  readonly #host: HipHost;
  readonly #ports: HipShellPorts;
  readonly #sealed: Batch = batch(SEALED_SLOTS, TUN_STRIDE);
  readonly #trains: Batch = batch(TRAIN_SLOTS, TUN_STRIDE);
  readonly #packets: Batch;
  readonly #opened: Batch;
  readonly #single: Batch = batch(1, TUN_STRIDE);
  #timer: NodeJS.Timeout | undefined;
  #armedFor: Instant = NEVER;
  #isClosed = false;
  readonly counters: { sent: number; received: number; sendErrors: number } = { sent: 0, received: 0, sendErrors: 0 };

  /** `mtu`: the largest packet that a link can bring. */
  constructor(host: HipHost, ports: HipShellPorts, mtu: number) {
    this.#host = host;
    this.#ports = ports;
    const stride = (Math.max(2048, mtu) + 2 * HEADROOM + 63) & ~63;
    this.#packets = batch(PACKET_SLOTS, stride);
    this.#opened = batch(PACKET_SLOTS, stride);
    ports.hip.onReadable(() => {
      this.#control();
    });
    ports.raw.onReadable(() => {
      this.#inbound('raw', ports.raw, this.#packets);
    });
    const { udp } = ports;
    udp?.onReadable(() => {
      this.#inbound('udp', udp, this.#trains);
    });
  }

  /** Something happened: tell the host and do what it says. */
  input(input: HipHostInput): void {
    this.#perform(this.#host.handle(input, this.#ports.now()));
    this.#arm();
  }

  /** Send the packets to HITs among those of the TUN device, and leave the others. */
  outbound(from: Batch, count: number): void {
    const held: Uint8Array[] = [];
    if (this.#host.flows.classify(from, count, (packet) => held.push(packet)) === 0) return;
    const rows = this.#ports.esp.seal(from, count, this.#sealed);
    this.#ports.sender.send(this.#sealed, rows);
    this.counters.sent += rows;
    this.#countErrors(this.#sealed, rows);
    this.#host.flows.clear(from, count);
    for (const octets of held) this.input({ type: 'held', octets });
    this.#arm(); // what was sent is to be counted
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #control(): void {
    const { hip } = this.#ports;
    const count = hip.receive(this.#packets);
    for (let slot = 0; slot < count; slot++) this.#hear(this.#packets, slot, 'raw');
    this.#arm();
  }

  #inbound(carrier: EspCarrier, socket: { receive(into: Batch): number }, from: Batch): void {
    const { esp, tun } = this.#ports;
    for (let round = 0; round < ROUNDS; round++) {
      const count = socket.receive(from);
      for (;;) {
        const rows = esp.open(from, count, this.#opened, carrier);
        if (rows === 0) break;
        this.counters.received += rows;
        const ready = this.#host.flows.arrived(this.#opened, rows, (slot) => {
          this.#hear(this.#opened, slot, carrier);
        });
        if (ready > 0) tun.write(this.#opened, ready);
      }
      if (count < from.slots) break;
    }
    this.#arm();
  }

  #hear(batch: Batch, slot: number, carriage: EspCarrier): void {
    const { slab, meta, stride } = batch;
    const at = slot * stride;
    const local = slab.slice(at + DESTINATION_AT, at + DESTINATION_AT + 16);
    const peer = slab.slice(at + SOURCE_AT, at + SOURCE_AT + 16);
    const start = meta[slot * FIELDS + OFFSET] ?? 0;
    const octets = slab.slice(start, start + (meta[slot * FIELDS + LENGTH] ?? 0));
    const port = carriage === 'udp' ? { peerPort: meta[slot * FIELDS + SPARE] ?? 0 } : {};
    const path: HipPath = { carriage, local, peer, ...port };
    this.#perform(this.#host.handle({ type: 'control', path, octets }, this.#ports.now()));
  }

  #perform(effects: readonly HipHostEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'transmit':
          this.#transmit(effect.path, effect.octets);
          break;
        case 'solve':
          this.#solve(effect.peer, effect.task, effect.until);
          break;
        case 'forward':
          this.#place(effect.octets);
          this.outbound(this.#single, 1);
          break;
        case 'deliver':
          this.#place(effect.octets);
          this.#ports.tun.write(this.#single, 1);
          break;
        case 'keys':
          this.#ports.onKeys(effect);
          break;
        case 'event':
          this.#ports.onEvent(effect.event);
          break;
      }
    }
  }

  #solve(peer: Address, task: PuzzleTask, until: Instant): void {
    const answer = (j: Uint8Array | undefined): void => {
      if (!this.#isClosed) this.input({ type: 'solved', peer, i: task.i, j });
    };
    this.#ports.solve(task, until - this.#ports.now()).then(answer, () => {
      answer(undefined); // the thread died: as if it had found nothing
    });
  }

  #transmit(path: HipPath, octets: Uint8Array): void {
    const { udp, sender } = this.#ports;
    if (path.carriage === 'udp') {
      const meta = this.#place(udpPayload(octets));
      this.#single.slab.set(path.local, SOURCE_AT);
      this.#single.slab.set(path.peer, DESTINATION_AT);
      meta[SOCKET] = udp?.descriptor ?? -1;
      meta[SPARE] = path.peerPort ?? HIP_UDP_PORT;
    } else {
      const packet = new Uint8Array(40 + octets.length);
      packet.set([0x60, 0, 0, 0, octets.length >> 8, octets.length & 0xff, HIP, 64]);
      packet.set(path.local, 8);
      packet.set(path.peer, 24);
      packet.set(octets, 40);
      this.#place(packet)[SOCKET] = sender.descriptor(path.local);
    }
    sender.send(this.#single, 1);
    this.#countErrors(this.#single, 1);
  }

  #place(octets: Uint8Array): Int32Array {
    const { slab, meta } = this.#single;
    meta.fill(0);
    slab.set(octets, HEADROOM);
    meta[OFFSET] = HEADROOM;
    meta[LENGTH] = octets.length;
    return meta;
  }

  #countErrors({ meta }: Batch, count: number): void {
    for (let slot = 0; slot < count; slot++) if ((meta[slot * FIELDS + ERROR] ?? 0) !== 0) this.counters.sendErrors++;
  }

  #wake(): void {
    const now = this.#ports.now();
    const late = now - this.#armedFor;
    this.#armedFor = NEVER;
    if (late > LAG_MS) this.#perform(this.#host.handle({ type: 'lag', ms: late }, now));
    const { raw, udp } = this.#ports;
    this.#control(); // what waits in the sockets is not silence
    this.#inbound('raw', raw, this.#packets);
    if (udp !== undefined) this.#inbound('udp', udp, this.#trains);
    this.input({ type: 'tick' });
  }

  #arm(): void {
    if (this.#isClosed) return;
    const now = this.#ports.now();
    const due = Math.max(now, this.#host.deadline);
    if (due >= this.#armedFor || due === NEVER) return;
    clearTimeout(this.#timer);
    this.#armedFor = due;
    this.#timer = setTimeout(() => {
      this.#wake();
    }, due - now);
  }
}
