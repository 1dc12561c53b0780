import { settings, ip } from '../../src/cli/demo/namespaces.ts';
import { startProgram } from '../../src/cli/demo/program.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { linkOf, routerRole } from '../../src/cli/demo/topology.ts';
import type { Provider, Topology } from '../../src/cli/demo/topology.ts';

/** Seen from the client: `out` is what it sends through the provider, `in` what it gets. */
export type Direction = 'out' | 'in';
const DIRECTIONS: readonly Direction[] = ['out', 'in'];

export interface Impairment {
  readonly delayMs?: number;
  /** Share of packets that are lost, 0 to 1. */
  readonly loss?: number;
}

/** A provider whose router hands what it forwards to a hop that delays and loses packets. Starts neutral. */
export interface ImpairedProvider {
  impair(impairment: Impairment, directions?: readonly Direction[]): Promise<void>;
  /** Loses everything for so long. Resolves when the silence has begun. */
  silence(ms: number, directions?: readonly Direction[]): Promise<void>;
  counts(direction: Direction): Promise<{ readonly passed: number; readonly lost: number }>;
  /** The router forwards by itself again. */
  remove(): Promise<void>;
}

/** Puts the hop into a provider's router. `ip -6 rule` leads packets into it by the link on which they came. */
export async function impairProvider(topology: Topology, provider: Provider, seed = 1): Promise<ImpairedProvider> {
  const namespace = topology.namespace(routerRole(provider));
  const hops = new Map<Direction, Program>();
  const delays = new Map<Direction, Required<Impairment>>();
  for (const [i, direction] of DIRECTIONS.entries()) {
    const device = `hop-${direction}`;
    const table = String(900 + i);
    const hop = startProgram('hop', [device, String(seed + i)], { namespace, name: `hop ${direction}` });
    await hop.next('ready');
    await ip(namespace, 'link', 'set', 'dev', device, 'gso_max_segs', '1'); // so that a loss is one packet's
    await settings(namespace, { [`conf/${device}/forwarding`]: 1 });
    await ip(namespace, '-6', 'route', 'add', 'default', 'dev', device, 'table', table);
    await ip(namespace, '-6', 'rule', 'add', 'pref', table, 'iif', enters(provider, direction), 'lookup', table);
    hops.set(direction, hop);
    delays.set(direction, { delayMs: 0, loss: 0 });
  }
  const ask = async (direction: Direction, command: object): Promise<{ passed: number; lost: number }> => {
    const hop = hops.get(direction);
    if (hop === undefined) throw new Error('the hop has been removed');
    hop.tell(command);
    const { passed, lost } = await hop.next('done');
    return { passed: Number(passed), lost: Number(lost) };
  };
  const current = (direction: Direction): Required<Impairment> => delays.get(direction) ?? { delayMs: 0, loss: 0 };
  return {
    impair: async (impairment, directions = DIRECTIONS) => {
      for (const direction of directions) {
        delays.set(direction, { ...current(direction), ...impairment });
        await ask(direction, current(direction));
      }
    },
    silence: async (ms, directions = DIRECTIONS) => {
      await Promise.all(directions.map((direction) => ask(direction, { silenceMs: ms })));
    },
    counts: (direction) => ask(direction, current(direction)),
    remove: async () => {
      for (const [i, direction] of DIRECTIONS.entries()) {
        await ip(namespace, '-6', 'rule', 'del', 'pref', String(900 + i));
        hops.get(direction)?.kill();
        hops.delete(direction);
      }
    },
  };
}

function enters(provider: Provider, direction: Direction): string {
  return linkOf(direction === 'out' ? 'client' : 'server', provider).routerEnd.name;
}
