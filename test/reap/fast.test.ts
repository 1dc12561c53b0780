import { describe, expect, it } from 'vitest';
import { FAST } from '../../src/reap/profile.ts';
import { pairOf, TwoHosts } from './link.ts';
import type { Name, Path, TwoHostsOptions } from './link.ts';

const FAILURE = 200;
const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

type Traffic = 'one-way' | 'acknowledged' | 'both-ways';

interface Setting {
  readonly seed: number;
  readonly traffic: Traffic;
  /** Delay of a packet, or its loss, on the path that fails. */
  readonly failing?: (
    from: Name,
    pair: string,
    now: number,
    usual: number,
    uniform: () => number,
  ) => number | undefined;
}

/** UDP every millisecond from A to B; optionally what TCP does in the other direction, or a stream of B's own. */
function busy({ seed, traffic, failing }: Setting): TwoHosts {
  const held: { hosts?: TwoHosts } = {};
  const uniform = (): number => held.hosts?.uniform() ?? 0;
  const path: TwoHostsOptions['path'] =
    (from, pair): Path =>
    (now) => {
      const usual = 0.12 + 0.1 * uniform();
      return failing === undefined ? usual : failing(from, pair, now, usual, uniform);
    };
  const hosts = new TwoHosts({ profile: FAST, seed, path });
  held.hosts = hosts;
  hosts.program('A', 1);
  if (traffic === 'both-ways') hosts.program('B', 1.3);
  if (traffic === 'acknowledged') {
    hosts.program('A', 0.7);
    let seen = 0;
    hosts.program('B', 0.5, 0, Infinity, () => {
      const isNew = hosts.arrived.length > seen && hosts.arrived.at(-1)?.host === 'B';
      seen = hosts.arrived.length;
      return isNew;
    });
  }
  return hosts;
}

/** When payload from `from` first arrives on another pair than 11, after the failure. */
function recovered(hosts: TwoHosts, to: Name): number {
  const first = hosts.arrived.find((a) => a.host === to && a.at > FAILURE && a.pair !== '11');
  return first === undefined ? Infinity : first.at - FAILURE;
}

function percentiles(values: readonly number[]): { median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? NaN, max: sorted.at(-1) ?? NaN };
}

const dead =
  (directions: string) =>
  (from: Name, pair: string, now: number, usual: number): number | undefined =>
    now >= FAILURE && pair === '11' && directions.includes(from) ? undefined : usual;

describe('profile fast: a failure of the current pair', () => {
  for (const traffic of ['one-way', 'acknowledged', 'both-ways'] as const) {
    it(`moves payload within 45 ms when both directions die (${traffic})`, () => {
      const times = SEEDS.map((seed) => {
        const hosts = busy({ seed, traffic, failing: dead('AB') }).run(FAILURE + 700);
        expect([hosts.pair('A'), hosts.moves('A').length]).toEqual(['22', 1]);
        expect(hosts.moves('B').length).toBeLessThanOrEqual(1);
        expect([hosts.machines.A.state, hosts.machines.B.state]).toEqual(['Operational', 'Operational']);
        return recovered(hosts, 'B');
      });
      expect(percentiles(times).max).toBeLessThan(47);
    });

    it(`S6-160 moves only the direction A to B when only that dies (${traffic})`, () => {
      const times = SEEDS.map((seed) => {
        const hosts = busy({ seed, traffic, failing: dead('A') }).run(FAILURE + 700);
        expect([hosts.pair('A'), hosts.pair('B')]).toEqual(['22', '11']);
        expect(hosts.moves().length).toBe(1);
        return recovered(hosts, 'B');
      });
      expect(percentiles(times).max).toBeLessThan(53);
      expect(percentiles(times).median).toBeLessThan(47);
    });

    it(`S6-160 moves only the direction B to A when only that dies (${traffic})`, () => {
      const times = SEEDS.map((seed) => {
        const hosts = busy({ seed, traffic, failing: dead('B') }).run(FAILURE + 700);
        expect([hosts.pair('A'), hosts.pair('B')]).toEqual(['11', '22']);
        expect(hosts.moves().length).toBe(1);
        return traffic === 'one-way' ? (hosts.moves()[0]?.at ?? NaN) - FAILURE : recovered(hosts, 'A');
      });
      expect(percentiles(times).max).toBeLessThan(47);
    });
  }

  it('S6-161 moves within a few milliseconds when the local address goes', () => {
    const times = SEEDS.map((seed) => {
      const hosts = busy({ seed, traffic: 'acknowledged', failing: dead('AB') });
      hosts.at(FAILURE + 0.1, () => {
        hosts.input('A', { type: 'pair-dead', cause: 'address-lost' });
      });
      hosts.run(FAILURE + 700);
      expect([hosts.pair('A')[0], hosts.pair('B')[0], hosts.moves().length]).toEqual(['2', '2', 2]);
      return recovered(hosts, 'B');
    });
    expect(percentiles(times).max).toBeLessThan(3);
  });
});

