import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { takeHandover, writeHandover } from '../../daemon/handover.ts';
import type { Handover } from '../../daemon/handover.ts';
import { createLog } from '../../daemon/log.ts';
import type { PeerLocator } from '../../shim6/context-io.ts';
import { contextTag, TAG_SPACE } from '../../shim6/tag.ts';
import type { ContextTag } from '../../shim6/tag.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import type { Address } from '../../wire/address.ts';
import { ask } from '../client.ts';
import { startDaemon } from '../demo/daemons.ts';
import type { Daemon, Noticed } from '../demo/daemons.ts';
import { ip, runtimeDirectory, settings } from '../demo/namespaces.ts';
import { compiled, start } from '../demo/program.ts';
import type { Program } from '../demo/program.ts';
import { buildStage, eventually } from '../demo/stage.ts';
import type { Stage } from '../demo/stage.ts';

const PORT = '7003';
const TRIGGER_EVERY_MS = 20;
/** Of the peers that are copies, at provider 1 and 2. */
const PREFIXES = ['2001:db8:1:c::', '2001:db8:2:c::'] as const;
/** So many of them answer. */
const ANSWERING = 100;
const ESTABLISHED_WITHIN_MS = 10_000;
const RESUMED_WITHIN_MS = 180_000;

/** The demonstration's two hosts; the client's locid can get many contexts besides the one with the server. */
export interface Multitude {
  readonly stage: Stage;
  /** The client's locid. */
  readonly daemon: Daemon;
  /** What both daemons notice. */
  readonly events: Noticed[];
  /** Identifiers of so many peers of the multitude, at most `ANSWERING`. */
  peers(count: number): readonly string[];
  /** A program of the client that talks with these addresses, with each every so many milliseconds. */
  talk(addresses: readonly string[], everyMs: number): Program;
  /** Sets up a context with the server, and restarts the client's locid with that and so many more. */
  grow(contexts: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Builds the demonstration's network. `grow` multiplies a context: locid hands it over as it does at every restart, and gets it
 * back with copies that have peers of their own. These live in router 1, where a program answers, and nobody speaks Shim6.
 */
export async function buildMultitude(): Promise<Multitude> {
  const events: Noticed[] = [];
  const onEvent = (event: Noticed): void => void events.push(event);
  const stage = await buildStage({ profile: 'fast', loci: true, onEvent });
  const { topology, identifiers } = stage;
  const directory = runtimeDirectory(topology.tag);
  const programs: Program[] = [];
  const run = (name: string, role: 'client' | 'server' | 'router1', args: readonly string[]): Program => {
    const command = [process.execPath, compiled(`cli/bench/${name}`), ...args];
    const program = start(command, { namespace: topology.namespace(role), name });
    programs.push(program);
    return program;
  };
  const talk = (addresses: readonly string[], everyMs: number): Program =>
    run('talkers', 'client', [identifiers.client, PORT, String(everyMs), ...addresses]);
  const peers = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, i) => formatAddress(peerAddress(PREFIXES[0], i)));
  let daemon = stage.daemon('client');
  const close = async (): Promise<void> => {
    for (const program of programs) program.kill();
    await daemon.stop();
    await stage.close();
  };
  const established = async (atLeast: number, withinMs: number): Promise<void> => {
    const count = async (): Promise<number> =>
      (await ask(daemon.controlSocket, { id: 1, command: 'status' })).contexts['ESTABLISHED'] ?? 0;
    await eventually('not enough contexts', async () => ((await count()) >= atLeast ? true : undefined), withinMs);
  };
  try {
    const router1 = topology.namespace('router1');
    await settings(router1, { ip_nonlocal_bind: 1 });
    await ip(router1, '-6', 'route', 'add', 'local', `${PREFIXES[0]}/64`, 'dev', 'lo');
    await ip(topology.namespace('router2'), '-6', 'route', 'add', 'blackhole', `${PREFIXES[1]}/64`);
    const echoes = [
      run('echo', 'server', [PORT, identifiers.server]),
      run('echo', 'router1', [PORT, ...peers(ANSWERING)]),
    ];
    await Promise.all(echoes.map((echo) => echo.next('ready')));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    stage,
    get daemon() {
      return daemon;
    },
    events,
    peers,
    talk,
    grow: async (contexts) => {
      const talkers = talk([identifiers.server], TRIGGER_EVERY_MS);
      await established(1, ESTABLISHED_WITHIN_MS);
      talkers.kill();
      await daemon.stop();
      const path = join(directory, 'client', 'handover.json');
      const handover = takeHandover(path, createLog('warn'));
      writeHandover(path, multiplied(handover, contexts));
      const readyWithinMs = RESUMED_WITHIN_MS;
      daemon = await startDaemon(topology, 'client', { profile: 'fast', directory, onEvent, readyWithinMs });
      await established(contexts + 1, RESUMED_WITHIN_MS);
    },
    close,
  };
}

function peerAddress(prefix: string, index: number): Address {
  const octets = (parseAddress(prefix) ?? new Uint8Array(16)).slice();
  octets.set([1, index >> 8, index & 0xff], 13);
  return octets;
}

function locatorAt(address: Address): PeerLocator {
  return { address, method: 'cga', broken: false, transient: false, priority: 0, weight: 0 };
}

/** The first context, and copies of it that differ in the peer's identifier, which shares its locators with others, and in both tags. */
function multiplied({ contexts, identifiers }: Handover, count: number): Handover {
  const [original] = contexts;
  if (original === undefined) throw new Error('locid handed no context over');
  const { ulids, peer } = original;
  const tag = (): ContextTag => contextTag(randomInt(TAG_SPACE));
  const copies = Array.from({ length: count }, (_, i) => {
    const between = { local: ulids.local, peer: peerAddress(PREFIXES[0], i) };
    const listed = PREFIXES.map((prefix) => locatorAt(peerAddress(prefix, i % ANSWERING)));
    const locators = { ...peer.locators, listed, unlisted: [] };
    return { ...original, ulids: between, pair: between, tag: tag(), peer: { ...peer, contextTag: tag(), locators } };
  });
  return { contexts: [original, ...copies], identifiers };
}
