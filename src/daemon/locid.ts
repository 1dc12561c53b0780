#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { LociError, errorText, exitStatus } from '../node/error.ts';
import { live } from './lifecycle.ts';
import { DEFAULT_CONFIG_FILE, loadConfig } from './load.ts';
import { createLog } from './log.ts';
import { preflight, surroundings } from './preflight.ts';
import { VERSION } from './version.ts';

interface Arguments {
  readonly config: string;
  readonly check?: true;
}

/** `locid`; the exit status: 0 ended in order, 1 broke down, 2 could not start. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('locid')
    .description('Keeps the connections of this IPv6 host alive when the path under them dies.')
    .version(VERSION)
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG_FILE)
    .option('--check', 'check the configuration file, and end')
    .option('--foreground', 'stay in the foreground; locid always does')
    .allowExcessArguments(false)
    .exitOverride();
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
