import { describe, expect, it } from 'vitest';
import { BALANCED, FAST } from '../../src/reap/profile.ts';
import { seededUniform, TwoHosts } from './link.ts';
import type { Name } from './link.ts';

const PAIRS = ['11', '22', '12', '21'];
const HEALED = 8_000;

/** For every pair and direction: when it is dead, at random, until everything heals. */
function outages(seed: number): (from: Name, pair: string, now: number) => boolean {
  const uniform = seededUniform(seed);
  const windows = new Map<string, (readonly [number, number])[]>();
  for (const from of ['A', 'B']) {
    for (const pair of PAIRS) {
      const list = Array.from({ length: 4 }, () => {
        const start = HEALED * uniform();
        return [start, Math.min(HEALED, start + 2_500 * uniform() ** 2)] as const;
      });
      windows.set(from + pair, list);
    }
  }
  return (from, pair, now) => (windows.get(from + pair) ?? []).some(([start, end]) => now >= start && now < end);
}

describe('random outages of every pair and direction', () => {
  for (const profile of [FAST, BALANCED]) {
    it(`ends content, with payload arriving both ways (${profile.name})`, { timeout: 60_000 }, () => {
      for (let seed = 1; seed <= 40; seed++) {
        const isDead = outages(seed);
        const hosts = new TwoHosts({
          profile,
          seed,
          path: (from, pair) => (now) => (isDead(from, pair, now) ? undefined : 0.2),
        });
        hosts.program('A', 4);
        hosts.program('B', 5);
        hosts.run(HEALED + 8_000);
        const context = `seed ${String(seed)}: ${hosts.trace().join('; ')}`;
        expect([hosts.machines.A.state, hosts.machines.B.state], context).toEqual(['Operational', 'Operational']);
        for (const host of ['A', 'B'] as const) {
          expect(hosts.arrived.filter((a) => a.host === host && a.at > HEALED + 7_000).length, context).toBeGreaterThan(
            150,
          );
        }
        expect(hosts.log.filter((l) => l.effect.type === 'suspect' && l.at > HEALED + 7_000)).toEqual([]);
      }
    });
  }

  it('a single pair that dies in one direction recovers without a move, and is probed sparingly', () => {
    for (const dead of ['A', 'B', 'AB']) {
      for (let seed = 1; seed <= 5; seed++) {
        const path = (from: Name) => (now: number) =>
          now > 300 && now < 20_000 && dead.includes(from) ? undefined : 0.2;
        const hosts = new TwoHosts({ profile: FAST, seed, locators: [1, 1], path });
        hosts.program('A', 8);
        hosts.program('B', 9);
        hosts.run(20_000);
        const probes = hosts.sent.filter((s) => s.packet.kind === 'probe' && s.at > 10_000).length;
        hosts.run(60_000);
        expect([hosts.machines.A.state, hosts.machines.B.state, hosts.moves().length]).toEqual([
          'Operational',
          'Operational',
          0,
        ]);
        expect(probes, `${dead} ${String(seed)}`).toBeLessThan(60);
      }
    }
  });
});
