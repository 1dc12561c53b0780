import { Host } from '../host/host.ts';
import type { HostConfiguration } from '../host/host.ts';
import type { HostEvent } from '../host/events.ts';
import type { HostEffect, HostInput, HostLocator } from '../host/host-io.ts';
import { batch, FIELDS, HEADROOM, LENGTH, OFFSET, SOCKET } from '../host/ports.ts';
import type { Batch } from '../host/ports.ts';
import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import { ICMPV6, IPV6_HEADER_LENGTH, parseIpv6Header, SHIM6, UDP, writeIpv6Header } from '../wire/ipv6.ts';
import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import type { Network, Packet } from './network.ts';
import type { World } from './world.ts';

const SLOT = 4096;

/** How often traffic on the kernel's path is looked at. */
const OBSERVATION_MS = 4;

/**
 * A whole host in virtual time: the same `Host` and fast path as in production, with a kernel that consists of what the
 * shell would have asked the real one for: watching pairs, and diverting them.
 */
export class SimHost {
  host: Host;
  readonly events: HostEvent[] = [];
  /** ICMPv6 errors for programs, as whole packets. */
  readonly errors: Uint8Array[] = [];
  readonly #world: World;
  readonly #network: Network;
  readonly #configuration: HostConfiguration;
  readonly #watched = new Map<string, Watched>();
  readonly #counted = new Set<Watched>();
  readonly #diverted = new Set<string>();
  readonly #slots: Batch = batch(1, SLOT);
  #armed: Instant = Number.POSITIVE_INFINITY;
  #stoppedUntil: Instant = 0;
  #backlog: (() => void)[] = [];
  /** What the host tells the people who watch it. */
  onEvent: (event: HostEvent) => void = (event) => this.events.push(event);
  /** Datagrams that reach the program behind the identifier. */
  deliver: (ulids: LocatorPair, payload: Uint8Array) => void = () => undefined;

  constructor(world: World, network: Network, configuration: HostConfiguration) {
    this.#world = world;
    this.#network = network;
    this.#configuration = configuration;
    this.host = new Host(configuration, world.now);
    world.every(OBSERVATION_MS, () => this.#whenRunning(() => this.#observe()));
  }

  setLocators(locators: readonly HostLocator[]): void {
    for (const locator of this.host.locators) this.#network.detach(locator.address);
    for (const { address, operational } of locators) {
      if (operational) this.#network.attach(address, (packet) => this.#receive(packet));
    }
    this.handle({ type: 'locators', locators });
  }

  /** A program sends a datagram between two identifiers. */
  send(ulids: LocatorPair, payload: Uint8Array): void {
    if (!this.#diverted.has(pairKey(ulids))) {
      const watched = this.#watched.get(pairKey(ulids));
      if (watched !== undefined) this.#counted.add(watched);
      if (watched !== undefined) watched.sent = true;
      this.#network.send({ source: ulids.local, destination: ulids.peer, nextHeader: UDP, payload });
      return;
    }
    this.#whenRunning(() => this.#sendDiverted(ulids, payload));
  }

  /** SIGSTOP: the daemon does nothing until then, the kernel and the programs go on. */
  stopUntil(instant: Instant): void {
    this.#stoppedUntil = instant;
    this.#world.at(instant, () => {
      const backlog = this.#backlog;
      this.#backlog = [];
      this.handle({ type: 'lag', ms: instant - this.#world.now });
      for (const step of backlog) step();
    });
  }

  /** The daemon ends, and another one starts after `ms`, with what the first one remembered or with nothing. */
  restart(ms: number, remembers: boolean): void {
    const { locators } = this.host;
    const remembered = remembers ? this.host.remember() : [];
    for (const locator of locators) this.#network.detach(locator.address);
    this.#watched.clear();
    this.#counted.clear();
    this.#diverted.clear();
    this.host = new Host(this.#configuration, this.#world.now);
    this.#world.after(ms, () => {
      this.host = new Host(this.#configuration, this.#world.now);
      this.setLocators(locators);
      for (const memory of remembered) {
        for (const effect of this.host.resume(memory, this.#world.now)) this.#perform(effect);
      }
      this.#arm();
    });
  }

  handle(input: HostInput): void {
    for (const effect of this.host.handle(input, this.#world.now)) this.#perform(effect);
    this.#arm();
  }

  #whenRunning(step: () => void): void {
    if (this.#world.now < this.#stoppedUntil) this.#backlog.push(step);
    else step();
  }

  #arm(): void {
    const deadline = this.host.deadline;
    if (deadline >= this.#armed || deadline === Number.POSITIVE_INFINITY) return;
    this.#armed = deadline;
    this.#world.at(deadline, () => {
      this.#armed = Number.POSITIVE_INFINITY;
      this.#whenRunning(() => this.handle({ type: 'tick' }));
    });
  }

  #observe(): void {
    const counted = [...this.#counted];
    this.#counted.clear();
    for (const watched of counted) {
      const { ulids, sent, heard } = watched;
      watched.sent = false;
      watched.heard = false;
      this.handle({ type: 'traffic', ulids, sent, heard });
    }
    this.handle({ type: 'tick' });
  }

  #perform(effect: HostEffect): void {
    switch (effect.type) {
      case 'transmit': {
        const { source, destination, octets } = effect;
        this.#network.send({ source, destination, nextHeader: SHIM6, payload: octets });
        return;
      }
      case 'watch':
        this.#watched.set(pairKey(effect.ulids), { ulids: effect.ulids, sent: false, heard: false });
        return;
      case 'unwatch':
        this.#watched.delete(pairKey(effect.ulids));
        return;
      case 'divert':
        this.#diverted.add(pairKey(effect.ulids));
        return;
      case 'restore':
        this.#diverted.delete(pairKey(effect.ulids));
        return;
      case 'forward':
        this.#forward(effect.octets);
        return;
      case 'deliver':
        this.#deliver(effect.octets);
        return;
      case 'forget-mtu':
      case 'peer':
        return; // routes matter to a real kernel only
      case 'event':
        this.onEvent(effect.event);
        return;
    }
  }

  /** A whole packet for the programs of this host. */
  #deliver(octets: Uint8Array): void {
    const header = parseIpv6Header(octets);
    if (!header.ok || header.value.nextHeader === ICMPV6) {
      this.errors.push(octets);
      return;
    }
    const { destination: local, source: peer } = header.value;
    this.deliver({ local, peer }, octets.subarray(IPV6_HEADER_LENGTH));
  }

  #sendDiverted(ulids: LocatorPair, payload: Uint8Array): void {
    const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
    const { local: source, peer: destination } = ulids;
    const payloadLength = payload.length;
    writeIpv6Header(w, {
      trafficClass: 0,
      flowLabel: 0,
      payloadLength,
      nextHeader: UDP,
      hopLimit: 64,
      source,
      destination,
    });
    w.octets(payload);
    this.#forward(w.finish());
  }

