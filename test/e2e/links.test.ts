import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { ip } from '../../src/cli/demo/namespaces.ts';
import { startProgram } from '../../src/cli/demo/program.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { buildTopology, HOSTS, linkOf } from '../../src/cli/demo/topology.ts';
import type { Host } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import type { Traffic } from '../../src/cli/demo/traffic.ts';
import { ICMPV6, SHIM6, TCP, UDP } from '../../src/wire/ipv6.ts';
import { packetsOf } from './support/packets.ts';
import type { Captured } from './support/packets.ts';
import { startSupport } from './support/programs.ts';
import { TwoDaemons, samePair } from './support/two-daemons.ts';

const DETECTION = { return_after_seconds: 1 };
const WATCHED_MS = 12_000;
/** RFC 4861 §4: Neighbour Discovery is 133 to 137; 143 is an MLD report (RFC 3810 §5.2). */
const HOUSEKEEPING = [133, 134, 135, 136, 137, 143];
const HOP_BY_HOP = 0;
const HOMEWARD_MS = 30_000;

let both: TwoDaemons;
let client: readonly [string, string];
let server: readonly [string, string];
let flows: Traffic | undefined;
let folder: string;
const logs = new Map<Host, Program>();
/** The server's are acknowledgements of TCP only. */
const MANY: unknown = expect.toSatisfy((packets: number) => packets > 5);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loci-links-'));
  both = new TwoDaemons(await buildTopology());
  await both.addressed();
  for (const host of HOSTS) {
    const indexes = ([1, 2] as const).map((provider) => String(linkOf(host, provider).hostEnd.index));
    logs.set(host, await startSupport('payload-log', indexes, both.topology.namespace(host)));
  }
}, 60_000);

afterAll(async () => {
  flows?.kill();
  for (const log of logs.values()) log.kill();
  await both.close();
  rmSync(folder, { recursive: true });
}, 30_000);

/** Starts both daemons, the client's with these links, and traffic between the identifiers of provider 1. */
async function begin(link: readonly object[]): Promise<void> {
  flows?.kill();
  await Promise.all([
    both.begin('client', { detection: DETECTION, link }),
    both.begin('server', { detection: DETECTION }),
  ]);
  client = [await both.identifier('client', 1), await both.identifier('client', 2)];
  server = [await both.identifier('server', 1), await both.identifier('server', 2)];
  await both.forget();
  flows = await startTraffic(both.topology, server[0], { rate: 5, seed: 12 });
}

/** Waits until a host sends what goes between the identifiers of provider 1 over that provider. */
async function uses(host: Host, provider: 1 | 2): Promise<void> {
  const [own, peer] = host === 'client' ? [client, server] : [server, client];
  const wanted = provider === 1 ? [own[0], peer[0]] : [own[1], peer[1]];
  await both.standing(
    `the ${host} does not use provider ${String(provider)}`,
    host,
    ({ ulids, pair }) => samePair(ulids, [own[0], peer[0]]) && samePair(pair, wanted),
    HOMEWARD_MS,
  );
}

/** How many packets with payload a host sends over each link during `ms`. */
async function sent(host: Host, ms: number): Promise<unknown> {
  const log = logs.get(host);
  log?.tell({ clear: true });
  await log?.next('cleared');
  await pause(ms);
  log?.tell({});
  return (await log?.next('noted'))?.['counts'];
}

/** Captures the client's link to provider 2, until the returned function is called: it gives what is no housekeeping. */
async function watchSecondLink(): Promise<() => Promise<Captured[]>> {
  const file = join(folder, 'second-link.pcapng');
  const { name, index } = linkOf('client', 2).hostEnd;
  const capture = startProgram('capture', [name, String(index), file], {
    namespace: both.topology.namespace('client'),
    name: 'capture of the second link',
  });
  await capture.next('ready');
  return async () => {
    capture.tell({ finish: true });
    await capture.next('counted');
    capture.kill();
    return packetsOf(readFileSync(file)).filter(({ header, payload }) => {
      const type = header.nextHeader === HOP_BY_HOP ? payload[8] : payload[0];
      const isIcmp = header.nextHeader === ICMPV6 || (header.nextHeader === HOP_BY_HOP && payload[0] === ICMPV6);
      return !isIcmp || type === undefined || !HOUSEKEEPING.includes(type);
    });
  };
}

describe('a link that is a backup', () => {
  it('carries nothing at all while another one works, from the start of locid on', async () => {
    const seen = await watchSecondLink();
    await begin([{ interface: 'c2', backup: true }]);
    for (const host of HOSTS) await uses(host, 1);
    const { peerLocators } = await both.standing('no context', 'client', () => true);
    expect(peerLocators).toHaveLength(2); // there are pairs that could have been used
    await pause(WATCHED_MS);
    await both.loci('client', 'feedback', server[0], 'bad'); // not even then
    await pause(500);
    const strange = (await seen()).map(({ source, destination, header }) => [source, destination, header.nextHeader]);
    expect(strange).toEqual([]);
  }, 60_000);

  it('carries everything when nothing else works, and nothing when something does again', async () => {
    const failure = await arm('blackhole', 'admin', both.topology);
    const { at } = await failure.strike();
    try {
      for (const host of HOSTS) await uses(host, 2);
      for (const host of HOSTS) expect(await sent(host, 500)).toEqual([0, MANY]);
    } finally {
      failure.disarm();
      await repair('blackhole', both.topology);
    }
    for (const host of HOSTS) await uses(host, 1);
    await pause(1_500); // the last tests of the way home, and what they started
    const seen = await watchSecondLink();
    for (const host of HOSTS) expect(await sent(host, 1_000)).toEqual([MANY, 0]);
    const carried = (await seen()).map(({ header }) => header.nextHeader);
    for (const protocol of [UDP, TCP, SHIM6]) expect(carried).not.toContain(protocol);
    expect((await flows?.finish(at))?.faults).toEqual([]);
  }, 90_000);
});

describe('a link that costs more', () => {
  it('is left for a cheaper one, by both ends, and comes back into use when that one fails', async () => {
    await begin([{ interface: 'c2' }, { interface: 'c*', cost: 10 }]); // the first that names an interface counts
    for (const host of HOSTS) await uses(host, 2);
    for (const host of HOSTS) expect(await sent(host, 500)).toEqual([0, MANY]);
    const { peerLocators } = await both.standing('no context', 'server', ({ ulids }) => ulids[1] === client[0]);
    const priorities = client.map((locator) => peerLocators.find(({ address }) => address === locator)?.priority);
    expect(priorities).toEqual([10, 0]); // Locator Preferences, RFC 5533 §5.15.3
    const link = linkOf('client', 2).hostEnd.name;
    const at = monotonicNow();
    await ip(both.topology.namespace('client'), 'link', 'set', link, 'down');
    for (const host of HOSTS) await uses(host, 1);
    for (const host of HOSTS) expect(await sent(host, 500)).toEqual([MANY, 0]);
    expect((await flows?.finish(at))?.faults).toEqual([]);
  }, 60_000);
});
