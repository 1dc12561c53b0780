import { describe, expect, it } from 'vitest';
import { FastPath } from '../../src/host/fast-path.ts';
import type { Flow } from '../../src/host/fast-path.ts';
import type { HostEffect } from '../../src/host/host-io.ts';
import { Host } from '../../src/host/host.ts';
import { batch, HEADROOM, LENGTH, OFFSET, SOCKET } from '../../src/host/ports.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import type { Context } from '../../src/shim6/context.ts';
import { errorAbout } from '../../src/shim6/error-message.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, I2, I2bis, Shim6Message } from '../../src/shim6/messages.ts';
import { writePayloadHeader } from '../../src/shim6/payload-header.ts';
import { parseQuoted } from '../../src/shim6/quoted.ts';
import { contextTag, TAG_SPACE } from '../../src/shim6/tag.ts';
import { seededRandom } from '../../src/sim/random.ts';
import type { Address } from '../../src/wire/address.ts';
import { SHIM6, UDP, writeIpv6Header } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { signers, twoHosts } from '../host/two-hosts.ts';
import { A1, A2, B1, B2, ip } from '../shim6/spec-vectors.ts';
import { established, twoHosts as twoMachines } from '../shim6/world.ts';
import type { TestHost } from '../shim6/world.ts';

function ipv6(nextHeader: number, source: Address, destination: Address, payload: Uint8Array): Uint8Array {
  const w = new Writer(40 + payload.length);
  const numbers = { trafficClass: 0, flowLabel: 0, payloadLength: payload.length, nextHeader, hopLimit: 64 };
  writeIpv6Header(w, { ...numbers, source, destination });
  w.octets(payload);
  return w.finish();
}

/** The packet as the fast path sends it. */
function outbound(path: FastPath, packet: Uint8Array): Uint8Array {
  const one = batch(1, 2048);
  one.slab.set(packet, HEADROOM);
  one.meta[OFFSET] = HEADROOM;
  one.meta[LENGTH] = packet.length;
  path.outbound(one, 1, () => 1);
  expect(one.meta[SOCKET]).toBe(1);
  const start = one.meta[OFFSET] ?? 0;
  return one.slab.slice(start, start + (one.meta[LENGTH] ?? 0));
}

const flow = (local: Address, peer: Address, tagPeer: number): Flow => ({
  ulids: { local, peer },
  tagLocal: tagPeer + 1,
  tagPeer,
  pair: { local: A2, peer: B2 },
  delivers: true,
  heardOn: undefined,
  sent: 0,
  heard: 0,
});

describe('RFC 5533 §12.4 packets of upper layers', () => {
  it('S6-267 belong to the context of exactly their two addresses', () => {
    const path = new FastPath();
    path.add(flow(A1, B1, 0x10));
    path.add(flow(A2, B1, 0x20));
    const tagOf = (source: Address, destination: Address): number | undefined => {
      const sent = outbound(path, ipv6(UDP, source, destination, new Uint8Array(16)));
      return sent[6] === SHIM6 ? sent[47] : undefined;
    };
    expect(tagOf(A1, B1)).toBe(0x10);
    expect(tagOf(A2, B1)).toBe(0x20);
    for (const [source, destination] of [
      [A1, B2],
      [B1, A1],
      [A2, B2],
    ] as const) {
      expect(tagOf(source, destination)).toBeUndefined();
    }
  });

  it('S6-007 become protocol 140 when they are tagged, and so are control messages', () => {
    const path = new FastPath();
    path.add(flow(A1, B1, 0x10));
    expect(outbound(path, ipv6(UDP, A1, B1, new Uint8Array(16)))[6]).toBe(140);
    const { source, octets } = established().world.trace[0] ?? {};
    if (source === undefined || octets === undefined) throw new Error('nothing sent');
    expect(errorAbout({ source, destination: B1, octets }, 0, 2).packet[6]).toBe(140);
  });

  it('S6-257 between the ULIDs arrive as they are, keep the context in use and feed REAP', () => {
    const hosts = twoHosts(1, { profile: 'fast' });
    hosts.establish();
    const [before, from] = [hosts.packets.length, hosts.world.now];
    hosts.traffic(hosts.b, 5, 2_000);
    hosts.run(2_100);
    const sent = hosts.packets.slice(before);
    const payload = sent.filter(({ nextHeader }) => nextHeader === UDP);
    expect(payload.length).toBeGreaterThan(390);
    expect(payload.every(({ payload: octets }) => octets.length === 64)).toBe(true);
    expect(hosts.a.arrivals).toHaveLength(payload.length);
    expect(hosts.events(hosts.a, 'diverted')).toEqual([]);
    const [context] = [...hosts.a.sim.host.contexts];
    expect(context?.heardAt).toBeGreaterThan(from + 1_990);
    const keepalives = sent.filter(({ nextHeader, payload: octets }) => nextHeader === SHIM6 && octets[2] === 66);
    expect(keepalives.length).toBeGreaterThan(100); // the Keepalive Timer of the profile is 30 ms
    expect(hosts.events(hosts.b, 'suspect')).toEqual([]);
  });
});

