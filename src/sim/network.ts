import { uniform } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { World } from './world.ts';

/** What happens to packets in one direction between two addresses. */
export interface Way {
  readonly delayMs: number;
  /** Fraction of packets lost, 0 to 1; 1 is a black hole. */
  readonly loss: number;
  readonly duplicate?: number;
  /** Up to so many milliseconds more, at random: reorders. */
  readonly jitterMs?: number;
}

/** A packet of the simulated Internet: what the IPv6 header says that matters, and the octets behind it. */
export interface Packet {
  readonly source: Address;
  readonly destination: Address;
  readonly nextHeader: number;
  readonly payload: Uint8Array;
}

/** Carries packets between addresses, each way with its own delay and faults, all from one seed. */
export class Network {
  readonly #world: World;
  readonly #random: Random;
  readonly #receivers = new Map<string, (packet: Packet) => void>();
  /** Decides the way of a packet; change it at any time to inject a fault. `undefined`: no such way. */
  way: (source: Address, destination: Address) => Way | undefined;
  /** Sees every packet as it is sent. */
  tap: (packet: Packet, lost: boolean) => void = () => undefined;

  constructor(world: World, random: Random, way: (source: Address, destination: Address) => Way | undefined) {
    this.#world = world;
    this.#random = random;
    this.way = way;
  }

  attach(address: Address, receive: (packet: Packet) => void): void {
    this.#receivers.set(addressKey(address), receive);
  }

  detach(address: Address): void {
    this.#receivers.delete(addressKey(address));
  }

  send(packet: Packet): void {
    const way = this.way(packet.source, packet.destination);
    const lost = way === undefined || uniform(this.#random) < way.loss;
    this.tap(packet, lost);
    if (lost) return;
    const copies = uniform(this.#random) < (way.duplicate ?? 0) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delay = way.delayMs + uniform(this.#random) * (way.jitterMs ?? 0);
      this.#world.after(delay, () => this.#receivers.get(addressKey(packet.destination))?.(packet));
    }
  }
}
