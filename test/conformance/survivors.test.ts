import { describe, expect, it } from 'vitest';
import { FastPath } from '../../src/host/fast-path.ts';
import type { Flow } from '../../src/host/fast-path.ts';
import { translated } from '../../src/host/icmp-translation.ts';
import { batch, CHECKSUM_START, FIELDS, HEADROOM, LENGTH, OFFSET, SOCKET } from '../../src/host/ports.ts';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { isAvailable } from '../../src/locators/rank.ts';
import { isGlobalUnicast, parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';

// What `npm run conformance -- --mutate` broke once without a citing test that noticed.

const NO_NEXT_HEADER = 59;
const UDP = 17;
const SOCKET_OF_A1 = 5;
const SOCKET_OF_A2 = 7;

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

const ULIDS: LocatorPair = { local: address('2001:db8:a:1::1'), peer: address('2001:db8:b:1::1') };
const PAIR: LocatorPair = { local: address('2001:db8:a:2::1'), peer: address('2001:db8:b:2::1') };

function flow(): Flow {
  const counts = { heardOn: undefined, sent: 0, heard: 0 };
  return { ulids: ULIDS, tagLocal: 1, tagPeer: 0x7edcba987654, pair: PAIR, delivers: true, ...counts };
}

function ipv6(version: number, nextHeader: number, { local, peer }: LocatorPair, payload: Uint8Array): Uint8Array {
  const header = [version << 4, 0, 0, 0, payload.length >> 8, payload.length & 0xff, nextHeader, 64];
  return Uint8Array.of(...header, ...local, ...peer, ...payload);
}

/** What becomes of packets that programs send, one batch of them: octets, socket, and where the checksum starts. */
function outbound(
  path: FastPath,
  packets: readonly Uint8Array[],
  held: (packet: Uint8Array) => void = () => undefined,
): { sent: string; socket: number; sum: number }[] {
  const some = batch(packets.length, 2048);
  packets.forEach((packet, slot) => {
    some.slab.set(packet, slot * 2048 + HEADROOM);
    some.meta[slot * FIELDS + OFFSET] = slot * 2048 + HEADROOM;
    some.meta[slot * FIELDS + LENGTH] = packet.length;
  });
  const descriptor = (locator: Address): number => (locator === PAIR.local ? SOCKET_OF_A2 : SOCKET_OF_A1);
  path.outbound(some, packets.length, descriptor, { held, tooLong: () => undefined });
  return packets.map((_, slot) => {
    const row = slot * FIELDS;
    const start = some.meta[row + OFFSET] ?? 0;
    const sent = toHex(some.slab.slice(start, start + (some.meta[row + LENGTH] ?? 0)));
    return { sent, socket: some.meta[row + SOCKET] ?? 0, sum: some.meta[row + CHECKSUM_START] ?? 0 };
  });
}

describe('RFC 5533 §11 packets to send', () => {
  const payload = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

  it('S6-009 that are an IPv6 header and nothing else are tagged too, and a complete checksum stays complete', () => {
    const path = new FastPath();
    path.add(flow());
    const [sent] = outbound(path, [ipv6(6, NO_NEXT_HEADER, ULIDS, new Uint8Array(0))]);
    expect(sent?.sent.slice(80)).toBe('3b00fedcba987654');
    expect(sent).toMatchObject({ socket: SOCKET_OF_A2, sum: 0 });
  });

  it('S6-143 that are of no context, or no IPv6 packets, are not rewritten, wherever they stand in a batch', () => {
    const path = new FastPath();
    path.add(flow());
    const ours = ipv6(6, UDP, ULIDS, payload);
    const foreign = [
      ipv6(6, UDP, { ...ULIDS, peer: PAIR.peer }, payload),
      ipv6(6, UDP, { ...ULIDS, local: address('2001:db8:a:3::1') }, payload),
    ];
    const ipv4 = ipv6(4, UDP, ULIDS, payload);
    const short = ours.subarray(0, 39);
    const results = outbound(path, [ours, ...foreign, ours, ipv4, short, ours]);
    expect(results.map(({ socket }) => socket)).toEqual([7, 5, 5, 7, -1, -1, 7]);
    expect(results.map(({ sent }) => sent.length / 2)).toEqual([56, 48, 48, 56, 48, 39, 56]);
    expect([results[1]?.sent, results[2]?.sent]).toEqual(foreign.map(toHex));
  });

  it('S6-143 of a context whose peer has no tag yet go out as they are', () => {
    const path = new FastPath();
    path.add({ ...flow(), tagPeer: undefined });
    const packet = ipv6(6, UDP, ULIDS, payload);
    expect(outbound(path, [packet])).toEqual([{ sent: toHex(packet), socket: SOCKET_OF_A1, sum: 0 }]);
  });
});

describe('RFC 5533 §11.1 the place of the payload header', () => {
  const options = (next: number): number[] => [next, 0, 1, 4, 0, 0, 0, 0];
  const routing = (next: number): number[] => [next, 0, 4, 0, 0, 0, 0, 0];

  it.each([
    ['behind Destination Options that precede a Routing header', 60, [...options(43), ...routing(UDP)], 16],
    ['before other Destination Options', 60, options(UDP), 0],
    ['behind Hop-by-Hop Options, before Destination Options', 0, [...options(60), ...options(UDP)], 8],
    ['before what only looks like a Routing header', UDP, [43, 0, 0, 8, 0, 0, 0, 0], 0],
  ])('S6-006 is %s', (_where, first, chain, at) => {
    const path = new FastPath();
    path.add(flow());
    const [sent] = outbound(path, [ipv6(6, first, ULIDS, Uint8Array.of(...chain, ...new Uint8Array(8)))]);
    expect(sent?.sent.slice(2 * (40 + at) + 4, 2 * (48 + at))).toBe('fedcba987654');
  });
});

describe('RFC 5533 §12.2 a payload header', () => {
  it('S6-006 S6-145 may be the last header, but with nothing at all behind it there is nothing to deliver', () => {
    const path = new FastPath();
    path.add(flow());
    const hopByHop = Uint8Array.of(NO_NEXT_HEADER, 0, 1, 4, 0, 0, 0, 0);
    const [sent] = outbound(path, [ipv6(6, 0, ULIDS, hopByHop)]);
    expect(sent).toMatchObject({ socket: SOCKET_OF_A2, sent: expect.stringMatching(/3b00fedcba987654$/) });
    const received = (octets: Uint8Array): number => {
      const one = batch(1, 2048);
      one.slab.set(octets, HEADROOM);
      one.meta[OFFSET] = HEADROOM;
      one.meta[LENGTH] = octets.length;
      return path.inbound(one, 1, () => undefined);
    };
    const header = Uint8Array.of(NO_NEXT_HEADER, 0, 0x80, 0, 0, 0, 0, 1);
    expect([received(header), received(Uint8Array.of(...header, 0))]).toEqual([0, 1]);
  });
});

describe('RFC 5533 §8 a path that carries less than 1280 octets and a payload header', () => {
  it.each([
    [1280, 1280, [1288]],
    [1287, 1280, [1288]],
    [1288, 1280, []],
    [1280, 1272, []],
    [1280, 1273, [1281]],
    [1400, 1450, []],
    [undefined, 1280, []],
  ])('S6-125 with MTU %s is told apart: a packet of %i octets is split there: %j', (mtu, length, expected) => {
    const path = new FastPath();
    path.add({ ...flow(), mtu });
    const lengths: number[] = [];
    const one = batch(1, 2048);
    one.slab.set(ipv6(6, UDP, ULIDS, new Uint8Array(length - 40)), HEADROOM);
    one.meta[OFFSET] = HEADROOM;
    one.meta[LENGTH] = length;
    path.outbound(one, 1, () => SOCKET_OF_A2, {
      held: () => undefined,
      tooLong: (packet) => lengths.push(packet.length),
    });
    expect(lengths).toEqual(expected);
    expect(one.meta[SOCKET]).toBe(expected.length === 0 ? SOCKET_OF_A2 : -1);
  });
});

describe('RFC 5533 §8 packets of a pair of which an error was told', () => {
  it('S6-122 are remembered, to be told of when nothing else is found, and sent all the same', () => {
    const path = new FastPath();
    path.add({ ...flow(), isStuck: true });
    const packet = ipv6(6, UDP, ULIDS, new Uint8Array(8));
    const held: Uint8Array[] = [];
    const [sent] = outbound(path, [packet], (copy) => held.push(copy));
    expect(held).toEqual([packet]);
    expect(sent).toMatchObject({ socket: SOCKET_OF_A2 });
    expect(sent?.sent).toHaveLength(2 * (packet.length + 8));
  });
});

describe('RFC 5533 §8 an ICMPv6 error with extensions (RFC 4884)', () => {
  const udp = ipv6(6, UDP, ULIDS, new Uint8Array(200).fill(7));
  const tagged = ipv6(6, 140, PAIR, Uint8Array.of(UDP, 0, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, ...udp.subarray(40)));
  const extensions = Uint8Array.of(0x20, 0, 0xff, 0xff, 0, 8, 1, 1, 9, 9, 9, 9);
  const units = (octets: number): number => (octets / 8) * 0x100_0000;

  it('S6-124 keeps the extensions, whose place moves with the payload header that goes', () => {
    const invokingPacket = Uint8Array.of(...tagged, ...extensions);
    expect(translated({ type: 1, code: 0, parameter: units(tagged.length), invokingPacket }, ULIDS)).toEqual({
      type: 1,
      code: 0,
      parameter: units(udp.length),
      invokingPacket: Uint8Array.of(...udp, ...extensions),
    });
  });

  it('S6-124 has none where the length reaches the end or beyond, or the type has no length', () => {
    const quoting = { code: 0, invokingPacket: tagged };
    for (const length of [tagged.length, tagged.length + 8]) {
      const plain = translated({ type: 1, parameter: units(length), ...quoting }, ULIDS);
      expect(plain).toEqual({ type: 1, code: 0, parameter: units(length), invokingPacket: udp });
    }
    const pointing = { type: 4, parameter: units(64), ...quoting };
    expect(translated(pointing, ULIDS)?.invokingPacket).toEqual(udp);
  });
});

describe('RFC 5534 §3.1 an address', () => {
  it.each([
    ['2001:db8::1', true],
    ['2ac5::1', true],
    ['fd00::1', true],
    ['fe80::1', false],
    ['febf::1', false],
    ['fec0::1', false],
    ['feff::1', false],
    ['ff0e::1', false],
    ['::1', false],
    ['::', false],
  ])('S6-155 such as %s: may it be a locator? %s', (text, expected) => {
    const locator = { address: address(text), state: 'preferred', operational: true } as const;
    expect(isGlobalUnicast(address(text))).toBe(expected);
    expect(isAvailable(locator)).toBe(expected);
    expect(isAvailable({ ...locator, operational: false })).toBe(false);
    expect(isAvailable({ ...locator, state: 'tentative' })).toBe(false);
  });
});