describe('RFC 5533 §1.4 multicast', () => {
  const group = ip('ff0e::101');

  it('S6-002 leaves the host as it is, whatever contexts its source has', () => {
    const path = new FastPath();
    path.add(flow(A1, B1, 0x10));
    const packet = ipv6(UDP, A1, group, new Uint8Array(16));
    expect(outbound(path, packet)).toEqual(packet);
  });

  it('S6-002 gets no context from this host', () => {
    const hosts = twoHosts(1);
    const { local } = hosts.ulids(hosts.a);
    for (const peer of [group, ip('ff02::1'), ip('::'), ip('fe80::1')]) {
      hosts.a.sim.handle({ type: 'open', ulids: { local, peer } });
    }
    expect(hosts.a.sim.host.contexts.size).toBe(0);
    expect(hosts.packets).toEqual([]);
  });

  it.each(['ff0e::101', 'fe80::1', '::'])('S6-002 nor from a peer that says %s is its identifier', (text) => {
    const { world, a, b, ab } = twoMachines();
    const [source, destination] = [a.address(0), b.address(0)];
    const pair = { sender: ip(text), receiver: ab.peer };
    const tag = contextTag(0x77);
    const i1: I1 = { type: 'I1', initiatorContextTag: tag, initiatorNonce: 1, options: { ulidPair: pair } };
    const arrive = (message: I1 | I2 | I2bis): unknown =>
      b.receive({ source, destination, octets: encodeShim6(message) }, world.now);
    const refused = [{ type: 'drop', reason: 'address' }];
    expect(arrive(i1)).toEqual(refused);
    const numbers = { initiatorContextTag: tag, initiatorNonce: 1, responderNonce: 1 };
    const r1 = b.responder.r1(i1, { source, destination, octets: encodeShim6(i1) }, world.now);
    const parsed = r1.type === 'transmit' ? parseShim6(r1.octets) : undefined;
    if (parsed?.ok !== true || parsed.value.type !== 'R1') throw new Error('no R1');
    const { responderNonce, options } = parsed.value;
    expect(arrive({ type: 'I2', ...numbers, responderNonce, options: { ...options, ulidPair: pair } })).toEqual(
      refused,
    );
    expect(arrive({ type: 'I2bis', ...numbers, packetContextTag: tag, options: { ulidPair: pair } })).toEqual(refused);
    expect(b.contexts).toEqual([]);
  });
});

describe('RFC 5533 §7.1, §7.7 tags', () => {
  /** A host whose generator says the same tag `repeats` times before it gets ideas. */
  function hostWith(repeats: number): { host: Host; open: (peer: string, now?: number) => HostEffect[] } {
    const random = seededRandom(1);
    let left = repeats;
    const stubborn = (length: number): Uint8Array =>
      length === 6 && left-- > 0 ? new Uint8Array([0, 0, 0, 0, 0, 9]) : random(length);
    const settings = { profile: 'rfc', idleMs: 300_000, returnAfterMs: 5_000, probeBudget: 200 } as const;
    const host = new Host({ crypto: nodeCrypto, random: stubborn, signer: signers.a, settings }, 0);
    const { locators } = twoHosts(1).a;
    host.handle({ type: 'locators', locators }, 0);
    const [first] = locators;
    if (first === undefined) throw new Error('no locator');
    const open = (peer: string, now = 0): HostEffect[] =>
      host.handle({ type: 'open', ulids: { local: first.address, peer: ip(peer) } }, now);
    return { host, open };
  }

  it('S6-004 S6-069 no two contexts have the same, whatever the generator says and whatever their states', () => {
    const { host, open } = hostWith(20);
    open('2001:db8:b1::1');
    let now = 0;
    while ([...host.contexts][0]?.context.state !== 'E-FAILED' && now < 300_000) {
      now = host.deadline;
      host.handle({ type: 'tick' }, now);
    }
    open('2001:db8:b1::2', now);
    open('2001:db8:b1::3', now);
    const all = [...host.contexts];
    expect(all.map(({ context }) => context.state)).toEqual(['E-FAILED', 'I1-SENT', 'I1-SENT']);
    expect(all[0]?.tag).toBe(9);
    expect(new Set(all.map(({ tag }) => tag)).size).toBe(3);
  });

  it('S6-069 an I1 carries the tag, and the context waits in I1-SENT', () => {
    const { host, open } = hostWith(0);
    const tags = [1, 2, 3, 4].map((i) => {
      const sent = open(`2001:db8:b1::${String(i)}`).find((effect) => effect.type === 'transmit');
      const parsed = sent?.type === 'transmit' ? parseShim6(sent.octets) : undefined;
      return parsed?.ok === true && parsed.value.type === 'I1' ? parsed.value.initiatorContextTag : -1;
    });
    expect(tags).toEqual([...host.contexts].map(({ tag }) => tag));
    expect([...host.contexts].map(({ context }) => context.state)).toEqual(Array(4).fill('I1-SENT'));
    expect(Math.max(...tags)).toBeGreaterThan(TAG_SPACE / 4); // of all 47 bits
    expect(Math.min(...tags)).toBeGreaterThan(TAG_SPACE / 4096);
  });
});

