import { describe, expect, it } from 'vitest';
import type { PeerFacts } from '../../src/shim6/context-io.ts';
import { encodeShim6 } from '../../src/shim6/message-codec.ts';
import type { TestHost } from './world.ts';
import { established, packetOf, twoHosts } from './world.ts';

function agreed(host: TestHost): number | undefined {
  const found = host.log.findLast(
    (effect): effect is Extract<typeof effect, { readonly peer: PeerFacts }> =>
      effect.type === 'established' || effect.type === 'peer-changed',
  );
  if (found === undefined) throw new Error('never established');
  return found.peer.detectionMs;
}

const carried = ({ world }: ReturnType<typeof twoHosts>): (number | undefined)[] =>
  world.trace.map(({ message }) => ('options' in message ? message.options.detection?.sendTimeoutMs : undefined));

describe('fast detection', () => {
  it('S6-170 is agreed in four messages when both ends want it', () => {
    const built = established({ a: { detectionMs: 50 }, b: { detectionMs: 80 } });
    expect(carried(built)).toEqual([50, 80, 50, 80]);
    expect([agreed(built.a), agreed(built.b)]).toEqual([80, 50]);
  });

  it('S6-170 is never mentioned again to a responder that did not grant it', () => {
    const built = established({ a: { detectionMs: 50 } });
    expect(carried(built)).toEqual([50, undefined, undefined, undefined]);
    expect([agreed(built.a), agreed(built.b)]).toEqual([undefined, undefined]);
  });

  it('S6-170 is never offered by a responder that was not asked', () => {
    const built = established({ b: { detectionMs: 80 } });
    expect(carried(built)).toEqual([undefined, undefined, undefined, undefined]);
    expect([agreed(built.a), agreed(built.b)]).toEqual([undefined, undefined]);
  });

  it.each([
    [50, 80, [80, 50]],
    [50, undefined, [undefined, undefined]],
    [undefined, 80, [undefined, undefined]],
  ] as const)('S6-170 crossing I1s with %s and %s ms agree on %s', (ours, theirs, expected) => {
    const built = twoHosts({
      a: ours === undefined ? {} : { detectionMs: ours },
      b: theirs === undefined ? {} : { detectionMs: theirs },
    });
    built.world.start(built.a, built.ab);
    built.world.start(built.b, built.ba);
    built.world.run(1000);
    expect(built.world.story).toBe('A:I1 B:I1 B:R2 A:R2');
    expect([agreed(built.a), agreed(built.b)]).toEqual(expected);
  });

  it('S6-170 survives a lost R2 that only an I1 brings back', () => {
    const built = twoHosts({ a: { detectionMs: 50 }, b: { detectionMs: 80 } });
    let losses = 3;
    built.world.loses = ({ message }) => message.type === 'R2' && losses-- > 0;
    built.world.start(built.a, built.ab);
    built.world.run(60_000);
    expect([agreed(built.a), agreed(built.b)]).toEqual([80, 50]);
  });

  it('S6-170 survives the loss of the context at the peer', () => {
    const built = established({ a: { detectionMs: 50 }, b: { detectionMs: 80 } });
    const { world, a, b } = built;
    b.contexts = [];
    b.log = [];
    world.inject({ source: a.address(0), destination: b.address(0), octets: a.context.keepalive() });
    world.run(1000);
    expect(carried(built).slice(4)).toEqual([undefined, 50, 80]);
    expect([agreed(a), agreed(b)]).toEqual([80, 50]);
  });

  it('S6-170 an R2 that brings it unasked is believed otherwise', () => {
    const { world, a, b, ab } = twoHosts();
    world.loses = ({ message }) => message.type === 'R2';
    world.start(a, ab);
    world.run(100);
    const r2 = world.trace.find(({ message }) => message.type === 'R2');
    if (r2?.message.type !== 'R2') throw new Error('no R2');
    const options = { ...r2.message.options, detection: { sendTimeoutMs: 10 } };
    a.receive({ ...packetOf(r2), octets: encodeShim6({ ...r2.message, options }) }, world.now);
    expect(a.context.state).toBe('ESTABLISHED');
    expect(agreed(a)).toBeUndefined();
    expect(agreed(b)).toBeUndefined();
  });
});
