import { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** `loci` without commands. */
export function bareProgram(terminal: Terminal): Command {
  const program = new Command('loci')
    .description('Shows what locid does on this host, and works with its addresses and files.')
    .option('--socket <path>', 'control socket of locid', '/run/loci/control.sock')
    .option('--json', 'one JSON document on stdout')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      writeErr: () => undefined, // told once, by `runLoci`
    });
  program.hook('preAction', (_, command) => {
    if (program.opts<{ json?: true }>().json === true) command.setOptionValue('json', true); // for commands with a --json of their own
  });
  return program;
}
