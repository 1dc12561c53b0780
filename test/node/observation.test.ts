import { describe, expect, it } from 'vitest';
import { Observation } from '../../src/node/observation.ts';
import type { WatchCounters } from '../../src/node/observation.ts';
import type { CountVisitor, ObservedPair } from '../../src/node/nftables.ts';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

const ULIDS = { local: address('2001:db8::a'), peer: address('2001:db8::b') };
const IN_USE_MS = 3_000;

/** A kernel in which time passes as told: counts what is sent between ULIDS, and lists it while it is in use. */
class Kernel implements WatchCounters {
  now = 0;
  reads = 0;
  #sent = 0;
  #sentAt = -Infinity;
  #wake: (() => void) | undefined;
  readonly #canRest: boolean;

  constructor(canRest: boolean) {
    this.#canRest = canRest;
  }

  send(): void {
    const isNew = this.now - this.#sentAt > IN_USE_MS;
    this.#sent++;
    this.#sentAt = this.now;
    const wake = this.#wake;
    this.#wake = undefined;
    if (isNew) wake?.();
  }

  watch(): void {
    // it counts in any case
  }

  unwatch(): void {
    this.#wake = undefined;
  }

  counters(visit: CountVisitor): void {
    this.reads++;
    if (this.now - this.#sentAt > IN_USE_MS) return;
    visit(Uint8Array.of(...ULIDS.local, ...ULIDS.peer), 0, this.#sent, 0);
  }

  countersOf(_: readonly ObservedPair[], visit: CountVisitor): void {
    this.counters(visit);
  }

  rest(wake: () => void): boolean {
    if (!this.#canRest || this.now - this.#sentAt <= IN_USE_MS) return false;
    this.#wake = wake;
    return true;
  }
}

/** Polls whenever that is due until `end`, and calls `step` every millisecond; when `sent` was reported. */
function run(kernel: Kernel, observation: Observation, end: number, step: () => void = () => undefined): number[] {
  const reports: number[] = [];
  const poll = (): void => {
    observation.poll(false, kernel.now, (_, sent) => {
      if (sent) reports.push(kernel.now);
    });
  };
  observation.onWake(poll);
  for (; kernel.now < end; kernel.now++) {
    if (kernel.now >= observation.deadline) poll();
    step();
  }
  return reports;
}

describe('observation', () => {
  it('reads nothing while nothing is in use, where the kernel wakes it', () => {
    const kernel = new Kernel(true);
    const observation = new Observation(kernel);
    observation.watch(ULIDS);
    run(kernel, observation, 600_000);
    expect(kernel.reads).toBe(1);
    expect(observation.deadline).toBe(Infinity);
  });

  it('reports the first packet after ten minutes of rest at once, and the following every few milliseconds', () => {
    const kernel = new Kernel(true);
    const observation = new Observation(kernel);
    observation.watch(ULIDS);
    run(kernel, observation, 600_000);
    const reports = run(kernel, observation, 600_100, () => {
      kernel.send();
    });
    expect(reports[0]).toBe(600_000);
    reports.slice(1).forEach((at, i) => {
      expect(at - (reports[i] ?? 0)).toBeLessThanOrEqual(6);
    });
    expect(reports.length).toBeGreaterThan(14);
  });

  it('looks every 20 ms until what was in use has been quiet for long, then rests again', () => {
    const kernel = new Kernel(true);
    const observation = new Observation(kernel);
    observation.watch(ULIDS);
    run(kernel, observation, 10_000);
    kernel.send();
    run(kernel, observation, 12_000);
    const before = kernel.reads;
    run(kernel, observation, 12_900);
    expect(kernel.reads - before).toBeGreaterThanOrEqual(44);
    run(kernel, observation, 14_000);
    const rested = kernel.reads;
    run(kernel, observation, 60_000);
    expect(kernel.reads).toBe(rested);
  });

  it('looks every 20 ms where the kernel cannot wake it', () => {
    const kernel = new Kernel(false);
    const observation = new Observation(kernel);
    observation.watch(ULIDS);
    run(kernel, observation, 10_000);
    expect(kernel.reads).toBe(500);
    const [first] = run(kernel, observation, 10_100, () => {
      kernel.send();
    });
    expect(first).toBeLessThanOrEqual(10_020);
  });

  it('shares looks between the many deadlines of many pairs in use, and looks at once for a few', () => {
    expect(new Crowd(5).looksFor(1_000)).toBeGreaterThan(900);
    const many = new Crowd(100).looksFor(1_000);
    expect(many).toBeLessThan(130);
    expect(many).toBeGreaterThan(110); // and not so seldom that silence would be known late
  });

  it('reports every pair that has sent or heard, with the time of the look before', () => {
    const crowd = new Crowd(3);
    crowd.looksFor(10);
    const since = crowd.kernel.now - 1;
    crowd.talk(1);
    expect(crowd.look()).toEqual([{ local: crowd.ulids[1]?.local, peer: crowd.ulids[1]?.peer, sent: true, since }]);
    expect(crowd.look()).toEqual([]);
  });

  it('forgets a pair that is no longer watched, and not the conversation the other way round', () => {
    const back = { local: ULIDS.peer, peer: ULIDS.local };
    const reports: LocatorPair[] = [];
    const kernel = new Kernel(true);
    const both = new Observation(kernel);
    both.watch(ULIDS);
    both.watch(back);
    both.unwatch(back);
    kernel.send();
    both.poll(true, 0, (ulids) => reports.push(ulids));
    expect(reports).toEqual([ULIDS]);
    both.unwatch(ULIDS);
    both.poll(true, 1, (ulids) => reports.push(ulids));
    expect(reports).toEqual([ULIDS]);
    expect(both.deadline).toBe(Infinity);
  });
});

/** Many pairs, which all send and hear, and of which somebody wants to know in every millisecond. */
class Crowd {
  readonly kernel: { now: number } = { now: 0 };
  readonly ulids: LocatorPair[];
  readonly #counts: number[];
  readonly #observation: Observation;

  constructor(pairs: number) {
    this.ulids = Array.from({ length: pairs }, (_, i) => ({
      local: ULIDS.local,
      peer: address(`2001:db8:1::${(i + 1).toString(16)}`),
    }));
    this.#counts = this.ulids.map(() => 0);
    const counters = (visit: CountVisitor): void => {
      for (const [i, { local, peer }] of this.ulids.entries())
        visit(Uint8Array.of(...local, ...peer), 0, this.#counts[i] ?? 0, 0);
    };
    this.#observation = new Observation({
      watch: () => undefined,
      unwatch: () => undefined,
      counters,
      countersOf: (_, visit) => {
        counters(visit);
      },
      rest: () => false,
    });
    for (const ulids of this.ulids) this.#observation.watch(ulids);
  }

  talk(pair: number): void {
    this.#counts[pair] = (this.#counts[pair] ?? 0) + 1;
  }

  look(): { local: Address; peer: Address; sent: boolean; since: number }[] {
    const reports: { local: Address; peer: Address; sent: boolean; since: number }[] = [];
    this.#observation.poll(true, this.kernel.now++, ({ local, peer }, sent, _, since) => {
      reports.push({ local, peer, sent, since });
    });
    return reports;
  }

  /** How many looks there were in so many milliseconds, while a deadline is always due. */
  looksFor(ms: number): number {
    let looks = 0;
    for (const end = this.kernel.now + ms; this.kernel.now < end;) {
      for (const pair of this.ulids.keys()) this.talk(pair);
      if (this.kernel.now >= this.#observation.notBefore) {
        this.look();
        looks++;
      } else this.kernel.now++;
    }
    return looks;
  }
}
