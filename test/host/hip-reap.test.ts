import { describe, expect, it } from 'vitest';
import type { HostEvent } from '../../src/host/events.ts';
import type { HostLocator } from '../../src/host/host-io.ts';
import type { HipSettings } from '../../src/hip/settings.ts';
import type { Way } from '../../src/sim/network.ts';
import { GOOD, HOLE, longestGap } from '../../src/sim/two-hosts.ts';
import { HIP, UDP } from '../../src/wire/ipv6.ts';
import { HipHosts, locator, text } from './hip-hosts.ts';

const SEEDS = [1, 2, 3, 4, 5];
const DETECTION = { profile: 'fast', returnAfterMs: 5_000, probeBudget: 200 } as const;
const STEADY_MS = 1_000;

type Direction = 'a-b' | 'b-a';
type Traffic = 'one way' | 'both ways';

/** Two hosts with two providers between whose addresses nothing is carried, as behind ingress filters, and steady traffic. */
class Talk extends HipHosts {
  provider: (number: 1 | 2 | 3, direction: Direction) => Way = () => GOOD;

  constructor(seed: number, traffic: Traffic, settings: Partial<HipSettings> = {}) {
    super(seed, settings, settings, DETECTION);
    this.way = (source, destination) => {
      const [from, to] = [providerOf(source), providerOf(destination)];
      // prefix 3 of a reaches what its provider 1 reaches
      if (from !== to && !(from + to === 4 && from !== 2)) return undefined;
      return this.provider(from === to ? from : 3, ((source[5] ?? 0) & 0xf0) === 0xa0 ? 'a-b' : 'b-a');
    };
    this.world.every(4, () => {
      this.a.send(this.b.host.hit, text('a'));
    });
    if (traffic === 'both ways')
      this.world.every(7, () => {
        this.b.send(this.a.host.hit, text('b'));
      });
    this.run(STEADY_MS);
  }

  /** The provider over which a host sends. */
  sending(name: 'a' | 'b'): number {
    return providerOf(this.#peer(name)?.path?.local ?? new Uint8Array(16));
  }

  carriage(name: 'a' | 'b'): string | undefined {
    return this.#peer(name)?.path?.carriage;
  }

  selections(name: 'a' | 'b'): HostEvent[] {
    return this[name].events.filter(({ event }) => event === 'selected');
  }

  gap(name: 'a' | 'b', from: number, until: number = this.world.now): number {
    return longestGap(
      this.arrived[name].map(({ at }) => at),
      from,
      until,
    );
  }

  change(name: 'a' | 'b', change: (locators: readonly HostLocator[]) => HostLocator[]): void {
    this[name].setLocators(change(this[name].host.locators));
  }

  #peer(name: 'a' | 'b') {
    return this[name].host.peer(this[name === 'a' ? 'b' : 'a'].host.hit);
  }
}

function providerOf(address: Uint8Array): 1 | 2 | 3 {
  const digit = (address[5] ?? 0) & 0xf;
  return digit === 1 || digit === 2 ? digit : 3;
}

const CASES = SEEDS.flatMap((seed) => (['one way', 'both ways'] as const).map((traffic) => [traffic, seed] as const));

