import { HIP_MARKER_LENGTH, HIP_UDP_PORT } from '../esp/udp-encapsulation.ts';
import type { HostEvent } from '../host/events.ts';
import { HipHost } from '../host/hip-host.ts';
import type { HipHostConfiguration } from '../host/hip-host.ts';
import type { HipHostEffect, HipHostInput } from '../host/hip-io.ts';
import type { EspCarrier } from '../host/esp-ports.ts';
import type { HostLocator } from '../host/host-io.ts';
import {
  batch,
  DESTINATION_AT,
  FIELDS,
  HEADROOM,
  HOP_LIMIT,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
  SPARE,
} from '../host/ports.ts';
import type { Batch } from '../host/ports.ts';
import { udpPayload } from '../hip/packet-carriage.ts';
import { solvePuzzle } from '../hip/puzzle.ts';
import type { Address } from '../wire/address.ts';
import { ESP, HIP, IPV6_HEADER_LENGTH, parseIpv6Header, UDP, writeIpv6Header } from '../wire/ipv6.ts';
import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import { MemoryEsp } from './esp.ts';
import type { Network, Packet } from './network.ts';
import type { World } from './world.ts';

const STRIDE = 4096;

/** Any descriptor will do. */
const SOCKET_NUMBER = 1;

/** A host that speaks HIP in virtual time: the same `HipHost` and data path as in production, with ESP in portable code. */
export class HipSimHost {
  readonly host: HipHost;
  readonly events: HostEvent[] = [];
  readonly #world: World;
  readonly #network: Network;
  readonly #configuration: HipHostConfiguration;
  readonly #from: Batch = batch(1, STRIDE);
  readonly #into: Batch = batch(4, STRIDE);
  #armed: Instant = Number.POSITIVE_INFINITY;
  #stoppedUntil: Instant = 0;
  readonly #backlog: Packet[] = [];
  /** Whole packets that reach the programs behind the HIT. */
  deliver: (packet: Uint8Array) => void = () => undefined;

  constructor(
    world: World,
    network: Network,
    configuration: Omit<HipHostConfiguration, 'esp' | 'socket' | 'firstGeneration'>,
  ) {
    this.#world = world;
    this.#network = network;
    this.#configuration = {
      ...configuration,
      firstGeneration: 1n,
      esp: new MemoryEsp(configuration.random),
      socket: () => SOCKET_NUMBER,
    };
    this.host = new HipHost(this.#configuration);
  }

  setLocators(locators: readonly HostLocator[]): void {
    for (const locator of this.host.locators) this.#network.detach(locator.address);
    for (const { address, operational } of locators) {
      if (operational) this.#network.attach(address, (packet) => this.#receive(packet));
    }
    this.handle({ type: 'locators', locators });
  }

