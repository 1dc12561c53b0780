import { describe, expect, it } from 'vitest';
import type { HostContext } from '../../src/host/host-context.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { writePayloadHeader } from '../../src/shim6/payload-header.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import { GOOD, HOLE, longestGap } from '../../src/sim/two-hosts.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { SHIM6, UDP } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { ip } from '../shim6/spec-vectors.ts';
import { twoHosts } from '../host/two-hosts.ts';

function contextOf(hosts: TwoHosts, side: Side): HostContext {
  const found = side.sim.host.contexts.of(hosts.ulids(side));
  if (found === undefined) throw new Error('no context');
  return found;
}

/** What was sent so far from one side, by type. */
function messages(hosts: TwoHosts, side: Side, type: string): { at: number; options: Record<string, unknown> }[] {
  return hosts.packets.flatMap(({ at, source, nextHeader, payload }) => {
    if (nextHeader !== SHIM6 || !side.locators.some(({ address }) => String(address) === String(source))) return [];
    const parsed = parseShim6(payload);
    if (!parsed.ok || parsed.value.type !== type || !('options' in parsed.value)) return [];
    return [{ at, options: { ...parsed.value.options } }];
  });
}

/** A datagram with the payload header of a context of a, from b over provider 2. */
function sendTagged(hosts: TwoHosts, tag: ContextTag): void {
  const w = new Writer(8 + 64);
  writePayloadHeader(w, { nextHeader: UDP, contextTag: tag });
  w.zeros(64);
  const { local: source, peer: destination } = hosts.pair(hosts.b, 2);
  hosts.network.send({ source, destination, nextHeader: SHIM6, payload: w.finish() });
  hosts.run(1);
}

/** Nothing from b over provider 1 arrives any more. */
function mute(hosts: TwoHosts): void {
  hosts.ways.way = (provider, direction) => (provider === 1 && direction === 'b-a' ? HOLE : GOOD);
}

/** Steps so small that not two packets arrive in one. */
function until(hosts: TwoHosts, isSo: () => boolean, ms = 100_000): void {
  const end = hosts.world.now + ms;
  while (!isSo() && hosts.world.now < end) hosts.run(0.05);
  expect(isSo()).toBe(true);
}

/** a has found out that b lost the context, which b does not answer any more. */
function lostByPeer(hosts: TwoHosts): void {
  hosts.b.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.b) });
  until(hosts, () => hosts.state(hosts.a) === 'I2BIS-SENT');
}

describe('RFC 5533 §12.2 a tagged packet at a host', () => {
  it('S6-146 in I1-SENT is discarded', () => {
    const hosts = twoHosts(1);
    mute(hosts);
    hosts.a.sim.handle({ type: 'open', ulids: hosts.ulids(hosts.a) });
    hosts.run(10);
    expect(hosts.state(hosts.a)).toBe('I1-SENT');
    sendTagged(hosts, contextOf(hosts, hosts.a).tag);
    expect(hosts.a.arrivals).toEqual([]);
  });

  it('S6-146 in I2-SENT is delivered, and the I2 sent once more', () => {
    const hosts = twoHosts(1);
    hosts.a.sim.handle({ type: 'open', ulids: hosts.ulids(hosts.a) });
    until(hosts, () => hosts.state(hosts.a) === 'I2-SENT');
    mute(hosts);
    hosts.run(10);
    expect(messages(hosts, hosts.a, 'I2')).toHaveLength(1);
    sendTagged(hosts, contextOf(hosts, hosts.a).tag);
    expect(hosts.a.arrivals).toHaveLength(1);
    expect(messages(hosts, hosts.a, 'I2')).toHaveLength(2);
    hosts.run(3);
    expect(hosts.state(hosts.a)).toBe('I2-SENT');
  });

  it('S6-146 in I2BIS-SENT is delivered, and the I2bis sent once more, but not for every packet', () => {
    const hosts = twoHosts(1);
    hosts.establish();
    hosts.traffic(hosts.a, 5);
    hosts.run(100);
    hosts.b.sim.handle({ type: 'locators', locators: hosts.b.locators });
    lostByPeer(hosts);
    mute(hosts);
    hosts.run(10);
    const before = messages(hosts, hosts.a, 'I2bis').length;
    for (let i = 0; i < 100; i++) sendTagged(hosts, contextOf(hosts, hosts.a).tag);
    expect(hosts.a.arrivals).toHaveLength(100);
    const repeated = messages(hosts, hosts.a, 'I2bis').length - before;
    expect(repeated).toBeGreaterThan(0);
    expect(repeated).toBeLessThan(10);
  });
});

