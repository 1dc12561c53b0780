import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines } from '../../src/host/deadlines.ts';
import { NEVER } from '../../src/wire/time.ts';

interface Item {
  deadline: number;
  place: number;
}

function items(count: number): Item[] {
  return Array.from({ length: count }, () => ({ deadline: NEVER, place: -1 }));
}

const at = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(NEVER));
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('update' as const), which: fc.nat(9), at }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat(9) }),
    fc.record({ do: fc.constant('take' as const), now: fc.integer({ min: 0, max: 50 }) }),
  ),
);

describe('many deadlines', () => {
  it('always know the first one, and give back exactly those that are due, earliest first', () => {
    fc.assert(
      fc.property(steps, (actions) => {
        const all = items(10);
        const known = new Set<Item>();
        const deadlines = new Deadlines<Item>();
        for (const action of actions) {
          const item = all['which' in action ? action.which : 0] ?? { deadline: NEVER, place: -1 };
          if (action.do === 'update') {
            item.deadline = action.at;
            deadlines.update(item);
            if (action.at === NEVER) known.delete(item);
            else known.add(item);
          } else if (action.do === 'remove') {
            deadlines.remove(item);
            known.delete(item);
          } else {
            const due = deadlines.take(action.now);
            const expected = [...known].filter(({ deadline }) => deadline <= action.now);
            expect(new Set(due)).toEqual(new Set(expected));
            expect(due.map(({ deadline }) => deadline)).toEqual(
              expected.map(({ deadline }) => deadline).sort((a, b) => a - b),
            );
            for (const one of due) known.delete(one);
          }
          expect(deadlines.first).toBe(Math.min(NEVER, ...[...known].map(({ deadline }) => deadline)));
        }
      }),
    );
  });

  it('an item that was taken comes back by an update only', () => {
    const [item = { deadline: 0, place: -1 }] = items(1);
    const deadlines = new Deadlines<Item>();
    item.deadline = 5;
    deadlines.update(item);
    expect(deadlines.take(5)).toEqual([item]);
    expect([deadlines.first, deadlines.take(9)]).toEqual([NEVER, []]);
    deadlines.update(item);
    expect(deadlines.first).toBe(5);
  });
});
