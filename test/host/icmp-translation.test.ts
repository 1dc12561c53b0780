import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocatorPair } from '../../src/locators/pair.ts';
import {
  batch,
  FIELDS,
  HEADROOM,
  LENGTH,
  OFFSET,
  SOCKET,
  GSO_SIZE,
  CHECKSUM_START,
  CHECKSUM_OFFSET,
} from '../../src/host/ports.ts';
import { FastPath } from '../../src/host/fast-path.ts';
import type { Flow } from '../../src/host/fast-path.ts';
import { fragments } from '../../src/host/fragments.ts';
import { concernOf, translated } from '../../src/host/icmp-translation.ts';
import type { HostEffect } from '../../src/host/host-io.ts';
import { parseAddress, sameOctets } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { onesComplementSum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { icmpErrorPacket, parseIcmpError } from '../../src/wire/icmpv6.ts';
import type { IcmpError } from '../../src/wire/icmpv6.ts';
import { FRAGMENT, ICMPV6, SHIM6, TCP, UDP, writeIpv6Header } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { GOOD, HOLE } from '../../src/sim/two-hosts.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { twoHosts } from './two-hosts.ts';

const ULIDS: LocatorPair = { local: address('2001:db8:1::a'), peer: address('2001:db8:1::b') };
const PAIR: LocatorPair = { local: address('2001:db8:2::a'), peer: address('2001:db8:2::b') };
const ROUTER = address('2001:db8:ffff::1');
const TAG = 0x1234_5678_9abc;
/** A Hop-by-Hop Options header of 8 octets, but for its Next Header. */
const OPTIONS = [0, 1, 4, 0, 0, 0, 0];

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

function ipv6(pair: LocatorPair, nextHeader: number, rest: Uint8Array, length = rest.length): Uint8Array {
  const w = new Writer(40 + rest.length);
  const { local: source, peer: destination } = pair;
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0x12345,
    payloadLength: length,
    nextHeader,
    hopLimit: 61,
    source,
    destination,
  });
  w.octets(rest);
  return w.finish();
}

/** What the fast path makes of a packet, and so what a router quotes. */
function taggedBy(packet: Uint8Array, changes: Partial<Flow> = {}, row: readonly (readonly [number, number])[] = []) {
  const path = new FastPath();
  const flow: Flow = {
    ulids: ULIDS,
    tagLocal: 1,
    tagPeer: TAG,
    pair: PAIR,
    delivers: true,
    heardOn: undefined,
    sent: 0,
    heard: 0,
    ...changes,
  };
  path.add(flow);
  const slots = batch(1, packet.length + 2 * HEADROOM);
  slots.slab.set(packet, HEADROOM);
  slots.meta[OFFSET] = HEADROOM;
  slots.meta[LENGTH] = packet.length;
  for (const [column, value] of row) slots.meta[column] = value;
  const split: { packet: Uint8Array; mtu: number }[] = [];
  path.outbound(slots, 1, () => 7, {
    tooLong: (whole, mtu) => split.push({ packet: whole, mtu }),
    held: () => undefined,
  });
  const start = slots.meta[OFFSET] ?? 0;
  return { octets: slots.slab.slice(start, start + (slots.meta[LENGTH] ?? 0)), meta: slots.meta, split };
}

const error = (type: number, code: number, parameter: number, invokingPacket: Uint8Array): IcmpError => ({
  type,
  code,
  parameter,
  invokingPacket,
});

