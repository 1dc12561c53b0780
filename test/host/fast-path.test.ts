import { describe, expect, it } from 'vitest';
import { FastPath } from '../../src/host/fast-path.ts';
import type { Aside, Flow } from '../../src/host/fast-path.ts';
import {
  batch,
  CHECKSUM_START,
  FIELDS,
  HEADROOM,
  HOP_LIMIT,
  LENGTH,
  OFFSET,
  SOCKET,
  TRAFFIC_CLASS,
} from '../../src/host/ports.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { fromHex, toHex } from '../../src/wire/hex.ts';

const address = (text: string): Address => parseAddress(text) ?? new Uint8Array(16);
const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', '')) ?? new Uint8Array();

const A1 = address('2001:db8:a:1::1');
const A2 = address('2001:db8:a:2::1');
const B1 = address('2001:db8:b:1::1');
const B2 = address('2001:db8:b:2::1');
const TAG_A = 0x123456789abc;
const TAG_B = 0x7edcba987654;
const UDP = hex('d4310035 000a0000 6869');

function flowOfA(): Flow {
  return {
    ulids: { local: A1, peer: B1 },
    tagLocal: TAG_A,
    tagPeer: TAG_B,
    pair: { local: A2, peer: B2 },
    delivers: true,
    heardOn: undefined,
    sent: 0,
    heard: 0,
  };
}

function ipv6(nextHeader: number, source: Address, destination: Address, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  packet.set([0x60, 0x30, 0, 0, payload.length >> 8, payload.length & 255, nextHeader, 64]);
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(payload, 40);
  return packet;
}

function out(
  path: FastPath,
  packet: Uint8Array,
  checksumStart = 0,
): { packet: Uint8Array; socket: number; sum: number } {
  const one = batch(1, 2048);
  one.slab.set(packet, HEADROOM);
  one.meta[OFFSET] = HEADROOM;
  one.meta[LENGTH] = packet.length;
  one.meta[CHECKSUM_START] = checksumStart;
  path.outbound(one, 1, (locator) => (toHex(locator) === toHex(A2) ? 7 : toHex(locator) === toHex(A1) ? 5 : -1));
  const start = one.meta[OFFSET] ?? 0;
  const end = start + (one.meta[LENGTH] ?? 0);
  return { packet: one.slab.slice(start, end), socket: one.meta[SOCKET] ?? 0, sum: one.meta[CHECKSUM_START] ?? 0 };
}

function into(path: FastPath, source: Address, destination: Address, payloads: Uint8Array[]): [Uint8Array[], Aside[]] {
  const some = batch(payloads.length, 2048);
  const asides: Aside[] = [];
  payloads.forEach((payload, slot) => {
    const base = slot * some.stride;
    some.slab.set(source, base);
    some.slab.set(destination, base + 16);
    some.slab.set(payload, base + HEADROOM);
    some.meta[slot * FIELDS + OFFSET] = base + HEADROOM;
    some.meta[slot * FIELDS + LENGTH] = payload.length;
    some.meta[slot * FIELDS + HOP_LIMIT] = 61;
    some.meta[slot * FIELDS + TRAFFIC_CLASS] = 0x03;
  });
  const ready = path.inbound(some, payloads.length, (packet) => asides.push(packet));
  const packets: Uint8Array[] = [];
  for (let slot = 0; slot < ready; slot++) {
    const start = some.meta[slot * FIELDS + OFFSET] ?? 0;
    packets.push(some.slab.slice(start, start + (some.meta[slot * FIELDS + LENGTH] ?? 0)));
  }
  return [packets, asides];
}

