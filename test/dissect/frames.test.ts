import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAGMENT, HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, SHIM6, UDP } from '../../src/wire/ipv6.ts';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  enhancedPacket,
  interfaceDescription,
  sectionHeader,
} from '../../src/wire/pcapng.ts';
import { A1, B1, hex } from '../shim6/spec-vectors.ts';
import { captureOf, entriesOf, ipv6, joined, messageIn, messagesIn, messagesOf } from './captures.ts';

const I1 = hex('3b010100 bc8f1234 56789abc 01020304');
const PACKET = ipv6(A1, B1, I1);

function fileOf(linkType: number, frame: Uint8Array): Uint8Array {
  return joined(sectionHeader(), interfaceDescription({ linkType }), enhancedPacket(0, 0n, frame));
}

describe('frames', () => {
  it.each([
    ['Ethernet, padded to its least length', 1, 'ffffffffffff 020000000001 86dd', '000000000000'],
    ['VLAN', 1, 'ffffffffffff 020000000001 8100 0064 86dd', ''],
    ['QinQ', 1, 'ffffffffffff 020000000001 88a8 0001 8100 0002 86dd', ''],
    ['raw IP', 101, '', ''],
    ['raw IPv6', 229, '', ''],
    ['LINUX_SLL', 113, '0000 0001 0006 0200000000010000 86dd', ''],
    ['LINUX_SLL2', 276, '86dd 0000 00000002 0001 00 06 0200000000010000', ''],
  ])('of %s are read', (_name, linkType, before, after) => {
    const [message, none] = messagesIn(fileOf(linkType, joined(hex(before), PACKET, hex(after))));
    expect(message).toMatchObject({ frame: 1, message: 'I1', length: 16, checksum: 'good' });
    expect(message).not.toHaveProperty('error');
    expect(none).toBeUndefined();
  });

  it('of several interfaces are counted through, and other protocols with them', () => {
    const udp = ipv6(A1, B1, hex('d4310035 00080000'), UDP);
    const ethernet = joined(hex('ffffffffffff 020000000001 86dd'), PACKET);
    const arp = hex('ffffffffffff 020000000001 0806 0001');
    const file = joined(
      sectionHeader(),
      interfaceDescription({ linkType: LINKTYPE_RAW }),
      interfaceDescription({ linkType: LINKTYPE_ETHERNET }),
      enhancedPacket(0, 1_500_000_000_123_456_789n, udp),
      enhancedPacket(1, 1_500_000_000_123_456_789n, arp),
      enhancedPacket(1, 1_500_000_000_123_456_789n, ethernet),
      enhancedPacket(0, 1_500_000_001_000_000_000n, PACKET),
    );
    expect(messagesIn(file).map(({ frame, time }) => [frame, time])).toEqual([
      [3, 1_500_000_000.123456789],
      [4, 1_500_000_001],
    ]);
  });

  it('of which the file has only a part end the document, with the octet where they begin', () => {
    const file = captureOf(PACKET, PACKET);
    const entries = entriesOf(file.subarray(0, file.length - 20));
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({ frame: 1, message: 'I1' });
    const second = file.length - 32 - PACKET.length;
    expect(entries[1]).toEqual({ frame: 2, error: { reason: 'truncated', at: second + 4 } });
  });

  it('that hold nothing of Shim6 give an empty document', () => {
    expect(messagesOf(ipv6(A1, B1, I1, UDP), hex('45000014'), new Uint8Array(0))).toEqual([]);
  });
});

describe('extension headers', () => {
  const options = (next: number): Uint8Array => joined(Uint8Array.of(next, 1), new Uint8Array(14));
  const routing = (next: number): Uint8Array => joined(Uint8Array.of(next, 2, 2, 0), new Uint8Array(20));
  const fragment = (next: number, offset: number, more: boolean): Uint8Array =>
    joined(Uint8Array.of(next, 0, offset >> 5, ((offset << 3) & 0xff) | (more ? 1 : 0)), hex('00000001'));

  it.each([
    ['Hop-by-Hop Options', HOP_BY_HOP, options(SHIM6)],
    ['Routing', ROUTING, routing(SHIM6)],
    ['Destination Options', DESTINATION_OPTIONS, options(SHIM6)],
    ['a whole packet in one fragment', FRAGMENT, fragment(SHIM6, 0, false)],
    [
      'all of them',
      HOP_BY_HOP,
      joined(options(DESTINATION_OPTIONS), options(ROUTING), routing(FRAGMENT), fragment(SHIM6, 0, true)),
    ],
  ])('%s may come first', (_name, first, headers) => {
    const entry = messageIn(ipv6(A1, B1, joined(headers, I1), first));
    expect(entry).toMatchObject({ message: 'I1', checksum: 'good' });
    expect(entry).not.toHaveProperty('error');
  });

  it('of a first fragment that does not hold the whole message say so', () => {
    const entry = messageIn(ipv6(A1, B1, joined(fragment(SHIM6, 0, true), I1.subarray(0, 8)), FRAGMENT));
    expect(entry).toMatchObject({ message: 'I1', checksum: 'none', error: { reason: 'fragment', at: 1 } });
  });

  it('of a later fragment say that the message began elsewhere', () => {
    const entry = messageIn(ipv6(A1, B1, joined(fragment(SHIM6, 8, false), I1), FRAGMENT));
    expect(entry).toMatchObject({
      message: 'Unknown',
      length: 0,
      checksum: 'none',
      error: { reason: 'fragment', at: 0 },
    });
  });

  it('that run past the end hide what follows: nothing is made up', () => {
    expect(messagesOf(ipv6(A1, B1, Uint8Array.of(SHIM6, 9, 0, 0, 0, 0, 0, 0), HOP_BY_HOP))).toEqual([]);
    expect(messagesOf(ipv6(A1, B1, Uint8Array.of(SHIM6), ROUTING))).toEqual([]);
  });

  it('do not matter to a packet without a length, as kernels capture what they will segment later', () => {
    const packet = PACKET.slice();
    packet.fill(0, 4, 6);
    expect(messageIn(packet)).toMatchObject({ message: 'I1', checksum: 'good' });
  });
});

describe('whatever frames come', () => {
  it('they are dissected without an exception, in order, and none twice', () => {
    const headers = fc.constantFrom(HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS, SHIM6);
    const packets = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.tuple(headers, fc.uint8Array({ maxLength: 100 })).map(([next, payload]) => ipv6(A1, B1, payload, next)),
      fc.nat(PACKET.length).map((length) => PACKET.slice(0, length)),
    );
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 101, 113, 147, 229, 276), packets), { maxLength: 8 });
    fc.assert(
      fc.property(frames, (list) => {
        const file = joined(
          sectionHeader(),
          ...list.map(([linkType]) => interfaceDescription({ linkType })),
          ...list.map(([, frame], i) => enhancedPacket(i, BigInt(i), frame)),
        );
        const numbers = messagesIn(file).map(({ frame }) => frame);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(numbers.every((number) => number >= 1 && number <= list.length)).toBe(true);
      }),
    );
  });
});
