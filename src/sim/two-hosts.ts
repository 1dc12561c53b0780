import { generateCga } from '../cga/generate.ts';
import { encodeCgaParameters } from '../cga/parameters.ts';
import type { Crypto, Signer } from '../crypto/ports.ts';
import type { HostEvent } from '../host/events.ts';
import type { HostLocator, HostSettings } from '../host/host-io.ts';
import type { PeerPolicy } from '../host/peer-policy.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { formatAddress, parseAddress, prefixOf } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { Network } from './network.ts';
import type { Packet, Way } from './network.ts';
import { seededRandom } from './random.ts';
import { SimHost } from './sim-host.ts';
import { World } from './world.ts';

/** What both hosts have in common, and a key for each. */
export interface TwoHostsConfiguration {
  readonly seed: number;
  readonly crypto: Crypto;
  readonly signers: { readonly a: Signer; readonly b: Signer };
  readonly settings?: Partial<HostSettings>;
  /** Of b, when they differ. */
  readonly settingsOfB?: Partial<HostSettings>;
  readonly policyOfB?: PeerPolicy;
}

interface SideConfiguration {
  readonly seed: number;
  readonly crypto: Crypto;
  readonly signer: Signer;
  readonly settings: Partial<HostSettings>;
  readonly policy?: PeerPolicy | undefined;
}

export interface Side {
  readonly sim: SimHost;
  readonly name: 'a' | 'b';
  locators: HostLocator[];
  /** When datagrams of the peer reached the program. */
  readonly arrivals: number[];
  /** A further identifier with the key of this side. */
  readonly form: (prefixNumber: number) => HostLocator;
}

/** How the two providers carry packets; change at any time. */
export interface Ways {
  /** By provider number, then direction. */
  way: (provider: 1 | 2, direction: 'a-b' | 'b-a') => Way;
  /** The same by the addresses, for what does not follow providers. Wins when it says something. */
  special: (source: Address, destination: Address) => Way | undefined;
}

export const GOOD: Way = { delayMs: 0.15, loss: 0 };
export const HOLE: Way = { delayMs: 0.15, loss: 1 };

/**
 * Hosts a and b with one address from each of two providers. A packet takes the provider of its source; between
 * addresses of different providers nothing is carried (ingress filters), as with two separate paths.
 */
export class TwoHosts {
  readonly world: World = new World();
  readonly network: Network;
  readonly a: Side;
  readonly b: Side;
  readonly ways: Ways = { way: () => GOOD, special: () => undefined };
  readonly packets: (Packet & { at: number; lost: boolean })[] = [];

  constructor({ seed, crypto, signers, settings = {}, settingsOfB = settings, policyOfB }: TwoHostsConfiguration) {
    this.network = new Network(this.world, seededRandom(seed), (source, destination) => {
      const special = this.ways.special(source, destination);
      if (special !== undefined) return special;
      const from = providerOf(source);
      if (from === undefined || from !== providerOf(destination)) return undefined;
      return this.ways.way(from, sideOf(source) === 'a' ? 'a-b' : 'b-a');
    });
    this.network.tap = (packet, lost) => {
      this.packets.push({ ...packet, at: this.world.now, lost });
    };
    this.a = this.#side('a', { seed: seed * 2 + 1, crypto, signer: signers.a, settings });
    this.b = this.#side('b', {
      seed: seed * 2 + 2,
      crypto,
      signer: signers.b,
      settings: settingsOfB,
      policy: policyOfB,
    });
  }

  /** Identifiers as `side` sees them: its address of provider 1 and the peer's. */
  ulids(side: Side): LocatorPair {
    const other = side === this.a ? this.b : this.a;
    return { local: first(side).address, peer: first(other).address };
  }

  /** The pair of provider 1 or 2. */
  pair(side: Side, provider: 1 | 2): LocatorPair {
    const other = side === this.a ? this.b : this.a;
    const [local, peer] = [side.locators[provider - 1], other.locators[provider - 1]];
    if (local === undefined || peer === undefined) throw new RangeError('no such locator');
    return { local: local.address, peer: peer.address };
  }

  /** A program that sends a datagram every `everyMs`, for `lastMs`. */
  traffic(side: Side, everyMs: number, lastMs: number = Number.POSITIVE_INFINITY): void {
    const end = this.world.now + lastMs;
    const step = (): void => {
      if (this.world.now > end) return;
      side.sim.send(this.ulids(side), new Uint8Array(64));
      this.world.after(everyMs, step);
    };
    step();
  }

  /** Open a context from `side` and wait until it stands on both. */
  establish(side: Side = this.a): void {
    side.sim.handle({ type: 'open', ulids: this.ulids(side) });
    this.run(200);
  }

  run(ms: number): void {
    this.world.run(this.world.now + ms);
  }

  /** What `side` says about its locators from now on. */
  change(side: Side, locators: HostLocator[]): void {
    side.locators = locators;
    side.sim.setLocators(locators);
  }

  state(side: Side): string | undefined {
    return side.sim.host.contexts.of(this.ulids(side))?.context.state;
  }

  /** The pair on which `side` sends, as text. */
  sending(side: Side): [string, string] | undefined {
    const pair = side.sim.host.contexts.of(this.ulids(side))?.flow.pair;
    return pair && [formatAddress(pair.local), formatAddress(pair.peer)];
  }

  events<Name extends HostEvent['event']>(side: Side, name: Name): Extract<HostEvent, { event: Name }>[] {
    return side.sim.events.filter((event): event is Extract<HostEvent, { event: Name }> => event.event === name);
  }

  #side(name: 'a' | 'b', { seed, crypto, signer, settings, policy }: SideConfiguration): Side {
    const random = seededRandom(seed);
    const sim = new SimHost(this.world, this.network, {
      crypto,
      random,
      signer,
      ...(policy && { policy }),
      settings: { profile: 'fast', idleMs: 300_000, returnAfterMs: 5_000, probeBudget: 200, ...settings },
    });
    const form = (prefixNumber: number): HostLocator => {
      const text = `2001:db8:${name === 'a' ? 'a' : 'b'}${String(prefixNumber)}::`;
      const prefix = prefixOf(parseAddress(text) ?? new Uint8Array(16));
      const cga = generateCga({ crypto, random, publicKey: signer.publicKey, prefix, sec: 0 });
      return {
        address: cga.address,
        state: 'preferred',
        operational: true,
        interface: `l${String(prefixNumber)}`,
        parameters: encodeCgaParameters(cga.parameters),
      };
    };
    const locators = [form(1), form(2)];
    const side: Side = { sim, name, locators, arrivals: [], form };
    sim.deliver = () => {
      side.arrivals.push(this.world.now);
    };
    sim.setLocators(locators);
    return side;
  }
}

/** 2001:db8:a1:: is host a at provider 1. */
function providerOf(address: Address): 1 | 2 | undefined {
  const digit = (address[5] ?? 0) & 0xf;
  return digit === 1 || digit === 2 ? digit : undefined;
}

function sideOf(address: Address): 'a' | 'b' {
  return (address[5] ?? 0) >> 4 === 0xa ? 'a' : 'b';
}

function first(side: Side): HostLocator {
  const [locator] = side.locators;
  if (locator === undefined) throw new RangeError('a side without locators');
  return locator;
}

/** The longest time without an arrival from `from` on. */
export function longestGap(arrivals: readonly number[], from: number, until: number): number {
  let last = from;
  let gap = 0;
  for (const at of [...arrivals.filter((one) => one >= from && one <= until), until]) {
    gap = Math.max(gap, at - last);
    last = at;
  }
  return gap;
}
