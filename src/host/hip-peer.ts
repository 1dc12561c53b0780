import type { SecurityAssociation } from '../esp/security-association.ts';
import { suiteOf } from '../esp/suites.ts';
import { HIP_UDP_PORT } from '../esp/udp-encapsulation.ts';
import type { Association } from '../hip/association.ts';
import type { HipPath, SaHalf } from '../hip/association-io.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { Esp } from './esp-ports.ts';
import type { HipDetection } from './hip-detection.ts';
import type { HipFlow, HipFlows } from './hip-flows.ts';

/** Packets that wait for an association, RFC 7401 §4.4.2: the oldest go first. */
const MAX_WAITING = 16;
const MAX_WAITING_OCTETS = 32_768;

export interface HipPeerSurroundings {
  readonly esp: Esp;
  readonly flows: HipFlows;
  readonly socket: (path: HipPath) => number;
}

/** A peer with its association, SAs and the packets that wait for them. */
export class HipPeer {
  readonly hit: Address;
  readonly own: Address;
  readonly association: Association;
  readonly flow: HipFlow;
  place = -1;
  /** Where payload goes. */
  path: HipPath | undefined;
  establishedAt: Instant | undefined;
  /** REAP, once both ends have agreed on it. */
  detection: HipDetection | undefined;
  /** Both ends take UDP, and nobody has acted on it yet. */
  takesUdp = false;
  readonly #surroundings: HipPeerSurroundings;
  /** Handles of SAs by direction and SPI; outbound ones in the order in which they were installed. */
  readonly #handles = { in: new Map<number, number>(), out: new Map<number, number>() };
  readonly #halves = new Map<number, SaHalf>();
  #waiting: Uint8Array[] = [];

  constructor(own: Address, hit: Address, association: Association, surroundings: HipPeerSurroundings) {
    this.own = own;
    this.hit = hit;
    this.association = association;
    this.#surroundings = surroundings;
    this.flow = { own, peer: hit, out: undefined, credit: undefined, sent: 0, heard: new Map(), heardOn: undefined };
    surroundings.flows.add(this.flow);
  }

  get deadline(): Instant {
    return Math.min(this.association.deadline, this.detection?.deadline ?? NEVER);
  }

  /** The SAs in use, oldest first. */
  get associations(): readonly SaHalf[] {
    return [...this.#halves.values()];
  }

  hasSpi(spi: number): boolean {
    return this.#handles.in.has(spi);
  }

  /** A packet that cannot go yet; the oldest make room. */
  wait(packet: Uint8Array): void {
    this.#waiting.push(packet);
    while (this.#waiting.length > MAX_WAITING || octetsIn(this.#waiting) > MAX_WAITING_OCTETS) this.#waiting.shift();
  }

  /** What has waited, and waits no longer. */
  release(): Uint8Array[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  install(sa: SaHalf): void {
    const { esp, flows } = this.#surroundings;
    const suite = suiteOf(sa.suite);
    if (suite === undefined) throw new RangeError('an SA of an unknown suite');
    const between = sa.direction === 'in' ? [this.hit, this.own] : [this.own, this.hit];
    const [source = this.own, destination = this.hit] = between;
    const { spi, keys, hasShortNumbers } = sa;
    const association: SecurityAssociation = { spi, suite: suite.id, keys, source, destination, hasShortNumbers };
    const isInbound = sa.direction === 'in';
    const handle = isInbound ? esp.addInbound(association) : esp.addOutbound(association);
    this.#handles[sa.direction].set(spi, handle);
    this.#halves.set(handle, sa);
    if (isInbound) flows.listen(handle, this.flow, spi);
    else this.#useNewest();
  }

  retire(direction: 'in' | 'out', spi: number): void {
    const { esp, flows } = this.#surroundings;
    const handle = this.#handles[direction].get(spi);
    if (handle === undefined) return;
    this.#handles[direction].delete(spi);
    this.#halves.delete(handle);
    esp.remove(handle);
    if (direction === 'in') flows.unlisten(handle);
    else this.#useNewest();
  }

  /** Payload goes there from now on. */
  take(path: HipPath, credit: number | undefined): void {
    this.path = path;
    this.flow.credit = credit;
    this.#useNewest();
  }

  close(): void {
    this.stopDetecting();
    for (const direction of ['in', 'out'] as const)
      for (const spi of [...this.#handles[direction].keys()]) this.retire(direction, spi);
    this.#surroundings.flows.remove(this.flow);
  }

  stopDetecting(): void {
    this.detection?.close();
    this.detection = undefined;
  }

  /** Route the SA that was installed last, and use it as soon as there is a path. */
  #useNewest(): void {
    const newest = [...this.#handles.out.values()].at(-1);
    const { esp, socket } = this.#surroundings;
    if (newest !== undefined && this.path !== undefined) {
      const { local: source, peer: destination, carriage, peerPort } = this.path;
      const port = carriage === 'udp' ? (peerPort ?? HIP_UDP_PORT) : 0;
      esp.setPath(newest, { socket: socket(this.path), source, destination, port });
    }
    this.flow.out = this.path === undefined ? undefined : newest;
  }
}

function octetsIn(packets: readonly Uint8Array[]): number {
  return packets.reduce((sum, packet) => sum + packet.length, 0);
}
