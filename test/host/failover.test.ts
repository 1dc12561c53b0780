import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/wire/address.ts';
import { SHIM6 } from '../../src/wire/ipv6.ts';
import { GOOD, HOLE, longestGap } from '../../src/sim/two-hosts.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { twoHosts } from './two-hosts.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

/** Steady traffic both ways over an established context. */
function talking(seed: number): TwoHosts {
  const hosts = twoHosts(seed);
  hosts.traffic(hosts.a, 1);
  hosts.traffic(hosts.b, 3);
  hosts.run(50);
  hosts.establish();
  hosts.run(1_000);
  return hosts;
}

function pairText(hosts: TwoHosts, side: Side, provider: 1 | 2): [string, string] {
  const { local, peer } = hosts.pair(side, provider);
  return [formatAddress(local), formatAddress(peer)];
}

describe('two hosts in virtual time', () => {
  it('S6-064 establish a context with four messages and leave the traffic on the kernel path', () => {
    const hosts = talking(1);
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
    expect(hosts.state(hosts.b)).toBe('ESTABLISHED');
    const handshake = hosts.packets.filter((packet) => packet.nextHeader === SHIM6 && (packet.payload[2] ?? 0) < 64);
    expect(handshake.map((packet) => packet.payload[2])).toEqual([1, 2, 3, 4]);
    expect(hosts.events(hosts.a, 'diverted')).toEqual([]);
    expect(hosts.events(hosts.a, 'suspect')).toEqual([]);
    expect(hosts.events(hosts.b, 'suspect')).toEqual([]);
  });

  it.each(SEEDS)('moves both directions within 60 ms when provider 1 dies, seed %i', (seed) => {
    const hosts = talking(seed);
    const failed = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(2_000);
    expect(hosts.sending(hosts.a)).toEqual(pairText(hosts, hosts.a, 2));
    expect(hosts.sending(hosts.b)).toEqual(pairText(hosts, hosts.b, 2));
    expect(longestGap(hosts.b.arrivals, failed, hosts.world.now)).toBeLessThan(60);
    expect(longestGap(hosts.a.arrivals, failed, hosts.world.now)).toBeLessThan(65);
    expect(hosts.events(hosts.a, 'selected')).toHaveLength(1);
    expect(hosts.events(hosts.b, 'selected')).toHaveLength(1);
  });

  it.each(SEEDS)('moves only the direction that died, seed %i', (seed) => {
    for (const dead of ['a-b', 'b-a'] as const) {
      const hosts = talking(seed);
      const failed = hosts.world.now;
      hosts.ways.way = (provider, direction) => (provider === 1 && direction === dead ? HOLE : GOOD);
      hosts.run(2_000);
      const [mover, other] = dead === 'a-b' ? [hosts.a, hosts.b] : [hosts.b, hosts.a];
      expect(hosts.sending(mover)).toEqual(pairText(hosts, mover, 2));
      expect(hosts.sending(other)).toEqual(pairText(hosts, other, 1));
      expect(longestGap(other.arrivals, failed, hosts.world.now)).toBeLessThan(70);
    }
  });

  it('goes back to the identifiers 5 s after they work again', () => {
    const hosts = talking(3);
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(3_000);
    hosts.ways.way = () => GOOD;
    const healed = hosts.world.now;
    hosts.run(12_000);
    expect(hosts.sending(hosts.a)).toEqual(pairText(hosts, hosts.a, 1));
    expect(hosts.sending(hosts.b)).toEqual(pairText(hosts, hosts.b, 1));
    const back = hosts.events(hosts.a, 'selected').at(-1);
    expect((back?.at ?? 0) - healed).toBeGreaterThan(4_900);
    expect(hosts.events(hosts.a, 'returned')).toHaveLength(1);
    expect(longestGap(hosts.b.arrivals, healed, hosts.world.now)).toBeLessThan(5);
  });

  it.each(SEEDS)('moves within 10 ms when the link of provider 1 goes away, seed %i', (seed) => {
    const hosts = talking(seed);
    const failed = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.change(hosts.a, hosts.a.locators.slice(1));
    const ulids = { local: hosts.packets[0]?.source ?? new Uint8Array(16), peer: hosts.ulids(hosts.a).peer };
    hosts.run(1_000);
    const context = hosts.a.sim.host.contexts.of(ulids);
    expect(context && formatAddress(context.flow.pair.local)).toBe(
      formatAddress(hosts.a.locators[0]?.address ?? ulids.local),
    );
    expect(longestGap(hosts.b.arrivals, failed, failed + 500)).toBeLessThan(500);
    expect(hosts.events(hosts.a, 'selected')[0]?.at).toBeLessThan(failed + 10);
  });

  it.each(SEEDS)('does not move when the peer daemon is stopped for 150 ms, seed %i', (seed) => {
    const hosts = twoHosts(seed);
    hosts.traffic(hosts.a, 1);
    hosts.run(50);
    hosts.establish();
    hosts.run(1_000);
    hosts.b.sim.stopUntil(hosts.world.now + 150);
    hosts.run(3_000);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    expect(hosts.events(hosts.b, 'selected')).toEqual([]);
  });

  it.each(SEEDS)('does not move when the delay of provider 1 jumps by 30 ms, seed %i', (seed) => {
    for (const direction of ['a-b', 'b-a', 'both'] as const) {
      const hosts = talking(seed);
      const slow = { delayMs: direction === 'both' ? 15 : 30, loss: 0 };
      hosts.ways.way = (provider, way) => (provider === 1 && (direction === 'both' || way === direction) ? slow : GOOD);
      hosts.run(3_000);
      expect(hosts.events(hosts.a, 'selected')).toEqual([]);
      expect(hosts.events(hosts.b, 'selected')).toEqual([]);
    }
  });

  it.each(SEEDS.slice(0, 5))('does not move under 5 percent random loss for 60 s, seed %i', (seed) => {
    const hosts = talking(seed);
    hosts.ways.way = () => ({ delayMs: 0.15, loss: 0.05 });
    hosts.run(60_000);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    expect(hosts.events(hosts.b, 'selected')).toEqual([]);
  });

  it.each(SEEDS)('moves at most once in 5 s for a total loss of 40 ms, seed %i', (seed) => {
    const hosts = talking(seed);
    hosts.ways.way = () => HOLE;
    hosts.run(40);
    hosts.ways.way = () => GOOD;
    hosts.run(5_000);
    expect(hosts.events(hosts.a, 'selected').length).toBeLessThanOrEqual(1);
    expect(hosts.events(hosts.b, 'selected').length).toBeLessThanOrEqual(1);
  });

  it('S6-201 says once that a context ended, and why', () => {
    const hosts = talking(6);
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    const ended = hosts.events(hosts.a, 'state').filter((event) => event.state === 'IDLE');
    expect(ended.map((event) => event.reason)).toEqual(['command']);
  });

  it('S6-127 forgets a context that nobody has used for five minutes', () => {
    const hosts = twoHosts(7);
    hosts.establish();
    hosts.run(299_000);
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
    hosts.run(2_000);
    expect(hosts.state(hosts.a)).toBeUndefined();
    expect(hosts.events(hosts.a, 'state').at(-1)?.reason).toBe('unused');
  });

  it('S6-164 is silent when nobody sends', () => {
    const hosts = twoHosts(5);
    hosts.establish();
    const before = hosts.packets.length;
    hosts.run(120_000);
    expect(hosts.packets.length).toBe(before);
  });
});
