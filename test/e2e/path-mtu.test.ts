import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm } from '../../src/cli/demo/failures.ts';
import { inside, ip } from '../../src/cli/demo/namespaces.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { buildStage } from '../../src/cli/demo/stage.ts';
import type { Stage } from '../../src/cli/demo/stage.ts';
import { linkOf } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import type { TrafficResult } from '../../src/cli/demo/traffic.ts';
import { atHome, contextOf } from './support/established.ts';
import { startSupport } from './support/programs.ts';

const run = promisify(execFile);

const SINK_PORT = 7_101;
const DATAGRAMS = new URL('support/datagrams.py', import.meta.url).pathname;
const Answers = z.object({ answers: z.array(z.string()), mtu: z.number() });
const Lengths = z.object({ lengths: z.array(z.number()) });
/** IPv6 and UDP header. */
const HEADERS = 48;

let stage: Stage;
let sink: Program;
let traffic: TrafficResult;

/** What provider 2 can carry to the server, behind the client's first hop. */
async function narrow(mtu: number): Promise<void> {
  const link = linkOf('server', 2).routerEnd.name;
  await ip(stage.topology.namespace('router2'), 'link', 'set', link, 'mtu', String(mtu));
}

/** A program on the client sends packets of so many octets. */
async function send(octets: number, count: number): Promise<z.infer<typeof Answers>> {
  const { topology, identifiers } = stage;
  const words = ['python3', DATAGRAMS, identifiers.server, String(SINK_PORT), String(octets - HEADERS), String(count)];
  const { stdout } = await run(...inside(topology.namespace('client'), words));
  return Answers.parse(JSON.parse(stdout));
}

/** How long the packets were that arrived since the last call. */
async function arrived(): Promise<number[]> {
  sink.tell({});
  return Lengths.parse(await sink.next('received')).lengths.map((length) => length + HEADERS);
}

async function pathMtu(): Promise<number> {
  const { topology, identifiers } = stage;
  const { client, server } = identifiers;
  const route = await ip(topology.namespace('client'), '-6', 'route', 'get', server, 'from', client);
  expect(route).toContain('dev loci0');
  return Number(/ mtu (\d+)/.exec(route)?.[1]);
}

beforeAll(async () => {
  stage = await buildStage({ profile: 'fast', loci: true, onEvent: () => undefined });
  sink = await startSupport('sink', [String(SINK_PORT)], stage.topology.namespace('server'));
  await narrow(1_400);
  const flows = await startTraffic(stage.topology, stage.identifiers.server, { rate: 20, seed: 5 });
  const failure = await arm('blackhole', 'admin', stage.topology);
  try {
    await atHome(stage);
    await pause(1_000);
    const { at } = await failure.strike();
    await pause(3_000);
    traffic = await flows.finish(at - 100);
  } finally {
    flows.kill();
    failure.disarm();
  }
}, 60_000);

afterAll(async () => {
  sink.kill();
  await stage.close();
}, 30_000);

describe('a path of 1400 octets behind the first router, after a failover', () => {
  it('is in use', async () => {
    const context = await contextOf(stage.daemon('client'), stage);
    expect(context?.pair).not.toEqual(context?.ulids);
  });

  it('S6-125 carries on with a TCP connection that began with larger segments', () => {
    expect(traffic.faults).toEqual([]);
    expect(traffic.tcp.sha256Match).toBe(true);
    expect(traffic.tcp.bytes).toBeGreaterThan(1_000_000);
  });

  it('S6-124 S6-125 is known to the kernel with the 8 octets of the payload header taken off', async () => {
    expect(await pathMtu()).toBe(1_392);
  });

  it('S6-124 S6-151 makes the kernel refuse a datagram that is too long, and take one that fits', async () => {
    await arrived();
    expect(await send(1_393, 2)).toEqual({ answers: ['EMSGSIZE', 'EMSGSIZE'], mtu: 1_392 });
    expect(await send(1_392, 3)).toEqual({ answers: ['sent', 'sent', 'sent'], mtu: 1_392 });
    expect(await arrived()).toEqual([1_392, 1_392, 1_392]);
  });
});

describe('a path that carries the least that IPv6 allows', () => {
  it('S6-125 is reported as 1280 octets, and carries datagrams of that length in fragments', async () => {
    await narrow(1_280);
    await send(1_392, 2); // the first learns it
    expect(await pathMtu()).toBe(1_280);
    await arrived();
    expect(await send(1_280, 5)).toEqual({ answers: Array<string>(5).fill('sent'), mtu: 1_280 });
    expect(await arrived()).toEqual(Array<number>(5).fill(1_280));
  });

  it('carries a new TCP connection', async () => {
    const flows = await startTraffic(stage.topology, stage.identifiers.server, { rate: 20, seed: 6 });
    try {
      const from = Number(process.hrtime.bigint()) / 1e6;
      await pause(1_500);
      const { faults, tcp } = await flows.finish(from);
      expect(faults).toEqual([]);
      expect(tcp.bytes).toBeGreaterThan(1_000_000);
    } finally {
      flows.kill();
    }
  });
});
