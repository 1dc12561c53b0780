import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compiled } from '../../src/cli/demo/program.ts';
import { CAN_BUILD_NETWORKS, connect, eventually, Namespace } from '../node/support/namespace.ts';

const Checks = z.array(
  z.looseObject({
    id: z.string(),
    status: z.enum(['ok', 'warning', 'failed', 'skipped']),
    what: z.string(),
    remedy: z.string().optional(),
    locator: z.string().optional(),
    peer: z.string().optional(),
    interface: z.string().optional(),
  }),
);
const Doctor = z.strictObject({ ok: z.boolean(), checks: Checks });
const Why = z.looseObject({
  source: z.looseObject({
    chosen: z.string().nullable(),
    kernel: z.string().nullable(),
    candidates: z.array(z.looseObject({ address: z.string(), lostBy: z.looseObject({ rule: z.string() }).optional() })),
  }),
  contexts: z.array(
    z.looseObject({
      pairs: z.array(z.looseObject({ pair: z.tuple([z.string(), z.string()]), rank: z.number().nullable() })),
    }),
  ),
});
type Found = z.infer<typeof Checks>;

const LOADER = fileURLToPath(new URL('../node/support/typescript.mjs', import.meta.url));
const LOCI = fileURLToPath(new URL('../../src/cli/loci.ts', import.meta.url));
const SLOW = 120_000;

/** Our two addresses, and the two of the peer; the second ones are behind router 2. */
const OWN = ['2001:db8:a:1::10', '2001:db8:a:2::10'] as const;
const PEERS = ['2001:db8:b:1::10', '2001:db8:b:2::10'] as const;

let directory: string;
let host: Namespace;
let peer: Namespace;
let routers: readonly [Namespace, Namespace];
const daemons: ChildProcess[] = [];