describe('RFC 5533 §12.4, §8 packets that come back', () => {
  /** What was sent, as an ICMPv6 error or an Error message quotes it. */
  const quoting = (source: Address, destination: Address, octets: Uint8Array): Uint8Array =>
    ipv6(SHIM6, source, destination, octets);

  const finds = (host: TestHost, packet: Uint8Array): Context[] => {
    const quoted = parseQuoted(packet);
    return host.contexts.filter((context) => quoted !== undefined && context.matchesQuoted(quoted));
  };

  /** A default and a forked context of A with B, and a context of A with itself at its other ULID. */
  function three(): ReturnType<typeof established> & { fork: Context; other: Context } {
    const built = established();
    const { world, a, b, ab } = built;
    const fork = a.create(ab, 7);
    const other = a.create({ local: a.address(1), peer: b.address(1) });
    for (const context of [fork, other]) world.tell(a, context, { type: 'start' });
    world.run(1000);
    return { ...built, fork, other };
  }

  it('S6-255 go to the context that sent them: handshake by ULIDs, instance and tag, the rest by CT(peer)', () => {
    const built = three();
    const { world, a, b, fork, other } = built;
    const [original] = a.contexts;
    if (original === undefined) throw new Error('no context');
    const handshakes = world.trace.filter(({ from, message }) => from === 'A' && 'initiatorContextTag' in message);
    expect(handshakes).toHaveLength(6);
    for (const { source, destination, octets, message } of handshakes) {
      const tag = 'initiatorContextTag' in message ? message.initiatorContextTag : undefined;
      const [found, ...more] = finds(a, quoting(source, destination, octets));
      expect([found?.tag, more]).toEqual([tag, []]);
    }
    const [first] = handshakes;
    if (first?.message.type !== 'I1') throw new Error('no I1');
    const earlier = encodeShim6({ ...first.message, initiatorContextTag: contextTag(0x777) }); // of a context that is gone
    expect(finds(a, quoting(first.source, first.destination, earlier))).toEqual([]);
    for (const context of [original, fork, other]) {
      for (const [local, peer] of [
        [a.address(0), b.address(0)],
        [a.address(1), b.address(1)], // any pair of the two sets
        [a.address(0), b.address(1)],
      ] as const) {
        expect(finds(a, quoting(local, peer, context.keepalive()))).toEqual([context]);
        expect(finds(a, quoting(local, peer, payload(context.tagPeer ?? 0)))).toEqual([context]);
      }
    }
  });

  it('S6-255 go to nobody when source, destination, tag or direction are not those of a context', () => {
    const { a, b } = established();
    const { context } = a;
    const [local, peer] = [a.address(0), b.address(0)];
    const strange = ip('2001:db8:bad::1');
    const keepalive = context.keepalive();
    expect(finds(a, quoting(local, peer, keepalive))).toEqual([context]);
    expect(finds(a, quoting(strange, peer, keepalive))).toEqual([]);
    expect(finds(a, quoting(local, strange, keepalive))).toEqual([]);
    expect(finds(a, quoting(peer, local, keepalive))).toEqual([]);
    expect(finds(a, quoting(local, peer, payload(context.tag)))).toEqual([]);
    expect(finds(a, quoting(local, peer, b.context.keepalive()))).toEqual([]);
  });

  it('S6-255 an Error message reaches the context whose Update Request it quotes, and no other', () => {
    const { world, a, b, fork } = three();
    const broken = a.locators.map((own, i) => ({ ...own, broken: i === 1 }));
    world.loses = ({ message }) => message.type === 'UpdateRequest';
    for (const context of a.contexts) world.tell(a, context, { type: 'own-locators', locators: broken });
    const requests = world.trace.filter(({ message }) => message.type === 'UpdateRequest');
    expect(requests).toHaveLength(3);
    const isOf = (context: Context) => (message: Shim6Message) =>
      message.type === 'UpdateRequest' && message.receiverContextTag === context.tagPeer;
    const quoted = requests.find(({ message }) => isOf(fork)(message));
    if (quoted === undefined) throw new Error('no request of the fork');
    const { source, destination, octets } = quoted;
    const error = encodeShim6(errorAbout({ source, destination, octets }, 2, 16));
    a.receive({ source: b.address(0), destination: a.address(0), octets: error }, world.now);
    const before = world.trace.length;
    world.run(30_000);
    const repeated = world.trace.slice(before).map(({ message }) => message);
    expect(repeated.filter(isOf(fork))).toEqual([]);
    for (const context of a.contexts.filter((one) => one !== fork)) {
      expect(repeated.filter(isOf(context)).length).toBeGreaterThan(1);
    }
  });
});

function payload(tag: number): Uint8Array {
  const w = new Writer(16);
  writePayloadHeader(w, { nextHeader: UDP, contextTag: contextTag(tag) });
  w.zeros(8);
  return w.finish();
}
