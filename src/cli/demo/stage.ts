import { LociError } from '../../node/error.ts';
import { startCaptures } from './capturing.ts';
import { pause, startDaemon } from './daemons.ts';
import type { Daemon, Noticed, Profile } from './daemons.ts';
import { ip, runtimeDirectory } from './namespaces.ts';
import { HOSTS, PROVIDERS, buildTopology, linkOf, prefixOn } from './topology.ts';
import type { Host, Topology } from './topology.ts';

const ADDRESSES_WITHIN_MS = 10_000;
const POLL_MS = 50;

export interface StageOptions {
  readonly profile: Profile;
  /** False: everything but Loci itself, to see what happens then. */
  readonly loci: boolean;
  /** Where one capture per link goes. */
  readonly pcap?: string | undefined;
  readonly onEvent: (event: Noticed) => void;
}

/** The two hosts with their providers, ready for programs. */
export interface Stage {
  readonly topology: Topology;
  readonly daemons: readonly Daemon[];
  /** What programs call each host: its identifier of provider 1. */
  readonly identifiers: Readonly<Record<Host, string>>;
  daemon(host: Host): Daemon;
  /** Ends everything in order. What is left at the end of the process is killed and removed then. */
  close(): Promise<void>;
}

/** Builds namespaces, starts locid on both hosts, and waits until both have a locator of each provider. */
export async function buildStage({ profile, loci, pcap, onEvent }: StageOptions): Promise<Stage> {
  const topology = await buildTopology();
  const daemons: Daemon[] = [];
  const directory = runtimeDirectory(topology.tag);
  try {
    const captures = pcap === undefined ? undefined : await startCaptures(topology, pcap);
    if (loci) {
      await Promise.all(HOSTS.map((host) => addressOf(topology.namespace(host), host, [])));
      const started = HOSTS.map((host) => startDaemon(topology, host, { profile, directory, onEvent }));
      for (const outcome of await Promise.allSettled(started)) {
        if (outcome.status === 'fulfilled') daemons.push(outcome.value);
      }
      await Promise.all(started);
    }
    const find = (host: Host): Daemon => {
      const daemon = daemons.find((candidate) => candidate.host === host);
      if (daemon === undefined) throw new RangeError(`no locid runs on the ${host}`);
      return daemon;
    };
    const identifierOf = (host: Host): Promise<string> =>
      loci ? ulidOf(find(host)) : addressOf(topology.namespace(host), host, ['-tentative']);
    const [client, server] = await Promise.all([identifierOf('client'), identifierOf('server')]);
    return {
      topology,
      daemons,
      identifiers: { client, server },
      daemon: find,
      close: async () => {
        await Promise.all(daemons.map((daemon) => daemon.stop()));
        await captures?.stop();
        topology.remove();
      },
    };
  } catch (error) {
    for (const daemon of daemons) daemon.kill();
    topology.remove();
    throw error;
  }
}

/** The identifier that a host forms from its first provider's prefix, once it has locators of both. */
export async function ulidOf(daemon: Daemon): Promise<string> {
  const usable = await eventually(`the ${daemon.host} has no identifier for each provider`, async () => {
    const locators = (await daemon.locators()).filter(({ ulid, state }) => ulid && state === 'preferred');
    const perProvider = PROVIDERS.map((provider) =>
      locators.find(({ address }) => provided(address, daemon.host, provider)),
    );
    return perProvider.every((locator) => locator !== undefined) ? perProvider[0]?.address : undefined;
  });
  return usable;
}

/** The address that the kernel formed from the first provider's prefix, once it has one of each that fits the filter. */
export async function addressOf(namespace: string, host: Host, filter: readonly string[]): Promise<string> {
  return eventually(`the ${host} has no address of each provider`, async () => {
    const listing = await ip(namespace, '-6', '-o', 'addr', 'show', 'scope', 'global', ...filter);
    const addresses = [...listing.matchAll(/inet6 ([0-9a-f:]+)\/64/g)].map(([, address = '']) => address);
    const perProvider = PROVIDERS.map((provider) => addresses.find((address) => provided(address, host, provider)));
    return perProvider.every((address) => address !== undefined) ? perProvider[0] : undefined;
  });
}

function provided(address: string, host: Host, provider: 1 | 2): boolean {
  return address.startsWith(prefixOn(linkOf(host, provider)).slice(0, -1));
}

/** The first answer of `ask` that is not `undefined`. */
export async function eventually<T>(
  complaint: string,
  ask: () => Promise<T | undefined>,
  withinMs: number = ADDRESSES_WITHIN_MS,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new LociError('timeout', `${complaint} after ${String(withinMs)} ms`);
    await pause(POLL_MS);
  }
}
