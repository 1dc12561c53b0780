import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { areEstablished, Crowd, hasMoved } from '../../src/sim/crowd.ts';
import { failCrowd } from '../../src/sim/crowd-failure.ts';
import { sameOctets } from '../../src/wire/address.ts';
import { signers } from './two-hosts.ts';

function crowd(identities: number, events: string[] = []): Crowd {
  return new Crowd({
    seed: 1,
    crypto: nodeCrypto,
    signers,
    identities,
    settings: { profile: 'fast', idleMs: 300_000, returnAfterMs: 5_000, probeBudget: 200 },
    onEvent: (host, event) => events.push(`${host} ${event.event}`),
  });
}

describe('many contexts between two hosts', () => {
  it.each(['both', 'a-b', 'b-a'] as const)(
    'follow the one that explores when provider 1 dies (%s)',
    (dead) => {
      const hosts = crowd(12);
      const pairs = hosts.pairs(144);
      hosts.establish(pairs);
      expect(areEstablished(hosts, pairs)).toBe(true);
      const result = failCrowd(hosts, pairs, { everyMs: 50, steadyMs: 3_000, watchMs: 1_500, dead });
      expect(result.recoveryMs.at(Math.floor(0.99 * pairs.length))).toBeLessThanOrEqual(500);
      expect(Math.max(result.controlBefore, result.controlAfter)).toBeLessThanOrEqual(2_000);
    },
    60_000,
  );

  it('a healthy class is not dragged along when a single context is in trouble', () => {
    const hosts = crowd(4);
    const pairs = hosts.pairs(16);
    hosts.establish(pairs);
    const [ill, ...healthy] = pairs;
    if (ill === undefined) throw new RangeError('no pair');
    hosts.special = (source, destination) =>
      [ill.local, ill.peer].every((end) => sameOctets(end, source) || sameOctets(end, destination))
        ? { delayMs: 0.15, loss: 1 }
        : undefined;
    failCrowd(hosts, pairs, { everyMs: 10, steadyMs: 100, watchMs: 1_000, dead: 'none' });
    expect(hasMoved(hosts, ill)).toBe(true);
    expect(healthy.filter((ulids) => hasMoved(hosts, ulids))).toEqual([]);
  }, 60_000);

  it('peers are looked for at their other locators while contexts are in use, once for all of one key, slowly', () => {
    const events: string[] = [];
    const hosts = crowd(6, events);
    const pairs = hosts.pairs(36);
    hosts.establish(pairs);
    failCrowd(hosts, pairs, { everyMs: 50, steadyMs: 4_000, watchMs: 0, dead: 'none' });
    const { host } = hosts.a.sim;
    const unknown = [...host.contexts].filter((context) =>
      context.peerLocators.some(({ address }) => address !== context.ulids.peer && !context.isProbed(address)),
    );
    expect(unknown.map(({ ulids }) => ulids)).toEqual([]);
  }, 60_000);
});
