import { Worker } from 'node:worker_threads';
import type { PuzzleTask } from '../hip/puzzle.ts';

/** The file beside this one once both are compiled. */
const WORKER = new URL('./puzzle-worker.js', import.meta.url);

/** What the thread is told. */
export type PuzzleOrder = { readonly id: number; readonly task: PuzzleTask } | { readonly cancel: number };

/** What the thread has found. */
export interface PuzzleFound {
  readonly id: number;
  readonly j: Uint8Array;
}

/**
 * Puzzles of RFC 7401 §4.1.2 solved in one thread, all of them at the same time: a difficult one does not hold up the others. The
 * thread starts with the first puzzle, runs below the priority of the traffic, and keeps no process alive.
 */
export class PuzzleSolver {
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, { found: (j: Uint8Array | undefined) => void; failed: (error: Error) => void }>();

  /** Start the thread now, so that the first puzzle need not wait for it. */
  warm(): void {
    this.#worker ??= this.#started();
  }

  /** J, or `undefined` when `signal` came first: the puzzle's lifetime has ended (§6.8 step 12), or nobody needs it. */
  solve(task: PuzzleTask, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    if (signal?.aborted === true) return Promise.resolve(undefined);
    const worker = (this.#worker ??= this.#started());
    const id = ++this.#lastId;
    const cancel = (): void => {
      this.#tell(worker, { cancel: id });
      this.#waiting.get(id)?.found(undefined);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    this.#tell(worker, { id, task });
    return new Promise<Uint8Array | undefined>((found, failed) => {
      this.#waiting.set(id, { found, failed });
    }).finally(() => {
      signal?.removeEventListener('abort', cancel);
      this.#waiting.delete(id);
    });
  }

  /** End the thread; what is unsolved comes back `undefined`. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const { found } of this.#waiting.values()) found(undefined);
    await worker?.terminate();
  }

  #tell(worker: Worker, order: PuzzleOrder): void {
    worker.postMessage(order);
  }

  #started(): Worker {
    const worker = new Worker(WORKER);
    worker.on('message', ({ id, j }: PuzzleFound) => this.#waiting.get(id)?.found(j));
    worker.on('error', (error) => {
      if (this.#worker === worker) this.#worker = undefined; // the next puzzle starts another
      for (const { failed } of this.#waiting.values())
        failed(error instanceof Error ? error : new Error(String(error)));
    });
    worker.unref(); // after the listeners, which would keep it
    return worker;
  }
}
