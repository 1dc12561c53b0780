import { z } from 'zod';
import { compiled, start } from '../../../src/cli/demo/program.ts';
import type { Program } from '../../../src/cli/demo/program.ts';
import { addressOf, eventually } from '../../../src/cli/demo/stage.ts';
import { HOSTS, buildTopology, linkOf, prefixOn } from '../../../src/cli/demo/topology.ts';
import type { Host, Provider, Topology } from '../../../src/cli/demo/topology.ts';
import { loci } from './established.ts';
import { startLocid } from './host-alone.ts';
import type { RunningDaemon } from './host-alone.ts';

type PairText = [string, string];

/** What tests read of a context. */
export interface Standing {
  readonly ulids: PairText;
  readonly state: string;
  readonly profile: string;
  readonly pair: PairText;
  readonly tagLocal: string;
  readonly peerLocators: readonly { readonly address: string; readonly priority: number }[];
}

/** What they read of an event. */
export interface Happening {
  readonly at: number;
  readonly event: string;
  readonly ulids?: PairText | undefined;
  readonly pair?: PairText | undefined;
  readonly from?: PairText | undefined;
  readonly to?: PairText | undefined;
  readonly state?: string | undefined;
  readonly cause?: string | undefined;
  readonly why?: string | undefined;
}

const Pair = z.tuple([z.string(), z.string()]);
const Locators = z.array(z.object({ address: z.string(), ulid: z.boolean(), state: z.string() }));
const Contexts: z.ZodType<Standing[]> = z.array(
  z.object({
    ulids: Pair,
    state: z.string(),
    profile: z.string(),
    pair: Pair,
    tagLocal: z.string(),
    peerLocators: z.array(z.object({ address: z.string(), priority: z.number() })),
  }),
);
const Event: z.ZodType<Happening> = z.object({
  at: z.number(),
  event: z.string(),
  ulids: Pair.optional(),
  pair: Pair.optional(),
  from: Pair.optional(),
  to: Pair.optional(),
  state: z.string().optional(),
  cause: z.string().optional(),
  why: z.string().optional(),
});

/** What `loci monitor` of a host prints, as it comes. */
export interface Monitor {
  readonly events: Happening[];
  stop(): void;
}

/** The two hosts of the demonstration, each with a locid that the test configures, and may end and start again. */
export class TwoDaemons {
  readonly topology: Topology;
  readonly #daemons = new Map<Host, RunningDaemon>();

  static async start(configurations: Readonly<Record<Host, object>>): Promise<TwoDaemons> {
    const both = new TwoDaemons(await buildTopology());
    await both.addressed();
    await Promise.all(HOSTS.map((host) => both.begin(host, configurations[host])));
    return both;
  }

  constructor(topology: Topology) {
    this.topology = topology;
  }

  /** Waits until the kernel has formed the addresses of both hosts. */
  async addressed(): Promise<void> {
    await Promise.all(HOSTS.map((host) => addressOf(this.topology.namespace(host), host, ['-tentative'])));
  }

  /** Starts locid on a host, after an orderly end of the one before. */
  async begin(host: Host, configuration: object): Promise<void> {
    await this.#daemons.get(host)?.end('SIGTERM');
    this.#daemons.set(host, await startLocid(this.topology, host, configuration));
  }

  socket(host: Host): string {
    return this.#daemons.get(host)?.socket ?? '';
  }

  loci(host: Host, ...words: readonly string[]): Promise<unknown> {
    return loci(this.socket(host), ...words);
  }

  /** What programs may call a host: its identifier of that provider's prefix. */
  async identifier(host: Host, provider: Provider): Promise<string> {
    const prefix = prefixOn(linkOf(host, provider)).slice(0, -1);
    return eventually(`the ${host} has no identifier of provider ${String(provider)}`, async () => {
      const locators = Locators.parse(await this.loci(host, 'locators'));
      return locators.find((one) => one.ulid && one.state === 'preferred' && one.address.startsWith(prefix))?.address;
    });
  }

  async contexts(host: Host): Promise<readonly Standing[]> {
    return Contexts.parse(await this.loci(host, 'contexts'));
  }

  /** The context of a host for which `holds` is true, once there is one. */
  standing(complaint: string, host: Host, holds: (context: Standing) => boolean, withinMs?: number): Promise<Standing> {
    return eventually(
      complaint,
      async () => (await this.contexts(host)).find((one) => one.state === 'ESTABLISHED' && holds(one)),
      withinMs,
    );
  }

  /** Nothing is left of any context at either end: where one is left, it brings the other one back (RFC 5533 §7.17). */
  async forget(): Promise<void> {
    await eventually('contexts come back', async () => {
      const left = await Promise.all(HOSTS.map((host) => this.#forgetAt(host)));
      return left.every((count) => count === 0) ? true : undefined;
    });
  }

  async #forgetAt(host: Host): Promise<number> {
    const contexts = await this.contexts(host);
    for (const { ulids } of contexts) await this.loci(host, 'close', ...ulids).catch(() => undefined); // gone by now
    return contexts.length;
  }

  monitor(host: Host, ...words: readonly string[]): Monitor {
    const events: Happening[] = [];
    const command = [process.execPath, compiled('cli/loci'), '--socket', this.socket(host), 'monitor', ...words];
    const program: Program = start([...command, '--json'], {
      namespace: this.topology.namespace(host),
      name: `monitor of the ${host}`,
      onReport: (report) => {
        const event = Event.safeParse(report['value']); // else it says that the daemon has ended
        if (event.success) events.push(event.data);
      },
    });
    return {
      events,
      stop: () => {
        program.kill();
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#daemons.values()].map((daemon) => daemon.end('SIGTERM')));
    this.topology.remove();
  }
}

export function samePair(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a?.join() === b.join();
}
