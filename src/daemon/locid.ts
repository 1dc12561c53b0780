#!/usr/bin/env node
import { CommanderError } from 'commander';
import { LociError, errorText, exitStatus } from '../node/error.ts';
import { live } from './lifecycle.ts';
import { loadConfig } from './load.ts';
import { createLog } from './log.ts';
import { ServiceManager } from './notify.ts';
import { preflight, surroundings } from './preflight.ts';
import { locidProgram } from './program.ts';

interface Arguments {
  readonly config: string;
  readonly check?: true;
}

/** `locid`; the exit status: 0 ended in order, 1 broke down, 2 could not start. */
async function main(argv: readonly string[]): Promise<number> {
  const program = locidProgram();
  try {
    program.parse(argv, { from: 'user' });
    const { config: file, check } = program.opts<Arguments>();
    const config = loadConfig(file);
    if (check === true) return 0;
    preflight(surroundings());
    const log = createLog(config.logLevel);
    const { run } = await import('./run.ts'); // pulls in the addon, which a check does without
    const { removeLeftovers } = await import('./leftovers.ts');
    const status = await live({
      config,
      log,
      manager: new ServiceManager(process.env, log),
      run,
      cleanup: removeLeftovers,
      reread: () => loadConfig(file),
      signals: process,
      complain,
    });
    await log.close();
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said why
    complain(errorText(error));
    return error instanceof LociError ? exitStatus(error) : 1;
  }
}

function complain(sentence: string): void {
  process.stderr.write(`locid: ${sentence}\n`);
}

process.exit(await main(process.argv.slice(2)));
