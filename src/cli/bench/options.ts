import { Argument, Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { LociError } from '../../node/error.ts';
import { readArguments } from '../arguments.ts';
import { BENCHES, rowsOf } from './rows.ts';
import type { BenchName } from './rows.ts';

/** What the command line asks for. */
export interface BenchOptions {
  readonly bench: BenchName;
  /** Rows by name; `undefined`: all that there are. */
  readonly peers: readonly string[] | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: boolean;
}

/** Rounds when nothing is said: what one of them takes differs. */
const ROUNDS: Readonly<Record<BenchName, number>> = {
  throughput: 15,
  latency: 5,
  handshake: 50,
  failover: 5,
  scale: 5,
  smallpackets: 5,
};
const SECONDS = 2;

const Values = z.object({
  peers: z.string().optional(),
  rounds: z.number().optional(),
  seconds: z.number(),
  json: z.boolean(),
});

/** Reads the arguments. `undefined` when help was asked for, and printed. Throws a `LociError` for what cannot be done. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const command = benchCommand();
  if (!readArguments(command, args)) return undefined;
  const [name] = command.args;
  const bench = z.enum(BENCHES).parse(name);
  const { peers, rounds = ROUNDS[bench], seconds, json } = Values.parse(command.opts());
  return { bench, peers: peers === undefined ? undefined : namesIn(peers, bench), rounds, seconds, json };
}

function namesIn(text: string, bench: BenchName): readonly string[] {
  const names = [...new Set(text.split(','))];
  const known = rowsOf(bench).map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new LociError('usage', `${bench} knows no peer "${unknown}"; it knows ${known.join(', ')}`);
}

function benchCommand(): Command {
  return new Command('bench')
    .description('Measures Loci beside the same topology without it, in namespaces of its own')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined }) // reported by the caller, once
    .allowExcessArguments(false)
    .addArgument(new Argument('<bench>', 'what is measured').choices([...BENCHES]))
    .option('--peers <names>', 'only these rows, separated by commas')
    .option('--rounds <n>', 'measurements of each row', integer(1, 1_000))
    .option('--seconds <n>', 'that each measurement of traffic lasts', integer(1, 3_600), SECONDS)
    .option('--json', 'print one JSON document on standard output', false);
}

function integer(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(from)} to ${String(to)}.`);
  };
}
