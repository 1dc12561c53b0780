import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import type { Failure } from '../../src/cli/demo/failures.ts';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { ip } from '../../src/cli/demo/namespaces.ts';
import { buildStage } from '../../src/cli/demo/stage.ts';
import type { Stage } from '../../src/cli/demo/stage.ts';
import { linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import type { TrafficResult } from '../../src/cli/demo/traffic.ts';
import { impairProvider } from '../lab/impair.ts';
import { watchLink } from '../lab/watch.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await buildStage({ profile: 'fast', loci: false, onEvent: () => undefined });
});
afterAll(async () => {
  await stage.close();
});

const TRAFFIC = { rate: 50, seed: 3 };

/** Lets programs talk, does something to them, and reports what they saw from 100 ms before that. */
async function programsDuring(disturb: () => Promise<void>, afterMs: number): Promise<TrafficResult> {
  const traffic = await startTraffic(stage.topology, stage.identifiers.server, TRAFFIC);
  await pause(300);
  const from = monotonicNow() - 100;
  await disturb();
  await pause(afterMs);
  const result = await traffic.finish(from);
  traffic.kill();
  return result;
}

describe('the demonstration without Loci', () => {
  it('gives each host an address of each provider, and connections begin through the first', async () => {
    for (const host of ['client', 'server'] as const) {
      const addresses = await ip(stage.topology.namespace(host), '-6', '-br', 'addr', 'show', 'scope', 'global');
      for (const provider of [1, 2] as const) {
        expect(addresses).toContain(prefixOn(linkOf(host, provider)).slice(0, -1));
      }
    }
    const first = await watchLink(stage.topology, 'client', 1);
    const second = await watchLink(stage.topology, 'client', 2);
    const result = await programsDuring(() => Promise.resolve(), 200);
    expect(result.faults).toEqual([]);
    expect(result.udp.lost).toBe(0);
    expect(result.udp.gapMs).toBeLessThan(50);
    expect((await first.counts()).payloadOut).toBeGreaterThan(300);
    expect((await second.counts()).payloadOut).toBe(0);
    first.stop();
    second.stop();
  });

  it.each<[Failure, { udp: boolean; tcp: boolean }]>([
    ['blackhole', { udp: false, tcp: false }],
    ['blackhole-out', { udp: false, tcp: false }],
    ['blackhole-in', { udp: true, tcp: false }],
  ])('%s stops programs for good, and the router says nothing', async (failure, passes) => {
    const link = await watchLink(stage.topology, 'client', 1);
    const armed = await arm(failure, 'admin', stage.topology);
    const result = await programsDuring(async () => {
      await armed.strike();
    }, 700);
    armed.disarm();
    expect(result.faults.includes('UDP did not resume')).toBe(!passes.udp);
    expect(result.faults.includes('TCP did not resume')).toBe(!passes.tcp);
    expect(result.udp.gapMs > 600).toBe(!passes.udp);
    const { controlIn } = await link.counts();
    expect(controlIn).toBeLessThan(20); // advertisements and neighbour discovery; not one error per packet
    link.stop();
    await repair(failure, stage.topology);
  });

  it('a hole of 200 ms is measured as one, by UDP exactly and by TCP with its retransmission', async () => {
    const hop = await impairProvider(stage.topology, 1);
    const result = await programsDuring(() => hop.silence(200), 1_000);
    expect(result.faults).toEqual([]);
    expect(result.udp.gapMs).toBeGreaterThan(195);
    expect(result.udp.gapMs).toBeLessThan(240);
    expect(result.tcp.stallMs).toBeGreaterThan(195);
    expect(result.tcp.stallMs).toBeLessThan(900);
    expect(result.udp.lost).toBeGreaterThan(150);
    expect(result.udp.lost).toBeLessThan(250);
    await hop.remove();
  });

  it('the hop delays and loses as it is told, in one direction, and the data arrives whole', async () => {
    const hop = await impairProvider(stage.topology, 1, 7);
    await hop.impair({ delayMs: 20, loss: 0.05 }, ['out']);
    const result = await programsDuring(() => Promise.resolve(), 1_000);
    expect(result.faults).toEqual([]);
    expect(result.udp.lost / result.udp.sent).toBeGreaterThan(0.02);
    expect(result.udp.lost / result.udp.sent).toBeLessThan(0.12);
    expect((await hop.counts('in')).lost).toBe(0);
    expect((await hop.counts('in')).passed).toBeGreaterThan(0);
    await hop.remove();
  });

  it('the link goes down with its addresses, and comes back with new ones', async () => {
    const client = stage.topology.namespace('client');
    const armed = await arm('linkdown', 'admin', stage.topology);
    await armed.strike();
    armed.disarm();
    expect(await ip(client, '-6', 'addr', 'show', 'dev', 'c1', 'scope', 'global')).toBe('');
    await repair('linkdown', stage.topology);
    await expect
      .poll(() => ip(client, '-6', 'addr', 'show', 'dev', 'c1', 'scope', 'global', '-tentative'), { timeout: 8_000 })
      .toContain(prefixOn(linkOf('client', 1)).slice(0, -1));
  });

  it('renumbering: the old prefix is deprecated at once, its addresses go after 3 s, its route 1 s later', async () => {
    const client = stage.topology.namespace('client');
    const link = linkOf('client', 1);
    const [before, after] = [prefixOn(link).slice(0, -1), prefixOn(link, 1).slice(0, -1)];
    const steps: number[] = [];
    const armed = await arm('renumber', 'admin', stage.topology);
    const struck = armed.strike(() => steps.push(monotonicNow()));
    await pause(500);
    const during = await ip(client, '-6', '-o', 'addr', 'show', 'dev', 'c1', 'scope', 'global');
    expect(during).toMatch(new RegExp(`${before}[0-9a-f:]+/64 [^\\n]*deprecated`));
    expect(during).toContain(after);
    const { at } = await struck;
    expect((steps[0] ?? 0) - at).toBeGreaterThan(2_990);
    expect((steps[1] ?? 0) - at).toBeGreaterThan(3_990);
    const finally_ = await ip(client, '-6', '-o', 'addr', 'show', 'dev', 'c1', 'scope', 'global');
    expect(finally_).not.toContain(before);
    expect(finally_).toContain(after);
    expect(await ip(stage.topology.namespace('router1'), '-6', 'route')).not.toContain(before);
  });
});
