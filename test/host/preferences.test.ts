import { describe, expect, it, vi } from 'vitest';
import { ShimApi } from '../../src/host/shim-api.ts';
import type { HostSettings } from '../../src/host/host-io.ts';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { GOOD, HOLE, longestGap } from '../../src/sim/two-hosts.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { sameOctets } from '../../src/wire/address.ts';
import { twoHosts } from './two-hosts.ts';

vi.setConfig({ testTimeout: 120_000 }); // minutes of virtual time, on any machine

const SEEDS = [1, 2, 3];

function talking(seed = 1, settings: Partial<HostSettings> = {}, everyMs = 10): TwoHosts {
  const hosts = twoHosts(seed, settings);
  hosts.traffic(hosts.a, everyMs);
  hosts.traffic(hosts.b, 15);
  hosts.establish();
  hosts.run(2_000);
  return hosts;
}

function pairOf(hosts: TwoHosts, side: Side): LocatorPair | undefined {
  return side.sim.host.contexts.of(hosts.ulids(side))?.flow.pair;
}

/** Packets on any pair with the second locator of a, since `from`. */
function onSecondLink(hosts: TwoHosts, from: number): number {
  const second = hosts.a.locators[1]?.address ?? new Uint8Array();
  const isOn = (address: Uint8Array): boolean => sameOctets(address, second);
  return hosts.packets.filter(({ at, source, destination }) => at >= from && (isOn(source) || isOn(destination)))
    .length;
}

describe('a path that flaps every second', () => {
  /** Provider 1 is dead in every other second. */
  function flapping(seed: number, ms: number): TwoHosts {
    const hosts = twoHosts(seed);
    hosts.traffic(hosts.a, 10);
    hosts.traffic(hosts.b, 15);
    hosts.establish();
    hosts.run(3_000);
    const from = hosts.world.now;
    const isDead = (): boolean => Math.floor((hosts.world.now - from) / 1_000) % 2 === 0;
    hosts.ways.way = (provider) => (provider === 1 && isDead() ? HOLE : GOOD);
    hosts.run(ms);
    return hosts;
  }

  it.each([1, 2])(
    'moves traffic at most twice a minute, for three minutes, seed %i',
    (seed) => {
      const hosts = flapping(seed, 180_000);
      for (const side of [hosts.a, hosts.b]) {
        const moves = hosts.events(side, 'selected').map(({ at }) => at);
        expect(moves.length).toBeGreaterThan(0);
        const inAMinute = moves.map((at) => moves.filter((one) => one >= at && one < at + 60_000).length);
        expect(Math.max(...inAMinute)).toBeLessThanOrEqual(2);
      }
      expect(longestGap(hosts.b.arrivals, 3_300, hosts.world.now)).toBeLessThan(100);
    },
    60_000,
  );

  it('gets its traffic back once it has been good for long enough', () => {
    const hosts = flapping(3, 10_000);
    hosts.ways.way = () => GOOD;
    hosts.run(10_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 1));
  });
});

