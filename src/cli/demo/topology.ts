import { beforeExit } from './cleanup.ts';
import { freshTag, ip, ipBatch, removeTag, settings, sweep } from './namespaces.ts';
import { startProgram } from './program.ts';
import type { Program } from './program.ts';

/**
 * Two hosts, two providers that know nothing of each other:
 *
 *              c1 +---------+ s1
 *            +----| router1 |----+
 *   +--------+    +---------+    +--------+
 *   | client |                   | server |
 *   +--------+    +---------+    +--------+
 *            +----| router2 |----+
 *              c2 +---------+ s2
 *
 * Router N announces 2001:db8:N:a::/64 to the client and 2001:db8:N:b::/64 to the server.
 */
export type Role = 'client' | 'server' | 'router1' | 'router2';
export type Host = 'client' | 'server';
export type Provider = 1 | 2;

export const ROLES: readonly Role[] = ['client', 'server', 'router1', 'router2'];
export const HOSTS: readonly Host[] = ['client', 'server'];
export const PROVIDERS: readonly Provider[] = [1, 2];

const MTU = 1500;
/** Router 1 is the better default router (RFC 4191 §2.2), so that connections begin through it. */
const PREFERENCE = { 1: 'high', 2: 'medium' } as const;

/** A veth between a host and a router. The indexes differ at both ends, or the kernel delays carrier events. */
export interface Link {
  readonly host: Host;
  readonly provider: Provider;
  readonly hostEnd: { readonly name: string; readonly index: number };
  readonly routerEnd: { readonly name: string; readonly index: number };
}

/** A prefix as router advertisements carry it (RFC 4861 §4.6.2). */
export interface AnnouncedPrefix {
  readonly prefix: string; // without the length, which is 64
  readonly validSeconds: number;
  readonly preferredSeconds: number;
}

const LIFETIME = { validSeconds: 86_400, preferredSeconds: 14_400 } as const;

export const LINKS: readonly Link[] = HOSTS.flatMap((host, h) =>
  PROVIDERS.map((provider) => ({
    host,
    provider,
    hostEnd: { name: `${host.charAt(0)}${String(provider)}`, index: 10 + 10 * h + provider },
    routerEnd: { name: `to-${host}`, index: 50 + 10 * h + provider },
  })),
);

/** The link of a host to a provider. */
export function linkOf(host: Host, provider: Provider): Link {
  const link = LINKS.find((candidate) => candidate.host === host && candidate.provider === provider);
  if (link === undefined) throw new RangeError(`no link from ${host} to provider ${String(provider)}`);
  return link;
}

/** The /64 that a provider gives a link, `2001:db8:N:a::`; `generation` counts renumberings. */
export function prefixOn(link: Link, generation = 0): string {
  const subnet = (link.host === 'client' ? 0xa : 0xb) + 0x10 * generation;
  return `2001:db8:${String(link.provider)}:${subnet.toString(16)}::`;
}

export interface Topology {
  readonly tag: string;
  namespace(role: Role): string;
  /** Lets a router announce other prefixes on a link, at once and from then on. */
  announce(link: Link, prefixes: readonly AnnouncedPrefix[]): void;
  /** Stops the routers' programs and removes namespaces and files. Synchronous, harmless when repeated, done at the end of the process at the latest. */
  remove(): void;
}

/** Builds namespaces, links and routers, and starts the routers' advertisements. */
export async function buildTopology(): Promise<Topology> {
  sweep();
  const tag = freshTag();
  const namespace = (role: Role): string => `${tag}-${role}`;
  const routers = new Map<Provider, Program>();
  const remove = beforeExit(() => {
    for (const router of routers.values()) router.kill();
    removeTag(tag);
  });
  try {
    await ipBatch(
      undefined,
      ROLES.map((role) => `netns add ${namespace(role)}`),
    );
    await Promise.all(ROLES.map((role) => settings(namespace(role), role.startsWith('router') ? ROUTER : HOST)));
    await ipBatch(
      undefined,
      LINKS.map((link) => addLink(link, namespace)),
    );
    await Promise.all(PROVIDERS.map((provider) => raiseRouter(namespace(routerRole(provider)), provider)));
    for (const provider of PROVIDERS) {
      routers.set(provider, await startRouter(namespace(routerRole(provider)), provider));
    }
    await Promise.all(HOSTS.map((host) => raiseHost(namespace(host), host)));
  } catch (error) {
    remove();
    throw error;
  }
  return {
    tag,
    namespace,
    announce: (link, prefixes) => routers.get(link.provider)?.tell(advertise(link, prefixes)),
    remove,
  };
}

/** The namespace that holds a provider's router. */
export function routerRole(provider: Provider): Role {
  return provider === 1 ? 'router1' : 'router2';
}

/** The announcement of a link before anything is renumbered. */
export function usualPrefix(link: Link, generation = 0): AnnouncedPrefix {
  return { prefix: prefixOn(link, generation), ...LIFETIME };
}

const HOST = {
  'conf/default/accept_ra': 2,
  'conf/default/accept_ra_rtr_pref': 1,
  'conf/default/autoconf': 1,
  'conf/default/use_tempaddr': 0,
  'conf/default/router_solicitation_delay': 0,
};
const ROUTER = {
  'conf/all/forwarding': 1,
  'conf/default/forwarding': 1,
  'conf/default/accept_ra': 0,
  'conf/default/accept_dad': 0,
};

function addLink(link: Link, namespace: (role: Role) => string): string {
  const end = ({ name, index }: Link['hostEnd'], role: Role): string =>
    `name ${name} index ${String(index)} mtu ${String(MTU)} netns ${namespace(role)}`;
  return `link add ${end(link.hostEnd, link.host)} type veth peer ${end(link.routerEnd, routerRole(link.provider))}`;
}

async function raiseRouter(namespace: string, provider: Provider): Promise<void> {
  const ends = LINKS.filter((link) => link.provider === provider);
  await ipBatch(namespace, [
    'link set lo up',
    ...ends.flatMap((link) => [
      `link set ${link.routerEnd.name} up`,
      `addr add ${prefixOn(link)}1/64 dev ${link.routerEnd.name} nodad`,
    ]),
  ]);
}

async function raiseHost(namespace: string, host: Host): Promise<void> {
  const ends = LINKS.filter((link) => link.host === host);
  await ipBatch(namespace, ['link set lo up', ...ends.map((link) => `link set ${link.hostEnd.name} up`)]);
}

async function startRouter(namespace: string, provider: Provider): Promise<Program> {
  const router = startProgram('router', [], { namespace, name: `router ${String(provider)}` });
  for (const link of LINKS.filter((candidate) => candidate.provider === provider)) {
    router.tell(advertise(link, [usualPrefix(link)]));
  }
  await router.next('ready');
  return router;
}

function advertise(link: Link, prefixes: readonly AnnouncedPrefix[]): object {
  return { interfaceIndex: link.routerEnd.index, preference: PREFERENCE[link.provider], prefixes };
}

/** Gives router 1 an address in the client's new prefix, or takes one away with the route that comes with it. */
export async function routePrefix(topology: Topology, link: Link, prefix: string, routed: boolean): Promise<void> {
  await ip(
    topology.namespace(routerRole(link.provider)),
    '-6',
    'addr',
    routed ? 'add' : 'del',
    `${prefix}1/64`,
    'dev',
    link.routerEnd.name,
    ...(routed ? ['nodad'] : []),
  );
}
