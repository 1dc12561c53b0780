import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { inside, ip, runtimeDirectory } from '../../src/cli/demo/namespaces.ts';
import { addressOf, eventually } from '../../src/cli/demo/stage.ts';
import { HOSTS, buildTopology, linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { Topology } from '../../src/cli/demo/topology.ts';
import { loci } from './support/established.ts';
import { ran, startLocid } from './support/host-alone.ts';
import type { RunningDaemon } from './support/host-alone.ts';

const Locators = z.array(
  z.object({ address: z.string(), interface: z.string(), ulid: z.boolean(), identity: z.string().optional() }),
);
const Contexts = z.array(
  z.object({
    ulids: z.tuple([z.string(), z.string()]),
    state: z.string(),
    peerLocators: z.array(z.object({ address: z.string() })),
  }),
);

/** Sends 30 datagrams from an address that it binds to. */
const BOUND_SENDER = `
  const [, local, peer] = process.argv;
  const socket = require('node:dgram').createSocket('udp6');
  let left = 30;
  const send = () => (left-- > 0 ? socket.send('x', 7009, peer, () => setTimeout(send, 30)) : socket.close());
  socket.bind({ address: local }, send);
`;

let topology: Topology;
let client: RunningDaemon;
let server: RunningDaemon;

beforeAll(async () => {
  topology = await buildTopology();
  await Promise.all(HOSTS.map((host) => addressOf(topology.namespace(host), host, ['-tentative'])));
  [client, server] = await Promise.all([
    startLocid(topology, 'client', { identity: [{ name: 'work' }] }),
    startLocid(topology, 'server'),
  ]);
}, 60_000);

afterAll(async () => {
  await Promise.all([client.end('SIGTERM'), server.end('SIGTERM')]);
  topology.remove();
}, 30_000);

/** The addresses of an identity of the client, by provider. */
async function addressesOf(identity: string | undefined): Promise<[string, string]> {
  const at = (all: readonly { address: string }[], provider: 1 | 2): string | undefined =>
    all.find(({ address }) => address.startsWith(prefixOn(linkOf('client', provider)).slice(0, -1)))?.address;
  return eventually(`no addresses of ${identity ?? 'the first identity'}`, async () => {
    const own = Locators.parse(await loci(client.socket, 'locators')).filter(
      (one) => one.ulid && one.identity === identity,
    );
    const [first, second] = [at(own, 1), at(own, 2)];
    return first === undefined || second === undefined ? undefined : [first, second];
  });
}

describe('a host with two identities', () => {
  it('has addresses of both on every link, each from its own key', async () => {
    const [first, work] = await Promise.all([addressesOf(undefined), addressesOf('work')]);
    expect(new Set([...first, ...work]).size).toBe(4);
    expect(existsSync(`${runtimeDirectory(topology.tag)}/client/key-work.json`)).toBe(true);
    const chosen = await ip(topology.namespace('client'), '-6', 'route', 'get', '2001:db8:1:b::1');
    expect(chosen).toContain(`src ${first[0]}`);
  });

  it('a program that binds to the second gets contexts of that one, whose list its own key has signed', async () => {
    const work = await addressesOf('work');
    const peer = z
      .array(z.object({ address: z.string(), ulid: z.boolean() }))
      .parse(await loci(server.socket, 'locators'))
      .find(({ address, ulid }) => ulid && address.startsWith(prefixOn(linkOf('server', 1)).slice(0, -1)))?.address;
    if (peer === undefined) throw new Error('the server has no identifier');
    const talk = inside(topology.namespace('client'), [process.execPath, '-e', BOUND_SENDER, work[0], peer]);
    expect(await ran(...talk)).toMatchObject({ status: 0, stderr: '' });
    const known = await eventually('no context of the second identity', async () => {
      const contexts = Contexts.parse(await loci(server.socket, 'contexts'));
      return contexts.find(({ ulids, state }) => state === 'ESTABLISHED' && ulids[1] === work[0]);
    });
    expect(known.peerLocators.map(({ address }) => address).sort()).toEqual([...work].sort());
  }, 30_000);
});