describe('a backup link', () => {
  function withBackup(): TwoHosts {
    const hosts = twoHosts(1);
    hosts.change(
      hosts.a,
      hosts.a.locators.map((locator, i) => ({ ...locator, backup: i === 1 })),
    );
    hosts.traffic(hosts.a, 10);
    hosts.traffic(hosts.b, 15);
    hosts.run(50);
    hosts.establish();
    return hosts;
  }

  it('carries nothing while another one works, neither probes nor Keepalives nor tests', () => {
    const hosts = withBackup();
    hosts.run(60_000);
    expect(hosts.state(hosts.b)).toBe('ESTABLISHED');
    expect(onSecondLink(hosts, 0)).toBe(0);
  });

  it('carries everything as soon as nothing else works, and nothing again when something does', () => {
    const hosts = withBackup();
    hosts.run(3_000);
    const failed = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(2_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    expect(longestGap(hosts.b.arrivals, failed, hosts.world.now)).toBeLessThan(80);
    hosts.ways.way = () => GOOD;
    hosts.run(10_000);
    const back = hosts.world.now;
    hosts.run(60_000);
    for (const side of [hosts.a, hosts.b]) expect(pairOf(hosts, side)).toEqual(hosts.pair(side, 1));
    expect(onSecondLink(hosts, back)).toBe(0);
  });

  it('is left by a context whose identifiers are on it', () => {
    const hosts = twoHosts(1);
    hosts.change(
      hosts.a,
      hosts.a.locators.map((locator, i) => ({ ...locator, backup: i === 0 })),
    );
    hosts.traffic(hosts.a, 5);
    hosts.establish();
    hosts.run(10_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
  });
});

describe('a link that costs more', () => {
  it('comes after others, and the peer is told so', () => {
    const hosts = twoHosts(1);
    hosts.change(
      hosts.a,
      hosts.a.locators.map((locator, i) => ({ ...locator, cost: i === 0 ? 10 : 0 })),
    );
    hosts.traffic(hosts.a, 5);
    hosts.traffic(hosts.b, 5);
    hosts.establish();
    hosts.run(10_000);
    const known = hosts.b.sim.host.contexts.of(hosts.ulids(hosts.b))?.peerLocators;
    expect(known?.map(({ priority }) => priority)).toEqual([10, 0]);
    for (const side of [hosts.a, hosts.b]) expect(pairOf(hosts, side)).toEqual(hosts.pair(side, 2));
  });
});

describe('a preferred pair', () => {
  const prefer = (hosts: TwoHosts, pair: LocatorPair | undefined): void => {
    hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'prefer', pair } });
  };

  it.each(['fast', 'rfc'] as const)('gets the traffic as soon as it is known to work, and keeps it (%s)', (profile) => {
    const hosts = talking(1, { profile });
    const from = hosts.world.now;
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(profile === 'fast' ? 10 : 1_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    hosts.run(20_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    expect(longestGap(hosts.b.arrivals, from, hosts.world.now)).toBeLessThan(15);
  });

  it.each(['fast', 'rfc'] as const)('may share a locator with the one in use (%s)', (profile) => {
    const hosts = talking(1, { profile });
    hosts.ways.special = () => GOOD; // providers that reach each other
    const wanted = { local: hosts.pair(hosts.a, 2).local, peer: hosts.pair(hosts.a, 1).peer };
    prefer(hosts, wanted);
    hosts.run(1_000);
    expect(pairOf(hosts, hosts.a)).toEqual(wanted);
    expect(hosts.events(hosts.a, 'selected')).toHaveLength(1);
  });

  it('is what traffic stays away from where it does not work, also without Path Tests', () => {
    const hosts = talking(1, { profile: 'rfc' });
    const from = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(10_000);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    expect(hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a))?.reap).toBe('Operational');
    expect(longestGap(hosts.b.arrivals, from, hosts.world.now)).toBeLessThan(15);
    hosts.ways.way = () => GOOD;
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(1_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
  });

  it('is wanted also by the next daemon, as is a hot standby', () => {
    const hosts = talking();
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'standby', isOn: true } });
    hosts.run(1_000);
    hosts.a.sim.restart(400, true);
    hosts.run(20_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    const [memory] = hosts.a.sim.host.remember();
    expect(memory?.wishes).toEqual({ preferred: hosts.pair(hosts.a, 2), standby: true });
  });

  it('is left alone while it does not work', () => {
    const hosts = talking();
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(10_000);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    hosts.ways.way = () => GOOD;
    hosts.run(20_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
  });

  it('is preferred until it fails, or somebody says otherwise', () => {
    const hosts = talking();
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(1_000);
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    hosts.run(1_000);
    hosts.ways.way = () => GOOD;
    hosts.run(30_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 1));
    prefer(hosts, hosts.pair(hosts.a, 2));
    hosts.run(1_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    prefer(hosts, undefined);
    hosts.run(20_000); // it has failed lately: longer than usual
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 1));
  });
});

