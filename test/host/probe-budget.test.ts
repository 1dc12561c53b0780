import { describe, expect, it } from 'vitest';
import { ProbeBudget } from '../../src/host/probe-budget.ts';

const classes = { one: {}, other: {} };

/** Lets everybody in the queue have its turns until `until`; who they were. */
function turns(
  budget: ProbeBudget<string>,
  until: number,
  burst: number,
  again: ReadonlyMap<string, object>,
): string[] {
  const served: string[] = [];
  for (let now = Math.max(0, budget.deadline); now <= until; now = Math.max(now + 1, budget.deadline)) {
    budget.serve(now, (member) => {
      served.push(member);
      for (let i = 0; i < burst; i++) expect(budget.explore(member, again.get(member) ?? classes.one, now)).toBe(true);
      const path = again.get(member);
      if (path !== undefined) budget.queue(member, path);
    });
  }
  return served;
}

describe('the budget of probes', () => {
  it('sends no more than its rate, whatever is asked for', () => {
    const budget = new ProbeBudget<string>(200, 0);
    let sent = 0;
    for (let now = 0; now < 10_000; now++) {
      for (let i = 0; i < 20; i++) if (budget.explore(`m${String(i)}`, classes.one, now)) sent++;
      budget.serve(now, (member) => {
        for (let i = 0; i < 3; i++) if (budget.explore(member, classes.one, now)) sent++;
      });
      while (budget.take('answer', now)) sent++;
    }
    expect(sent).toBeGreaterThan(2_000);
    expect(sent).toBeLessThanOrEqual(2_200 + 3);
  });

  it('gives each path class its turn, and within it each context', () => {
    const budget = new ProbeBudget<string>(100, 0);
    while (budget.explore('first', classes.one, 0));
    budget.leave('first', classes.one);
    const paths = new Map<string, object>();
    for (const name of ['a', 'b', 'c', 'd']) paths.set(name, classes.one);
    paths.set('z', classes.other);
    for (const [name, path] of paths) budget.queue(name, path);
    const served = turns(budget, 2_000, 3, paths);
    const count = (name: string): number => served.filter((one) => one === name).length;
    expect(Math.abs(count('z') - served.length / 2)).toBeLessThanOrEqual(1);
    for (const name of ['b', 'c', 'd']) expect(Math.abs(count(name) - count('a'))).toBeLessThanOrEqual(1);
  });

  it('leaves something for answers when explorations use it up', () => {
    const budget = new ProbeBudget<string>(200, 0);
    while (budget.explore('greedy', classes.one, 0));
    expect(budget.take('standby', 0)).toBe(false);
    expect(budget.take('test', 0)).toBe(false);
    expect(budget.take('answer', 0)).toBe(true);
  });

  it('has a turn to give at its deadline, whenever it was last looked at', () => {
    const budget = new ProbeBudget<string>(200, 0);
    for (let i = 0, now = 0; i < 20_000; i++) {
      budget.queue('a', classes.one);
      now = Math.max(now, budget.deadline);
      let isServed = false;
      budget.serve(now, (member) => {
        isServed = true;
        for (let probe = 0; probe <= i % 3; probe++) budget.explore(member, classes.one, now);
      });
      expect(isServed).toBe(true);
      budget.take('answer', (now += 0.1 * (i % 7)));
    }
  });

  it('wants no wake-up while nobody waits', () => {
    const budget = new ProbeBudget<string>(200, 0);
    expect(budget.deadline).toBe(Number.POSITIVE_INFINITY);
    budget.queue('a', classes.one);
    expect(budget.deadline).toBeLessThanOrEqual(0);
    budget.leave('a', classes.one);
    expect(budget.deadline).toBe(Number.POSITIVE_INFINITY);
  });
});
