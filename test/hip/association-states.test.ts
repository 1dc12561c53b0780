import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AssociationStateName } from '../../src/hip/association-io.ts';
import { ASSOCIATION_TRANSITIONS } from '../../src/hip/association-transitions.ts';
import type { DhGroup } from '../../src/crypto/ports.ts';
import { A1, A2, A3, B1, B2, World } from './association-world.ts';
import type { End } from './association-world.ts';

/** Where the table lets an association go from a state. */
function successors(state: AssociationStateName): Set<AssociationStateName> {
  return new Set(Object.values(ASSOCIATION_TRANSITIONS[state]).flatMap(({ to }) => to));
}

function expectTableKept({
  all,
}: {
  readonly all: readonly { readonly from: AssociationStateName; readonly to: AssociationStateName }[];
}): void {
  for (const { from, to } of all) expect([from, ...successors(from)]).toContain(to);
}

type Step = (world: World) => void;

const anEnd = fc.constantFrom<(world: World) => End>(
  (world) => world.a,
  (world) => world.b,
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 1, max: 3000 }).map(
    (ms): Step =>
      (world) =>
        world.run(world.now + ms),
  ),
  anEnd.map(
    (of): Step =>
      (world) =>
        world.connect(of(world)),
  ),
  anEnd.map(
    (of): Step =>
      (world) =>
        void world.payload(of(world)),
  ),
  fc.tuple(anEnd, fc.boolean()).map(
    ([of, withDh]): Step =>
      (world) =>
        void world.handle(of(world), { type: 'rekey', withDh }),
  ),
  anEnd.map(
    (of): Step =>
      (world) =>
        void world.handle(of(world), { type: 'close' }),
  ),
  fc.tuple(anEnd, fc.subarray([0, 1, 2], { minLength: 1 })).map(([of, chosen]): Step => (world) => {
    const end = of(world);
    const all = end === world.a ? [A1, A2, A3] : [B1, B2];
    world.move(
      end,
      chosen
        .flatMap((i) => all[i] ?? [])
        .concat(all.slice(0, 1))
        .slice(0, 2)
        .filter((one, i, list) => list.indexOf(one) === i),
    );
  }),
  anEnd.map((of): Step => (world) => {
    const end = of(world); // it restarts
    end.association = end.fresh();
    end.sas.clear();
    end.out = undefined;
  }),
  fc.integer({ min: 0, max: 200 }).map((i): Step => (world) => {
    const sent = world.log[i % Math.max(1, world.log.length)]; // a replay
    if (sent === undefined) return;
    const { local: peer, peer: local, carriage } = sent.path;
    world.deliver(world.other(sent.from), sent.octets, { local, peer, carriage });
  }),
);

describe('an association, whatever happens to it (RFC 7401 §4.4.3)', () => {
  it('goes only where the table lets it, makes progress at every deadline, and holds few SAs', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 1000 }), (steps, seed) => {
        const world = new World({ seed, lossPercent: seed % 3 === 0 ? 20 : 0, a: { detectionMs: 30 } });
        for (const one of steps) one(world); // the world throws where a timer does not move on, or an SPI comes twice
        for (const end of [world.a, world.b]) {
          expectTableKept({ all: end.all('state') });
          expect(end.sas.size).toBeLessThanOrEqual(40);
          const { state } = end.association;
          if (state === 'UNASSOCIATED') {
            expect(end.sas.size).toBe(0);
            expect(end.association.deadline).toBe(Number.POSITIVE_INFINITY);
          }
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('comes to an end when nothing is done with it any more', () => {
    const world = new World().establish();
    world.run(world.now + 1_000_000);
    expect([world.a.association.state, world.b.association.state].sort()).toContain('UNASSOCIATED');
    world.run(world.now + 2_000_000);
    expect([world.a.association.state, world.b.association.state]).toEqual(['UNASSOCIATED', 'UNASSOCIATED']);
    expect([world.a.sas.size, world.b.sas.size]).toEqual([0, 0]);
  });
});

describe('what is negotiated', () => {
  it.each<readonly [string, DhGroup]>([
    ['1536 MODP', 3],
    ['P-256', 7],
    ['P-384', 8],
    ['P-521', 9],
    ['SECP160R1', 10],
  ])('group %s gives both the same keys (HIP-051, HIP-052, HIP-053)', (_, group) => {
    const world = new World({ a: { dhGroups: [group] }, b: { dhGroups: [group], hipCiphers: [4] } });
    world.connect();
    world.run(2000);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    expect(world.log).toHaveLength(4);
  });
});
