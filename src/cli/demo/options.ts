import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { LociError } from '../../node/error.ts';
import { readArguments } from '../arguments.ts';
import type { Profile } from './daemons.ts';
import { FAILURES } from './failures.ts';
import type { Cause, Failure } from './failures.ts';

/** What the command line asks for. */
export interface DemoOptions {
  readonly failures: readonly Failure[];
  readonly cause: Cause;
  readonly profile: Profile;
  readonly repeat: number;
  readonly rate: number;
  readonly seed: number;
  readonly json: boolean;
  readonly hold: boolean;
  readonly simulate: boolean;
  /** False: the same without Loci, to see what happens then. */
  readonly loci: boolean;
  readonly pcap?: string | undefined;
}

/** What people see when they name no failure. */
const SHOWN: readonly Failure[] = ['blackhole', 'linkdown'];

const Values = z.object({
  protocol: z.enum(['shim6', 'hip']),
  failure: z.enum([...FAILURES, 'mobility']).optional(),
  cause: z.enum(['admin', 'carrier']),
  profile: z.enum(['fast', 'balanced', 'rfc']),
  repeat: z.number(),
  rate: z.number(),
  seed: z.number(),
  json: z.boolean(),
  hold: z.boolean(),
  simulate: z.boolean(),
  withoutLoci: z.boolean(),
  pcap: z.string().optional(),
});

/** Reads the arguments. `undefined` when help was asked for, and printed. Throws a `LociError` for what cannot be done. */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const command = demoCommand();
  if (!readArguments(command, args)) return undefined;
  const { protocol, failure, withoutLoci, ...values } = Values.parse(command.opts());
  if (protocol === 'hip' || failure === 'mobility') {
    throw new LociError(
      'usage',
      `${failure === 'mobility' ? 'mobility' : 'HIP'} is not supported yet; use --protocol shim6`,
    );
  }
  if (values.simulate && (values.hold || withoutLoci || values.pcap !== undefined)) {
    throw new LociError('usage', 'the simulator has nothing to hold, to capture or to leave out');
  }
  return {
    ...values,
    loci: !withoutLoci,
    failures: failure !== undefined ? [failure] : values.json ? ['blackhole'] : SHOWN,
  };
}

function demoCommand(): Command {
  return new Command('demo')
    .description('Two hosts, two providers, one of which breaks: how long do ordinary programs stand still?')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined }) // reported by the caller, once
    .allowExcessArguments(false)
    .addOption(new Option('--protocol <name>').choices(['shim6', 'hip']).default('shim6'))
    .addOption(new Option('--failure <name>', 'what breaks').choices([...FAILURES, 'mobility']))
    .addOption(new Option('--cause <name>', 'of linkdown').choices(['admin', 'carrier']).default('admin'))
    .addOption(new Option('--profile <name>', 'of both hosts').choices(['fast', 'balanced', 'rfc']).default('fast'))
    .option('--repeat <n>', 'runs of each failure', integer(1, 1_000), 1)
    .option('--rate <mbit>', 'TCP megabits per second', integer(1, 10_000), 200)
    .option('--seed <n>', 'of the data and of the instant of the failure', integer(0, 2 ** 31), 1)
    .option('--pcap <directory>', 'write one pcapng for each link')
    .option('--json', 'print one JSON document on standard output', false)
    .option('--hold', 'build everything, print names, and wait for SIGINT', false)
    .option('--simulate', 'in the simulator, without devices', false)
    .addOption(new Option('--without-loci').default(false).hideHelp());
}

function integer(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(from)} to ${String(to)}.`);
  };
}