describe('two HIP hosts that agreed on REAP', () => {
  it('say nothing beyond Keepalives and tests while everything works', () => {
    const talk = new Talk(1, 'both ways');
    talk.run(5_000);
    expect(talk.selections('a')).toEqual([]);
    expect(talk.a.events.filter(({ event }) => event === 'suspect')).toEqual([]);
    expect([...talk.a.host.seen].some(({ rttMs }) => rttMs !== undefined)).toBe(true);
  });

  it.each(CASES)('move within 60 ms when provider 1 dies: traffic %s, seed %i', (traffic, seed) => {
    const talk = new Talk(seed, traffic);
    expect([talk.sending('a'), talk.sending('b')]).toEqual([1, 1]);
    const failed = talk.world.now;
    talk.provider = (number) => (number === 1 ? HOLE : GOOD);
    talk.run(1_000);
    expect(talk.sending('a')).toBe(2);
    expect(talk.gap('b', failed)).toBeLessThan(60);
    if (traffic === 'both ways') expect(talk.gap('a', failed)).toBeLessThan(65);
    expect(talk.selections('a')).toHaveLength(1);
  });

  it.each(CASES)('move the direction that died: traffic %s, seed %i', (traffic, seed) => {
    for (const dead of ['a-b', 'b-a'] as const) {
      const talk = new Talk(seed, traffic);
      const failed = talk.world.now;
      talk.provider = (number, direction) => (number === 1 && direction === dead ? HOLE : GOOD);
      talk.run(1_000);
      const out = dead === 'a-b';
      if (out) expect(talk.gap('b', failed), dead).toBeLessThan(70);
      else expect(talk.gap('b', failed), dead).toBeLessThan(8);
      if (traffic === 'both ways') {
        expect([talk.sending('a'), talk.sending('b')]).toEqual(out ? [2, 1] : [1, 2]);
        expect(talk.gap('a', failed)).toBeLessThan(70);
      }
    }
  });

  it.each(CASES)('move within 20 ms when the link of provider 1 goes: traffic %s, seed %i', (traffic, seed) => {
    for (const side of ['a', 'b'] as const) {
      const talk = new Talk(seed, traffic);
      const failed = talk.world.now;
      talk.provider = (number) => (number === 1 ? HOLE : GOOD);
      talk.change(side, (locators) => locators.slice(1));
      talk.run(1_000);
      expect(talk.gap('b', failed), side).toBeLessThan(20);
      expect(talk.sending('a')).toBe(2);
    }
  });

  it.each(CASES)('lose nothing when their prefix is replaced: traffic %s, seed %i', (traffic, seed) => {
    const talk = new Talk(seed, traffic);
    const began = talk.world.now;
    talk.change('a', ([one, two]) => [
      { ...(one ?? locator('::')), state: 'deprecated' },
      ...(two === undefined ? [] : [two]),
      locator('2001:db8:a3::1'),
    ]);
    talk.run(500);
    talk.change('a', (locators) => locators.slice(1));
    talk.run(500);
    talk.provider = (number) => (number === 1 ? HOLE : GOOD);
    talk.run(500);
    expect(talk.gap('b', began)).toBeLessThan(8);
    if (traffic === 'both ways') expect(talk.gap('a', began)).toBeLessThan(14);
    expect(talk.sending('a')).not.toBe(1);
  });

  it.each(CASES)('follow a host whose addresses are replaced at once: traffic %s, seed %i', (traffic, seed) => {
    const talk = new Talk(seed, traffic);
    const moved = talk.world.now;
    talk.change('a', () => [locator('2001:db8:a3::1')]);
    talk.run(1_000);
    expect(talk.gap('b', moved)).toBeLessThan(20);
    if (traffic === 'both ways') expect(talk.gap('a', moved)).toBeLessThan(20);
    expect([talk.sending('a'), talk.state('a'), talk.state('b')]).toEqual([3, 'ESTABLISHED', 'ESTABLISHED']);
  });

  it.each(SEEDS)('go home 5 s after it works again, seed %i', (seed) => {
    const talk = new Talk(seed, seed % 2 === 0 ? 'one way' : 'both ways');
    talk.provider = (number) => (number === 1 ? HOLE : GOOD);
    talk.run(2_000);
    talk.provider = () => GOOD;
    const healed = talk.world.now;
    talk.run(4_500);
    expect(talk.sending('a')).toBe(2);
    talk.run(7_500);
    expect(talk.sending('a')).toBe(1);
    expect(talk.gap('b', healed)).toBeLessThan(8);
  });

  it.each(CASES)('stay where they are through 5 %% loss: traffic %s, seed %i', (traffic, seed) => {
    const talk = new Talk(seed, traffic);
    talk.provider = () => ({ delayMs: 0.15, loss: 0.05 });
    talk.run(5_000);
    expect(talk.selections('a')).toEqual([]);
    expect(talk.selections('b')).toEqual([]);
  });

  it.each(CASES)('stay where they are when the delay jumps by 30 ms: traffic %s, seed %i', (traffic, seed) => {
    for (const slow of ['a-b', 'b-a'] as const) {
      const talk = new Talk(seed, traffic);
      talk.provider = (number, direction) => (number === 1 && direction === slow ? { delayMs: 30, loss: 0 } : GOOD);
      talk.run(1_500);
      expect(talk.selections('a')).toEqual([]);
      expect(talk.selections('b')).toEqual([]);
    }
  });

  it.each(CASES)('stay where they are when one of them pauses for 150 ms: traffic %s, seed %i', (traffic, seed) => {
    for (const side of ['a', 'b'] as const) {
      const talk = new Talk(seed, traffic);
      talk[side].stopUntil(talk.world.now + 150);
      talk.run(1_500);
      expect(talk.selections('a')).toEqual([]);
      expect(talk.selections('b')).toEqual([]);
    }
  });

  it.each(SEEDS)('leave UDP when it is all that no longer gets through, seed %i', (seed) => {
    const talk = new Talk(seed, 'both ways', { offersUdp: true });
    expect([talk.carriage('a'), talk.carriage('b')]).toEqual(['udp', 'udp']);
    const { send } = talk.network;
    talk.network.send = (packet) => {
      if (packet.nextHeader !== UDP) send.call(talk.network, packet);
    };
    const failed = talk.world.now;
    talk.run(3_000);
    expect([talk.carriage('a'), talk.carriage('b')]).toEqual(['raw', 'raw']);
    expect(talk.gap('b', failed)).toBeLessThan(500);
  });

  it('exchange nothing of REAP when only one of them wants it', () => {
    const hosts = new HipHosts(1, {}, {}, undefined, DETECTION);
    hosts.world.every(4, () => {
      hosts.a.send(hosts.b.host.hit, text('x'));
    });
    hosts.run(2_000);
    expect(hosts.state('a')).toBe('ESTABLISHED');
    expect(hosts.a.host.peer(hosts.b.host.hit)?.detection).toBeUndefined();
    expect(hosts.b.host.peer(hosts.a.host.hit)?.detection).toBeUndefined();
    expect(hosts.packets.filter(({ nextHeader, payload }) => nextHeader === HIP && payload[2] === 17)).toEqual([]);
  });

  it('do nothing for a replay, a forgery, or a Probe that was moved to other addresses', () => {
    const talk = new Talk(3, 'both ways');
    talk.provider = (number) => (number === 1 ? HOLE : GOOD);
    talk.run(100);
    talk.provider = () => GOOD;
    talk.run(1_000);
    const frames = talk.packets.filter(
      ({ nextHeader, destination, lost }) =>
        nextHeader === HIP && !lost && ((destination[5] ?? 0) & 0xf0) === 0xb0 && destination[5] !== undefined,
    );
    const control = frames.filter(({ payload }) => (payload[2] ?? 0) === 17); // NOTIFY
    expect(control.length).toBeGreaterThan(3);
    const before = { ...Object.fromEntries(talk.b.host.drops) };
    const events = talk.b.events.length;
    const states = [talk.sending('a'), talk.sending('b'), talk.b.host.peer(talk.a.host.hit)?.detection?.state];
    for (const { source, destination, payload } of control) {
      const path = { carriage: 'raw', local: destination, peer: source } as const;
      talk.b.handle({ type: 'control', path, octets: payload });
      for (let at = 8; at < payload.length; at += 7) {
        const forged = payload.slice();
        forged[at] = (forged[at] ?? 0) ^ 1;
        talk.b.handle({ type: 'control', path, octets: forged });
      }
    }
    expect(talk.b.host.drops.get('replayed') ?? 0).toBeGreaterThanOrEqual((before['replayed'] ?? 0) + control.length);
    expect(talk.b.events.slice(events)).toEqual([]);
    expect([talk.sending('a'), talk.sending('b'), talk.b.host.peer(talk.a.host.hit)?.detection?.state]).toEqual(states);
  });
});
