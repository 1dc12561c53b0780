import { describe, expect, it } from 'vitest';
import { GOOD, HOLE, longestGap } from '../../src/sim/two-hosts.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { SHIM6 } from '../../src/wire/ipv6.ts';
import { twoHosts } from './two-hosts.ts';

const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);
const RESTART_MS = 400;
const R1BIS = 5;

/** Traffic both ways that has moved to provider 2, because provider 1 is dead and stays so. */
function moved(seed: number): TwoHosts {
  const hosts = twoHosts(seed);
  hosts.traffic(hosts.a, 1);
  hosts.traffic(hosts.b, 3);
  hosts.establish();
  hosts.run(1_000);
  hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
  hosts.run(1_000);
  return hosts;
}

function messages(hosts: TwoHosts, since: number): (number | undefined)[] {
  return hosts.packets
    .filter(({ at, nextHeader, payload }) => at >= since && nextHeader === SHIM6 && ((payload[2] ?? 0) & 0x80) === 0)
    .map(({ payload }) => payload[2]);
}

describe('a host whose daemon starts anew', () => {
  it.each(SEEDS)('goes on with the contexts that it remembered, on the pair in use, seed %i', (seed) => {
    const hosts = moved(seed);
    const at = hosts.world.now;
    const tag = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a))?.tag;
    hosts.a.sim.restart(RESTART_MS, true);
    hosts.run(3_000);
    const after = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a));
    expect(after?.context.state).toBe('ESTABLISHED');
    expect(after?.tag).toBe(tag);
    expect(longestGap(hosts.b.arrivals, at, hosts.world.now)).toBeLessThan(RESTART_MS + 100);
    expect(longestGap(hosts.a.arrivals, at, hosts.world.now)).toBeLessThan(RESTART_MS + 500);
    expect(messages(hosts, at).filter((type) => type !== undefined && type < 64)).toEqual([]); // nothing to set up
  });

  it.each(SEEDS)(
    'without a memory, R1bis and I2bis bring the context back (S6-106, S6-110, S6-261), seed %i',
    (seed) => {
      const hosts = moved(seed);
      const at = hosts.world.now;
      hosts.a.sim.restart(RESTART_MS, false);
      hosts.run(3_000);
      expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
      expect(messages(hosts, at)).toContain(R1BIS);
      expect(longestGap(hosts.b.arrivals, at, hosts.world.now)).toBeLessThan(RESTART_MS + 500);
    },
  );

  it('does not put a remembered context in the place of a new one', () => {
    const hosts = moved(1);
    const [memory] = hosts.a.sim.host.remember();
    if (memory === undefined) throw new Error('nothing is remembered');
    const before = hosts.a.sim.host.contexts.size;
    expect(hosts.a.sim.host.resume(memory, hosts.world.now)).toEqual([]);
    expect(hosts.a.sim.host.contexts.size).toBe(before);
  });

  it('lists that are told afterwards have later generations than those before (S6-046)', () => {
    const hosts = moved(2);
    const [memory] = hosts.a.sim.host.remember();
    const before = memory?.told[0]?.list?.generation;
    if (before === undefined) throw new Error('no list was told');
    hosts.a.sim.restart(RESTART_MS, true);
    hosts.run(1_000);
    hosts.change(hosts.a, [...hosts.a.locators, hosts.a.form(3)]);
    hosts.run(1_000);
    const generation = hosts.b.sim.host.remember()[0]?.peer.locators.generation;
    expect(((generation ?? before) - before) | 0).toBeGreaterThan(0);
  });

  it('remembers nothing of a context that is not established', () => {
    const hosts = twoHosts(3);
    hosts.a.sim.handle({ type: 'open', ulids: hosts.ulids(hosts.a) });
    expect(hosts.state(hosts.a)).toBe('I1-SENT');
    expect(hosts.a.sim.host.remember()).toEqual([]);
  });
});