describe('RFC 5533 §11 sending', () => {
  it('S6-009 tags a packet whose pair is not the ULID pair, octet for octet as in the vector', () => {
    const path = new FastPath();
    const flow = flowOfA();
    path.add(flow);
    const sent = out(path, ipv6(17, A1, B1, UDP), 40);
    expect(toHex(sent.packet.subarray(40))).toBe('1100fedcba987654' + toHex(UDP));
    expect(toHex(sent.packet.subarray(0, 40))).toBe('60300000' + '00128c40' + toHex(A2) + toHex(B2));
    expect(sent.socket).toBe(7);
    expect(sent.sum).toBe(48);
    expect(flow.sent).toBe(1);
  });

  it('S6-010 S6-144 leaves a packet on the ULID pair untouched', () => {
    const path = new FastPath();
    path.add({ ...flowOfA(), pair: { local: A1, peer: B1 } });
    const packet = ipv6(17, A1, B1, UDP);
    const sent = out(path, packet, 40);
    expect(sent.packet).toEqual(packet);
    expect(sent.socket).toBe(5);
    expect(sent.sum).toBe(40);
  });

  it('S6-006 puts the header behind Hop-by-Hop and before Fragment', () => {
    const path = new FastPath();
    path.add(flowOfA());
    const chain = hex('2c00 0104 00000000  1100 0000 00000001');
    const packet = ipv6(0, A1, B1, new Uint8Array([...chain, ...UDP]));
    const sent = out(path, packet).packet;
    expect(toHex(sent.subarray(40))).toBe('8c00010400000000' + '2c00fedcba987654' + '1100000000000001' + toHex(UDP));
    expect(sent[6]).toBe(0);
  });

  it('S6-143 sends what belongs to no context as it is, from its own source', () => {
    const packet = ipv6(17, A1, B2, UDP);
    const sent = out(new FastPath(), packet);
    expect(sent.packet).toEqual(packet);
    expect(sent.socket).toBe(5);
  });

  it('S6-143 skips what is not IPv6, is cut short, or has a header chain that runs past its end', () => {
    const path = new FastPath();
    path.add(flowOfA());
    expect(out(path, hex('45000014')).socket).toBe(-1);
    expect(out(path, new Uint8Array(40)).socket).toBe(-1);
    expect(out(path, ipv6(0, A1, B1, hex('1109000000000000'))).socket).toBe(-1);
  });
});

describe('RFC 5533 §12.2 receiving', () => {
  const tagged = hex('1100 9234 5678 9abc' + toHex(UDP));

  it('S6-145 puts the identifiers back, whatever the locators were', () => {
    const path = new FastPath();
    const flow = flowOfA();
    path.add(flow);
    const [packets, asides] = into(path, B2, A2, [tagged]);
    expect(asides).toEqual([]);
    expect(toHex(packets[0] ?? new Uint8Array())).toBe('60300000' + '000a113d' + toHex(B1) + toHex(A1) + toHex(UDP));
    expect(flow.heard).toBe(1);
    expect(flow.heardOn).toEqual({ local: A2, peer: B2 });
    expect(path.takeTouched()).toEqual([flow]);
    expect(path.takeTouched()).toEqual([]);
  });

  it('S6-106 hands unknown tags, bad lengths and control messages to the host, and keeps the order of the rest', () => {
    const path = new FastPath();
    path.add(flowOfA());
    const unknown = hex('1100 9234 5678 9abd 00');
    const longHeader = hex('1101 9234 5678 9abc 0000000000000000');
    const control = hex('3b010100bc8f123456789abc01020304');
    const [packets, asides] = into(path, B2, A2, [unknown, tagged, longHeader, control, tagged, hex('11')]);
    expect(packets).toHaveLength(2);
    expect(packets[0]).toEqual(packets[1]);
    expect(asides.map((packet) => toHex(packet.octets))).toEqual([unknown, longHeader, control, hex('11')].map(toHex));
    expect(asides[0]?.source).toEqual(B2);
    expect(asides[0]?.destination).toEqual(A2);
  });

  it('S6-146 delivers nothing in a state that does not', () => {
    const path = new FastPath();
    path.add({ ...flowOfA(), delivers: false });
    const [packets, asides] = into(path, B2, A2, [tagged]);
    expect(packets).toEqual([]);
    expect(asides).toHaveLength(1);
  });

  it('S6-145 undoes at one end what the other end did', () => {
    const a = new FastPath();
    a.add(flowOfA());
    const b = new FastPath();
    b.add({ ...flowOfA(), ulids: { local: B1, peer: A1 }, tagLocal: TAG_B, tagPeer: TAG_A });
    const packet = ipv6(17, A1, B1, UDP);
    const wire = out(a, packet).packet;
    const [restored] = into(b, wire.slice(8, 24), wire.slice(24, 40), [wire.slice(40)]);
    expect(toHex((restored[0] ?? new Uint8Array()).subarray(8))).toBe(toHex(packet.subarray(8)));
  });
});
