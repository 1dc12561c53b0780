import { describe, expect, it } from 'vitest';
import { SHIM6 } from '../../src/wire/ipv6.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { twoHosts } from '../host/two-hosts.ts';

const MINUTE = 60_000;

/** An established context in the profile `rfc`, and everything that concerns how it ended. */
function standing(seed: number): TwoHosts {
  const hosts = twoHosts(seed, { profile: 'rfc' });
  hosts.establish();
  return hosts;
}

const endings = (hosts: TwoHosts): unknown[] =>
  [hosts.a, hosts.b].map((side) => hosts.events(side, 'state').find(({ state }) => state === 'IDLE')?.reason);

describe('RFC 5533 §9 tearing down', () => {
  it.each([
    ['one direction', ['a']],
    ['the other direction', ['b']],
    ['both directions', ['a', 'b']],
  ] as const)('S6-126 a context with a packet every four minutes in %s stays for hours', (_name, senders) => {
    const hosts = standing(1);
    for (const name of senders) hosts.traffic(hosts[name], 4 * MINUTE, 120 * MINUTE);
    const tags = [hosts.a, hosts.b].map((side) => [...side.sim.host.contexts].map(({ tag }) => tag));
    hosts.run(121 * MINUTE);
    expect([hosts.state(hosts.a), hosts.state(hosts.b)]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect([hosts.a, hosts.b].map((side) => [...side.sim.host.contexts].map(({ tag }) => tag))).toEqual(tags);
    expect(endings(hosts)).toEqual([undefined, undefined]);
    hosts.run(6 * MINUTE);
    expect(endings(hosts)).toEqual(['unused', 'unused']);
  });

  it('S6-127 Keepalives and Probes of its own do not keep a context that no program uses', () => {
    const hosts = twoHosts(2, { profile: 'rfc', idleMs: MINUTE });
    hosts.establish();
    hosts.traffic(hosts.a, 1_000, 20_000);
    hosts.run(30_000);
    hosts.run(2 * MINUTE);
    expect(endings(hosts)).toEqual(['unused', 'unused']);
  });

  it('ends without a message, and says so once at each end', () => {
    const hosts = standing(3);
    hosts.run(MINUTE);
    const before = hosts.packets.length;
    hosts.run(6 * MINUTE);
    expect(hosts.packets.slice(before).filter(({ nextHeader }) => nextHeader === SHIM6)).toEqual([]);
    for (const side of [hosts.a, hosts.b]) {
      expect(hosts.events(side, 'state').filter(({ state }) => state === 'IDLE')).toHaveLength(1);
      expect(side.sim.host.contexts.size).toBe(0);
    }
  });

  it('S6-001 after one end has let it go, a message with its tag gets R1bis', () => {
    const hosts = standing(4);
    hosts.b.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.b) });
    expect(hosts.state(hosts.b)).toBeUndefined();
    const before = hosts.packets.length;
    hosts.change(hosts.a, [...hosts.a.locators, hosts.a.form(2)]); // A has something to tell
    hosts.run(500);
    const types = hosts.packets.slice(before).map(({ payload }) => payload[2]);
    expect(types.slice(0, 4)).toEqual([64, 5, 6, 4]); // Update Request, R1bis, I2bis, R2
    expect([hosts.state(hosts.a), hosts.state(hosts.b)]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
  });
});
