import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/wire/hex.ts';
import { networkPacket } from '../../src/wire/link-layer.ts';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  enhancedPacket,
  interfaceDescription,
  parseCapture,
  sectionHeader,
} from '../../src/wire/pcapng.ts';
import type { Capture } from '../../src/wire/pcapng.ts';

const hex = (text: string): Uint8Array => fromHex(text.replace(/\s/g, '')) ?? new Uint8Array(0);
const join8 = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

function captureOf(bytes: Uint8Array): Capture {
  const parsed = parseCapture(bytes);
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${String(parsed.at)}`);
  return parsed.value;
}

const vector = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../vectors/${name}`, import.meta.url)));
const TIME = 1_795_457_457_944_018_613n;
const packet = hex('6000000000003b40 20010db8000a00010000000000000001 20010db8000b00010000000000000001');
const written = join8(
  sectionHeader(),
  interfaceDescription({ linkType: LINKTYPE_RAW, name: 'wan1' }),
  interfaceDescription({ linkType: LINKTYPE_ETHERNET }),
  enhancedPacket(0, TIME, packet),
  enhancedPacket(1, TIME + 1n, hex('ffffffffffff 020000000001 86dd 60')),
);

describe('the pcapng writer', () => {
  it('writes blocks as the format prescribes', () => {
    expect(toHex(sectionHeader())).toBe('0a0d0d0a0000001c1a2b3c4d00010000ffffffffffffffff0000001c');
    expect(toHex(interfaceDescription({ linkType: 101, name: 'wan1' }))).toBe(
      '00000001000000280065000000000000000200047' + '7616e31' + '00090001' + '09000000' + '00000000' + '00000028',
    );
    expect(toHex(enhancedPacket(3, 0x0102030405060708n, hex('aabbcc')))).toBe(
      '0000000600000024' + '00000003' + '0102030405060708' + '00000003' + '00000003' + 'aabbcc00' + '00000024',
    );
  });

  it('is read back', () => {
    expect(captureOf(written)).toEqual({
      packets: [
        { interface: { linkType: 101, name: 'wan1' }, time: TIME, octets: packet, originalLength: 40 },
        {
          interface: { linkType: 1, name: '' },
          time: TIME + 1n,
          octets: hex('ffffffffffff 020000000001 86dd 60'),
          originalLength: 15,
        },
      ],
    });
  });

  it('is read back for any packets', () => {
    const packets = fc.array(fc.tuple(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.uint8Array({ maxLength: 90 })));
    fc.assert(
      fc.property(packets, (list) => {
        const blocks = list.map(([time, octets]) => enhancedPacket(0, time, octets));
        const bytes = join8(sectionHeader(), interfaceDescription({ linkType: 101 }), ...blocks);
        expect(captureOf(bytes).packets.map(({ time, octets }) => [time, octets])).toEqual(list);
      }),
    );
  });
});