describe('an ICMPv6 error about a tagged packet', () => {
  const udp = ipv6(
    ULIDS,
    UDP,
    Uint8Array.from({ length: 300 }, (_, i) => i & 0xff),
  );
  const behindOptions = ipv6(ULIDS, 0, Uint8Array.of(TCP, ...OPTIONS, ...new Uint8Array(100).fill(9)));

  it('S6-124 quotes the packet as the program sent it: identifiers, no payload header, the protocol that it was', () => {
    for (const packet of [udp, behindOptions]) {
      const quoted = taggedBy(packet).octets;
      expect(quoted).toHaveLength(packet.length + 8);
      expect(translated(error(1, 4, 0, quoted), ULIDS)).toEqual(error(1, 4, 0, packet));
    }
  });

  it('S6-124 may quote any beginning of the packet that reaches behind the payload header', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 348 }), (length) => {
        const quoted = taggedBy(udp).octets.subarray(0, length);
        const inner = translated(error(1, 4, 0, quoted), ULIDS);
        expect(inner?.invokingPacket).toEqual(length < 48 ? undefined : udp.subarray(0, length - 8));
      }),
    );
  });

  it('S6-125 reports a Packet Too Big with 8 octets less, never below 1280, and believes no smaller one', () => {
    const quoted = taggedBy(udp).octets;
    const mtu = (of: number): number | undefined => translated(error(2, 0, of, quoted), ULIDS)?.parameter;
    expect([1500, 1400, 1288, 1287, 1280, 1279, 0].map(mtu)).toEqual([
      1492,
      1392,
      1280,
      1280,
      1280,
      undefined,
      undefined,
    ]);
  });

  it('S6-268 with a pointer is Shim6 business when it points at what Shim6 wrote, else it moves with its field', () => {
    const quoted = taggedBy(behindOptions).octets; // options at 40, payload header at 48, TCP at 56
    const concern = (pointer: number): string => concernOf(error(4, 0, pointer, quoted));
    expect([8, 39, 40, 49, 55].map(concern)).toEqual(['shim6', 'shim6', 'shim6', 'shim6', 'shim6']);
    expect([0, 7, 41, 48, 56, 60].map(concern)).toEqual(['upper', 'upper', 'upper', 'upper', 'upper', 'upper']);
    const moved = (pointer: number): number | undefined => translated(error(4, 1, pointer, quoted), ULIDS)?.parameter;
    expect([7, 42, 48, 56, 60].map(moved)).toEqual([7, 42, 40, 48, 52]);
  });

  it('S6-268 belongs to the path when no router or host could deliver, else to the upper layer', () => {
    const quoted = taggedBy(udp).octets;
    const concerns = [
      ...[0, 1, 2, 3, 5, 6, 4].map((code) => concernOf(error(1, code, 0, quoted))),
      concernOf(error(3, 0, 0, quoted)),
      concernOf(error(2, 0, 1400, quoted)),
    ];
    expect(concerns).toEqual(['path', 'path', 'path', 'path', 'path', 'path', 'upper', 'path', 'upper']);
  });

  it('keeps the extensions of RFC 4884 behind the quoted packet, and their length in order', () => {
    const extensions = Uint8Array.of(0x20, 0, 1, 2, 0, 8, 1, 1, 5, 6, 7, 8);
    for (const [units, after] of [
      [16, 16], // the least: padded again
      [20, 19],
    ] as const) {
      const quoted = Uint8Array.of(...taggedBy(udp).octets.subarray(0, units * 8), ...extensions);
      const inner = translated(error(1, 3, units * 0x100_0000, quoted), ULIDS);
      expect(inner?.parameter).toBe(after * 0x100_0000);
      expect(inner?.invokingPacket.subarray(0, units * 8 - 8)).toEqual(udp.subarray(0, units * 8 - 8));
      expect(inner?.invokingPacket.subarray(after * 8)).toEqual(extensions);
    }
  });

  it('never throws, whatever is quoted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(4), fc.nat(), (noise, type, parameter) => {
        const packet = taggedBy(udp).octets.slice(0, 120);
        packet.set(noise, 40);
        translated(error(type, 0, parameter, packet), ULIDS);
        translated(error(type, 0, parameter, noise), ULIDS);
        concernOf(error(type, 0, parameter, noise));
      }),
    );
  });

  it('becomes a whole packet with a good checksum', () => {
    const packet = icmpErrorPacket(ROUTER, ULIDS.local, error(2, 0, 1392, udp));
    const icmp = packet.subarray(40);
    expect(onesComplementSum(icmp, pseudoHeaderSum(ROUTER, ULIDS.local, icmp.length, ICMPV6))).toBe(0xffff);
    const parsed = parseIcmpError(icmp);
    expect(parsed.ok && parsed.value).toEqual(error(2, 0, 1392, udp));
  });
});

