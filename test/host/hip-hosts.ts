import { newEcdsaSecret, portableSigner } from '../../src/crypto/portable-hip.ts';
import { SUITES } from '../../src/esp/suites.ts';
import type { SuiteId } from '../../src/esp/suites.ts';
import type { DetectionSettings } from '../../src/host/detection.ts';
import type { HostLocator } from '../../src/host/host-io.ts';
import { ownIdentity } from '../../src/hip/orchid.ts';
import { HIP_DEFAULTS } from '../../src/hip/settings.ts';
import type { HipSettings } from '../../src/hip/settings.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { HipSimHost } from '../../src/sim/hip-sim-host.ts';
import { Network } from '../../src/sim/network.ts';
import type { Packet, Way } from '../../src/sim/network.ts';
import { seededRandom } from '../../src/sim/random.ts';
import { World } from '../../src/sim/world.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { IPV6_HEADER_LENGTH } from '../../src/wire/ipv6.ts';

/** Suites as settings want them. */
export function espSuites(...ids: readonly SuiteId[]): HipSettings['espSuites'] {
  return ids.map((id) => SUITES[id]);
}

export function locator(text: string, state: HostLocator['state'] = 'preferred'): HostLocator {
  return { address: address(text), state, operational: true, interface: 'l0', parameters: undefined };
}

interface Arrival {
  readonly at: number;
  readonly octets: Uint8Array;
}

/** Two hosts that speak HIP, with one address from each of two providers, in virtual time. */
export class HipHosts {
  readonly world: World = new World();
  readonly network: Network;
  readonly a: HipSimHost;
  readonly b: HipSimHost;
  readonly packets: (Packet & { readonly at: number; readonly lost: boolean })[] = [];
  readonly arrived: { readonly a: Arrival[]; readonly b: Arrival[] } = { a: [], b: [] };
  way: (source: Uint8Array, destination: Uint8Array) => Way | undefined = () => ({ delayMs: 1, loss: 0 });

  constructor(
    seed: number,
    settings: Partial<HipSettings> = {},
    settingsOfB: Partial<HipSettings> = settings,
    detection?: DetectionSettings,
    detectionOfB: DetectionSettings | undefined = detection,
  ) {
    this.network = new Network(this.world, seededRandom(seed), (source, destination) => this.way(source, destination));
    this.network.tap = (packet, lost) => this.packets.push({ ...packet, at: this.world.now, lost });
    this.a = this.#host(seed * 2 + 1, settings, detection);
    this.b = this.#host(seed * 2 + 2, settingsOfB, detectionOfB);
    for (const name of ['a', 'b'] as const) {
      this[name].deliver = (octets) => this.arrived[name].push({ at: this.world.now, octets });
      this[name].setLocators([locator(`2001:db8:${name}1::1`), locator(`2001:db8:${name}2::1`)]);
    }
    this.a.handle({ type: 'peers', peers: [{ hit: this.b.host.hit, names: ['b'], locators: addresses('b') }] });
    this.b.handle({ type: 'peers', peers: [{ hit: this.a.host.hit, names: ['a'], locators: addresses('a') }] });
  }

  run(ms: number): void {
    this.world.run(this.world.now + ms);
  }

  state(name: 'a' | 'b'): string | undefined {
    const other = this[name === 'a' ? 'b' : 'a'];
    return this[name].host.peer(other.host.hit)?.association.state;
  }

  /** What the datagrams held that reached the programs of a host. */
  payloads(name: 'a' | 'b'): string[] {
    return this.arrived[name].map(({ octets }) => new TextDecoder().decode(octets.subarray(IPV6_HEADER_LENGTH)));
  }

  #host(seed: number, settings: Partial<HipSettings>, detection: DetectionSettings | undefined): HipSimHost {
    const random = seededRandom(seed);
    return new HipSimHost(this.world, this.network, {
      crypto: nodeHipCrypto,
      random,
      settings: { ...HIP_DEFAULTS, espSuites: espSuites(13, 8), offersUdp: false, ...settings },
      ...(detection && { detection }),
      identity: ownIdentity(nodeHipCrypto, portableSigner(newEcdsaSecret('P-256', random), random)),
    });
  }
}

function addresses(name: 'a' | 'b'): Uint8Array[] {
  return [address(`2001:db8:${name}1::1`), address(`2001:db8:${name}2::1`)];
}

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

export function address(written: string): Address {
  const parsed = parseAddress(written);
  if (parsed === undefined) throw new TypeError(written);
  return parsed;
}
