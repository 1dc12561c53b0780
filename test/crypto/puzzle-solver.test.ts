import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { verifiesPuzzle } from '../../src/hip/puzzle.ts';
import type { PuzzleTask } from '../../src/hip/puzzle.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import type { PuzzleSolver } from '../../src/node/puzzle-solver.ts';
import { systemRandom } from '../../src/node/random.ts';
import { ip } from '../cga/vectors.ts';

/** Threads need compiled files: `npm test` builds them first. */
const COMPILED = new URL('../../dist/node/puzzle-solver.js', import.meta.url);
const compiled = z.object({ PuzzleSolver: z.custom<typeof PuzzleSolver>((value) => typeof value === 'function') });

function puzzle(k: number): PuzzleTask {
  const hosts = { initiator: ip('2001:22::1'), responder: ip('2001:21::1') };
  return { rhash: 'sha256', k, i: systemRandom(32), j: systemRandom(32), ...hosts };
}

async function withSolver(use: (solver: PuzzleSolver) => Promise<void>): Promise<void> {
  const { PuzzleSolver: Solver } = compiled.parse(await import(COMPILED.href));
  const solver = new Solver();
  try {
    await use(solver);
  } finally {
    await solver.close();
  }
}

describe.skipIf(!existsSync(COMPILED) && process.env['CI'] === undefined)('the thread that solves puzzles', () => {
  it('HIP-085 finds what the Responder accepts, while the event loop goes on', async () => {
    await withSolver(async (solver) => {
      const task = puzzle(16);
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const j = await solver.solve(task);
      clearInterval(timer);
      expect(j && verifiesPuzzle(nodeHipCrypto, { ...task, j: new Uint8Array(j) })).toBe(true);
      expect(turns).toBeGreaterThan(3);
    });
  });

  it('HIP-173 gives a puzzle up when told so, and solves others meanwhile', async () => {
    await withSolver(async (solver) => {
      const lifetime = new AbortController();
      const hopeless = solver.solve(puzzle(200), lifetime.signal);
      const easy = await Promise.all([1, 4, 8].map((k) => solver.solve(puzzle(k))));
      expect(easy.every((j) => j?.length === 32)).toBe(true);
      lifetime.abort();
      expect(await hopeless).toBeUndefined();
      expect(await solver.solve(puzzle(1), lifetime.signal)).toBeUndefined();
      expect(await solver.solve(puzzle(1))).toHaveLength(32);
    });
  });

  it('gives up what is unsolved when closed', async () => {
    await withSolver(async (solver) => {
      const hopeless = solver.solve(puzzle(200));
      await solver.close();
      expect(await hopeless).toBeUndefined();
    });
  });

  it('rejects what is no puzzle, and works on', async () => {
    await withSolver(async (solver) => {
      await expect(solver.solve({ ...puzzle(1), i: systemRandom(31) })).rejects.toThrow(RangeError);
      expect(await solver.solve(puzzle(1))).toHaveLength(32);
    });
  });
});
