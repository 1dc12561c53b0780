import type { Command } from 'commander';
import { loadConfig } from '../daemon/load.ts';
import type { Terminal } from './terminal.ts';

/** `loci config check FILE`. */
export function registerConfig(program: Command, terminal: Terminal): void {
  program
    .command('config')
    .description('work with the configuration file of locid')
    .command('check')
    .description('find the first mistake in a configuration file, or show what it means')
    .argument('<file>')
    .action((file: string, _: unknown, command: Command) => {
      const config = loadConfig(file);
      const json = command.optsWithGlobals<{ json?: true }>().json === true;
      terminal.out(json ? `${JSON.stringify({ valid: true, config })}\n` : `${file}: no mistakes\n`);
    });
}
