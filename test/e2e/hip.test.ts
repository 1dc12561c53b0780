import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inside, ip, runtimeDirectory } from '../../src/cli/demo/namespaces.ts';
import { eventually } from '../../src/cli/demo/stage.ts';
import { buildTopology, HOSTS, linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { Host, Topology } from '../../src/cli/demo/topology.ts';
import { newHipKey, ownIdentityOf, writeHipKeyFile } from '../../src/daemon/hip-keys.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { startLocid } from './support/host-alone.ts';
import type { RunningDaemon } from './support/host-alone.ts';

const OCTETS = 2_000_000;

/** Plain programs: `client` sends OCTETS to `server`, which answers with their number. */
const SERVER = `
  const net = require('node:net');
  net.createServer({ allowHalfOpen: true }, (socket) => {
    let octets = 0;
    socket.on('data', (chunk) => (octets += chunk.length));
    socket.on('end', () => socket.end(String(octets) + ' ' + socket.remoteAddress));
  }).listen(7300, '::', () => console.log('ready'));`;
const CLIENT = `
  const net = require('node:net');
  const socket = net.connect(7300, process.argv[1]);
  socket.on('data', (chunk) => console.log(String(chunk)));
  socket.on('error', (error) => console.log(error.code));
  socket.end(Buffer.alloc(${String(OCTETS)}));`;

let topology: Topology;
let hits: Record<Host, string>;
let daemons: RunningDaemon[] = [];

beforeAll(async () => {
  topology = await buildTopology();
  hits = { client: await identify('client'), server: await identify('server') };
}, 60_000);

afterAll(() => {
  topology.remove();
});

function folder(host: Host): string {
  return `${runtimeDirectory(topology.tag)}/${host}`;
}

async function identify(host: Host): Promise<string> {
  mkdirSync(folder(host), { recursive: true });
  const key = await newHipKey('P-256');
  writeHipKeyFile(`${folder(host)}/hip-key.json`, key);
  return formatAddress(ownIdentityOf(key).hit);
}

/** The addresses that the kernel has formed, of both providers. */
async function addresses(host: Host): Promise<string[]> {
  return eventually(`the ${host} has no addresses`, async () => {
    const listing = await ip(topology.namespace(host), '-6', '-o', 'addr', 'show', 'scope', 'global', '-tentative');
    const found = [...listing.matchAll(/inet6 ([0-9a-f:]+)\/64/g)].map(([, address = '']) => address);
    const ofBoth = ([1, 2] as const).map((provider) =>
      found.find((address) => address.startsWith(prefixOn(linkOf(host, provider)).slice(0, -1))),
    );
    const known = ofBoth.filter((address) => address !== undefined);
    return known.length === 2 ? known : undefined;
  });
}

async function begin(hip: object): Promise<void> {
  const [client, server] = [await addresses('client'), await addresses('server')];
  const lines = [
    [hits.client, ...client],
    [hits.server, ...server],
  ].map((words) => words.join(' '));
  for (const host of HOSTS) writeFileSync(`${folder(host)}/hosts`, lines.join('\n'));
  daemons = await Promise.all(
    HOSTS.map((host) =>
      startLocid(topology, host, {
        hip: {
          enabled: true,
          hosts_file: `${folder(host)}/hosts`,
          keylog: `${folder(host)}/keys.jsonl`,
          ...hip,
        },
      }),
    ),
  );
}

async function end(): Promise<void> {
  const ended = await Promise.all(daemons.map((daemon) => daemon.end('SIGTERM')));
  daemons = [];
  for (const { status, stderr } of ended) expect(status, stderr).toBe(0);
}

/** What the server says to the client about OCTETS octets of TCP. */
async function transfer(): Promise<string> {
  const server = spawn(...inside(topology.namespace('server'), [process.execPath, '-e', SERVER]));
  await once(server.stdout, 'data');
  const client = spawn(...inside(topology.namespace('client'), [process.execPath, '-e', CLIENT, hits.server]));
  const timer = setTimeout(() => client.kill(), 15_000);
  let said = '';
  client.stdout.on('data', (chunk) => (said += String(chunk)));
  await once(client, 'close');
  clearTimeout(timer);
  server.kill();
  return said.trim();
}

describe('TCP between HITs', () => {
  it.each([
    ['raw ESP', { udp: false }],
    ['UDP port 10500', { udp: true }],
    ['raw ESP with AES-CBC and HMAC-SHA-256', { udp: false, esp_suites: [8] }],
  ])(
    'of programs that know nothing of it goes over %s',
    async (_, hip) => {
      await begin(hip);
      try {
        expect(await transfer()).toBe(`${String(OCTETS)} ${hits.client}`);
        expect(readFileSync(`${folder('client')}/keys.jsonl`, 'utf8')).toMatch(/^\{"ev":"sa","spi":"0x/);
      } finally {
        await end();
      }
      expect(await ip(topology.namespace('client'), '-6', 'addr')).not.toContain(hits.client);
      expect(await ip(topology.namespace('client'), '-6', 'route')).not.toContain('2001:20::');
    },
    60_000,
  );
});
