import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pause } from '../../src/cli/demo/daemons.ts';
import type { Daemon, Noticed } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import { ip } from '../../src/cli/demo/namespaces.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { buildStage, eventually } from '../../src/cli/demo/stage.ts';
import type { Stage } from '../../src/cli/demo/stage.ts';
import { linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import { atHome, contextOf, loci } from './support/established.ts';
import { startSupport } from './support/programs.ts';

const PORT = 7_201;
/** What a program waits for a connection, from a first packet that may have been lost and is sent again after a second. */
const WITHIN_MS = 1_000;
const RETRANSMITTED_MS = 1_000;
const SLACK_MS = 250;
const Outcome = z.object({ outcome: z.string(), ms: z.number() });

let stage: Stage;
let acceptor: Program;
let connector: Program;
const events: Noticed[] = [];

async function connecting(more: object = {}): Promise<z.infer<typeof Outcome>> {
  connector.tell({ host: stage.identifiers.server, port: PORT, ...more });
  return Outcome.parse(await connector.next('outcome', 20_000));
}

/** Traffic while provider 1 stops forwarding: both hosts move. */
async function loseProvider1(): Promise<void> {
  const flows = await startTraffic(stage.topology, stage.identifiers.server, { rate: 5, seed: 8 });
  const failure = await arm('blackhole', 'admin', stage.topology);
  try {
    await atHome(stage);
    await pause(1_000);
    const { at } = await failure.strike();
    await pause(1_500);
    const { faults } = await flows.finish(at - 100);
    expect(faults).toEqual([]);
  } finally {
    flows.kill();
    failure.disarm();
  }
}

/** Nothing is left of any context at either end: where one is left, it brings the other one back (RFC 5533 §7.17). */
async function forget(): Promise<void> {
  await eventually('contexts come back', async () => {
    const left = await Promise.all(stage.daemons.map((daemon) => forgetAt(daemon)));
    return left.every((count) => count === 0) ? true : undefined;
  });
}

async function forgetAt(daemon: Daemon): Promise<number> {
  const contexts = await daemon.contexts();
  for (const { ulids } of contexts) await loci(daemon.controlSocket, 'close', ...ulids).catch(() => undefined);
  return contexts.length;
}

async function otherIdentifierOf(host: 'client' | 'server'): Promise<string> {
  const prefix = prefixOn(linkOf(host, 2)).slice(0, -1);
  const found = (await stage.daemon(host).locators()).find(({ address, ulid }) => ulid && address.startsWith(prefix));
  if (found === undefined) throw new Error(`the ${host} has no identifier of provider 2`);
  return found.address;
}

/** Router 2 stops forwarding as well, or goes on. */
async function provider2(works: boolean): Promise<void> {
  for (const host of ['client', 'server'] as const) {
    const rule = ['pref', '1', 'iif', linkOf(host, 2).routerEnd.name, 'blackhole'];
    await ip(stage.topology.namespace('router2'), '-6', 'rule', works ? 'del' : 'add', ...rule);
  }
}

beforeAll(async () => {
  stage = await buildStage({ profile: 'fast', loci: true, onEvent: (event) => void events.push(event) });
  acceptor = await startSupport('acceptor', [String(PORT)], stage.topology.namespace('server'));
  connector = await startSupport('connector', [], stage.topology.namespace('client'));
}, 60_000);

afterAll(async () => {
  acceptor.kill();
  connector.kill();
  await stage.close();
}, 30_000);

describe('a new TCP connection to a known peer', () => {
  it('is made over a path that died unnoticed, after the context was forgotten', async () => {
    const flows = await startTraffic(stage.topology, stage.identifiers.server, { rate: 5, seed: 7 });
    try {
      await atHome(stage);
      await flows.finish(0);
    } finally {
      flows.kill();
    }
    await pause(500);
    await forget();
    const failure = await arm('blackhole', 'admin', stage.topology);
    await failure.strike();
    failure.disarm();
    const { outcome, ms } = await connecting();
    expect(outcome).toBe('connected');
    expect(ms).toBeLessThan(2 * RETRANSMITTED_MS + SLACK_MS); // the second one where a busy machine misses the first
    expect(ms).toBeGreaterThan(RETRANSMITTED_MS - SLACK_MS); // the path was dead indeed
    await repair('blackhole', stage.topology);
  }, 60_000);

  it('is made while a context exists and is diverted, whichever the own port', async () => {
    await loseProvider1();
    const context = await contextOf(stage.daemon('client'), stage);
    expect(context?.pair).not.toEqual(context?.ulids);
    for (const localPort of [41_001, 41_002, 41_003]) {
      const { outcome, ms } = await connecting({ localPort });
      expect(outcome).toBe('connected');
      expect(ms).toBeLessThan(WITHIN_MS);
    }
  }, 60_000);

  it('is made over the other path when the context has gone', async () => {
    await forget();
    await pause(200);
    const { outcome, ms } = await connecting();
    expect(outcome).toBe('connected');
    expect(ms).toBeLessThan(WITHIN_MS);
  });

  it('is made between identifiers that had no context', async () => {
    const { outcome, ms } = await connecting({
      host: await otherIdentifierOf('server'),
      localAddress: stage.identifiers.client,
    });
    expect(outcome).toBe('connected');
    expect(ms).toBeLessThan(WITHIN_MS);
  });

  it('fails soon when no path is left, with a context and without one', async () => {
    await connecting(); // its context stands
    await provider2(false);
    const withContext = await connecting();
    await forget();
    await pause(200);
    const without = await connecting();
    for (const { outcome, ms } of [withContext, without]) {
      expect(outcome).toMatch(/^E(HOST|NET)UNREACH$/);
      expect(ms).toBeLessThan(RETRANSMITTED_MS + SLACK_MS);
    }
    await provider2(true);
  }, 60_000);

  it('is made again when a path is back', async () => {
    await eventually(
      'no connection after the repair',
      async () => ((await connecting()).outcome === 'connected' ? true : undefined),
      10_000,
    );
  }, 30_000);
});
