import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { pause } from '../../src/cli/demo/daemons.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import { startSupport } from './support/programs.ts';
import { TwoDaemons, samePair } from './support/two-daemons.ts';

/** Nobody triggers anything but by a rule. */
const NEVER = { trigger_packets: 1_000_000, trigger_seconds: 0 };
const NEVER_PORT = 7_301;
const ALWAYS_PORT = 7_302;
const BYTES_PORT = 7_303;
const PACKETS_PORT = 7_304;
const TIME_PORT = 7_305;
const FEW_PORT = 7_306;
const SENTINEL_PORT = 7_307;
const DOMAIN = 53;
const OTHER_EXEMPT = 5_353;

const BYTES = 20_000;
const SIZE = 1_000;
const HEADERS = 40 + 8; // IPv6 and UDP
const PACKETS = 20;
const SECONDS = 2;

let both: TwoDaemons;
let client: readonly [string, string];
let server: readonly [string, string];
let sender: Program;
const echoes: Program[] = [];

beforeAll(async () => {
  const rule = [
    { port: NEVER_PORT, context: 'never' },
    { port: SENTINEL_PORT, context: 'always' },
    { port: OTHER_EXEMPT, context: 'always' },
    { peer: `${prefixOn(linkOf('server', 2))}/64`, context: 'never' },
    { port: ALWAYS_PORT, context: 'always' },
    { port: BYTES_PORT, trigger_bytes: BYTES },
    { port: PACKETS_PORT, trigger_packets: PACKETS },
    { port: TIME_PORT, trigger_seconds: SECONDS },
    { port: FEW_PORT, trigger_seconds: SECONDS },
  ];
  both = await TwoDaemons.start({
    client: { policy: { ...NEVER, exempt_ports: [DOMAIN, OTHER_EXEMPT], rule } },
    server: { policy: NEVER },
  });
  client = [await both.identifier('client', 1), await both.identifier('client', 2)];
  server = [await both.identifier('server', 1), await both.identifier('server', 2)];
  sender = await startSupport('burst', [], both.topology.namespace('client'));
  for (const port of [BYTES_PORT, PACKETS_PORT, TIME_PORT, FEW_PORT]) {
    echoes.push(await startSupport('echo', [String(port)], both.topology.namespace('server')));
  }
  await nothingBegins(); // now both know each other: what one sends is not taken for unanswered only because it went out before
}, 60_000);

afterAll(async () => {
  sender.kill();
  for (const echo of echoes) echo.kill();
  await both.close();
}, 30_000);

beforeEach(() => both.forget(), 30_000);

interface Burst {
  readonly to: number;
  readonly count: number;
  readonly from?: number;
  readonly peer?: string;
  readonly local?: string;
  readonly size?: number;
  readonly interval?: number;
}

async function send({ to, peer = server[0], local = client[0], ...more }: Burst): Promise<void> {
  sender.tell({ port: to, peer, local, ...more });
  await sender.next('sent', 20_000);
}

async function begins(peer = server[0]): Promise<void> {
  await both.standing('no context begins', 'client', ({ ulids }) => samePair(ulids, [client[0], peer]));
}

/**
 * Nothing that was sent before has triggered anything: what is sent now, between other identifiers, does, and locid looks at
 * both together.
 */
async function nothingBegins(): Promise<void> {
  await send({ to: SENTINEL_PORT, count: 1, local: client[1], peer: server[1] });
  await both.standing('no context begins at all', 'client', ({ ulids }) => samePair(ulids, [client[1], server[1]]));
  const begun = (await both.contexts('client')).map(({ ulids }) => ulids);
  expect(begun).toEqual([[client[1], server[1]]]);
}

describe('[[policy.rule]]', () => {
  it('context = "never" for a port: no context, however many packets', async () => {
    await send({ to: NEVER_PORT, count: 300, interval: 2 });
    await send({ to: 7_999, from: NEVER_PORT, count: 50, interval: 2 }); // the port of either end
    await nothingBegins();
  }, 30_000);

  it('context = "never" for peers, also where a later rule would say "always"', async () => {
    await send({ to: ALWAYS_PORT, peer: server[1], count: 50 });
    await nothingBegins();
  }, 30_000);

  it('context = "always" for a port: a context with the first packet', async () => {
    await send({ to: ALWAYS_PORT, count: 1 });
    await begins();
  }, 30_000);

  it('trigger_packets: a context with that packet, and with none before', async () => {
    await send({ to: PACKETS_PORT, count: PACKETS - 1 });
    await nothingBegins();
    await send({ to: PACKETS_PORT, count: 1 });
    await begins();
  }, 30_000);

  it('trigger_bytes: a context with so many octets, headers and all, and with none before', async () => {
    const few = BYTES / SIZE - 1;
    await send({ to: BYTES_PORT, count: few, size: SIZE - HEADERS });
    await nothingBegins();
    await send({ to: BYTES_PORT, count: 1, size: SIZE - HEADERS });
    await begins();
  }, 30_000);

  it('trigger_seconds: a few packets that nothing follows are no traffic that lasts', async () => {
    await send({ to: FEW_PORT, count: 3 });
    await pause(SECONDS * 1_000);
    await nothingBegins();
  }, 30_000);

  it('trigger_seconds: a context when traffic has lasted so long, and not sooner', async () => {
    const from = monotonicNow();
    const lasting = send({ to: TIME_PORT, count: 40, interval: 100 });
    await begins();
    const ms = monotonicNow() - from;
    await lasting;
    expect(ms).toBeGreaterThan(SECONDS * 1_000);
  }, 30_000);
});

describe('exempt_ports', () => {
  it('DNS triggers nothing, as query or as answer', async () => {
    await send({ to: DOMAIN, count: 100 });
    await send({ to: 7_998, from: DOMAIN, count: 100 });
    await nothingBegins();
  }, 30_000);

  it('a rule about a port comes before its exemption', async () => {
    await send({ to: OTHER_EXEMPT, count: 1 });
    await begins();
  }, 30_000);
});
