import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { LociError, errorDocument, errorText, exitStatus } from '../node/error.ts';
import { bareProgram } from './bare-program.ts';
import { registerOnline } from './online.ts';
import type { Terminal } from './terminal.ts';

/** Run `loci` with arguments; the exit status: 0 done, 1 failed, 2 could not start. */
export async function runLoci(argv: readonly string[], terminal: Terminal): Promise<number> {
  const program = await programFor(argv, terminal);
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

/** A look at the daemon shall not wait until the libraries of all other commands are loaded. */
async function programFor(argv: readonly string[], terminal: Terminal): Promise<Command> {
  const online = bareProgram(terminal);
  registerOnline(online, terminal);
  const word = argv.find((text, i) => !text.startsWith('-') && argv[i - 1] !== '--socket');
  if (online.commands.some((command) => command.name() === word)) return online;
  const { lociProgram } = await import('./program.ts');
  return lociProgram(terminal);
}
