import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { arm } from '../../src/cli/demo/failures.ts';
import { inside, runtimeDirectory } from '../../src/cli/demo/namespaces.ts';
import { eventually } from '../../src/cli/demo/stage.ts';
import { buildTopology, linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { Topology } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import { notifiedAt } from '../daemon/notified.ts';
import type { Notified } from '../daemon/notified.ts';
import { parseOpenMetrics } from '../daemon/open-metrics.ts';
import { loci } from './support/established.ts';
import { configure, snapshot, snapshotAtRest, startLocid } from './support/host-alone.ts';
import type { RunningDaemon } from './support/host-alone.ts';

const UNIT = 'packaging/systemd/locid.service';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOBODY = 65_534;
/** CAP_NET_ADMIN and CAP_NET_RAW, capabilities(7). */
const TWO_CAPABILITIES = (1n << 12n) | (1n << 13n);

/** Without other users, as in a user namespace of one, only the capabilities can be taken away. */
const HAS_OTHER_USERS = !/^\s*0\s+\d+\s+1\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));

/**
 * Starts a command as the unit would: another user, two capabilities, a TUN device as udev makes it. The program and Node
 * are mounted where that user can reach them, wherever this checkout is. Arguments: folder, checkout, node, user, command.
 */
const AS_THE_UNIT = `set -e
folder=$1 checkout=$2 node=$3 user=$4; shift 4
mkdir -p "$folder/loci"; : > "$folder/node"
mount --bind "$checkout" "$folder/loci"
mount --bind "$node" "$folder/node"
caps=-all,+net_admin,+net_raw
set -- --inh-caps=$caps --ambient-caps=$caps --bounding-set=$caps --no-new-privs -- "$@"
if [ "$user" != 0 ]; then
  mount -t tmpfs -o mode=0755 tmpfs /dev/net
  mknod -m 0666 /dev/net/tun c 10 200
  set -- --reuid=$user --regid=$user --clear-groups "$@"
fi
exec setpriv "$@"
`;

