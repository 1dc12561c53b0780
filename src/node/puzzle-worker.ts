import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { PuzzleSearch } from '../hip/puzzle.ts';
import { nodeHipCrypto } from './hip-crypto.ts';
import type { PuzzleFound, PuzzleOrder } from './puzzle-solver.ts';

/** Hashes between two looks for orders and at the other puzzles: about a millisecond. */
const SLICE = 500;
const BELOW_TRAFFIC = 10;

/** The thread of `PuzzleSolver`: orders in, solutions out. */
const searches = new Map<number, PuzzleSearch>();
let isSearching = false;

if (getPriority() < BELOW_TRAFFIC) setPriority(BELOW_TRAFFIC); // of this thread alone: Linux counts threads as processes here

parentPort?.on('message', (order: PuzzleOrder) => {
  if ('cancel' in order) {
    searches.delete(order.cancel);
    return;
  }
  searches.set(order.id, new PuzzleSearch(nodeHipCrypto, order.task));
  if (!isSearching) setImmediate(search);
  isSearching = true;
});

/** A slice of each; orders are read between two rounds. */
function search(): void {
  for (const [id, one] of searches) {
    const j = one.step(SLICE);
    if (j === undefined) continue;
    searches.delete(id);
    const found: PuzzleFound = { id, j };
    parentPort?.postMessage(found);
  }
  isSearching = searches.size > 0;
  if (isSearching) setImmediate(search);
}
