import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorDocument, exitStatus, messageOf } from '../src/node/error.ts';
import { ensurePrivilege, obeyParent } from '../src/node/privilege.ts';
import { Arena } from './arena.ts';
import { Unsupported } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { parseOptions } from './options.ts';
import type { InteropOptions } from './options.ts';
import { casesOf, linesOf, statusOf } from './report.ts';
import type { Report, Result } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';

/** Runs what the arguments ask for; the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return 0;
  await ensurePrivilege();
  obeyParent();
  const report = await meet(options);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${linesOf(report).join('\n')}\n`);
  return statusOf(report);
}

async function meet({ endpoints, initiators, responders, scenarios, logs }: InteropOptions): Promise<Report> {
  const folder = logs === undefined ? mkdtempSync(join(tmpdir(), 'loci-interop-')) : resolve(logs);
  const results: Result[] = [];
  for (const { initiator, responder } of casesOf(endpoints, initiators, responders)) {
    for (const scenario of scenarios) {
      const log = join(folder, `${initiator.name}--${responder.name}`, scenario);
      const outcome = await attempt(SCENARIOS[scenario], initiator, responder, log);
      const result = { initiator: initiator.name, responder: responder.name, scenario, ...outcome, log };
      results.push(result);
      const why = result.reason === '' ? '' : ` (${result.reason})`;
      process.stderr.write(`${initiator.name} > ${responder.name}, ${scenario}: ${result.verdict}${why}\n`);
    }
  }
  return { endpoints: endpoints.map(({ name }) => name), scenarios, results };
}

async function attempt(
  scenario: Scenario,
  initiator: Endpoint,
  responder: Endpoint,
  log: string,
): Promise<Pick<Result, 'verdict' | 'reason'>> {
  try {
    const arena = await Arena.build(initiator, responder, log);
    let done = false;
    try {
      await scenario.steps(arena);
      done = true;
    } finally {
      const seen = await arena.close();
      if (done) scenario.judge?.(seen);
    }
    return { verdict: 'pass', reason: '' };
  } catch (error) {
    if (exitStatus(error) === 2) throw error; // the next case would not do better
    return { verdict: error instanceof Unsupported ? 'unsupported' : 'fail', reason: messageOf(error) };
  }
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(error))}\n`);
    else process.stderr.write(`${messageOf(error)}\n`);
    process.exit(exitStatus(error));
  },
);
