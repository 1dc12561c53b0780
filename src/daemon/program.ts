import { Command } from 'commander';
import { DEFAULT_CONFIG_FILE } from './load.ts';
import { VERSION } from './version.ts';

/** The command line of `locid`. */
export function locidProgram(): Command {
  return new Command('locid')
    .description('Keeps the connections of this IPv6 host alive when the path under them dies.')
    .version(VERSION)
    .option('--config <file>', 'configuration file', DEFAULT_CONFIG_FILE)
    .option('--check', 'check the configuration file, and end')
    .option('--foreground', 'stay in the foreground; locid always does')
    .allowExcessArguments(false)
    .exitOverride();
}
