import { describe, expect, it } from 'vitest';
import { parsePayloadHeader } from '../../src/shim6/payload-header.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { Probe } from '../../src/shim6/messages.ts';
import type { ProbeReport } from '../../src/reap/probe.ts';
import { GOOD, HOLE } from '../../src/sim/two-hosts.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { SHIM6 } from '../../src/wire/ipv6.ts';
import { twoHosts } from '../host/two-hosts.ts';
import { ip } from '../shim6/spec-vectors.ts';

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);
const PROFILES = ['fast', 'balanced', 'rfc'] as const;

type Captured = TwoHosts['packets'][number];

const pairText = ({ source, destination }: { source: Address; destination: Address }): string =>
  `${formatAddress(source)} > ${formatAddress(destination)}`;

const isPayloadHeader = ({ nextHeader, payload }: Captured): boolean =>
  nextHeader === SHIM6 && parsePayloadHeader(payload).ok;

function probeOf({ nextHeader, payload }: Captured): Probe | undefined {
  const parsed = nextHeader === SHIM6 ? parseShim6(payload) : undefined;
  return parsed?.ok === true && parsed.value.type === 'Probe' ? parsed.value : undefined;
}

/**
 * What a capture between the hosts shows: payload with a payload header whose pair no probe exchange has confirmed
 * before. Confirmed is a pair when a packet that was not lost reports to its sender a nonce that it sent on it.
 */
function unconfirmed(packets: readonly Captured[]): string[] {
  const probes = new Map<number, string>();
  const confirmed = new Set<string>();
  const wrong: string[] = [];
  for (const packet of packets) {
    const probe = probeOf(packet);
    if (probe !== undefined) {
      probes.set(probe.sent[0]?.nonce ?? -1, pairText(packet));
      for (const report of packet.lost ? [] : probe.received) {
        const pair = pairText(report);
        if (probes.get(report.nonce) === pair) confirmed.add(pair);
      }
    } else if (isPayloadHeader(packet) && !confirmed.has(pairText(packet))) {
      wrong.push(`${packet.at.toFixed(1)} ${pairText(packet)}`);
    }
  }
  return wrong;
}

/** Both send over an established context. */
function talking(seed: number, profile: (typeof PROFILES)[number]): TwoHosts {
  const hosts = twoHosts(seed, { profile });
  const every = profile === 'rfc' ? 50 : 2;
  hosts.traffic(hosts.a, every);
  hosts.traffic(hosts.b, every);
  hosts.establish();
  hosts.run(1_000);
  return hosts;
}

const tagged = (hosts: TwoHosts): Captured[] => hosts.packets.filter(isPayloadHeader);