/** Run `loci` on the host with a prefix of the command, such as one that takes privileges away. */
async function loci(
  words: readonly string[],
  wrapped: readonly string[] = [],
): Promise<{ status: number | null; out: string }> {
  const command = [
    ...wrapped,
    process.execPath,
    '--import',
    LOADER,
    LOCI,
    '--socket',
    join(directory, 'host.sock'),
    ...words,
    '--json',
  ];
  const child = spawn('ip', ['netns', 'exec', host.name, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  await once(child, 'close');
  return { status: child.exitCode, out };
}

async function doctor(words: readonly string[] = [], wrapped: readonly string[] = []): Promise<Found> {
  const { status, out } = await loci(['doctor', ...words], wrapped);
  const { ok, checks } = Doctor.parse(JSON.parse(out));
  expect(status).toBe(ok ? 0 : 1);
  expect(ok).toBe(checks.every((check) => check.status !== 'failed'));
  expect(checks.filter((check) => ['warning', 'failed'].includes(check.status) && check.remedy === undefined)).toEqual(
    [],
  );
  return checks;
}

function of(checks: Found, id: string): Found {
  return checks.filter((check) => check.id === id);
}

/** The checks of one pair. */
function between(checks: Found, own: string, theirs: string): (id: string) => Found[number] | undefined {
  return (id) => checks.find((check) => check.id === id && check.locator === own && check.peer === theirs);
}

function startLocid(namespace: Namespace, label: string): void {
  const file = join(directory, `${label}.toml`);
  const settings = { state_directory: join(directory, label), control_socket: join(directory, `${label}.sock`) };
  writeFileSync(file, stringify({ ...settings, interfaces: { include: ['eth*'] }, policy: { trigger_packets: 5 } }));
  const command = ['netns', 'exec', namespace.name, process.execPath, compiled('daemon/locid'), '--config', file];
  daemons.push(spawn('ip', command, { stdio: ['ignore', 'ignore', 'ignore'] }));
}

/** The identifiers of a daemon, once there are two. */
async function identifiers(label: string): Promise<[string, string]> {
  const ask = async (): Promise<string[]> => {
    const socket = ['--socket', join(directory, `${label}.sock`)];
    const child = spawn(process.execPath, [compiled('cli/loci'), ...socket, 'locators', '--json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    await once(child, 'close');
    const answer: unknown = JSON.parse(out);
    const locators = z.array(z.looseObject({ address: z.string(), ulid: z.boolean() })).safeParse(answer);
    return locators.success ? locators.data.filter(({ ulid }) => ulid).map(({ address }) => address) : [];
  };
  const found = await eventually('two identifiers', ask, (all) => all.length === 2, 20_000);
  return z.tuple([z.string(), z.string()]).parse(found.sort());
}

async function endDaemons(): Promise<void> {
  for (const daemon of daemons.splice(0)) {
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null) await once(daemon, 'close');
  }
}

describe.skipIf(!CAN_BUILD_NETWORKS)('loci doctor, between two hosts with two providers', { timeout: SLOW }, () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'loci-doctor-'));
    host = new Namespace('host');
    peer = new Namespace('peer');
    routers = [new Namespace('router1'), new Namespace('router2')];
    routers.forEach((router, i) => {
      const n = String(i + 1);
      router.run('sysctl -qw net.ipv6.conf.all.forwarding=1');
      connect(host, router, `eth${n}`);
      connect(peer, router, `ethp${n}`);
      host.run(`ip addr add 2001:db8:a:${n}::10/64 dev eth${n} nodad`);
      peer.run(`ip addr add 2001:db8:b:${n}::10/64 dev ethp${n} nodad`);
      router.run(`ip addr add 2001:db8:a:${n}::1/64 dev eth${n} nodad`);
      router.run(`ip addr add 2001:db8:b:${n}::1/64 dev ethp${n} nodad`);
      host.run(`ip -6 route add default via 2001:db8:a:${n}::1 dev eth${n} metric ${n}`);
      peer.run(`ip -6 route add default via 2001:db8:b:${n}::1 dev ethp${n} metric ${n}`);
    });
    connect(...routers, 'core');
    routers.forEach((router, i) => {
      const [n, other] = [String(i + 1), String(2 - i)];
      router.run(`ip addr add 2001:db8:c::${n}/64 dev core nodad`);
      for (const side of ['a', 'b'])
        router.run(`ip -6 route add 2001:db8:${side}:${other}::/64 via 2001:db8:c::${other}`);
    });
  }, SLOW);

  afterEach(async () => {
    await endDaemons();
    for (const namespace of [host, peer, ...routers]) namespace.run('nft flush ruleset');
  });

  afterAll(() => {
    for (const namespace of [host, peer, ...routers]) namespace.remove();
    rmSync(directory, { recursive: true });
  });

  it('finds nothing wrong but a peer without Shim6, from each locator to each of its addresses', async () => {
    const checks = await doctor([PEERS.join(',')]);
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(of(checks, 'gateway').map(({ status, locator }) => [status, locator])).toEqual(
      OWN.map((own) => ['ok', own]),
    );
    for (const own of OWN) {
      for (const theirs of PEERS) {
        const check = between(checks, own, theirs);
        expect(check('path')).toMatchObject({ status: 'ok', what: expect.stringMatching(/is 1500$/) });
        expect(check('shim6')).toMatchObject({
          status: 'warning',
          what: expect.stringMatching(/does not speak Shim6$/),
        });
        expect(check('hip')).toMatchObject({ status: 'ok' });
      }
    }
    expect(of(checks, 'locators')).toMatchObject([{ status: 'ok' }]);
  });

  it('finds a peer that speaks Shim6', async () => {
    startLocid(peer, 'peer');
    const [first, second] = await identifiers('peer');
    const checks = await doctor([`${first},${second}`]);
    const shim6 = of(checks, 'shim6');
    expect(shim6).toHaveLength(4);
    for (const check of shim6)
      expect(check).toMatchObject({ status: 'ok', what: expect.stringContaining('speaks Shim6') });
  });

  it('tells a firewall that drops protocol 140, and the router before it, from a peer without Shim6', async () => {
    routers[1].shell(
      'nft "add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add rule inet fw f meta l4proto 140 drop"',
    );
    const checks = await doctor([PEERS.join(',')]);
    expect(between(checks, OWN[0], PEERS[0])('shim6')?.status).toBe('warning'); // both ends behind router 1
    const crossing = between(checks, OWN[0], PEERS[1])('shim6');
    expect(crossing).toMatchObject({
      status: 'failed',
      what: expect.stringMatching(/^echoes pass, but IP protocol 140 .* behind 2001:db8:c::2 \(hop 2\)/),
    });
    expect(between(checks, OWN[1], PEERS[1])('shim6')).toMatchObject({
      status: 'failed',
      what: expect.stringContaining('behind 2001:db8:a:2::1 (hop 1)'),
    });
    expect(between(checks, OWN[1], PEERS[1])('hip')?.status).toBe('ok');
  });

  it('names the router that prohibits a protocol', async () => {
    routers[0].run('ip -6 rule add pref 10 ipproto 140 prohibit');
    routers[0].shell(
      'nft "add table inet fw; add chain inet fw f { type filter hook forward priority 0; }; add rule inet fw f meta l4proto 139 reject with icmpv6 type admin-prohibited"',
    );
    const checks = await doctor([PEERS[0]]);
    routers[0].run('ip -6 rule del pref 10');
    const check = between(checks, OWN[0], PEERS[0])('shim6');
    expect(check).toMatchObject({
      status: 'failed',
      what: expect.stringMatching(/^a firewall on 2001:db8:a:1::1 rejects IP protocol 140/),
    });
    expect(check?.remedy).toContain('meta l4proto 140 accept');
    expect(between(checks, OWN[0], PEERS[0])('hip')).toMatchObject({
      status: 'warning',
      what: expect.stringMatching(/^a firewall on 2001:db8:a:1::1 rejects IP protocol 139/),
    });
  });

  it('names the chains of its own packet filter, as nft prints them', async () => {
    host.shell(`nft -f - <<'END'
      table inet own {
        set blocked { type inet_proto; elements = { 139 } }
        chain out { type filter hook output priority 0; policy accept; meta l4proto { tcp, udp, icmpv6 } accept; jump rest; }
        chain rest { meta l4proto 140 counter drop; }
        chain in { type filter hook input priority 0; policy drop; iifname "lo" accept; ct state vmap { established : accept, related : accept, invalid : drop }; tcp dport 22 accept; meta l4proto ipv6-icmp accept; }
        chain back { type filter hook prerouting priority raw; fib saddr . iif oif missing counter log prefix "rpf " drop; }
        chain through { type filter hook forward priority 0; policy drop; }
      }
END`);
    const checks = await doctor([PEERS[0]]);
    expect(of(checks, 'firewall').map(({ status, what }) => `${status} ${what.replace(/ \d+ of/, ' N of')}`)).toEqual(
      expect.arrayContaining([
        'failed rule N of chain inet own rest drops IP protocol 140',
        'warning the policy of chain inet own in drops IP protocols 140, 139, 50, except under conditions such as a known connection',
      ]),
    );
    expect(of(checks, 'firewall')).toHaveLength(2);
    expect(of(checks, 'reverse-path')).toMatchObject([
      { status: 'warning', what: expect.stringContaining('chain inet own back') },
    ]);
    expect(between(checks, OWN[0], PEERS[0])('shim6')).toMatchObject({
      status: 'failed',
      what: expect.stringMatching(/^this host does not send .*Operation not permitted/),
    });
    expect(between(checks, OWN[1], PEERS[0])('path')?.status).toBe('failed'); // answers come in where nothing is routed back
  });

  it('finds the path MTU, and one that leaves no room for a tag', async () => {
    for (const [i, mtu] of [1400, 1280].entries()) {
      routers[i]?.run(`ip link set ethp${String(i + 1)} mtu ${String(mtu)}`);
      peer.run(`ip link set ethp${String(i + 1)} mtu ${String(mtu)}`);
    }
    const checks = await doctor([PEERS.join(',')]);
    for (const [i, mtu] of [1500, 1500].entries()) {
      routers[i]?.run(`ip link set ethp${String(i + 1)} mtu ${String(mtu)}`);
      peer.run(`ip link set ethp${String(i + 1)} mtu ${String(mtu)}`);
    }
    expect(between(checks, OWN[0], PEERS[0])('path')).toMatchObject({
      status: 'ok',
      what: expect.stringMatching(/is 1400$/),
    });
    expect(between(checks, OWN[1], PEERS[1])('path')).toMatchObject({
      status: 'warning',
      what: expect.stringContaining('is 1280, too small'),
    });
  });

  it('names rules, tables and a device that clash', async () => {
    host.shell(
      'ip -6 rule add pref 2003 lookup main; ip -6 route add 2001:db8:f::/64 dev lo table 533; ip link add loci0 type veth peer name other',
    );
    const checks = await doctor();
    host.shell('ip -6 rule del pref 2003; ip -6 route flush table 533; ip link del loci0');
    const texts = of(checks, 'clash').map(({ status, what }) => `${status} ${what}`);
    expect(texts).toEqual([
      expect.stringMatching(/^failed .*rule 2003 .* has a preference of ours$/),
      expect.stringMatching(/^failed .*table 533 has routes$/),
      'failed there is an interface loci0 already',
    ]);
  });

  it('finds a missing TUN device, a gateway that is silent, and a single locator', async () => {
    routers[1].run('ip link set eth2 down');
    const carrier = await doctor([], ['sh', '-ec', 'mount -t tmpfs tmpfs /dev/net; exec "$@"', 'sh']);
    routers[1].run('ip link set eth2 up');
    routers[1].run('ip addr add 2001:db8:a:2::1/64 dev eth2 nodad'); // went with the link
    expect(of(carrier, 'tun')).toMatchObject([
      { status: 'failed', what: '/dev/net/tun is missing', remedy: expect.stringContaining('modprobe tun') },
    ]);
    expect(of(carrier, 'locators')).toMatchObject([{ status: 'warning', what: expect.stringContaining(OWN[0]) }]);
    routers[0].shell(
      'nft "add table inet fw; add chain inet fw i { type filter hook input priority 0; }; add rule inet fw i icmpv6 type echo-request drop"',
    );
    expect(of(await doctor(), 'gateway')[0]).toMatchObject({
      status: 'failed',
      locator: OWN[0],
      remedy: expect.stringContaining('ip -6 neigh show dev eth1'),
    });
  });

  it('says what it could not look at without privileges', async () => {
    const caps = '-net_admin,-net_raw,-setpcap';
    const checks = await doctor([PEERS[0]], ['setpriv', `--bounding-set=${caps}`, `--inh-caps=${caps}`]);
    expect(of(checks, 'privilege')).toMatchObject([
      { status: 'failed', what: 'CAP_NET_ADMIN and CAP_NET_RAW are missing' },
    ]);
    expect(of(checks, 'nf-tables')).toMatchObject([{ status: 'skipped' }]);
    expect(of(checks, 'probes')).toMatchObject([{ status: 'skipped', remedy: expect.stringContaining('sudo') }]);
    expect(of(checks, 'path')).toEqual([]);
  });

  it('leaves nothing behind', async () => {
    const before = await host.settled();
    await doctor([PEERS[0]]);
    expect(await host.settled()).toBe(before);
  });

  it('explains the source that the kernel takes: loci why agrees with it', async () => {
    host.shell(`
      ip addr add 2001:db8:a:1::20/64 dev eth1 nodad preferred_lft 0
      ip addr add fd00:a::1/64 dev eth1 nodad
      ip addrlabel add prefix 2001:db8:e::/48 label 77
      ip addrlabel add prefix 2001:db8:a:2::/64 label 77`);
    const asked = [PEERS[0], '2001:db8:a:2::99', 'fd00:a::9', '2001:db8:e::1', '2001:db8:a:1::20'];
    const reports = await Promise.all(
      asked.map(async (one) => Why.parse(JSON.parse((await loci(['why', '-', one])).out))),
    );
    host.shell(`
      ip addr del 2001:db8:a:1::20/64 dev eth1
      ip addr del fd00:a::1/64 dev eth1
      ip addrlabel del prefix 2001:db8:e::/48 label 77
      ip addrlabel del prefix 2001:db8:a:2::/64 label 77`);
    expect(reports.map(({ source }) => source.chosen)).toEqual([
      OWN[0],
      OWN[1],
      'fd00:a::1',
      OWN[0],
      '2001:db8:a:1::20',
    ]);
    expect(reports.map(({ source }) => source.kernel)).toEqual(reports.map(({ source }) => source.chosen));
    const rules = new Map(reports[0]?.source.candidates.map(({ address, lostBy }) => [address, lostBy?.rule]));
    expect([OWN[0], OWN[1], '2001:db8:a:1::20', 'fd00:a::1'].map((one) => rules.get(one))).toEqual([
      undefined,
      '5',
      '3',
      '6',
    ]);
  });

  it('explains the pairs of a context as the running daemon ranks them', async () => {
    startLocid(host, 'host');
    startLocid(peer, 'peer');
    const [mine, theirs] = [await identifiers('host'), await identifiers('peer')];
    await eventually(
      'a context',
      async () => {
        host.shell(`ping -6 -q -c 8 -i 0.05 -I ${mine[0]} ${theirs[0]} || true`);
        const { out } = await loci(['why', mine[0], theirs[0]]);
        return Why.parse(JSON.parse(out)).contexts[0]?.pairs ?? [];
      },
      (pairs) => {
        const ranked = pairs.filter(({ rank }) => rank !== null);
        return ranked.length === 4 && ranked[0]?.pair.join() === [mine[0], theirs[0]].join();
      },
      60_000,
    );
    const checks = await doctor([theirs[0]]);
    expect(of(checks, 'locid')).toMatchObject([{ status: 'ok' }]);
    expect(of(checks, 'clash')).toMatchObject([{ status: 'ok' }]);
    expect(of(checks, 'locators')).toMatchObject([{ status: 'ok', what: expect.stringContaining(mine[0]) }]);
    expect(checks.filter(({ id, status }) => ['path', 'shim6'].includes(id) && status !== 'ok')).toEqual([]);
  });
});
