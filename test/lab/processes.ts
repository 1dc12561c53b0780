import { readFileSync } from 'node:fs';

/** Stops a process where it is, for `ms`; it does not notice but by the clock. Resolves when it runs again. */
export async function freeze(pid: number, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await new Promise((resolve) => setTimeout(resolve, ms));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Whether a process of this id runs; one that has ended and waits for its parent (`Z`, proc(5)) does not. */
export function isRunning(pid: number): boolean {
  const state = stat(pid)?.state;
  return state !== undefined && state !== 'Z';
}

/** The fields of `/proc/PID/stat` that tests need; `undefined` when there is no such process. */
export function stat(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const [, fields = ''] = readFileSync(`/proc/${String(pid)}/stat`, 'utf8').split(') ');
    const [state = '', parent = ''] = fields.split(' ');
    return { state, parent: Number(parent) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}