describe('a context that has to be established once more', () => {
  it('R-10 begins anew: on the pair of the exchange, with nothing to doubt', () => {
    const hosts = twoHosts(1);
    hosts.traffic(hosts.a, 5);
    hosts.traffic(hosts.b, 5);
    hosts.establish();
    hosts.run(3_000);
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    lostByPeer(hosts); // by a probe over provider 2
    expect(contextOf(hosts, hosts.a).flow.pair).toEqual(hosts.pair(hosts.a, 1));
    expect(contextOf(hosts, hosts.a).reap).toBe('Exploring');
    hosts.ways.way = (provider, direction) => (provider === 1 || direction === 'b-a' ? HOLE : GOOD);
    until(hosts, () => hosts.state(hosts.a) === 'I1-SENT');
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    until(hosts, () => hosts.state(hosts.a) === 'ESTABLISHED');
    const context = contextOf(hosts, hosts.a);
    expect(context.flow.pair).toEqual(hosts.pair(hosts.a, 2));
    expect(context.reap).toBe('Operational');
    expect(hosts.events(hosts.a, 'selected').map(({ why }) => why)).toEqual(['established anew']);
    const from = hosts.world.now;
    hosts.run(1_000);
    expect(longestGap(hosts.b.arrivals, from + 100, hosts.world.now)).toBeLessThan(10);
  });
});

describe('RFC 5534 §5.3 a configured Send Timeout', () => {
  const patient = { profile: 'rfc', sendTimeoutMs: { rfc: 30_000 } } as const;

  it('S6-185 S6-188 is announced in I2 or R2 and becomes the Keepalive Timeout of the peer', () => {
    const hosts = twoHosts(1, patient, { profile: 'rfc', sendTimeoutMs: { rfc: 6_000 } });
    hosts.establish();
    expect(messages(hosts, hosts.a, 'I2')[0]?.options).toMatchObject({ keepaliveTimeout: 30 });
    expect(messages(hosts, hosts.b, 'R2')[0]?.options).toMatchObject({ keepaliveTimeout: 6 });
    const from = hosts.world.now;
    hosts.traffic(hosts.a, 100, 60_000);
    hosts.run(60_000);
    const [first] = messages(hosts, hosts.b, 'Keepalive');
    expect((first?.at ?? 0) - from).toBeGreaterThan(9_990); // a third of the Keepalive Timeout, or half
    expect((first?.at ?? 0) - from).toBeLessThan(15_300);
    expect(hosts.events(hosts.a, 'suspect')).toEqual([]);
  });

  it('S6-185 says nothing when it is the default, and nothing to those who agreed on milliseconds', () => {
    const usual = twoHosts(1, { profile: 'rfc' });
    usual.establish();
    expect(messages(usual, usual.a, 'I2')[0]?.options['keepaliveTimeout']).toBeUndefined();
    const hosts = twoHosts(1, { sendTimeoutMs: { rfc: 30_000 } });
    hosts.traffic(hosts.a, 2);
    hosts.establish();
    hosts.run(1_000);
    const failed = hosts.world.now;
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(1_000);
    expect(longestGap(hosts.b.arrivals, failed, hosts.world.now)).toBeLessThan(65);
  });
});

describe('RFC 5534 §5.2 a Probe that is not about itself', () => {
  it('R-12 is answered all the same, and told of, though not each time', () => {
    const hosts = twoHosts(1);
    hosts.establish();
    const context = contextOf(hosts, hosts.a);
    const { local: destination, peer: source } = hosts.ulids(hosts.a);
    const probe = (nonce: number, from: Uint8Array): void => {
      const octets = encodeShim6({
        type: 'Probe',
        receiverContextTag: contextTag(context.tag),
        state: 'Exploring',
        sent: [{ source: from, destination, nonce, data: 0 }],
        received: [],
        pathTest: false,
        options: {},
      });
      hosts.a.sim.handle({ type: 'control', packet: { source, destination, hopLimit: 64, octets } });
    };
    probe(1, source);
    expect(hosts.events(hosts.a, 'warning')).toEqual([]);
    for (let nonce = 2; nonce < 100; nonce++) probe(nonce, ip('2001:db8:99::1'));
    expect(hosts.events(hosts.a, 'warning')).toHaveLength(5);
    expect(hosts.events(hosts.a, 'warning')[0]?.message).toContain('2001:db8:99::1');
    expect(messages(hosts, hosts.a, 'Probe').length).toBeGreaterThan(0);
  });
});