describe('a path that cannot carry 1280 octets and a payload header', () => {
  const full = ipv6(
    ULIDS,
    UDP,
    Uint8Array.from({ length: 1240 }, (_, i) => (i * 7) & 0xff),
  );

  it('gets packets of 1280 octets in fragments that fit, with all their octets', () => {
    const { meta, split } = taggedBy(full, { mtu: 1280 });
    expect(meta[SOCKET]).toBe(-1);
    const [whole] = split;
    expect(whole?.packet).toHaveLength(1288);
    const pieces = fragments(whole?.packet ?? new Uint8Array(), 1280, 77);
    expect(pieces.map((piece) => piece.length)).toEqual([1280, 64]);
    for (const piece of pieces) {
      const view = new DataView(piece.buffer);
      expect([piece[6], piece[40], view.getUint32(44), view.getUint16(4)]).toEqual([
        FRAGMENT,
        SHIM6,
        77,
        piece.length - 40,
      ]);
    }
    const offsets = pieces.map((piece) => new DataView(piece.buffer).getUint16(42));
    expect(offsets).toEqual([0 | 1, 1232]);
    const body = Uint8Array.of(...pieces.flatMap((piece) => [...piece.subarray(48)]));
    expect(body).toEqual(whole?.packet.subarray(40));
  });

  it('gets a checksum that the kernel left open finished before the packet is cut', () => {
    const open = full.slice();
    const { local, peer } = ULIDS;
    const seed = pseudoHeaderSum(local, peer, 1240, UDP);
    open[46] = seed >> 8;
    open[47] = seed & 0xff;
    const { split } = taggedBy(open, { mtu: 1284 }, [
      [CHECKSUM_START, 40],
      [CHECKSUM_OFFSET, 6],
    ]);
    const datagram = (split[0]?.packet ?? new Uint8Array(48)).subarray(48);
    expect(onesComplementSum(datagram, pseudoHeaderSum(local, peer, 1240, UDP))).toBe(0xffff);
  });

  it('gets smaller segments of TCP super-packets', () => {
    const tcp = new Uint8Array(6000);
    tcp[12] = 0x80; // 32 octets of header
    const { meta, split } = taggedBy(ipv6(ULIDS, TCP, tcp), { mtu: 1280 }, [
      [GSO_SIZE, 1208],
      [CHECKSUM_START, 40],
    ]);
    expect(split).toEqual([]);
    expect(meta[GSO_SIZE]).toBe(1280 - 40 - 8 - 32);
    expect(meta[SOCKET]).toBe(7);
  });

  it('leaves everything alone on a path that can', () => {
    const { meta, split, octets } = taggedBy(full, { mtu: 1288 });
    expect([meta[SOCKET], split.length, octets.length]).toEqual([7, 0, 1288]);
    expect(meta.length).toBe(FIELDS);
  });
});

/** Host a with a context whose packets go over provider 2, tagged. */
function moved(settings: Parameters<typeof twoHosts>[1] = {}): TwoHosts {
  const hosts = twoHosts(3, settings);
  hosts.traffic(hosts.a, 1, 3_000);
  hosts.run(50);
  hosts.establish();
  hosts.run(500);
  hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
  hosts.run(1_000);
  return hosts;
}

