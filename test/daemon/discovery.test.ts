import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Discovery } from '../../src/daemon/discovery.ts';

/** Pairs without a context: counts looks at them, and wakes when a packet passes. */
class Pairs {
  looks = 0;
  packets = 0;
  isListening = false;
  wake: (() => void) | undefined;
  readonly #canRest: boolean;

  constructor(canRest: boolean) {
    this.#canRest = canRest;
  }

  find(): { packets: number; isListening: boolean } {
    this.looks++;
    return { packets: this.packets, isListening: this.isListening };
  }

  forgetOthers(): void {
    this.wake = undefined;
  }

  restFromOthers(wake: () => void): boolean {
    if (this.#canRest) this.wake = wake;
    return this.#canRest;
  }

  send(): void {
    this.packets++;
    this.wake?.();
  }
}

describe('discovery of pairs without a context', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function started(canRest: boolean): Pairs {
    const pairs = new Pairs(canRest);
    new Discovery(pairs, () => pairs.find()).look();
    return pairs;
  }

  it('rests while nothing is sent, and looks at the first packet', () => {
    const pairs = started(true);
    vi.advanceTimersByTime(600_000);
    expect(pairs.looks).toBe(1);
    pairs.send();
    expect(pairs.looks).toBe(2);
  });

  it('looks five times a second while there are packets, or an answer is awaited', () => {
    const pairs = started(true);
    pairs.send();
    for (let i = 0; i < 10; i++) {
      pairs.packets++;
      vi.advanceTimersByTime(200);
    }
    expect(pairs.looks).toBe(12);
    pairs.isListening = true;
    vi.advanceTimersByTime(1_000);
    expect(pairs.looks).toBe(17);
    pairs.isListening = false;
    vi.advanceTimersByTime(60_000);
    expect(pairs.looks).toBe(18);
  });

  it('looks five times a second for ever where the kernel cannot tell', () => {
    const pairs = started(false);
    vi.advanceTimersByTime(10_000);
    expect(pairs.looks).toBe(51);
  });
});
