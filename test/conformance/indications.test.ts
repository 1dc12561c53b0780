import { describe, expect, it } from 'vitest';
import { GOOD, HOLE } from '../../src/sim/two-hosts.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { twoHosts } from '../host/two-hosts.ts';

const text = (hosts: TwoHosts, side: Side, provider: 1 | 2): [string, string] => {
  const { local, peer } = hosts.pair(side, provider);
  return [formatAddress(local), formatAddress(peer)];
};

function talking(profile: 'fast' | 'rfc' = 'fast'): TwoHosts {
  const hosts = twoHosts(1, { profile });
  for (const side of [hosts.a, hosts.b]) hosts.traffic(side, 20);
  hosts.establish();
  hosts.run(2_000);
  return hosts;
}

/** A failure of provider 1, and when it was. */
function failed(hosts: TwoHosts, forMs: number): number {
  const at = hosts.world.now;
  hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
  hosts.run(forMs);
  return at;
}

describe('what a host says to those above it', () => {
  it('S6-150 S6-167 that the path of a context changed: from where, to where and why, as it happens', () => {
    const hosts = talking();
    const since = failed(hosts, 1_000);
    for (const side of [hosts.a, hosts.b]) {
      const ulids = text(hosts, side, 1);
      const [move, ...more] = hosts.events(side, 'selected');
      expect(more).toEqual([]);
      expect(move).toMatchObject({ ulids, from: ulids, to: text(hosts, side, 2) });
      expect(move?.why).toMatch(/^(send-timeout|peer-exploring)$/);
      const first = hosts.packets.find(
        ({ at, source, nextHeader, payload }) =>
          at >= since &&
          formatAddress(source) === text(hosts, side, 2)[0] &&
          nextHeader === 140 &&
          (payload[2] ?? 0) >= 128,
      );
      expect(first?.at).toBeGreaterThanOrEqual(move?.at ?? Infinity); // never after the packets have moved
    }
  });

  it('S6-150 that it went back', () => {
    const hosts = talking();
    failed(hosts, 1_000);
    hosts.ways.way = () => GOOD;
    hosts.run(10_000);
    const moves = hosts.events(hosts.a, 'selected');
    expect(moves.map(({ to }) => to)).toEqual([text(hosts, hosts.a, 2), text(hosts, hosts.a, 1)]);
    expect(hosts.events(hosts.a, 'returned')).toHaveLength(1);
  });

  it.each([
    ['fast', 1_000],
    ['rfc', 40_000],
  ] as const)('S6-201 every failure and what came of it, in order (%s)', (profile, ms) => {
    const hosts = talking(profile);
    const since = failed(hosts, ms);
    for (const side of [hosts.a, hosts.b]) {
      const ulids = text(hosts, side, 1);
      const story = side.sim.events.filter(({ at, event }) => at >= since && event !== 'confirmed');
      const names = story.map(({ event }) => event);
      expect(names.indexOf('suspect')).toBeGreaterThanOrEqual(0);
      expect(names.indexOf('suspect')).toBeLessThan(names.indexOf('selected'));
      expect(hosts.events(side, 'suspect')[0]).toMatchObject({ ulids, pair: ulids });
      const states = hosts.events(side, 'reap').map(({ state }) => state);
      expect(states.at(-1)).toBe('Operational');
      expect(states.slice(0, -1).some((state) => state !== 'Operational')).toBe(true);
      expect(hosts.events(side, 'confirmed').map(({ pair }) => pair)).toContainEqual(text(hosts, side, 2));
    }
  });

  it('S6-201 an alarm that was none', () => {
    const hosts = talking();
    hosts.traffic(hosts.a, 1);
    hosts.run(100);
    hosts.ways.way = () => HOLE;
    hosts.run(45);
    hosts.ways.way = () => GOOD;
    hosts.run(1_000);
    const isOwn = (side: Side): boolean => hosts.events(side, 'suspect').some(({ cause }) => cause === 'send-timeout');
    const sides = [hosts.a, hosts.b].filter(isOwn);
    expect(sides.length).toBeGreaterThan(0);
    for (const side of sides) {
      expect(hosts.events(side, 'false-alarm')).toMatchObject([{ pair: text(hosts, side, 1) }]);
      expect(hosts.events(side, 'selected')).toEqual([]);
      expect(hosts.events(side, 'reap').at(-1)?.state).toBe('Operational');
    }
  });
});
