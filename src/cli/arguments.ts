import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { LociError } from '../node/error.ts';

/** Lets a command read its arguments. False when help was asked for, and printed. Throws a `LociError` for what cannot be done. */
export function readArguments(command: Command, args: readonly string[]): boolean {
  try {
    command.parse([...args], { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    throw new LociError('usage', `${error.message.replace(/^error: /, '')} (see --help)`);
  }
}
