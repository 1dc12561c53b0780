import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { readArguments } from '../src/cli/arguments.ts';
import { LociError, messageOf } from '../src/node/error.ts';
import { BUILT_IN } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { SCENARIO_NAMES } from './names.ts';
import type { ScenarioName } from './names.ts';

/** What the command line asks for. */
export interface InteropOptions {
  readonly endpoints: readonly Endpoint[];
  readonly initiators: readonly string[];
  readonly responders: readonly string[];
  readonly scenarios: readonly ScenarioName[];
  /** Where captures and events go; `undefined`: a fresh folder for temporary files. */
  readonly logs: string | undefined;
  readonly json: boolean;
}

const NAME = /^[a-z0-9][a-z0-9._-]*$/i;
const names = z.array(z.string());
const Values = z.object({
  endpoint: names,
  initiator: names,
  responder: names,
  scenario: names,
  logs: z.string().optional(),
  json: z.boolean(),
});

/** Reads the arguments. `undefined` when help was asked for, and printed. Throws a `LociError` for what cannot be done. */
export function parseOptions(args: readonly string[]): InteropOptions | undefined {
  const command = interopCommand();
  if (!readArguments(command, args)) return undefined;
  const { endpoint, initiator, responder, scenario, logs, json } = Values.parse(command.opts());
  const endpoints = [...BUILT_IN];
  for (const text of endpoint) endpoints.push(foreign(text, endpoints));
  const all = endpoints.map(({ name }) => name);
  return {
    endpoints,
    initiators: chosen('endpoint', initiator, all),
    responders: chosen('endpoint', responder, all),
    scenarios: chosen('scenario', scenario, SCENARIO_NAMES),
    logs,
    json,
  };
}

function foreign(text: string, known: readonly Endpoint[]): Endpoint {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(at, 0));
  const path = text.slice(at + 1);
  if (at < 0 || path === '' || !NAME.test(name)) {
    throw new LociError('usage', `--endpoint ${text}: write NAME=PATH, such as linshim6=./linshim6-endpoint`);
  }
  if (known.some((one) => one.name === name)) throw new LociError('usage', `there is already an endpoint ${name}`);
  const file = resolve(path);
  try {
    if (!statSync(file).isFile()) throw new Error('it is not a file');
    accessSync(file, constants.X_OK);
  } catch (cause) {
    const remedy = 'it must name an executable file (interop/README.md says what the file does)';
    throw new LociError('usage', `--endpoint ${name}=${path}: ${messageOf(cause)}; ${remedy}`, { cause });
  }
  return { name, kind: 'foreign', path: file };
}

function chosen<Name extends string>(what: string, wanted: readonly string[], all: readonly Name[]): readonly Name[] {
  const unknown = wanted.find((name) => !all.some((one) => one === name));
  if (unknown !== undefined) {
    throw new LociError('usage', `there is no ${what} "${unknown}"; there are ${all.join(', ')}`);
  }
  return wanted.length === 0 ? all : all.filter((name) => wanted.includes(name));
}

function interopCommand(): Command {
  const list = (value: string, before: readonly string[]): readonly string[] => [...before, ...value.split(',')];
  const once = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  return new Command('interop')
    .description('Every endpoint with every other one, in namespaces: who gets along with whom?')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined }) // reported by the caller, once
    .allowExcessArguments(false)
    .option('--endpoint <name=path>', 'a further implementation; may be repeated', once, [])
    .option('--initiator <names>', 'only these begin, separated by commas', list, [])
    .option('--responder <names>', 'only these answer, separated by commas', list, [])
    .option('--scenario <names>', 'only these scenarios, separated by commas', list, [])
    .option('--logs <directory>', 'where captures and events of each case go')
    .option('--json', 'print one JSON document on standard output', false);
}
