import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';

const ORIGIN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** CLOCK_MONOTONIC in milliseconds: the same for every process of the machine, unlike `performance.now()`. */
export function monotonicNow(): number {
  return ORIGIN + performance.now();
}

/** Reports one object on standard output; the other end is `Program`. */
export function say(type: string, fields: object = {}): void {
  process.stdout.write(`${JSON.stringify({ type, ...fields })}\n`);
}

/** Calls back for each line of standard input. Its end means that the parent has gone: the program goes too. */
export function onCommand(perform: (command: unknown) => void): void {
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      perform(JSON.parse(line));
    })
    .on('close', () => process.exit(0));
}

/** A number that a command carries. */
export function numberIn(command: unknown, field: string): number {
  const value = fieldOf(command, field);
  if (typeof value !== 'number') throw new TypeError(`the command has no number ${field}`);
  return value;
}

/** A field of a command, whatever it is. */
export function fieldOf(command: unknown, field: string): unknown {
  return typeof command === 'object' && command !== null
    ? Object.entries(command).find(([k]) => k === field)?.[1]
    : undefined;
}

/** An argument of the command line that must be there. */
export function argument(index: number, name: string): string {
  const value = process.argv[2 + index];
  if (value === undefined) throw new TypeError(`missing argument ${name}`);
  return value;
}