/** An error about a packet that host a sends now, from a router. */
function complain(hosts: TwoHosts, type: number, code: number, parameter = 0): HostEffect[] {
  const sent = hosts.packets.filter((packet) => packet.nextHeader === SHIM6 && (packet.payload[2] ?? 0) >= 0x80).at(-1);
  if (sent === undefined) throw new Error('nothing was sent with a tag');
  const ours = sameOctets(sent.source, hosts.pair(hosts.a, 2).local);
  if (!ours) throw new Error('that was the peer');
  const quoted = ipv6({ local: sent.source, peer: sent.destination }, SHIM6, sent.payload);
  const icmp = icmpErrorPacket(ROUTER, sent.source, error(type, code, parameter, quoted)).subarray(40);
  return hosts.a.sim.host.handle({ type: 'icmp', source: ROUTER, octets: icmp }, hosts.world.now);
}

const delivered = (effects: readonly HostEffect[]): Uint8Array[] =>
  effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.octets] : []));

describe('a host with diverted packets', () => {
  it('S6-124 S6-125 gives a Packet Too Big to its program at once, from the router, about identifiers', () => {
    const hosts = moved();
    const [packet, more] = delivered(complain(hosts, 2, 0, 1400));
    expect(more).toBeUndefined();
    const { local, peer } = hosts.ulids(hosts.a);
    expect(packet?.subarray(8, 24)).toEqual(ROUTER);
    expect(packet?.subarray(24, 40)).toEqual(local);
    const inner = parseIcmpError(packet?.subarray(40) ?? new Uint8Array());
    expect(inner.ok && inner.value.parameter).toBe(1392);
    expect(inner.ok && inner.value.invokingPacket[6]).toBe(UDP);
    expect(inner.ok && inner.value.invokingPacket.subarray(8, 40)).toEqual(Uint8Array.of(...local, ...peer));
  });

  it('S6-122 keeps an error of the path back while it looks for another one, and gives it when there was none', () => {
    const hosts = moved();
    expect(delivered(complain(hosts, 1, 0))).toEqual([]);
    hosts.run(900);
    expect(hosts.a.sim.errors).toEqual([]);
    hosts.run(200);
    expect(hosts.a.sim.errors).toHaveLength(1);
  });

  it('S6-122 says nothing of an error after which the traffic has moved', () => {
    const hosts = moved();
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    expect(delivered(complain(hosts, 1, 0))).toEqual([]);
    hosts.run(3_000);
    expect(hosts.sending(hosts.a)?.[0]).not.toBe(undefined);
    expect(hosts.events(hosts.a, 'selected')).toHaveLength(2);
    expect(hosts.a.sim.errors).toEqual([]);
  });

  it('S6-123 delivers everything at once when told so', () => {
    expect(delivered(complain(moved({ deliverAllErrors: true }), 1, 0))).toHaveLength(1);
  });

  it('S6-268 keeps errors about its own header to itself', () => {
    const hosts = moved();
    expect(delivered(complain(hosts, 4, 1, 6))).toEqual([]);
    expect(hosts.a.sim.host.drops.get('icmp')).toBe(1);
  });

  it('S6-268 gives a port that nobody listens on to the program', () => {
    expect(delivered(complain(moved(), 1, 4))).toHaveLength(1);
  });

  it('S6-124 does not believe an error with a tag that it never used', () => {
    const hosts = moved();
    const pair = hosts.pair(hosts.a, 2);
    const forged = ipv6(pair, SHIM6, Uint8Array.of(UDP, 0, 0x80, 1, 2, 3, 4, 5, 0, 1, 0, 1, 0, 8, 0, 0));
    const octets = icmpErrorPacket(ROUTER, pair.local, error(2, 0, 1280, forged)).subarray(40);
    expect(delivered(hosts.a.sim.host.handle({ type: 'icmp', source: ROUTER, octets }, hosts.world.now))).toEqual([]);
  });

  it('S6-151 forgets what was learnt of the path when the packets take another one', () => {
    const hosts = moved();
    complain(hosts, 2, 0, 1280);
    const flow = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a))?.flow;
    expect(flow?.mtu).toBe(1280);
    hosts.ways.way = (provider) => (provider === 2 ? HOLE : GOOD);
    hosts.run(3_000);
    expect(hosts.events(hosts.a, 'selected')).toHaveLength(2);
    expect(flow?.mtu).toBeUndefined();
  });
});