  /** The process gets no time until then; what arrives waits in its sockets. */
  stopUntil(then: Instant): void {
    const from = this.#world.now;
    this.#stoppedUntil = then;
    this.#world.at(then, () => {
      this.handle({ type: 'lag', ms: then - from });
      for (const packet of this.#backlog.splice(0)) this.#take(packet);
      this.handle({ type: 'tick' });
    });
  }

  /** A program sends a datagram to a HIT. */
  send(peer: Address, payload: Uint8Array): void {
    if (this.#world.now < this.#stoppedUntil) return;
    const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
    const ends = { source: this.host.hit, destination: peer };
    const lengths = { payloadLength: payload.length, nextHeader: UDP, hopLimit: 64 };
    writeIpv6Header(w, { trafficClass: 0, flowLabel: 0, ...lengths, ...ends });
    w.octets(payload);
    this.#forward(w.finish());
  }

  handle(input: HipHostInput): void {
    for (const effect of this.host.handle(input, this.#world.now)) this.#perform(effect);
    this.#arm();
  }

  #arm(): void {
    const { deadline } = this.host;
    if (deadline >= this.#armed || deadline === Number.POSITIVE_INFINITY) return;
    this.#armed = deadline;
    this.#world.at(deadline, () => {
      this.#armed = Number.POSITIVE_INFINITY;
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#world.now >= this.#stoppedUntil) this.handle({ type: 'tick' });
  }

  #perform(effect: HipHostEffect): void {
    switch (effect.type) {
      case 'transmit': {
        const { path, octets } = effect;
        const ends = { source: path.local, destination: path.peer };
        if (path.carriage === 'raw') this.#network.send({ ...ends, nextHeader: HIP, payload: octets });
        else this.#network.send({ ...ends, nextHeader: UDP, payload: udpPayload(octets) });
        return;
      }
      case 'solve': {
        const j = solvePuzzle(this.#configuration.crypto, effect.task);
        const { peer, task } = effect;
        this.#world.after(0, () => this.handle({ type: 'solved', peer, i: task.i, j }));
        return;
      }
      case 'forward':
        this.#forward(effect.octets);
        return;
      case 'deliver':
        this.deliver(effect.octets);
        return;
      case 'event':
        this.events.push(effect.event);
        return;
      case 'keys':
        return;
    }
  }

  #forward(packet: Uint8Array): void {
    place(this.#from, packet);
    const held: Uint8Array[] = [];
    this.host.flows.classify(this.#from, 1, (copy) => held.push(copy));
    const rows = this.#configuration.esp.seal(this.#from, 1, this.#into);
    for (let slot = 0; slot < rows; slot++) this.#transmit(slot);
    for (const octets of held) this.handle({ type: 'held', octets });
    this.#arm(); // what was sent is to be counted
  }

  #transmit(slot: number): void {
    const { slab, meta, stride } = this.#into;
    if (meta[slot * FIELDS + SOCKET] !== SOCKET_NUMBER) return;
    const octets = packetAt(this.#into, slot);
    if ((meta[slot * FIELDS + SPARE] ?? 0) > 0) {
      const at = slot * stride;
      const source = slab.slice(at + SOURCE_AT, at + SOURCE_AT + 16);
      const destination = slab.slice(at + DESTINATION_AT, at + DESTINATION_AT + 16);
      this.#network.send({ source, destination, nextHeader: UDP, payload: octets });
      return;
    }
    const header = parseIpv6Header(octets);
    if (header.ok) this.#network.send({ ...header.value, payload: octets.subarray(IPV6_HEADER_LENGTH) });
  }

  #receive(packet: Packet): void {
    if (this.#world.now < this.#stoppedUntil) this.#backlog.push(packet);
    else this.#take(packet);
  }

  #take({ source, destination, nextHeader, payload }: Packet): void {
    if (nextHeader === HIP) {
      this.handle({ type: 'control', path: { carriage: 'raw', local: destination, peer: source }, octets: payload });
      return;
    }
    const carrier: EspCarrier | undefined = nextHeader === ESP ? 'raw' : nextHeader === UDP ? 'udp' : undefined;
    if (carrier === undefined || payload.length < HIP_MARKER_LENGTH) return;
    place(this.#from, payload);
    this.#from.slab.set(source, SOURCE_AT);
    this.#from.slab.set(destination, DESTINATION_AT);
    this.#from.meta[HOP_LIMIT] = 64;
    this.#from.meta[SPARE] = HIP_UDP_PORT;
    const rows = this.#configuration.esp.open(this.#from, 1, this.#into, carrier);
    const control: Uint8Array[] = [];
    const ready = this.host.flows.arrived(this.#into, rows, (slot) => control.push(packetAt(this.#into, slot)));
    for (let slot = 0; slot < ready; slot++) this.deliver(packetAt(this.#into, slot));
    const path = { carriage: 'udp', local: destination, peer: source, peerPort: HIP_UDP_PORT } as const;
    for (const octets of control) this.handle({ type: 'control', path, octets });
    this.#arm();
  }
}

function place({ slab, meta }: Batch, octets: Uint8Array): void {
  meta.fill(0, 0, FIELDS);
  meta[OFFSET] = HEADROOM;
  meta[LENGTH] = octets.length;
  slab.set(octets, HEADROOM);
}

function packetAt({ slab, meta }: Batch, slot: number): Uint8Array {
  const start = meta[slot * FIELDS + OFFSET] ?? 0;
  return slab.slice(start, start + (meta[slot * FIELDS + LENGTH] ?? 0));
}
