import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm } from '../../src/cli/demo/failures.ts';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { runtimeDirectory } from '../../src/cli/demo/namespaces.ts';
import { compiled } from '../../src/cli/demo/program.ts';
import { addressOf, eventually } from '../../src/cli/demo/stage.ts';
import { HOSTS, buildTopology, linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { Host, Topology } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import type { Traffic } from '../../src/cli/demo/traffic.ts';
import { loci } from './support/established.ts';
import { configure, ran, startLocid } from './support/host-alone.ts';
import type { RunningDaemon } from './support/host-alone.ts';

/** `systemctl restart` with diverted contexts shall hold TCP up for this long at most. */
const MOST_STALL_MS = 1_000;
/** What a mere look at the configuration takes at most where that holds: a machine that is slower now has more time. */
const ORDINARY_CHECK_MS = 400;
const Contexts = z.array(z.object({ state: z.string(), diverted: z.boolean(), tagLocal: z.string() }));
const Locators = z.array(z.object({ address: z.string(), ulid: z.boolean() }));

let topology: Topology;
let traffic: Traffic | undefined;
const daemons = new Map<Host, RunningDaemon>();

beforeEach(async () => {
  topology = await buildTopology();
  await Promise.all(HOSTS.map((host) => addressOf(topology.namespace(host), host, ['-tentative'])));
  await Promise.all(HOSTS.map((host) => start(host)));
  const server = Locators.parse(await loci(socketOf('server'), 'locators')).find(
    ({ address, ulid }) => ulid && address.startsWith(prefixOn(linkOf('server', 1)).slice(0, -1)),
  );
  traffic = await startTraffic(topology, server?.address ?? '', { rate: 5, seed: 4 });
  await contextOf('client', ({ state }) => state === 'ESTABLISHED');
  const armed = await arm('blackhole', 'admin', topology); // provider 1 stays dead
  await armed.strike();
  await contextOf('client', ({ diverted }) => diverted);
  await contextOf('server', ({ diverted }) => diverted);
  armed.disarm();
}, 60_000);

afterEach(async () => {
  traffic?.kill();
  await Promise.all([...daemons.values()].map((daemon) => daemon.end('SIGTERM')));
  topology.remove();
}, 30_000);

async function start(host: Host): Promise<void> {
  daemons.set(host, await startLocid(topology, host));
}

function socketOf(host: Host): string {
  return daemons.get(host)?.socket ?? '';
}

async function contextOf(
  host: Host,
  holds: (context: z.output<typeof Contexts>[number]) => boolean,
): Promise<z.output<typeof Contexts>[number]> {
  return eventually(`the ${host} has no such context`, async () =>
    Contexts.parse(await loci(socketOf(host), 'contexts')).find(holds),
  );
}

/** How long this machine takes now to start locid and have it look at its configuration. */
async function checkMs(host: Host): Promise<number> {
  const { file } = configure(topology, host);
  const from = monotonicNow();
  expect((await ran(process.execPath, [compiled('daemon/locid'), '--config', file, '--check'])).status).toBe(0);
  return monotonicNow() - from;
}

function handoverOf(host: Host): string {
  return `${runtimeDirectory(topology.tag)}/${host}/handover.json`;
}

describe('locid ends and starts again while its contexts are diverted', () => {
  it.each(HOSTS)(
    '%s: the connection goes on where it was, and TCP hardly notices',
    async (host) => {
      const { tagLocal } = await contextOf(host, ({ diverted }) => diverted);
      const slowness = Math.max(1, (await checkMs(host)) / ORDINARY_CHECK_MS);
      const from = monotonicNow();
      expect((await daemons.get(host)?.end('SIGTERM'))?.status).toBe(0);
      expect(statSync(handoverOf(host)).mode & 0o777).toBe(0o600);
      await start(host);
      await contextOf(host, (context) => context.state === 'ESTABLISHED' && context.diverted);
      await pause(2_000);
      expect((await contextOf(host, () => true)).tagLocal).toBe(tagLocal);
      expect(existsSync(handoverOf(host))).toBe(false);
      const result = await traffic?.finish(from);
      process.stderr.write(`restart of the ${host}: ${JSON.stringify({ slowness, ...result })}\n`);
      expect(result).toMatchObject({ faults: [], tcp: { sha256Match: true, sameConnection: true } });
      expect(result?.tcp.stallMs).toBeLessThan(MOST_STALL_MS * slowness);
    },
    60_000,
  );

  it('the peer that lost everything gets its context back by R1bis and I2bis (S6-106, S6-110)', async () => {
    const from = monotonicNow();
    await daemons.get('server')?.end('SIGKILL');
    expect(existsSync(handoverOf('server'))).toBe(false);
    await start('server');
    await contextOf('server', (context) => context.state === 'ESTABLISHED' && context.diverted);
    await pause(2_000);
    const result = await traffic?.finish(from);
    process.stderr.write(`the server after SIGKILL: ${JSON.stringify(result)}\n`);
    expect(result).toMatchObject({ faults: [], tcp: { sha256Match: true, sameConnection: true } });
  }, 60_000);

  it('SIGHUP reads the configuration again, and no context is lost', async () => {
    const { tagLocal } = await contextOf('client', ({ diverted }) => diverted);
    configure(topology, 'client', { profile: 'balanced' });
    process.kill(daemons.get('client')?.pid ?? 0, 'SIGHUP');
    await eventually('the profile has not changed', async () => {
      const { profile } = z.object({ profile: z.string() }).parse(await loci(socketOf('client'), 'status'));
      return profile === 'balanced' ? true : undefined;
    });
    expect(await contextOf('client', () => true)).toMatchObject({ tagLocal, state: 'ESTABLISHED', diverted: true });
  }, 60_000);

  it('a handover file that somebody damaged is named, and locid starts without it', async () => {
    await daemons.get('client')?.end('SIGTERM');
    const text = readFileSync(handoverOf('client'), 'utf8');
    writeFileSync(handoverOf('client'), text.replace('"tag":', '"tag":-'), { mode: 0o600 });
    await start('client');
    const ended = await daemons.get('client')?.end('SIGTERM');
    expect(ended?.stderr).toMatch(/handover.json: contexts.0.tag: .*starts without the contexts of the last run/);
    expect(ended?.status).toBe(0);
  }, 60_000);
});
