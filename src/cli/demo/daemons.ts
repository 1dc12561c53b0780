import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { stringify } from 'smol-toml';
import { inside } from './namespaces.ts';
import { compiled, start } from './program.ts';
import type { Program } from './program.ts';
import { LINKS } from './topology.ts';
import type { Host, Topology } from './topology.ts';

const run = promisify(execFile);

export type Profile = 'fast' | 'balanced' | 'rfc';

export type Pair = readonly [source: string, destination: string];

/** What the demonstration reads of a `ContextSnapshot`. */
export interface Context {
  readonly ulids: Pair;
  readonly state: string;
  readonly pair: Pair;
}

/** What it reads of a `LocatorSnapshot`. */
export interface Locator {
  readonly address: string;
  readonly interface: string;
  readonly state: string;
  readonly ulid: boolean;
}

/** What it reads of a `HostEvent`, as `loci monitor --json` prints it, and whose it is. */
export interface Noticed {
  readonly host: Host;
  readonly at: number;
  readonly event: string;
  readonly ulids?: Pair | undefined;
  readonly pair?: Pair | undefined;
  readonly from?: Pair | undefined;
  readonly to?: Pair | undefined;
  readonly state?: string | undefined;
  readonly cause?: string | undefined;
  readonly why?: string | undefined;
  readonly address?: string | undefined;
  readonly change?: string | undefined;
}

const pair: z.ZodType<Pair> = z.tuple([z.string(), z.string()]);
const contexts: z.ZodType<Context[]> = z.array(z.object({ ulids: pair, state: z.string(), pair }));
const locators: z.ZodType<Locator[]> = z.array(
  z.object({ address: z.string(), interface: z.string(), state: z.string(), ulid: z.boolean() }),
);
const noticed: z.ZodType<Omit<Noticed, 'host'>> = z.object({
  at: z.number(),
  event: z.string(),
  ulids: pair.optional(),
  pair: pair.optional(),
  from: pair.optional(),
  to: pair.optional(),
  state: z.string().optional(),
  cause: z.string().optional(),
  why: z.string().optional(),
  address: z.string().optional(),
  change: z.string().optional(),
});

/** A running locid and what `loci` says about it. */
export interface Daemon {
  readonly host: Host;
  readonly pid: number;
  readonly controlSocket: string;
  contexts(): Promise<readonly Context[]>;
  locators(): Promise<readonly Locator[]>;
  /** Kills at once; `stop` lets it clean up behind itself. */
  kill(): void;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;
const STOPPED_WITHIN_MS = 3_000;
const POLL_MS = 50;

/** Packets after which a context is set up: early, so that the demonstration need not wait. */
const TRIGGER_PACKETS = 5;

/** Starts locid on a host and waits until it answers. What it notices goes to `onEvent`. */
export async function startDaemon(
  topology: Topology,
  host: Host,
  {
    profile,
    directory,
    onEvent,
    triggerPackets = TRIGGER_PACKETS,
    readyWithinMs = READY_WITHIN_MS,
  }: {
    profile: Profile;
    directory: string;
    onEvent: (event: Noticed) => void;
    /** Packets after which this host sets up a context. */
    triggerPackets?: number;
    readyWithinMs?: number;
  },
): Promise<Daemon> {
  const namespace = topology.namespace(host);
  const state = `${directory}/${host}`;
  const controlSocket = `${state}/control.sock`;
  const file = `${state}/locid.toml`;
  await mkdir(state, { recursive: true });
  await writeFile(file, configuration(host, profile, state, controlSocket, triggerPackets));

  const daemon = start([process.execPath, compiled('daemon/locid'), '--config', file], {
    namespace,
    name: `${host}'s locid`,
  });
  const loci = async (...words: readonly string[]): Promise<unknown> => {
    const [path, args] = inside(namespace, lociCommand(controlSocket, words));
    return JSON.parse((await run(path, args)).stdout);
  };
  let monitor: Program | undefined;
  const kill = (): void => {
    monitor?.kill();
    daemon.kill();
  };
  try {
    await within(readyWithinMs, `${host}'s locid`, daemon, () => loci('status'));
    monitor = start(lociCommand(controlSocket, ['monitor']), {
      namespace,
      name: `${host}'s monitor`,
      onReport: (report) => {
        const event = noticed.safeParse(report['value']);
        if (event.success) onEvent({ ...event.data, host });
      },
    });
  } catch (error) {
    kill();
    throw error;
  }
  return {
    host,
    pid: daemon.pid,
    controlSocket,
    contexts: async () => contexts.parse(await loci('contexts')),
    locators: async () => locators.parse(await loci('locators')),
    kill,
    stop: async () => {
      monitor.kill();
      daemon.kill('SIGTERM');
      await Promise.race([daemon.ended, pause(STOPPED_WITHIN_MS)]);
      kill();
    },
  };
}

/** Repeats `attempt` until it succeeds; the end of the program, or the time, puts an end to it. */
async function within(ms: number, name: string, program: Program, attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + ms;
  let ended: Error | undefined;
  void program.ended.then((how) => {
    ended = how;
  });
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (ended !== undefined) throw ended;
      if (Date.now() > deadline) throw new Error(`${name} does not answer`, { cause: error });
      await pause(POLL_MS);
    }
  }
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function lociCommand(controlSocket: string, words: readonly string[]): readonly string[] {
  return [process.execPath, compiled('cli/loci'), '--socket', controlSocket, ...words, '--json'];
}

function configuration(
  host: Host,
  profile: Profile,
  state: string,
  controlSocket: string,
  triggerPackets: number,
): string {
  return stringify({
    profile,
    state_directory: state,
    control_socket: controlSocket,
    log_level: 'info',
    interfaces: { include: LINKS.filter((link) => link.host === host).map((link) => link.hostEnd.name) },
    policy: { trigger_packets: triggerPackets },
  });
}
