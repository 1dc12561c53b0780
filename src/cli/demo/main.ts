#!/usr/bin/env node
import { LociError, errorDocument, exitStatus, messageOf } from '../../node/error.ts';
import { ensurePrivilege, obeyParent } from '../../node/privilege.ts';
import { hold } from './hold.ts';
import { introduction, comparison } from './narrative.ts';
import { measure } from './measure.ts';
import type { RunOptions, RunResult } from './measure.ts';
import { parseOptions } from './options.ts';
import type { DemoOptions } from './options.ts';
import { reportOf } from './report.ts';
import { Timeline } from './timeline.ts';
import type { Screen } from './timeline.ts';

/** Runs what the arguments ask for; the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return 0;
  if (options.simulate) return simulate();
  try {
    await ensurePrivilege();
  } catch (error) {
    if (options.json || options.hold) throw error;
    process.stderr.write(`${messageOf(error)}\nGoing on in the simulator instead (--simulate).\n`);
    return simulate();
  }
  obeyParent();
  if (options.hold) return hold(options);
  return options.json ? measureForPrograms(options) : showToPeople(options);
}

/** The same failures in the simulator. */
function simulate(): never {
  throw new LociError('usage', 'the simulated demonstration is not available yet');
}

async function measureForPrograms(options: DemoOptions): Promise<number> {
  const timeline = new Timeline(screenOn(process.stderr));
  const [failure] = options.failures;
  if (failure === undefined) throw new RangeError('no failure');
  const runs: RunResult[] = [];
  for (let i = 0; i < options.repeat; i++) {
    process.stderr.write(`run ${String(i + 1)} of ${String(options.repeat)}: ${failure}\n`);
    runs.push(await measure(runOptions(options, failure, i), (moment) => timeline.show(moment)));
  }
  const report = reportOf(runOptions(options, failure, 0), runs);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.ok ? 0 : 1;
}

async function showToPeople(options: DemoOptions): Promise<number> {
  const screen = screenOn(process.stdout);
  const timeline = new Timeline(screen);
  for (const line of introduction(options)) screen.line(line);
  const results: RunResult[] = [];
  for (const [number, failure] of options.failures.entries()) {
    for (let i = 0; i < options.repeat; i++) {
      screen.line('');
      screen.line(`${String(number + 1)}. ${failure}`);
      results.push(await measure(runOptions(options, failure, i), (moment) => timeline.show(moment)));
    }
  }
  for (const line of comparison(results, options.loci)) screen.line(line);
  return results.every(({ ok }) => ok) ? 0 : 1;
}

function runOptions(options: DemoOptions, failure: RunOptions['failure'], run: number): RunOptions {
  const { cause, profile, rate, loci, pcap } = options;
  const folder =
    pcap === undefined || options.repeat * options.failures.length === 1
      ? pcap
      : `${pcap}/${failure}-${String(run + 1)}`;
  return { failure, cause, profile, rate, seed: options.seed + run, loci, pcap: folder };
}

function screenOn(stream: NodeJS.WriteStream): Screen {
  return {
    line: (text) => void stream.write(`${text}\n`),
    coloured: stream.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb',
  };
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(error))}\n`);
    else process.stderr.write(`${messageOf(error)}\n`);
    process.exit(exitStatus(error));
  },
);
