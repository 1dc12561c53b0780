import { generateCga } from '../cga/generate.ts';
import { encodeCgaParameters } from '../cga/parameters.ts';
import type { Crypto, Signer } from '../crypto/ports.ts';
import type { HostEvent } from '../host/events.ts';
import type { HostLocator, HostSettings } from '../host/host-io.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { parseAddress, prefixOf, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { SHIM6 } from '../wire/ipv6.ts';
import type { Instant } from '../wire/time.ts';
import { Network } from './network.ts';
import type { Way } from './network.ts';
import { seededRandom } from './random.ts';
import { SimHost } from './sim-host.ts';
import { World } from './world.ts';

const OPEN_EVERY_MS = 6;

export interface CrowdConfiguration {
  readonly seed: number;
  readonly crypto: Crypto;
  readonly signers: { readonly a: Signer; readonly b: Signer };
  readonly settings: HostSettings;
  /** How many identifiers each host has; a context joins each of a with each of b. */
  readonly identities: number;
  readonly onEvent?: (host: 'a' | 'b', event: HostEvent) => void;
}

/** One of the two hosts of a crowd. */
export interface CrowdSide {
  readonly sim: SimHost;
  readonly ulids: readonly Address[];
  /** When control messages left this host. */
  readonly controls: Instant[];
}

/**
 * Many contexts between two hosts: each has so many identifiers in its prefix of provider 1, and for each of them one
 * locator more in its prefix of provider 2. All of a host's have the same key. Nothing is carried between providers.
 */
export class Crowd {
  readonly world: World = new World();
  readonly a: CrowdSide;
  readonly b: CrowdSide;
  /** How provider 1 and 2 carry packets; change at any time. */
  way: (provider: number, direction: 'a-b' | 'b-a') => Way = () => ({ delayMs: 0.15, loss: 0 });
  /** The same by the addresses; wins when it says something. */
  special: (source: Address, destination: Address) => Way | undefined = () => undefined;
  readonly #network: Network;

  constructor(configuration: CrowdConfiguration) {
    const { seed } = configuration;
    this.#network = new Network(this.world, seededRandom(seed), (source, destination) => {
      const special = this.special(source, destination);
      if (special !== undefined) return special;
      if (providerOf(source) !== providerOf(destination)) return undefined;
      return this.way(providerOf(source), isOfA(source) ? 'a-b' : 'b-a');
    });
    this.#network.tap = ({ source, nextHeader, payload }) => {
      const isPayload = ((payload[2] ?? 0) & 0x80) !== 0; // RFC 5533 §5.1: the P bit
      if (nextHeader === SHIM6 && !isPayload) (isOfA(source) ? this.a : this.b).controls.push(this.world.now);
    };
    this.a = this.#side('a', 2 * seed + 1, configuration.signers.a, configuration);
    this.b = this.#side('b', 2 * seed + 2, configuration.signers.b, configuration);
  }

  /** The identifiers of the first `count` contexts, as a sees them. */
  pairs(count: number): LocatorPair[] {
    return this.a.ulids.flatMap((local) => this.b.ulids.map((peer) => ({ local, peer }))).slice(0, count);
  }

  /** Opens contexts from a, no faster than a responder answers one prefix. */
  establish(pairs: readonly LocatorPair[]): void {
    for (const ulids of pairs) {
      this.a.sim.handle({ type: 'open', ulids });
      this.run(OPEN_EVERY_MS);
    }
    this.run(100);
  }

  run(ms: number): void {
    this.world.run(this.world.now + ms);
  }

  #side(name: 'a' | 'b', seed: number, signer: Signer, configuration: CrowdConfiguration): CrowdSide {
    const { crypto, settings, identities, onEvent } = configuration;
    const random = seededRandom(seed);
    const sim = new SimHost(this.world, this.#network, { crypto, random, signer, settings });
    sim.onEvent = (event) => onEvent?.(name, event);
    const locators: HostLocator[] = [];
    for (let i = 0; i < identities; i++) {
      for (const provider of [1, 2]) {
        const text = `2001:db8:${name === 'a' ? 'a' : 'b'}${String(provider)}::`;
        const prefix = prefixOf(parseAddress(text) ?? new Uint8Array(16));
        const cga = generateCga({ crypto, random, publicKey: signer.publicKey, prefix, sec: 0 });
        locators.push({
          address: cga.address,
          state: 'preferred',
          operational: true,
          interface: `l${String(provider)}`,
          parameters: encodeCgaParameters(cga.parameters),
          identity: String(i),
        });
      }
    }
    sim.setLocators(locators);
    const ulids = locators.map(({ address }) => address).filter((address) => providerOf(address) === 1);
    return { sim, ulids, controls: [] };
  }
}

/** Both ends of each pair have an ESTABLISHED context. */
export function areEstablished({ a, b }: Crowd, pairs: readonly LocatorPair[]): boolean {
  const stands = ({ sim }: CrowdSide, ulids: LocatorPair): boolean =>
    sim.host.contexts.of(ulids)?.context.state === 'ESTABLISHED';
  return pairs.every(({ local, peer }) => stands(a, { local, peer }) && stands(b, { local: peer, peer: local }));
}

/** 2001:db8:a1:: is host a at provider 1. */
function providerOf(address: Address): number {
  return (address[5] ?? 0) & 0xf;
}

function isOfA(address: Address): boolean {
  return (address[5] ?? 0) >> 4 === 0xa;
}

/** Whether packets of both ends of a context go out on other pairs than that of the identifiers. */
export function hasMoved({ a, b }: Crowd, { local, peer }: LocatorPair): boolean {
  const moved = ({ sim }: CrowdSide, ulids: LocatorPair): boolean => {
    const pair = sim.host.contexts.of(ulids)?.flow.pair;
    return pair !== undefined && !sameOctets(pair.local, ulids.local);
  };
  return moved(a, { local, peer }) && moved(b, { local: peer, peer: local });
}