  #forward(octets: Uint8Array): void {
    const { slab, meta } = this.#slots;
    slab.set(octets, HEADROOM);
    meta.fill(0, 0, FIELDS);
    meta[OFFSET] = HEADROOM;
    meta[LENGTH] = octets.length;
    const held: Uint8Array[] = [];
    this.host.fastPath.outbound(this.#slots, 1, () => 1, {
      tooLong: () => undefined,
      held: (copy) => held.push(copy),
    });
    this.#sendPrepared();
    for (const copy of held) this.handle({ type: 'held', octets: copy });
  }

  #sendPrepared(): void {
    const { slab, meta } = this.#slots;
    if (meta[SOCKET] !== 1) return;
    const start = meta[OFFSET] ?? 0;
    const packet = slab.slice(start, start + (meta[LENGTH] ?? 0));
    const header = parseIpv6Header(packet);
    if (header.ok) this.#network.send({ ...header.value, payload: packet.subarray(IPV6_HEADER_LENGTH) });
  }

  #receive(packet: Packet): void {
    const { source, destination, nextHeader, payload } = packet;
    if (nextHeader === SHIM6) {
      this.#whenRunning(() => this.#receiveShim6(packet));
      return;
    }
    const ulids = { local: destination, peer: source };
    const watched = this.#watched.get(pairKey(ulids));
    if (watched !== undefined) this.#counted.add(watched);
    if (watched !== undefined) watched.heard = true;
    this.deliver(ulids, payload);
  }

  #receiveShim6({ source, destination, payload }: Packet): void {
    const { slab, meta } = this.#slots;
    slab.set(source, 0);
    slab.set(destination, 16);
    slab.set(payload, HEADROOM);
    meta.fill(0, 0, FIELDS);
    meta[OFFSET] = HEADROOM;
    meta[LENGTH] = payload.length;
    const ready = this.host.fastPath.inbound(this.#slots, 1, (aside) =>
      this.handle({ type: 'control', packet: aside }),
    );
    if (ready === 0) return;
    const start = meta[OFFSET] ?? 0;
    const restored = slab.slice(start, start + (meta[LENGTH] ?? 0));
    const header = parseIpv6Header(restored);
    if (!header.ok) return;
    const ulids = { local: header.value.destination, peer: header.value.source };
    this.deliver(ulids, restored.subarray(IPV6_HEADER_LENGTH));
  }
}

interface Watched {
  readonly ulids: LocatorPair;
  sent: boolean;
  heard: boolean;
}

/** The address that a packet of this host would come from when the kernel has to choose: the first identifier. */
export function firstIdentifier(host: Host): Address | undefined {
  return host.locators.find((locator) => locator.parameters !== undefined && locator.state === 'preferred')?.address;
}
