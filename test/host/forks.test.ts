import { describe, expect, it } from 'vitest';
import type { HostContext } from '../../src/host/host-context.ts';
import { writePayloadHeader } from '../../src/shim6/payload-header.ts';
import type { Side, TwoHosts } from '../../src/sim/two-hosts.ts';
import { HOLE, GOOD } from '../../src/sim/two-hosts.ts';
import { SHIM6, UDP } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { twoHosts } from './two-hosts.ts';

const INSTANCE = 0x0102_0304;

/** Hosts with a default context; a asked for a forked one that begins on provider 2. */
function forked(): TwoHosts {
  const hosts = twoHosts(1);
  hosts.establish();
  const pair = hosts.pair(hosts.a, 2);
  hosts.a.sim.handle({ type: 'open', ulids: hosts.ulids(hosts.a), forkedInstanceId: INSTANCE, pair });
  hosts.run(200);
  return hosts;
}

function context(hosts: TwoHosts, side: Side, forkedInstanceId: number): HostContext {
  const found = side.sim.host.contexts.of(hosts.ulids(side), forkedInstanceId);
  if (found === undefined) throw new Error('no such context');
  return found;
}

/** A datagram of `from`, tagged for its forked context, over provider 2. */
function sendTagged(hosts: TwoHosts, from: Side): void {
  const { tagPeer } = context(hosts, from, INSTANCE);
  const { local: source, peer: destination } = hosts.pair(from, 2);
  const w = new Writer(8 + 64);
  if (tagPeer === undefined) throw new Error('no tag');
  writePayloadHeader(w, { nextHeader: UDP, contextTag: tagPeer });
  w.zeros(64);
  hosts.network.send({ source, destination, nextHeader: SHIM6, payload: w.finish() });
}

describe('RFC 5533 §4.2 a forked context between two hosts', () => {
  it('S6-005 S6-267 lives beside the default one at both ends, with a pair of its own', () => {
    const hosts = forked();
    for (const side of [hosts.a, hosts.b]) {
      const original = context(hosts, side, 0);
      const fork = context(hosts, side, INSTANCE);
      expect([original, fork].map(({ context: { state } }) => state)).toEqual(['ESTABLISHED', 'ESTABLISHED']);
      expect(original.flow.pair).toEqual(hosts.pair(side, 1));
      expect(fork.flow.pair).toEqual(hosts.pair(side, 2));
      expect(fork.tag).not.toBe(original.tag);
      expect(side.sim.host.contexts.size).toBe(2);
    }
    expect(context(hosts, hosts.a, INSTANCE).tagPeer).toBe(context(hosts, hosts.b, INSTANCE).tag);
  });

  it('S6-005 its tagged payload is delivered between the identifiers, and leaves the default context alone', () => {
    const hosts = forked();
    const before = hosts.b.arrivals.length;
    const { heardAt } = context(hosts, hosts.b, 0);
    for (let i = 0; i < 10; i++) {
      sendTagged(hosts, hosts.a);
      hosts.run(10);
    }
    expect(hosts.b.arrivals.length - before).toBe(10);
    expect(context(hosts, hosts.b, INSTANCE).heardAt).toBeGreaterThan(hosts.world.now - 50);
    expect(context(hosts, hosts.b, 0).heardAt).toBe(heardAt);
    expect(hosts.events(hosts.b, 'diverted')).toEqual([]);
  });

  it('S6-005 packets between the identifiers belong to the default context, whose failures move it alone', () => {
    const hosts = forked();
    hosts.traffic(hosts.a, 2);
    hosts.run(500);
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(500);
    expect(context(hosts, hosts.a, 0).flow.pair).toEqual(hosts.pair(hosts.a, 2));
    expect(hosts.events(hosts.a, 'selected').map((event) => event.forkedInstanceId)).toEqual([undefined]);
    expect(context(hosts, hosts.a, INSTANCE).sentAt).toBeUndefined();
  });

  it('S6-005 ends without the default one, and is remembered with its instance', () => {
    const hosts = forked();
    const memories = hosts.b.sim.host.remember();
    expect(memories.map(({ forkedInstanceId }) => forkedInstanceId)).toEqual([0, INSTANCE]);
    hosts.b.sim.restart(100, true);
    hosts.run(300);
    expect(context(hosts, hosts.b, INSTANCE).flow.pair).toEqual(hosts.pair(hosts.b, 2));
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a), forkedInstanceId: INSTANCE });
    expect([...hosts.a.sim.host.contexts].map(({ forkedInstanceId }) => forkedInstanceId)).toEqual([0]);
    expect(hosts.events(hosts.a, 'state').at(-1)).toMatchObject({ state: 'IDLE', forkedInstanceId: INSTANCE });
    hosts.traffic(hosts.a, 5, 1_000);
    const before = hosts.b.arrivals.length;
    hosts.run(1_000);
    expect(hosts.b.arrivals.length - before).toBeGreaterThan(190);
  });
});
