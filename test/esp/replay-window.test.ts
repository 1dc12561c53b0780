import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_WINDOW, ReplayWindow } from '../../src/esp/replay-window.ts';

const LOW = 1n << 32n;
const LAST = LOW * LOW - 1n;
const low = (number: bigint): number => Number(number % LOW);

/** RFC 4303 §3.4.3 as a set: what it has seen, and nothing that lies a window or more behind the highest. */
class NaiveWindow {
  readonly #size: bigint;
  readonly #seen = new Set<bigint>();
  #highest: bigint;
  readonly #start: bigint;

  constructor(size: number, highest: bigint) {
    this.#size = BigInt(size);
    this.#highest = highest;
    this.#start = highest;
  }

  /** Takes a genuine packet: true when it is delivered. */
  take(number: bigint): boolean {
    if (number <= this.#start || number <= this.#highest - this.#size || this.#seen.has(number)) return false;
    this.#seen.add(number);
    if (number > this.#highest) this.#highest = number;
    return true;
  }
}

function take(window: ReplayWindow, number: bigint): boolean {
  if (window.recover(low(number)) !== number || !window.isFresh(number)) return false;
  window.accept(number);
  return true;
}

/** Where numbers are awkward: at the start, around a change of the high half, at the very end. */
const places = fc.constantFrom(0n, 1n, 5000n, LOW - 5000n, LOW - 1n, LOW, LOW + 1n, LOW * 7n - 40n, LAST - 9000n);

describe('the replay window', () => {
  it('covers 1024 numbers when not told otherwise, and has seen number 0 (HIP-288, HIP-294)', () => {
    const window = new ReplayWindow();
    expect([window.size, DEFAULT_WINDOW]).toEqual([1024, 1024]);
    expect(window.isFresh(0n)).toBe(false);
    expect(window.isFresh(1n)).toBe(true);
  });

  it('rejects duplicates and what lies a window behind, and accepts late packets once (HIP-243, HIP-293)', () => {
    const window = new ReplayWindow(64);
    expect([1n, 1n, 64n, 3n, 3n, 65n, 1n, 2n, 66n, 2n].map((number) => take(window, number))).toEqual([
      ...[true, false, true, true, false, true, false, true, true, false],
    ]);
  });

  it('changes nothing until a packet is authentic (HIP-293)', () => {
    const window = new ReplayWindow(64);
    take(window, 10n);
    expect([window.recover(5000), window.isFresh(5000n), window.highest]).toEqual([5000n, true, 10n]);
  });

  it('recovers the high half on both sides of its change (HIP-244)', () => {
    const window = new ReplayWindow(1024, LOW - 10n);
    expect(window.recover(low(LOW + 3n))).toBe(LOW + 3n); // case A: below the window is the next subspace
    take(window, LOW + 3n);
    expect(window.recover(low(LOW - 10n))).toBe(LOW - 10n); // case B: the window begins in the one before
    expect(window.recover(4)).toBe(LOW + 4n);
  });

  it('knows that nothing was sent before number 0, and nothing after the last (HIP-288)', () => {
    expect(new ReplayWindow(64, 3n).recover(low(LOW - 1n))).toBeUndefined();
    expect(new ReplayWindow(64, LAST).recover(0)).toBeUndefined();
    expect(new ReplayWindow(64, LAST - 1n).recover(low(LAST))).toBe(LAST);
  });

  it('leaves the high half at 0 for a peer with 32-bit numbers', () => {
    const window = new ReplayWindow(64, LOW - 2n, false);
    expect(window.recover(1)).toBe(1n);
    expect(take(window, LOW - 1n)).toBe(true);
    expect(take(window, 1n)).toBe(false);
  });

  it('recovers every number that lies less than a window behind or half the space ahead (property)', () => {
    fc.assert(
      fc.property(places, fc.constantFrom(64, 1024, 4096), fc.bigInt(-4095n, LOW / 2n), (highest, size, away) => {
        const number = highest + away;
        fc.pre(number >= 0n && number <= LAST && away > -BigInt(size));
        expect(new ReplayWindow(size, highest).recover(low(number))).toBe(number);
      }),
      { numRuns: 2000 },
    );
  });

  it('delivers exactly what a set would (property, HIP-293)', () => {
    const steps = fc.array(fc.oneof(fc.bigInt(-300n, 300n), fc.bigInt(-2000n, 5000n)), { maxLength: 400 });
    fc.assert(
      fc.property(places, fc.constantFrom(64, 128, 1024), steps, (highest, size, moves) => {
        const window = new ReplayWindow(size, highest);
        const naive = new NaiveWindow(size, highest);
        for (const move of moves) {
          const number = window.highest + move;
          if (number < 0n || number > LAST) continue;
          expect(take(window, number)).toBe(naive.take(number));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes only powers of two', () => {
    for (const size of [0, 32, 100, 131_072]) expect(() => new ReplayWindow(size)).toThrow(RangeError);
  });
});