describe('RFC 6316 §6.3 hot standby', () => {
  /** From the first suspicion of a until its payload arrives again. */
  function recovery(seed: number, isOn: boolean): number {
    const hosts = talking(seed, {}, 2);
    hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'standby', isOn } });
    hosts.run(3_000);
    const failed = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(1_000);
    const suspected = hosts.events(hosts.a, 'suspect').find(({ at }) => at >= failed)?.at ?? Infinity;
    const arrived = hosts.b.arrivals.find((at) => at > failed + 1) ?? Infinity;
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 2));
    expect(hosts.events(hosts.a, 'selected')).toHaveLength(1);
    hosts.ways.way = () => GOOD;
    hosts.run(10_000);
    expect(pairOf(hosts, hosts.a)).toEqual(hosts.pair(hosts.a, 1));
    return arrived - suspected;
  }

  it.each(SEEDS)('moves the traffic with the suspicion, without an exploration before it, seed %i', (seed) => {
    const without = recovery(seed, false);
    const withStandby = recovery(seed, true);
    expect(withStandby).toBeLessThan(3); // the next packet and its way
    expect(withStandby).toBeLessThan(without);
  });

  it('does not take a pair that does not work either', () => {
    const hosts = talking();
    hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'standby', isOn: true } });
    hosts.run(3_000);
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    hosts.run(5_000);
    hosts.ways.way = () => HOLE;
    hosts.run(500);
    expect(hosts.events(hosts.a, 'suspect').length).toBeGreaterThan(0);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
  });

  it('tests the other pair only while the context is in use', () => {
    const hosts = twoHosts(1);
    hosts.traffic(hosts.a, 5, 10_000);
    hosts.establish();
    hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'standby', isOn: true } });
    const from = hosts.world.now;
    hosts.run(5_000);
    const used = onSecondLink(hosts, from);
    expect(used).toBeGreaterThanOrEqual(16);
    expect(used).toBeLessThan(40);
    hosts.run(15_000);
    const rest = hosts.world.now;
    hosts.run(60_000);
    expect(onSecondLink(hosts, rest)).toBe(0);
  });
});

describe('RFC 6316 §8.3 feedback from an application', () => {
  it('that is bad makes the host look, and move only with reason', () => {
    const hosts = talking();
    const complain = (): void => {
      hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'feedback', isGood: false } });
    };
    complain();
    hosts.run(1_000);
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    const quiet = twoHosts(1);
    quiet.establish();
    quiet.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    quiet.run(10_000);
    expect(quiet.events(quiet.a, 'selected')).toEqual([]); // nobody has sent anything
    quiet.a.sim.handle({ type: 'wish', ulids: quiet.ulids(quiet.a), wish: { type: 'feedback', isGood: false } });
    quiet.run(1_000);
    expect(quiet.events(quiet.a, 'suspect').map(({ cause }) => cause)).toEqual(['application']);
    expect(pairOf(quiet, quiet.a)).toEqual(quiet.pair(quiet.a, 2));
  });

  it('that is good counts as payload that came in', () => {
    const silent = (praises: boolean): number => {
      const hosts = twoHosts(1, { profile: 'rfc' });
      hosts.establish();
      hosts.ways.way = (_, direction) => (direction === 'b-a' ? HOLE : GOOD);
      hosts.traffic(hosts.a, 100);
      const wish = { type: 'feedback', isGood: true } as const;
      for (let s = 0; s < 30; s++) {
        if (praises) hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish });
        hosts.run(1_000);
      }
      return hosts.events(hosts.a, 'suspect').length;
    };
    expect(silent(false)).toBeGreaterThan(0);
    expect(silent(true)).toBe(0);
  });
});

describe('RFC 6316 by identifiers', () => {
  it('shows a context and takes wishes; without one there is nothing', () => {
    const hosts = twoHosts(1);
    const api = new ShimApi(hosts.a.sim.host);
    const ulids = hosts.ulids(hosts.a);
    expect(api.isAssociated(ulids)).toBe(false);
    expect(api.sending(ulids)).toBeUndefined();
    expect(api.peerLocators(ulids)).toBeUndefined();
    expect(api.feedback(ulids, false, 0)).toEqual([]);
    hosts.traffic(hosts.a, 20);
    hosts.establish();
    hosts.run(3_000);
    expect(api.isAssociated(ulids)).toBe(true);
    expect(api.sending(ulids)).toEqual(ulids);
    expect(api.receiving(ulids)).toEqual(ulids);
    expect(api.localLocators(ulids)).toHaveLength(2);
    expect(api.peerLocators(ulids)?.map(({ isProbed }) => isProbed)).toEqual([true, true]);
    expect(api.pathExploration(ulids)?.name).toBe('fast');
    const [test] = api.prefer(ulids, hosts.pair(hosts.a, 2), hosts.world.now);
    expect(test).toMatchObject({ type: 'transmit', source: hosts.pair(hosts.a, 2).local });
  });
});
