import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import { compiled } from '../../src/cli/demo/program.ts';
import { inside, ip, runtimeDirectory } from '../../src/cli/demo/namespaces.ts';
import { eventually } from '../../src/cli/demo/stage.ts';
import { HOSTS, PROVIDERS, buildTopology, linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { Topology } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import { loci } from './support/established.ts';
import { configure, ran, snapshot, snapshotAtRest, startLocid, way } from './support/host-alone.ts';
import type { Ended, RunningDaemon } from './support/host-alone.ts';

/** Nobody of ours: what is on the way to them must never change. */
const OTHERS = ['2001:db8:99::1', '2001:db8:1:c::1', '2001:db8:2:c::1', 'fd00::1'] as const;
const OTHER_NUMBERS = {
  interception: {
    divert_preference: 310,
    locator_preference: 3_001,
    table: 733,
    locator_table: 4_001,
  },
  tun: { name: 'other0' },
};

let topology: Topology;
let client: string;
let before: string;
/** The addresses that the kernel formed, which Loci leaves alone. */
let ownBefore: readonly string[];
let waysBefore: readonly string[];
const running: RunningDaemon[] = [];

beforeAll(async () => {
  topology = await buildTopology();
  client = topology.namespace('client');
  for (const host of HOSTS) {
    await eventually(`the ${host} has no addresses`, async () => {
      const addresses = await ip(topology.namespace(host), '-6', 'addr', 'show', '-tentative');
      return PROVIDERS.every((provider) => addresses.includes(prefixOn(linkOf(host, provider)).slice(0, -1)))
        ? true
        : undefined;
    });
  }
  before = await snapshotAtRest(topology, 'client');
  const addresses = await ip(client, '-6', '-o', 'addr', 'show', 'scope', 'global');
  ownBefore = [...addresses.matchAll(/inet6 ([0-9a-f:]+)\/64/g)].map(([, own = '']) => own);
  expect(ownBefore).toHaveLength(2);
  waysBefore = await ways();
}, 30_000);

afterEach(async () => {
  if (running.length === 0) return;
  for (const daemon of running.splice(0)) await daemon.end('SIGKILL');
  const cleaned = await ran(
    ...inside(client, [process.execPath, compiled('cli/loci'), '--socket', '/nowhere/x', 'cleanup']),
  );
  expect(cleaned.status).toBe(0);
  await ran(
    ...inside(topology.namespace('server'), [
      process.execPath,
      compiled('cli/loci'),
      '--socket',
      '/nowhere/x',
      'cleanup',
    ]),
  );
  await repair('blackhole', topology);
}, 30_000);

afterAll(() => {
  topology.remove();
  expect(existsSync(runtimeDirectory(topology.tag))).toBe(false);
});

async function ways(): Promise<string[]> {
  return Promise.all([
    ...OTHERS.map((destination) => way(client, destination)),
    ...ownBefore.map((own) => way(client, OTHERS[0], 'from', own)),
  ]);
}

/** The machine looks as it did before the first start; what the kernel does after its own fashion may take a moment. */
async function expectAsBefore(): Promise<void> {
  await expect.poll(() => snapshot(client), { timeout: 3_000 }).toBe(before);
}

async function start(more: object = {}): Promise<RunningDaemon> {
  const daemon = await startLocid(topology, 'client', more);
  running.push(daemon);
  return daemon;
}

/** Both hosts at work, and the client's traffic diverted into the TUN because its first provider is dead. */
async function diverted(more: object = {}): Promise<{ daemon: RunningDaemon; kill: () => void; peer: string }> {
  const [daemon, server] = await Promise.all([start(more), startLocid(topology, 'server')]);
  running.push(server);
  const Locators = z.array(z.object({ address: z.string(), ulid: z.boolean() }));
  const locators = Locators.parse(await loci(server.socket, 'locators'));
  const peer = locators.find(
    ({ address, ulid }) => ulid && address.startsWith(prefixOn(linkOf('server', 1)).slice(0, -1)),
  );
  if (peer === undefined) throw new Error('the server has no identifier');
  const traffic = await startTraffic(topology, peer.address, { rate: 5, seed: 2 });
  const Contexts = z.array(z.object({ state: z.string(), diverted: z.boolean() }));
  const context = (what: string, holds: (context: { state: string; diverted: boolean }) => boolean): Promise<true> =>
    eventually(`no ${what} context`, async () =>
      Contexts.parse(await loci(daemon.socket, 'contexts')).some(holds) ? true : undefined,
    );
  await context('established', ({ state }) => state === 'ESTABLISHED');
  const armed = await arm('blackhole', 'admin', topology);
  await armed.strike();
  await context('diverted', (one) => one.diverted);
  armed.disarm();
  return { daemon, kill: traffic.kill, peer: peer.address };
}

function expectOrderly({ status, signal }: Ended): void {
  expect({ status, signal }).toEqual({ status: 0, signal: null });
}

describe('what locid changed on the machine goes with it', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: as before the first start',
    async (signal) => {
      const daemon = await start();
      expect(await snapshot(client)).not.toBe(before);
      expectOrderly(await daemon.end(signal));
      await expectAsBefore();
      expect(existsSync(daemon.socket)).toBe(false);
    },
    30_000,
  );

  it('SIGTERM while traffic is diverted: as before the first start', async () => {
    const { daemon, kill } = await diverted();
    expectOrderly(await daemon.end('SIGTERM'));
    kill();
    await expectAsBefore();
  }, 40_000);

  it('SIGTERM while it starts: as before the first start', async () => {
    const { file } = configure(topology, 'client');
    const command = inside(client, [
      'timeout',
      '--signal=TERM',
      '0.6',
      process.execPath,
      compiled('daemon/locid'),
      '--config',
      file,
    ]);
    const { status, stderr } = await ran(...command);
    expect([0, 124, 143], stderr).toContain(status);
    await expectAsBefore();
  }, 30_000);

  it('SIGKILL while traffic is diverted: other destinations are reached as ever, and the next start cleans up', async () => {
    const { daemon, kill } = await diverted();
    expect((await ways()).map(hops), 'other destinations, while it runs').toEqual(waysBefore.map(hops));
    await daemon.end('SIGKILL');
    kill();
    const left = await snapshot(client);
    expect(left).not.toContain('loci0');
    expect(left.slice(left.indexOf('# nft'))).toBe(before.slice(before.indexOf('# nft')));
    expect((await ways()).map(hops), 'other destinations').toEqual(waysBefore.map(hops));
    expectOrderly(await (await start()).end('SIGTERM'));
    await expectAsBefore();
  }, 60_000);

  it('SIGKILL while traffic is diverted, then `loci cleanup`: as before the first start', async () => {
    const { daemon, kill } = await diverted();
    await daemon.end('SIGKILL');
    kill();
    const cleanup = [process.execPath, compiled('cli/loci'), '--socket', daemon.socket, 'cleanup', '--json'];
    const { status, stdout } = await ran(...inside(client, cleanup));
    expect(status).toBe(0);
    const { removed } = z
      .object({ removed: z.array(z.object({ kind: z.string(), text: z.string() })) })
      .parse(JSON.parse(stdout));
    expect(new Set(removed.map(({ kind }) => kind))).toContain('rule');
    await expectAsBefore();
    const again = await ran(...inside(client, cleanup));
    expect(JSON.parse(again.stdout)).toEqual({ removed: [] });
  }, 60_000);

  it('SIGKILL, then other rule preferences, tables and device, SIGTERM: as before the first start', async () => {
    const { daemon, kill } = await diverted();
    await daemon.end('SIGKILL');
    kill();
    const next = await start(OTHER_NUMBERS);
    expect(await snapshot(client)).not.toContain('lookup 533');
    expectOrderly(await next.end('SIGTERM'));
    await expectAsBefore();
  }, 60_000);

  it('SIGHUP with another configuration, then SIGTERM: as before the first start', async () => {
    const daemon = await start();
    configure(topology, 'client', { ...OTHER_NUMBERS, profile: 'balanced' });
    process.kill(daemon.pid, 'SIGHUP');
    await eventually('the profile did not change', async () => {
      const { profile } = z.object({ profile: z.string() }).parse(await loci(daemon.socket, 'status'));
      return profile === 'balanced' ? true : undefined;
    });
    expectOrderly(await daemon.end('SIGTERM'));
    await expectAsBefore();
  }, 30_000);

  it('`loci cleanup` refuses while locid runs, and changes nothing', async () => {
    const daemon = await start();
    const at = await snapshot(client);
    const cleanup = [process.execPath, compiled('cli/loci'), '--socket', daemon.socket, 'cleanup', '--json'];
    const { status, stdout } = await ran(...inside(client, cleanup));
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'already-running' } });
    expect(await snapshot(client)).toBe(at);
    expectOrderly(await daemon.end('SIGTERM'));
  }, 30_000);
});

