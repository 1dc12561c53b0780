import { mkdirSync, writeFileSync } from 'node:fs';
import { stringify } from 'smol-toml';
import { ip, ipBatch, runtimeDirectory, settings } from '../../../src/cli/demo/namespaces.ts';
import { compiled, start } from '../../../src/cli/demo/program.ts';
import type { Program } from '../../../src/cli/demo/program.ts';
import { eventually } from '../../../src/cli/demo/stage.ts';
import { PROVIDERS, routerRole } from '../../../src/cli/demo/topology.ts';
import type { Topology } from '../../../src/cli/demo/topology.ts';
import { ask } from '../../../src/cli/client.ts';

/** A third host at both providers, that nobody has heard of. It goes with the topology. */
export interface Guest {
  readonly namespace: string;
  /** Its identifier of provider 1. */
  readonly identifier: string;
  readonly socket: string;
  kill(): void;
}

/** Brings a host of its own namespace, prefixes and key, whose daemon sets up a context after `triggerPackets`. */
export async function inviteGuest(topology: Topology, name: string, triggerPackets: number): Promise<Guest> {
  const namespace = `${topology.tag}-${name}`;
  const subnet = (provider: number): string => `2001:db8:${String(provider)}:${hex(name)}::`;
  await ip(undefined, 'netns', 'add', namespace);
  await ip(namespace, 'link', 'set', 'lo', 'up');
  for (const provider of PROVIDERS) {
    const router = topology.namespace(routerRole(provider));
    const [end, link] = [`to-${name}`, `g${String(provider)}`];
    await ip(undefined, 'link', 'add', link, 'netns', namespace, 'type', 'veth', 'peer', 'name', end, 'netns', router);
    await settings(namespace, { [`conf/${link}/accept_ra`]: 0 });
    await settings(router, { [`conf/${end}/accept_dad`]: 0 });
    await ipBatch(router, [`link set ${end} up`, `addr add ${subnet(provider)}1/64 dev ${end} nodad`]);
    await ipBatch(namespace, [
      `link set ${link} up`,
      `addr add ${subnet(provider)}2/64 dev ${link} nodad`,
      `route add ::/0 via ${subnet(provider)}1 dev ${link} metric ${String(1_000 + provider)}`,
    ]);
  }
  const state = `${runtimeDirectory(topology.tag)}/${name}`;
  mkdirSync(state, { recursive: true });
  const socket = `${state}/control.sock`;
  const configuration = {
    state_directory: state,
    control_socket: socket,
    interfaces: { include: ['g1', 'g2'] },
    policy: { trigger_packets: triggerPackets },
  };
  writeFileSync(`${state}/locid.toml`, stringify(configuration));
  const command = [process.execPath, compiled('daemon/locid'), '--config', `${state}/locid.toml`];
  const daemon: Program = start(command, { namespace, name: `${name}'s locid` });
  const identifier = await eventually(`the ${name} has no identifier of each provider`, async () => {
    const locators = await ask(socket, { id: 1, command: 'locators' }).catch(() => []);
    const usable = locators.filter((one) => one.ulid && one.state === 'preferred').map(({ address }) => address);
    return usable.length === 2 ? usable.find((address) => address.startsWith(subnet(1).slice(0, -1))) : undefined;
  });
  return {
    namespace,
    identifier,
    socket,
    kill: () => {
      daemon.kill();
    },
  };
}

/** A subnet number for a name, outside those of the topology. */
function hex(name: string): string {
  return (0xc00 + (name.charCodeAt(name.length - 1) & 0xff)).toString(16);
}
