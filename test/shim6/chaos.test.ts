import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_PREFERENCE } from '../../src/shim6/locator-list.ts';
import { encodeShim6 } from '../../src/shim6/message-codec.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { anyMessage } from './arbitraries.ts';
import type { Context } from '../../src/shim6/context.ts';
import type { TestHost } from './world.ts';
import { established, seeded, twoHosts } from './world.ts';

const uniform = (random: ReturnType<typeof seeded>): number => (random(1)[0] ?? 0) / 256;

/** What both ends believe of each other, in words. */
function beliefs(one: TestHost, other: TestHost): unknown {
  const { context } = one;
  return {
    state: context.state,
    tag: context.tagPeer === other.context.tag,
    locators: context.peerLocators.map(({ address, broken }) => [formatAddress(address), broken]),
  };
}

describe('two hosts on a bad network', () => {
  it('S6-064 agree in the end, whatever was lost, repeated or late, and whoever started or forgot', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seeded(seed * 7919);
      const { world, a, b, ab, ba } = twoHosts({ a: { seed: seed * 2 }, b: { seed: seed * 2 + 1 } });
      world.loses = () => uniform(random) < 0.35;
      world.delay = () => 5 + Math.floor(uniform(random) * 400);
      const said = new Map<Context, readonly boolean[]>();
      for (let step = 0; step < 40; step++) {
        const [host, peer, ulids] = uniform(random) < 0.5 ? ([a, b, ab] as const) : ([b, a, ba] as const);
        const [context] = host.contexts;
        const dice = uniform(random);
        if (context === undefined || context.state === 'IDLE') {
          host.contexts = [];
          if (dice < 0.6) world.start(host, ulids);
        } else if (dice < 0.05) {
          host.contexts = []; // a restart without a word
        } else if (dice < 0.3) {
          const broken = host.locators.map(() => uniform(random) < 0.4);
          said.set(context, broken);
          const locators = host.locators.map((locator, i) => ({ ...locator, broken: broken[i] ?? false }));
          world.tell(host, context, { type: 'own-locators', locators });
        } else if (dice < 0.5 && context.state === 'ESTABLISHED') {
          world.inject({ source: host.address(0), destination: peer.address(0), octets: context.keepalive() });
        } else if (dice < 0.6) {
          const old = world.arrived[Math.floor(uniform(random) * world.arrived.length)];
          if (old !== undefined) world.inject(old); // a duplicate out of the past
        }
        world.run(Math.floor(uniform(random) * 3000));
        for (const one of [a, b]) expect(one.contexts.length).toBeLessThanOrEqual(1);
      }
      world.loses = () => false;
      world.delay = () => 10;
      world.run(300_000); // hold-downs end
      for (const [host, ulids] of [
        [a, ab],
        [b, ba],
      ] as const) {
        if (host.contexts.length === 0 || host.contexts[0]?.state === 'IDLE') {
          host.contexts = [];
          world.start(host, ulids);
          world.run(100);
        }
      }
      for (const [host, peer] of [
        [a, b],
        [b, a],
      ] as const) {
        if (host.context.state !== 'ESTABLISHED') throw new Error(`seed ${String(seed)}: ${host.context.state}`);
        world.inject({ source: host.address(0), destination: peer.address(0), octets: host.context.keepalive() });
        world.run(200_000);
      }
      for (const [host, peer] of [
        [a, b],
        [b, a],
      ] as const) {
        const flags = said.get(peer.context) ?? peer.locators.map(() => false);
        const locators = peer.locators.map(({ address }, i) => [formatAddress(address), flags[i] ?? false]);
        expect({ seed, ...(beliefs(host, peer) as object) }).toEqual({
          seed,
          state: 'ESTABLISHED',
          tag: true,
          locators,
        });
      }
    }
  });
});

describe('a context', () => {
  it('after a tick at the deadline has a later deadline', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.boolean(), (seed, established_) => {
        const { world, a, ab } = (established_ ? established : twoHosts)({ a: { seed } });
        world.loses = () => true;
        if (established_) {
          const locators = a.locators.map((locator) => ({ ...locator, broken: true }));
          world.tell(a, a.context, { type: 'own-locators', locators });
        } else world.start(a, ab);
        const { context } = a;
        for (let i = 0; i < 30 && context.deadline < Number.POSITIVE_INFINITY; i++) {
          const { deadline } = context;
          expect(context.handle({ type: 'tick' }, deadline - 1)).toEqual([]);
          context.handle({ type: 'tick' }, deadline);
          expect(context.deadline).toBeGreaterThan(deadline);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with the same seed and the same inputs sends the same octets', () => {
    const run = (): string => {
      const { world, a } = established({ a: { detectionMs: 20 } });
      world.tell(a, a.context, { type: 'own-locators', locators: a.locators.map((l) => ({ ...l, broken: true })) });
      world.run(10_000);
      return world.trace.map(({ at, octets }) => `${String(at)} ${octets.join()}`).join('\n');
    };
    expect(run()).toBe(run());
  });

  it('takes no harm from any message of a stranger', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), fc.constantFrom(0, 1), (messages, index) => {
        const { world, a, b } = established();
        const before = [beliefs(a, b), beliefs(b, a)];
        for (const message of messages) {
          a.receive({ source: b.address(index), destination: a.address(0), octets: encodeShim6(message) }, world.now);
        }
        expect([beliefs(a, b), beliefs(b, a)]).toEqual(before);
        expect(a.contexts).toHaveLength(1);
      }),
      { numRuns: 150 },
    );
  });

  it('S6-139 with its right tag does only what an Update may do', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), (messages) => {
        const { world, a, b } = established();
        const { context } = a;
        for (const message of messages) {
          const tagged = 'receiverContextTag' in message ? { ...message, receiverContextTag: context.tag } : message;
          a.receive({ source: b.address(0), destination: a.address(0), octets: encodeShim6(tagged) }, world.now);
        }
        expect(context.state).toBe('ESTABLISHED');
        expect(context.peerLocators.map(({ address }) => address)).toEqual(b.locators.map(({ address }) => address));
        expect(context.tagPeer).toBe(b.context.tag);
      }),
      { numRuns: 150 },
    );
  });

  it('S6-137 drops a preference for a locator list it has not seen', () => {
    const { world, a, b } = established();
    const octets = encodeShim6({
      type: 'UpdateRequest',
      receiverContextTag: a.context.tag,
      requestNonce: 1,
      options: { locatorPreferences: { generation: 1, elementLength: 1, elements: [NO_PREFERENCE] } },
    });
    const effects = a.receive({ source: b.address(0), destination: a.address(0), octets }, world.now);
    expect(effects[0]).toEqual({ type: 'drop', reason: 'preferences' });
  });
});