/** Next hop, device and source, without how the kernel came to them. */
function hops(route: string): string {
  return route
    .replace(/ (proto|metric|table|pref|expires|uid|mtu|hoplimit) \S+/g, '')
    .replace(/ src \S+/g, '')
    .trim();
}

describe('what keeps locid from starting is one sentence, and status 2', () => {
  const locid = [process.execPath, compiled('daemon/locid'), '--config'];

  function expectRefusal({ status, stdout, stderr }: Ended, ...words: readonly (string | RegExp)[]): void {
    expect(status, stderr).toBe(2);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n'), stderr).toHaveLength(1);
    for (const word of words) expect(stderr).toMatch(word);
  }

  it.each([
    ['profile = "warp"\n', ':1:', 'profile'],
    ['# a comment\n\n[policy]\ntrigger_packets = -4\n', ':4:', 'trigger_packets'],
    ['[interception]\ntable = 254\n', ':2:', 'table'],
    ['[interception]\nmark = 3\n', ':2:', 'mark'],
    ['profil = "fast"\n', ':1:', 'profil'],
    ['profile = "fast"\ncontrol_socket = relative\n', ':2:', ''],
    ['[policy]\nallow = ["10.0.0.0/8"]\n', ':2:', 'allow'],
    ['profile = "fast"\nprofile = "rfc"\n', ':2:', 'profile'],
    ['[detection.send_timeout_ms]\nrfc = 1500\n', ':2:', 'rfc'],
    ['interfaces = 5\n', ':1:', 'interfaces'],
  ])('mistake %#: %j', async (text, line, key) => {
    const { file } = configure(topology, 'client');
    writeFileSync(file, text);
    expectRefusal(await ran(...inside(client, [...locid, file])), `${file}${line}`, key);
  });

  it('a configuration that is not there', async () => {
    expectRefusal(await ran(...inside(client, [...locid, '/nowhere/locid.toml'])), '/nowhere/locid.toml');
  });

  it('a user without privileges', async () => {
    const { file } = configure(topology, 'client');
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all'];
    const dropped = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'];
    expectRefusal(await ran(...inside(client, [...nobody, ...locid, file])), 'root');
    expectRefusal(await ran(...inside(client, [...dropped, ...locid, file])), 'CAP_NET_ADMIN', 'root');
    await expectAsBefore();
  }, 30_000);

  it('no /dev/net/tun', async () => {
    const { file } = configure(topology, 'client');
    const script = 'mount -t tmpfs tmpfs /dev/net && exec "$@"';
    const hidden = ['unshare', '--mount', 'sh', '-c', script, 'sh', ...locid, file];
    expectRefusal(await ran(...inside(client, hidden)), '/dev/net/tun', 'modprobe tun');
    await expectAsBefore();
  }, 30_000);

  it('no IPv6 address', async () => {
    const { file } = configure(topology, 'client');
    const alone = ['unshare', '--net', ...locid, file];
    expectRefusal(await ran(...inside(client, alone)), 'IPv6 address', 'ip addr');
  }, 30_000);

  it('another locid that runs', async () => {
    const daemon = await start();
    const { file } = configure(topology, 'client');
    const at = await snapshot(client);
    expectRefusal(await ran(...inside(client, [...locid, file])), 'another locid');
    expect(await snapshot(client)).toBe(at);
    expectOrderly(await daemon.end('SIGTERM'));
    await pause(0);
    await expectAsBefore();
  }, 30_000);

  it('a rule preference and a table that belong to somebody else', async () => {
    const { file } = configure(topology, 'client');
    await ip(client, '-6', 'rule', 'add', 'pref', '100', 'from', '2001:db8:77::/48', 'lookup', '533');
    const at = await snapshot(client);
    expectRefusal(await ran(...inside(client, [...locid, file])), '100');
    expect(await snapshot(client)).toBe(at);
    await ip(client, '-6', 'rule', 'del', 'pref', '100');
    await expectAsBefore();
  }, 30_000);
});
