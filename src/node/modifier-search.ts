import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ModifierTask } from '../cga/search.ts';

/** The file beside this one once both are compiled. */
const WORKER = new URL('./modifier-worker.js', import.meta.url);

/**
 * The Modifier search of RFC 3972 §4 in other threads: one for Sec 1 (tenths of a second), one per core for Sec 2
 * (an hour or more). Sec 0 needs no search.
 */
export function searchModifier(task: ModifierTask): Promise<Uint8Array> {
  if (task.sec === 0) return Promise.resolve(task.modifier);
  const workers = Array.from({ length: task.sec === 1 ? 1 : availableParallelism() }, (_, i) => {
    return new Worker(WORKER, { workerData: { ...task, modifier: startOf(task.modifier, i) } });
  });
  return new Promise<Uint8Array>((resolve, reject) => {
    for (const worker of workers) {
      worker.once('message', resolve);
      worker.once('error', reject);
    }
  }).finally(() => Promise.all(workers.map((worker) => worker.terminate())));
}

/** Far enough apart that no two threads try the same Modifier; the first begins where it was told to. */
function startOf(modifier: Uint8Array, thread: number): Uint8Array {
  const start = modifier.slice();
  start[0] = (start[0] ?? 0) ^ thread;
  return start;
}
