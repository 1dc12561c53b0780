import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { Script, createContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/wire/hex.ts';
import { dice, mutate } from './mutator.ts';
import { targets } from './targets.ts';
import type { Target } from './targets.ts';

/** Per target: seconds, or an exact number of inputs. The seed makes a run repeatable when the number is given. */
const seconds = Number(process.env['LOCI_FUZZ_SECONDS'] ?? 1);
const wanted = process.env['LOCI_FUZZ_TARGET'] ?? '';
const chosen = Object.entries(targets).filter(([name]) => name.toLowerCase().includes(wanted.toLowerCase()));
if (chosen.length === 0) throw new RangeError(`no target is called ${wanted}: ${Object.keys(targets).join(', ')}`);
/** Of each target: its share of `LOCI_FUZZ_COUNT`, or `LOCI_FUZZ_INPUTS`. */
const count = Number(process.env['LOCI_FUZZ_COUNT'] ?? Number.POSITIVE_INFINITY);
const inputs = Number(process.env['LOCI_FUZZ_INPUTS'] ?? count);
const weightOf = (target: Target): number => (target.isSlow === true && chosen.length > 1 ? 1 / 50 : 1);
const weights = chosen.reduce((sum, [, target]) => sum + weightOf(target), 0);
const shareOf = (target: Target): number =>
  Math.ceil(process.env['LOCI_FUZZ_INPUTS'] === undefined ? (count * weightOf(target)) / weights : inputs);
const duration = Number.isFinite(inputs) ? Number.POSITIVE_INFINITY : seconds * 1000;
const seed = Number(process.env['LOCI_FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);

const BATCH = 200;
/** Longest that a batch may take; milliseconds are usual. */
const HANG_MILLISECONDS = 10_000;
/** Accepted mutants that are mutated again. */
const MAX_OFFSPRING = 300;

/** Ends a synchronous call that does not end by itself: only a `vm` script has a time limit. */
function guarded(action: () => void): void {
  new Script('action()').runInContext(createContext({ action }), { timeout: HANG_MILLISECONDS });
}

/** Inputs that once made trouble: `corpus/<target>/*.hex`. */
function remembered(name: string): Uint8Array[] {
  const folder = new URL(`corpus/${name.replaceAll(' ', '-')}/`, import.meta.url);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map(
    (file) => fromHex(readFileSync(new URL(file, folder), 'utf8').trim()) ?? new Uint8Array(0),
  );
}

function fuzz(target: Target): { run: number; accepted: number } {
  const most = shareOf(target);
  const roll = dice(seed);
  const pool = [...target.corpus];
  const start = performance.now();
  let run = 0;
  let accepted = 0;
  let input: Uint8Array = new Uint8Array(0);
  const batch = (): void => {
    for (let i = 0; i < BATCH && run < most; i++) {
      const [parent, other] = [pool[roll(pool.length)], pool[roll(pool.length)]];
      input = mutate(parent ?? input, roll, other ?? input);
      if (roll(4) > 0) target.repair?.(input);
      run++;
      if (target.run(input) === false) continue;
      accepted++;
      if (pool.length < target.corpus.length + MAX_OFFSPRING) pool.push(input);
    }
  };
  while (run < most && performance.now() - start < duration) {
    try {
      guarded(batch);
    } catch (cause) {
      throw new Error(`seed ${String(seed)}, input ${toHex(input)}`, { cause });
    }
  }
  return { run, accepted };
}

describe.each(chosen)('fuzzing: %s', (name, target) => {
  it('accepts something of its corpus, else it would test nothing', () => {
    expect(target.corpus.filter((bytes) => target.run(bytes.slice()) !== false).length).toBeGreaterThan(0);
  });

  it('reaches with its corpus all that it should', () => {
    const reached = new Set(
      target.corpus.map((bytes) => {
        target.reset?.();
        return target.run(bytes.slice());
      }),
    );
    expect([...(target.reaches ?? [])].filter((name) => !reached.has(name))).toEqual([]);
  });

  it('survives what once made trouble', () => {
    for (const bytes of remembered(name)) expect(typeof target.run(bytes)).toMatch(/^(boolean|string)$/);
  });

  it(
    'neither throws nor hangs on mutated input',
    () => {
      const start = performance.now();
      const { run, accepted } = fuzz(target);
      expect(run).toBeGreaterThan(0);
      if (process.env['LOCI_FUZZ_VERBOSE'] === undefined) return;
      const perSecond = Math.round((1_000 * run) / (performance.now() - start));
      const [of, good, speed, from] = [run, accepted, perSecond, seed].map(String);
      console.log(`fuzz: ${name}: ${of ?? ''} inputs, ${good ?? ''} accepted, ${speed ?? ''}/s, seed ${from ?? ''}`);
    },
    Number.isFinite(duration) ? duration + 3 * HANG_MILLISECONDS : 7_200_000,
  );
});

describe('the fuzzer', () => {
  const broken = (run: Target['run']): Target => ({ run, corpus: [Uint8Array.of(1, 2, 3, 4)] });

  it('reports a throw with the seed and the input', () => {
    const target = broken((bytes) => {
      if (bytes.length > 4) throw new TypeError('found');
      return true;
    });
    expect(() => fuzz(target)).toThrow(/^seed \d+, input [0-9a-f]{10,}$/);
  });

  it('repeats itself with the same seed', () => {
    const bytes = Uint8Array.from({ length: 50 }, (_, i) => i);
    const once = (from: number): string[] => {
      const roll = dice(from);
      return Array.from({ length: 20 }, () => toHex(mutate(bytes, roll, bytes)));
    };
    expect(once(7)).toEqual(once(7));
    expect(once(7)).not.toEqual(once(8));
  });

  it('ends a call that does not end by itself', () => {
    const endless = new Script('action()');
    const action = (): void => {
      for (;;);
    };
    expect(() => endless.runInContext(createContext({ action }), { timeout: 50 })).toThrow(/timed out/);
  });
});
