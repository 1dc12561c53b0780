import type { Command } from 'commander';
import { LociError } from '../node/error.ts';
import { ask } from './client.ts';
import type { Globals } from './online.ts';
import type { Terminal } from './terminal.ts';

/** `loci cleanup`: undo what a daemon that was killed left in the kernel. */
export function registerCleanup(program: Command, terminal: Terminal): void {
  program
    .command('cleanup')
    .description('remove from the kernel what a killed locid left behind (root only)')
    .action(async (_: unknown, command: Command) => {
      const { socket, json } = command.optsWithGlobals<Globals>();
      if (await answers(socket)) {
        throw new LociError(
          'already-running',
          `locid is running (it answers at ${socket}) and cleans up when it ends; stop it first`,
        );
      }
      const { removeLeftovers } = await import('../daemon/leftovers.ts'); // pulls in the addon
      const removed = asRoot(removeLeftovers);
      if (json === true) {
        terminal.out(`${JSON.stringify({ removed })}\n`);
        return;
      }
      for (const { kind, text } of removed) terminal.out(`removed ${kind} ${text}\n`);
      if (removed.length === 0) terminal.out('nothing of Loci was left\n');
    });
}

async function answers(socket: string): Promise<boolean> {
  try {
    await ask(socket, { id: 1, command: 'status' });
    return true;
  } catch (error) {
    if (error instanceof LociError && error.code === 'not-running') return false;
    throw error;
  }
}

function asRoot<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof LociError) || (cause.code !== 'EPERM' && cause.code !== 'EACCES')) throw cause;
    throw new LociError('privilege', 'removing rules and routes needs root; run: sudo loci cleanup', { cause });
  }
}
