import type { Command } from 'commander';
import { VERSION } from '../daemon/version.ts';
import type { Terminal } from './terminal.ts';

/** `loci version`. */
export function registerVersion(program: Command, terminal: Terminal): void {
  program
    .command('version')
    .description('versions of Loci and of what it runs on')
    .action((_: unknown, command: Command) => {
      const json = command.optsWithGlobals<{ json?: true }>().json === true;
      const { node, openssl } = process.versions;
      const versions = { version: VERSION, node, openssl };
      terminal.out(json ? `${JSON.stringify(versions)}\n` : `loci ${VERSION} (Node ${node}, OpenSSL ${openssl})\n`);
    });
}
