import { Command, CommanderError } from 'commander';
import { LociError, errorDocument, errorText, exitStatus } from '../node/error.ts';
import { registerCga } from './cga.ts';
import { registerCleanup } from './cleanup.ts';
import { registerConfig } from './config.ts';
import { registerDissect } from './dissect.ts';
import { registerDoctor } from './doctor.ts';
import { registerHit } from './hit.ts';
import { registerKeygen } from './keygen.ts';
import { registerOnline } from './online.ts';
import type { Terminal } from './terminal.ts';
import { registerVersion } from './version.ts';
import { registerWhy } from './why.ts';

/** The command line of `loci`, writing to `terminal`. */
export function lociProgram(terminal: Terminal): Command {
  const program = new Command('loci')
    .description('Shows what locid does on this host, and works with its addresses and files.')
    .option('--socket <path>', 'control socket of locid', '/run/loci/control.sock')
    .option('--json', 'one JSON document on stdout')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      writeErr: () => undefined, // told once, below
    });
  registerOnline(program, terminal);
  registerDoctor(program, terminal);
  registerWhy(program, terminal);
  registerConfig(program, terminal);
  registerCleanup(program, terminal);
  registerKeygen(program);
  registerHit(program, terminal);
  registerCga(program);
  registerDissect(program, terminal);
  registerVersion(program, terminal);
  program.hook('preAction', (_, command) => {
    if (program.opts<{ json?: true }>().json === true) command.setOptionValue('json', true); // for commands with a --json of their own
  });
  return program;
}

/** Run `loci` with arguments; the exit status: 0 done, 1 failed, 2 could not start. */
export async function runLoci(argv: readonly string[], terminal: Terminal): Promise<number> {
  const program = lociProgram(terminal);
  try {
    if (argv.length === 0) program.help(); // throws, like every end that commander decides on
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help
    const told = error instanceof CommanderError ? usage(error) : error;
    if (argv.includes('--json')) terminal.out(`${JSON.stringify(errorDocument(told))}\n`);
    else terminal.err(`loci: ${errorText(told)}\n`);
    return exitStatus(told);
  }
}

function usage(error: CommanderError): LociError {
  const text = error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
  return new LociError('usage', `${text.replaceAll('\n', ' ')} (see: loci --help)`, { cause: error });
}