describe('the systemd unit', () => {
  it.skipIf(spawnSync('systemd-analyze', ['--version']).error !== undefined)('is understood by systemd', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loci-unit-'));
    try {
      const file = join(folder, 'locid.service');
      const installed = readFileSync(UNIT, 'utf8')
        .replace('ExecStart=locid', 'ExecStart=/bin/true')
        .replace(/^Documentation=.*$/m, ''); // neither program nor pages are installed here
      writeFileSync(file, installed);
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
      expect([stderr.split('\n').filter((line) => line.includes('locid')), status]).toEqual([[], 0]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('locid as the unit starts it', () => {
  let topology: Topology;
  let folder: string;
  let before: string;
  let socket: string;
  let metricsSocket: string;
  let service: Notified;
  let locid: ChildProcess;
  let log = '';
  let server: RunningDaemon | undefined;

  beforeAll(async () => {
    topology = await buildTopology();
    const client = topology.namespace('client');
    before = await snapshotAtRest(topology, 'client');
    folder = `${runtimeDirectory(topology.tag)}/unit`;
    mkdirSync(folder, { recursive: true });
    metricsSocket = `${runtimeDirectory(topology.tag)}/client/metrics.sock`;
    const configured = configure(topology, 'client', { metrics_socket: metricsSocket });
    socket = configured.socket;
    const user = HAS_OTHER_USERS ? NOBODY : 0;
    chownSync(dirname(socket), user, user);
    service = await notifiedAt(`${folder}/notify`);
    const command = [`${folder}/node`, `${folder}/loci/dist/daemon/locid.js`, '--config', configured.file];
    const shell = ['unshare', '--mount', 'sh', '-c', AS_THE_UNIT, 'sh'];
    const [file, args] = inside(client, [...shell, folder, ROOT, process.execPath, String(user), ...command]);
    locid = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], NOTIFY_SOCKET: `${folder}/notify`, WATCHDOG_USEC: '60000000' },
    });
    locid.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  }, 30_000);

  afterAll(async () => {
    if (locid.exitCode === null) locid.kill('SIGKILL');
    await server?.end('SIGKILL');
    await service.close();
    topology.remove();
  }, 30_000);

  /** The next thing that it says to its manager; fails with its log when it ends instead. */
  async function says(): Promise<readonly string[]> {
    const ended = once(locid, 'exit').then(() => Promise.reject(new Error(`locid has ended: ${log}`)));
    ended.catch(() => undefined); // it may end later
    return Promise.race([service.next(), ended]);
  }

  it('is ready with two capabilities, as a user without rights', async () => {
    expect(await says()).toEqual(['READY=1', 'STATUS=at work']);
    const status = readFileSync(`/proc/${String(locid.pid)}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) expect(BigInt(`0x${field(set)}`), set).toBe(TWO_CAPABILITIES);
    expect(field('NoNewPrivs')).toBe('1');
    if (HAS_OTHER_USERS) expect(field('Uid')).toBe(String(NOBODY));
    for (const path of [socket, metricsSocket]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(dirname(socket), 'key.json'))).toMatchObject({ uid: HAS_OTHER_USERS ? NOBODY : 0 });
  });

  it('makes a context and moves it when the provider fails, and its metrics tell', async () => {
    server = await startLocid(topology, 'server');
    const Locators = z.array(z.object({ address: z.string(), ulid: z.boolean() }));
    const peer = Locators.parse(await loci(server.socket, 'locators')).find(
      ({ address, ulid }) => ulid && address.startsWith(prefixOn(linkOf('server', 1)).slice(0, -1)),
    );
    const traffic = await startTraffic(topology, peer?.address ?? '', { rate: 5, seed: 3 });
    const Contexts = z.array(z.object({ state: z.string(), diverted: z.boolean() }));
    const context = (what: string, holds: (one: z.infer<typeof Contexts>[number]) => boolean): Promise<true> =>
      eventually(`no ${what} context: ${log}`, async () =>
        Contexts.parse(await loci(socket, 'contexts')).some(holds) ? true : undefined,
      );
    await context('established', ({ state }) => state === 'ESTABLISHED');
    const armed = await arm('blackhole', 'admin', topology);
    await armed.strike();
    await context('diverted', ({ diverted }) => diverted);
    armed.disarm();
    const samples = await scrape();
    traffic.kill();
    expect(samples.get('loci_contexts{state="ESTABLISHED"}')).toBeGreaterThanOrEqual(1);
    expect(samples.get('loci_contexts_diverted')).toBeGreaterThanOrEqual(1);
    const failovers = [...samples].filter(([series]) => series.startsWith('loci_failovers_total'));
    expect(failovers.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThanOrEqual(1);
    expect(samples.get('loci_failover_seconds_count')).toBeGreaterThanOrEqual(1);
    const control = (type: string, direction: string): number =>
      samples.get(`loci_control_messages_total{type="${type}",direction="${direction}"}`) ?? 0;
    expect(control('I2', 'in') + control('I2', 'out')).toBeGreaterThanOrEqual(1); // either end may have begun
    expect(control('R2', 'in') + control('R2', 'out')).toBeGreaterThanOrEqual(1);
    expect(control('Probe', 'out')).toBeGreaterThanOrEqual(1);
    expect(samples.get('loci_packets_total{device="raw",direction="in"}')).toBeGreaterThanOrEqual(1);
  }, 60_000);

  it('tells its manager about a reload, and about one that was refused', async () => {
    locid.kill('SIGHUP');
    expect((await says())[0]).toBe('RELOADING=1');
    expect(await says()).toEqual(['READY=1', 'STATUS=at work']);
    writeFileSync(join(dirname(socket), 'locid.toml'), 'profile = 1\n');
    locid.kill('SIGHUP');
    expect((await says())[0]).toBe('RELOADING=1');
    const [ready, status] = await says();
    expect(ready).toBe('READY=1');
    expect(status).toMatch(/^STATUS=kept the old configuration: .*locid\.toml.*profile/);
  });

  it('leaves the machine as it was when it is told to end', async () => {
    const ended = once(locid, 'close');
    locid.kill('SIGTERM');
    expect(await service.next()).toEqual(['STOPPING=1']);
    expect(await ended, log).toEqual([0, null]);
    expect([existsSync(socket), existsSync(metricsSocket)]).toEqual([false, false]);
    await expect.poll(() => snapshot(topology.namespace('client')), { timeout: 3_000 }).toBe(before);
  });

  /** Every sample of the metrics. */
  function scrape(): Promise<Map<string, number>> {
    return new Promise((resolve, reject) => {
      request({ socketPath: metricsSocket, path: '/metrics' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          resolve(new Map([...parseOpenMetrics(text).values()].flatMap(({ samples }) => [...samples])));
        });
      })
        .on('error', reject)
        .end();
    });
  }
});
