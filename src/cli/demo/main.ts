#!/usr/bin/env node
import { errorDocument, exitStatus, messageOf } from '../../node/error.ts';
import { ensurePrivilege, obeyParent } from '../../node/privilege.ts';
import { hold } from './hold.ts';
import { introduction, comparison } from './narrative.ts';
import { measure } from './measure.ts';
import type { RunOptions, RunResult } from './measure.ts';
import { simulateRun } from './simulate.ts';
import { parseOptions } from './options.ts';
import type { DemoOptions } from './options.ts';
import { reportOf } from './report.ts';
import { Timeline } from './timeline.ts';
import type { Screen } from './timeline.ts';

type Measure = typeof measure;

/** Runs what the arguments ask for; the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return 0;
  const how = options.simulate ? simulateRun : await inNamespaces(options);
  if (options.hold) return hold(options);
  return options.json ? measureForPrograms(options, how) : showToPeople(options, how);
}

/** Measures in namespaces. People who cannot have them see the simulator instead. */
async function inNamespaces(options: DemoOptions): Promise<Measure> {
  try {
    await ensurePrivilege();
  } catch (error) {
    if (options.json || options.hold) throw error;
    process.stderr.write(`${messageOf(error)}\nThe simulator shows the same in virtual time instead (--simulate).\n`);
    return simulateRun;
  }
  obeyParent();
  return measure;
}

async function measureForPrograms(options: DemoOptions, how: Measure): Promise<number> {
  const timeline = new Timeline(screenOn(process.stderr));
  const [failure] = options.failures;
  if (failure === undefined) throw new RangeError('no failure');
  const runs: RunResult[] = [];
  for (let i = 0; i < options.repeat; i++) {
    process.stderr.write(`run ${String(i + 1)} of ${String(options.repeat)}: ${failure}\n`);
    runs.push(await how(runOptions(options, failure, i), (moment) => timeline.show(moment)));
  }
  const report = reportOf(how === measure ? 'tun' : 'simulated', runOptions(options, failure, 0), runs);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.ok ? 0 : 1;
}

async function showToPeople(options: DemoOptions, how: Measure): Promise<number> {
  const screen = screenOn(process.stdout);
  const timeline = new Timeline(screen);
  for (const line of introduction(options, how === simulateRun)) screen.line(line);
  const results: RunResult[] = [];
  for (const [number, failure] of options.failures.entries()) {
    for (let i = 0; i < options.repeat; i++) {
      screen.line('');
      screen.line(`${String(number + 1)}. ${failure}`);
      results.push(await how(runOptions(options, failure, i), (moment) => timeline.show(moment)));
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