describe('profile fast: no failure', () => {
  for (const traffic of ['one-way', 'acknowledged', 'both-ways'] as const) {
    it(`stays when the peer's daemon is stopped for 150 ms (${traffic})`, () => {
      for (const seed of SEEDS) {
        const hosts = busy({ seed, traffic });
        hosts.stop(seed % 2 === 0 ? 'A' : 'B', FAILURE, 150);
        hosts.run(FAILURE + 700);
        expect(hosts.trace(), `seed ${String(seed)}`).toEqual([]);
        expect([hosts.machines.A.state, hosts.machines.B.state]).toEqual(['Operational', 'Operational']);
      }
    });

    for (const direction of ['A', 'B']) {
      it(`stays when the delay from ${direction} jumps by 30 ms (${traffic})`, () => {
        for (const seed of SEEDS) {
          const failing = (from: Name, pair: string, now: number, usual: number): number =>
            usual + (now >= FAILURE && pair === '11' && direction.includes(from) ? 30 : 0);
          const hosts = busy({ seed, traffic, failing }).run(FAILURE + 700);
          expect(hosts.trace(), `seed ${String(seed)}`).toEqual([]);
        }
      });
    }

    it(`moves at most once when the delay jumps by 30 ms in both directions (${traffic})`, () => {
      for (const seed of SEEDS) {
        const failing = (_f: Name, pair: string, now: number, usual: number): number =>
          usual + (now >= FAILURE && pair === '11' ? 30 : 0);
        const hosts = busy({ seed, traffic, failing }).run(FAILURE + 700);
        expect(hosts.moves('A').length, hosts.trace().join()).toBeLessThanOrEqual(1);
        expect(hosts.moves('B').length, hosts.trace().join()).toBeLessThanOrEqual(1);
      }
    });

    it(`stays at 5 % random loss for 60 s (${traffic})`, { timeout: 120_000 }, () => {
      for (const seed of SEEDS.slice(0, 2)) {
        const hosts = busy({ seed, traffic, failing: (_f, _p, _n, usual, u) => (u() < 0.05 ? undefined : usual) });
        hosts.run(60_000);
        expect(hosts.trace(), `seed ${String(seed)}`).toEqual([]);
      }
    });

    it(`moves at most once, and does not swing, after 40 ms of total loss (${traffic})`, () => {
      for (const seed of SEEDS) {
        const failing = (_f: Name, _p: string, now: number, usual: number): number | undefined =>
          now >= FAILURE && now < FAILURE + 40 ? undefined : usual;
        const hosts = busy({ seed, traffic, failing }).run(FAILURE + 2_000);
        expect(hosts.moves('A').length).toBeLessThanOrEqual(1);
        expect(hosts.moves('B').length).toBeLessThanOrEqual(1);
      }
    });
  }

  it('S6-163 stays while the remote program says nothing: Keepalives come', () => {
    for (const seed of SEEDS.slice(0, 5)) {
      const hosts = busy({ seed, traffic: 'one-way' }).run(10_000);
      expect([hosts.count('suspect'), hosts.moves().length]).toEqual([0, 0]);
      expect(hosts.count('send-keepalive', 'B')).toBeGreaterThan(900);
    }
  });

  it('S6-164 is silent when nobody sends', () => {
    const hosts = new TwoHosts({ profile: FAST, seed: 1 });
    hosts.payload('A');
    hosts.run(100);
    const before = hosts.sent.length;
    hosts.run(100_000);
    expect(hosts.sent.length).toBe(before);
    expect(hosts.machines.A.deadline).toBe(Infinity);
  });

  it('goes back to the preferred pair after it has answered for a while', () => {
    const failing = (_f: Name, pair: string, now: number, usual: number): number | undefined =>
      now >= FAILURE && now < FAILURE + 3_000 && pair === '11' ? undefined : usual;
    const hosts = busy({ seed: 3, traffic: 'both-ways', failing });
    for (const name of ['A', 'B'] as const) hosts.input(name, { type: 'prefer', pair: pairOf(name, '11') });
    hosts.run(FAILURE + 13_000);
    const back = hosts.moves().filter((m) => m.effect.type === 'selected' && m.effect.why.startsWith('preferred'));
    expect(back.map((b) => b.host).sort()).toEqual(['A', 'B']);
    for (const move of back) {
      expect(move.at).toBeGreaterThan(FAILURE + 8_000);
      expect(move.at).toBeLessThan(FAILURE + 11_000);
    }
    expect(hosts.moves().length).toBe(4);
  });
});
