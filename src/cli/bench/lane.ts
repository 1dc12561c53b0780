import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { LINKS, routerRole } from '../demo/topology.ts';
import type { Topology } from '../demo/topology.ts';
import { arm } from '../demo/failures.ts';
import { inside, ip } from '../demo/namespaces.ts';
import { buildStage, eventually } from '../demo/stage.ts';
import type { Stage } from '../demo/stage.ts';
import { iperf } from './iperf.ts';
import type { Ends } from './iperf.ts';
import type { Way } from './rows.ts';

const run = promisify(execFile);

/** A topology of its own for one row, in which all traffic takes the way that the row is named after. */
export interface Lane extends Ends {
  readonly way: Way;
  /** The daemons that take part; none without Loci. */
  readonly pids: readonly number[];
  /** Octets that left through the client's TUN device so far. */
  tunOctets(): Promise<number>;
  close(): Promise<void>;
}

const TUN = 'loci0';
const OFFLOADS = ['rx', 'tx', 'sg', 'tso', 'gso', 'gro'];
const MOVES_WITHIN_MS = 10_000;
/** Traffic while router 1 falls silent: the failure is noticed by it. */
const UPSET_SECONDS = 4;

/** Builds the topology of a row and brings its traffic on its way. */
export async function buildLane(way: Way): Promise<Lane> {
  const loci = way === 'loci-shim6-plain' || way === 'loci-shim6-diverted';
  const stage = await buildStage({ profile: 'fast', loci, onEvent: () => undefined });
  const { topology, identifiers, daemons } = stage;
  const lane: Lane = {
    way,
    clientNamespace: topology.namespace('client'),
    serverNamespace: topology.namespace('server'),
    source: identifiers.client,
    destination: identifiers.server,
    pids: daemons.map(({ pid }) => pid),
    tunOctets: () => (loci ? octetsThrough(topology.namespace('client'), TUN) : Promise.resolve(0)),
    close: () => stage.close(),
  };
  try {
    if (way === 'raw-offloads-off') await switchOffloadsOff(topology);
    await iperf(lane, 1); // fills caches; with Loci, sets up the context
    if (loci) await everyContext(stage, 'no context was established', (state) => state === 'ESTABLISHED');
    if (way === 'loci-shim6-diverted') await divert(stage, lane);
    return lane;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

/** Whether so much went through the TUN device as this way of the traffic demands. */
export function tookItsWay(way: Way, bytes: number, tunOctets: number): boolean {
  return way === 'loci-shim6-diverted' ? tunOctets >= bytes : tunOctets <= bytes / 100;
}

async function divert(stage: Stage, lane: Lane): Promise<void> {
  const failure = await arm('blackhole', 'admin', stage.topology);
  const traffic = iperf(lane, UPSET_SECONDS);
  const moved = (async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await failure.strike();
    await everyContext(stage, 'the traffic did not move to provider 2', (_, ulids, pair) => pair !== ulids);
  })();
  await Promise.all([traffic, moved]);
  failure.disarm();
}

/** Waits until a context at both ends is as `is` wants it. */
async function everyContext(
  stage: Stage,
  complaint: string,
  is: (state: string, ulids: string, pair: string) => boolean,
): Promise<void> {
  const ready = async (): Promise<true | undefined> => {
    const lists = await Promise.all(stage.daemons.map((daemon) => daemon.contexts()));
    const all = lists.every((contexts) => contexts.some((c) => is(c.state, c.ulids.join(), c.pair.join())));
    return all ? true : undefined;
  };
  await eventually(complaint, ready, MOVES_WITHIN_MS);
}

async function switchOffloadsOff(topology: Topology): Promise<void> {
  const off = OFFLOADS.flatMap((name) => [name, 'off']);
  for (const { host, provider, hostEnd, routerEnd } of LINKS) {
    for (const [role, device] of [
      [host, hostEnd.name],
      [routerRole(provider), routerEnd.name],
    ] as const) {
      await run(...inside(topology.namespace(role), ['ethtool', '-K', device, ...off]));
    }
  }
}

const Links = z.array(z.object({ stats64: z.object({ tx: z.object({ bytes: z.number() }) }) }));

async function octetsThrough(namespace: string, device: string): Promise<number> {
  const [link] = Links.parse(JSON.parse(await ip(namespace, '-j', '-s', 'link', 'show', 'dev', device)));
  return link?.stats64.tx.bytes ?? 0;
}