describe('RFC 5533 §7.2 the ULID is shown to be at a locator before payload goes there', () => {
  it.each(PROFILES.flatMap((profile) => SEEDS.map((seed) => [profile, seed] as const)))(
    'S6-058 a failure of either or both directions moves payload only after a probe exchange (%s, seed %i)',
    (profile, seed) => {
      for (const dead of ['a-b', 'b-a', 'both'] as const) {
        const hosts = talking(seed, profile);
        hosts.ways.way = (provider, direction) =>
          provider === 1 && (dead === 'both' || dead === direction) ? HOLE : GOOD;
        hosts.run(profile === 'rfc' ? 40_000 : 2_000);
        expect(tagged(hosts).length).toBeGreaterThan(10);
        expect(unconfirmed(hosts.packets)).toEqual([]);
      }
    },
  );

  it.each(PROFILES)('S6-058 so does the loss of the own address (%s)', (profile) => {
    const hosts = talking(3, profile);
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    const ulids = hosts.ulids(hosts.a);
    hosts.change(hosts.a, hosts.a.locators.slice(1));
    const send = (): void => {
      hosts.a.sim.send(ulids, new Uint8Array(64));
      hosts.world.after(5, send);
    };
    send();
    hosts.run(10_000);
    expect(tagged(hosts).length).toBeGreaterThan(10);
    expect(unconfirmed(hosts.packets)).toEqual([]);
  });

  it.each(PROFILES)('S6-058 a proven locator that is not the peer gets probes and never payload (%s)', (profile) => {
    const hosts = talking(4, profile);
    const victim = ip('2001:db8:dead::1');
    claim(hosts, hosts.b, victim);
    hosts.run(1_000);
    const [context] = [...hosts.a.sim.host.contexts];
    expect(context?.peerLocators.map(({ address }) => formatAddress(address))).toContain(formatAddress(victim));
    hosts.ways.way = () => HOLE; // the peer makes everything else fail
    const liar = hosts.b.locators[1]?.address;
    hosts.ways.special = (source, destination) => (destination === victim || source === liar ? GOOD : undefined);
    const toVictim = (): Captured[] =>
      hosts.packets.filter(({ destination }) => formatAddress(destination) === formatAddress(victim));
    hosts.run(60_000);
    expect(toVictim().length).toBeGreaterThan(0);
    expect(toVictim().length).toBeLessThan(100); // S6-170: ever more rarely
    for (let i = 0; i < 30; i++) {
      lie(hosts, victim, i);
      hosts.run(1_000);
    }
    expect(toVictim().every((packet) => probeOf(packet) !== undefined)).toBe(true);
  });

  it('the judge sees payload that comes too early', () => {
    const hosts = talking(5, 'fast');
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(1_000);
    const early = hosts.packets.filter((packet) => (probeOf(packet)?.received.length ?? 0) === 0);
    expect(unconfirmed(early).length).toBeGreaterThan(10);
  });
});

/** `side` tells its peer of an address that its key has signed for, but that is somebody else's. */
function claim(hosts: TwoHosts, side: Side, address: Address): void {
  const [first] = side.locators;
  if (first === undefined) throw new Error('no locator');
  hosts.change(side, [...side.locators, { ...first, address, interface: 'elsewhere' }]);
}

/** b says that a probe of a has reached it at `address`, with a nonce that it cannot know. */
function lie(hosts: TwoHosts, address: Address, i: number): void {
  const { local: destination } = hosts.ulids(hosts.a);
  const [, locator] = hosts.b.locators;
  const [context] = [...hosts.a.sim.host.contexts];
  if (locator === undefined || context === undefined) throw new Error('no context');
  const source = locator.address;
  const report = (from: Address, to: Address): ProbeReport => ({ source: from, destination: to, nonce: i, data: 0 });
  const message: Probe = {
    type: 'Probe',
    receiverContextTag: context.tag,
    state: 'InboundOk',
    sent: [report(source, destination)],
    received: [report(destination, address)],
    pathTest: false,
    options: {},
  };
  hosts.network.send({ source, destination, nextHeader: SHIM6, payload: encodeShim6(message) });
}

describe('RFC 5534 §4.2, §8 no exploration before there is a context', () => {
  it('S6-168 a host whose peer never answers sends I1s and payload, no Probe and no Keepalive', () => {
    const hosts = twoHosts(6);
    hosts.ways.way = (_, direction) => (direction === 'b-a' ? HOLE : GOOD);
    hosts.traffic(hosts.a, 5);
    hosts.traffic(hosts.b, 5);
    hosts.a.sim.handle({ type: 'open', ulids: hosts.ulids(hosts.a) });
    hosts.run(20_000);
    expect(hosts.state(hosts.a)).toBe('I1-SENT');
    const types = hosts.packets
      .filter((packet) => packet.nextHeader === SHIM6)
      .map(({ source, payload }) => [formatAddress(source) === formatAddress(hosts.ulids(hosts.a).local), payload[2]]);
    expect(types.length).toBeGreaterThan(3);
    expect(types.filter(([isFromA, type]) => type !== (isFromA === true ? 1 : 2))).toEqual([]);
    expect(hosts.events(hosts.a, 'reap')).toEqual([]);
  });
});