const TSHARK = spawnSync('tshark', ['--version']).status === 0;
describe.skipIf(!TSHARK)('tshark', () => {
  it('reads what was written, to the nanosecond', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loci-pcapng-'));
    try {
      const file = join(folder, 'a.pcapng');
      writeFileSync(file, written);
      const fields = ['frame.time_epoch', 'frame.len', 'frame.interface_name', 'ipv6.src'];
      const args = ['-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
      const { stdout } = spawnSync('tshark', args, { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
      const [first = '', second = ''] = stdout.split('\n');
      expect(first).toBe('1795457457.944018613\t40\twan1\t2001:db8:a:1::1');
      expect(second).toMatch(/^1795457457\.944018614\t15\t/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the capture reader', () => {
  it.each([
    ['linshim6-cga.pcap', 26],
    ['linshim6-hba.pcap', 25],
  ])('finds the packets of %s', (name, atLeast) => {
    const { packets, damage } = captureOf(vector(name));
    expect(damage).toBeUndefined();
    expect(packets.length).toBeGreaterThanOrEqual(atLeast);
    for (const { interface: port, octets, originalLength } of packets) {
      const inner = networkPacket(port.linkType, octets);
      expect((inner?.[0] ?? 0) >> 4).toBe(6);
      expect(originalLength).toBe(octets.length);
    }
  });

  it('reads pcap of both byte orders and resolutions', () => {
    const big = '0002 0004 00000000 00000000 0000ffff 00000065 00000001 00000002 00000002 00000005 6000';
    const little = '0200 0400 00000000 00000000 ffff0000 65000000 01000000 02000000 02000000 05000000 6000';
    for (const [magic, rest, time] of [
      ['a1b2c3d4', big, 1_000_002_000n],
      ['d4c3b2a1', little, 1_000_002_000n],
      ['a1b23c4d', big, 1_000_000_002n],
      ['4d3cb2a1', little, 1_000_000_002n],
    ] as const) {
      expect(captureOf(hex(magic + rest)).packets).toEqual([
        { interface: { linkType: 101 }, time, octets: hex('6000'), originalLength: 5 },
      ]);
    }
  });

  const HEADER = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000';
  const EPB = '06000000 24000000 00000000 01000000 02000000 01000000 01000000 45000000 24000000';
  it('reads little-endian pcapng: microseconds by default, powers of two, offsets, unknown blocks and simple packets', () => {
    const plain = '01000000 14000000 6500 0000 01000000 14000000';
    const unknown = '05000000 10000000 00000000 10000000';
    const spb = '03000000 14000000 09000000 60000000 14000000';
    const [simple, enhanced] = captureOf(hex(HEADER + plain + unknown + spb + EPB)).packets;
    expect(simple).toEqual({ interface: { linkType: 101 }, time: 0n, octets: hex('60'), originalLength: 9 });
    expect(enhanced).toEqual({
      interface: { linkType: 101 },
      time: ((1n << 32n) + 2n) * 1000n,
      octets: hex('45'),
      originalLength: 1,
    });
    const binary = '01000000 28000000 6500 0000 00000000 0900 0100 8a000000 0e00 0800 0a00000000000000 28000000';
    expect(captureOf(hex(HEADER + binary + EPB)).packets[0]?.time).toBe(
      (((1n << 32n) + 2n) * 1_000_000_000n) / 1024n + 10_000_000_000n,
    );
  });

  it('reads the obsolete packet block, which counts as a frame too', () => {
    const plain = '01000000 14000000 6500 0000 00000000 14000000';
    const obsolete = '02000000 24000000 0000 0700 01000000 02000000 01000000 09000000 60000000 24000000';
    expect(captureOf(hex(HEADER + plain + obsolete)).packets).toEqual([
      { interface: { linkType: 101 }, time: ((1n << 32n) + 2n) * 1000n, octets: hex('60'), originalLength: 9 },
    ]);
  });

  it('keeps the interfaces of a section apart, and forgets them in the next one', () => {
    const describe = (linkType: string, resolution: string): string =>
      `01000000 20000000 ${linkType} 0000 00000000 0900 0100 ${resolution}000000 00000000 20000000`;
    const packet = (port: string): string =>
      `06000000 24000000 ${port} 00000000 02000000 01000000 01000000 60000000 24000000`;
    const first = describe('6500', '03') + describe('0100', '09') + packet('01000000') + packet('00000000');
    const { packets, damage } = captureOf(hex(HEADER + first + HEADER + describe('e500', '00') + packet('00000000')));
    expect(damage).toBeUndefined();
    expect(packets.map(({ interface: { linkType }, time }) => [linkType, time])).toEqual([
      [1, 2n],
      [101, 2_000_000n],
      [229, 2_000_000_000n],
    ]);
  });

  it('keeps what came before the damage, wherever a file is cut', () => {
    const before = (length: number): number => {
      const parsed = parseCapture(written.subarray(0, length));
      return parsed.ok ? parsed.value.packets.length : 0;
    };
    const first = written.length - 48; // where the last block starts
    expect(before(first - 1)).toBe(0);
    expect(before(first)).toBe(1);
    expect(captureOf(written.subarray(0, first + 9)).damage).toEqual({ ok: false, reason: 'truncated', at: first });
    expect(captureOf(written.subarray(0, first + 40)).damage).toEqual({
      ok: false,
      reason: 'truncated',
      at: first + 4,
    });
    expect(before(written.length)).toBe(2);
  });

  it.each([
    ['nothing', '', 'truncated', 0],
    ['another magic number', '7f454c46', 'bad-value', 0],
    ['a short pcap header', 'a1b2c3d40002', 'truncated', 6],
    ['a block shorter than its frame', '0a0d0d0a 00000008 1a2b3c4d 00000008', 'bad-length', 4],
    [
      'lengths at the ends that differ',
      '0a0d0d0a 0000001c 1a2b3c4d 00010000 ffffffffffffffff 00000020',
      'bad-length',
      24,
    ],
    ['no byte order', '0a0d0d0a 0000001c 1a2b3c4e 00010000 ffffffffffffffff 0000001c', 'bad-value', 8],
    ['a packet of an undescribed interface', HEADER + EPB, 'bad-value', 36],
  ])('refuses %s', (_name, text, reason, at) => {
    expect(parseCapture(hex(text))).toEqual({ ok: false, reason, at });
  });
});

describe('link layers', () => {
  const ip6 = '60000000';
  const ip4 = '45000000';
  it.each([
    ['Ethernet', 1, `ffffffffffff 020000000001 86dd ${ip6}`, ip6],
    ['Ethernet with two VLAN tags', 1, `ffffffffffff 020000000001 88a80001 81000002 0800 ${ip4}`, ip4],
    ['Ethernet with a VLAN tag of an older kind', 1, `ffffffffffff 020000000001 91000001 86dd ${ip6}`, ip6],
    ['raw', 101, ip6, ip6],
    ['raw IPv6', 229, ip6, ip6],
    ['Linux cooked', 113, `0000 0001 0006 0200000000010000 86dd ${ip6}`, ip6],
    ['Linux cooked with a VLAN tag', 113, `0000 0001 0006 0200000000010000 8100 0005 86dd ${ip6}`, ip6],
    [
      'Linux cooked, version 2, with a VLAN tag',
      276,
      `8100 0000 00000002 0001 00 06 0200000000010000 0005 86dd ${ip6}`,
      ip6,
    ],
    ['Linux cooked, version 2', 276, `86dd 0000 00000002 0001 00 06 0200000000010000 ${ip6}`, ip6],
  ])('%s', (_name, linkType, frame, expected) => {
    const inner = networkPacket(linkType, hex(frame));
    expect(inner && toHex(inner)).toBe(expected);
  });

  it.each([
    ['ARP', 1, 'ffffffffffff 020000000001 0806 0001'],
    ['a frame cut in its header', 1, 'ffff'],
    ['a type that contradicts the packet', 1, 'ffffffffffff 020000000001 86dd 00'],
    ['an unknown link type', 147, '60'],
    ['nothing', 101, ''],
  ])('%s holds no packet', (_name, linkType, frame) => {
    expect(networkPacket(linkType, hex(frame))).toBeUndefined();
  });
});
