import { parentPort, workerData } from 'node:worker_threads';
import { findModifier } from '../cga/search.ts';
import type { ModifierTask } from '../cga/search.ts';
import { nodeCrypto } from './crypto.ts';

/** The thread of `searchModifier`: one task in, one Modifier out. */
const task: ModifierTask = workerData;
parentPort?.postMessage(findModifier(nodeCrypto, task));
