import { describe, expect, it } from 'vitest';
import { demonstrate } from '../../src/sim/demonstration.ts';
import type { SimulatedFailure } from '../../src/sim/demonstration.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { signers } from './two-hosts.ts';

const LIMITS: Record<SimulatedFailure, { gapMs: number; stallMs: number; lost: number }> = {
  blackhole: { gapMs: 60, stallMs: 120, lost: 60 },
  'blackhole-out': { gapMs: 60, stallMs: 120, lost: 60 },
  'blackhole-in': { gapMs: 5, stallMs: 120, lost: 0 },
  linkdown: { gapMs: 20, stallMs: 60, lost: 20 },
  renumber: { gapMs: 20, stallMs: 20, lost: 0 },
};

describe('the demonstration in virtual time', () => {
  it.each(Object.entries(LIMITS))('%s stays within its figures', (name, limits) => {
    const failure = Object.keys(LIMITS).find((one): one is SimulatedFailure => one === name) ?? 'blackhole';
    for (let seed = 1; seed <= 5; seed++) {
      const run = demonstrate({ seed, crypto: nodeCrypto, signers, failure, rate: 20 });
      expect(run.stream.complete).toBe(true);
      expect(run.datagrams.gapMs).toBeLessThanOrEqual(limits.gapMs);
      expect(run.stream.stallMs).toBeLessThanOrEqual(limits.stallMs);
      expect(run.datagrams.lost).toBeLessThanOrEqual(limits.lost);
      if (failure !== 'blackhole-in') expect(run.pairAfter).not.toEqual(run.pairBefore);
    }
  });
});
