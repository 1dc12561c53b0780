import { entrance } from '../../node/privilege.ts';
import type { DemoOptions } from './options.ts';
import { buildStage } from './stage.ts';
import { LINKS, ROLES } from './topology.ts';

/** Builds everything, prints how to reach it as one JSON document, and waits until a signal ends the process. */
export async function hold({ profile, loci, pcap }: DemoOptions): Promise<number> {
  const { topology, identifiers, daemons } = await buildStage({ profile, loci, pcap, onEvent: () => undefined });
  const enter = entrance();
  const document = {
    tag: topology.tag,
    ...(enter === undefined ? {} : { enter }),
    namespaces: Object.fromEntries(ROLES.map((role) => [role, topology.namespace(role)])),
    identifiers,
    controlSockets: Object.fromEntries(daemons.map(({ host, controlSocket }) => [host, controlSocket])),
    links: LINKS.map(({ host, provider, hostEnd, routerEnd }) => ({
      host,
      router: `router${String(provider)}`,
      hostInterface: hostEnd.name,
      routerInterface: routerEnd.name,
    })),
    examples: [
      `ip netns exec ${topology.namespace('client')} ping ${identifiers.server}`,
      `ip -n ${topology.namespace('router1')} -6 rule add pref 1 iif to-client blackhole`,
      `ip -n ${topology.namespace('client')} link set c1 down`,
    ],
  };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  process.stderr.write('Everything stays until SIGINT (Ctrl-C).\n');
  return new Promise(() => setInterval(() => undefined, 2 ** 30)); // the signal's handler ends the process
}
