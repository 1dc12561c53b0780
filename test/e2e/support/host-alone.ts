import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { stringify } from 'smol-toml';
import { compiled } from '../../../src/cli/demo/program.ts';
import { inside, ip, runtimeDirectory } from '../../../src/cli/demo/namespaces.ts';
import { eventually } from '../../../src/cli/demo/stage.ts';
import { LINKS, PROVIDERS, linkOf, prefixOn } from '../../../src/cli/demo/topology.ts';
import type { Host, Topology } from '../../../src/cli/demo/topology.ts';
import { loci } from './established.ts';

/** How a command ended, and what it said. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function ran(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await once(child, 'close');
  clearTimeout(timer);
  return { status: child.exitCode, signal: child.signalCode, stdout, stderr };
}

/** A daemon that the test ends in its own way. */
export interface RunningDaemon {
  readonly pid: number;
  readonly socket: string;
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Writes a configuration for a host of the topology; the file, and where the daemon answers. */
export function configure(topology: Topology, host: Host, more: object = {}): { file: string; socket: string } {
  const state = `${runtimeDirectory(topology.tag)}/${host}`;
  mkdirSync(state, { recursive: true });
  const file = `${state}/locid.toml`;
  const socket = `${state}/control.sock`;
  const interfaces = { include: LINKS.filter((link) => link.host === host).map((link) => link.hostEnd.name) };
  writeFileSync(
    file,
    stringify({ state_directory: state, control_socket: socket, interfaces, policy: { trigger_packets: 5 }, ...more }),
  );
  return { file, socket };
}

/** Starts locid on a host, and waits until it has an identifier of each provider that may be used. */
export async function startLocid(topology: Topology, host: Host, more: object = {}): Promise<RunningDaemon> {
  const { file, socket } = configure(topology, host, more);
  const command = [process.execPath, compiled('daemon/locid'), '--config', file];
  const child = spawn(...inside(topology.namespace(host), command), { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close');
  await eventually(`locid of the ${host} is not ready: ${stderr}`, async () => {
    if (child.exitCode !== null) throw new Error(`locid ended with ${String(child.exitCode)}: ${stderr}`);
    const locators = await loci(socket, 'locators').catch(() => []);
    const usable = (locators as { ulid: boolean; state: string }[]).filter(({ ulid }) => ulid);
    return usable.length >= 2 ? true : undefined;
  });
  return {
    pid: child.pid ?? -1,
    socket,
    end: async (signal) => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await closed;
      clearTimeout(timer);
      return { status: child.exitCode, signal: child.signalCode, stdout: '', stderr };
    },
  };
}

const VIEWS = [
  ['ip', '-6', 'rule'],
  ['ip', '-6', 'route', 'show', 'table', 'all'],
  ['ip', '-6', 'addr'],
  ['ip', 'addrlabel'],
  ['ip', 'link'],
  ['nft', 'list', 'ruleset'],
] as const;

/** What an outsider sees of a namespace, without what counts down. */
export async function snapshot(namespace: string): Promise<string> {
  const views = await Promise.all(
    VIEWS.map(async (command) => {
      const { status, stdout, stderr } = await ran(...inside(namespace, command));
      if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
      return `# ${command.join(' ')}\n${stdout}`;
    }),
  );
  return views
    .join('\n')
    .replace(/(valid_lft|preferred_lft|expires) \d+sec/g, '$1 N')
    .replace(/^\s*elements = \{[^}]*\}\n/gm, ''); // packets that were counted in the meantime
}

/** The same once both prefixes have addresses, none of them tentative, and two looks agree: views are not taken at one instant. */
export async function snapshotAtRest(topology: Topology, host: Host): Promise<string> {
  const prefixes = PROVIDERS.map((provider) => prefixOn(linkOf(host, provider)).slice(0, -1));
  let last = '';
  return eventually(`the ${host} does not come to rest`, async () => {
    const text = await snapshot(topology.namespace(host));
    const rests = text === last && prefixes.every((one) => text.includes(one)) && !text.includes('tentative');
    last = text;
    return rests ? text : undefined;
  });
}

/** Where packets to a destination go, without what counts down. */
export async function way(namespace: string, destination: string, ...more: readonly string[]): Promise<string> {
  return (await ip(namespace, '-6', 'route', 'get', destination, ...more)).replace(/expires \d+sec/g, 'expires N');
}
