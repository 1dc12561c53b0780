import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { InboundAssociation, OutboundAssociation } from '../../src/esp/security-association.ts';
import { withInnerHeader } from '../../src/esp/beet.ts';
import { espLength, SUITES } from '../../src/esp/suites.ts';
import type { SuiteId } from '../../src/esp/suites.ts';
import { CONTROL, UNKNOWN_SPI } from '../../src/host/esp-ports.ts';
import type { Esp, EspCarrier, EspPath } from '../../src/host/esp-ports.ts';
import {
  batch,
  DESTINATION_AT,
  ERROR,
  FIELDS,
  FLAGS,
  GSO_SIZE,
  HOP_LIMIT,
  INTERFACE,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
  SPARE,
  TRAFFIC_CLASS,
} from '../../src/host/ports.ts';
import type { Batch } from '../../src/host/ports.ts';
import { toHex } from '../../src/wire/hex.ts';
import { ACK, column, ipv6, packetIn, PSH, put, tcp, udp, unfinishedTcp } from '../contracts/packets.ts';
import type { Segment } from '../contracts/packets.ts';
import { address, association, INITIATOR, octets, RESPONDER, SUITE_IDS } from './vectors.ts';

const STRIDE = 65_536 + 128;
const HITS = { source: INITIATOR, destination: RESPONDER };
const UDP_PATH: EspPath = {
  socket: 7,
  source: address('2001:db8:1::1'),
  destination: address('2001:db8:2::2'),
  port: 10_500,
};
const RAW_PATH: EspPath = { ...UDP_PATH, port: 0 };
const ARRIVAL = { hopLimit: 61, trafficClass: 0xb8 };

const datagram = (length: number, first = 0): Uint8Array =>
  ipv6(HITS, 17, udp(HITS, [4000, 5000], octets(length, first)), 0xb8);

/** What every implementation of `Esp` does, with the portable code as the measure. */
export function espContract(open: () => Esp): void {
  let esp: Esp;
  let handles: number[] = [];
  beforeEach(() => {
    for (const handle of handles) esp.remove(handle);
    handles = [];
    esp = open();
  });
  const inbound = (suite: SuiteId, change = {}): number => {
    handles.push(esp.addInbound(association(suite, change)));
    return handles.at(-1) ?? -1;
  };
  const outbound = (suite: SuiteId, change = {}, path: EspPath = UDP_PATH): number => {
    handles.push(esp.addOutbound(association(suite, change)));
    esp.setPath(handles.at(-1) ?? -1, path);
    return handles.at(-1) ?? -1;
  };
  const remove = (handle: number): void => {
    handles = handles.filter((other) => other !== handle);
    esp.remove(handle);
  };
  /** Seal packets; the rows ready to be sent. */
  const seal = (
    handle: number,
    packets: readonly Uint8Array[],
    row: Parameters<typeof put>[3] = {},
    into: Batch = batch(40, STRIDE),
  ): { readonly into: Batch; readonly rows: number; readonly errors: number[] } => {
    const from = batch(packets.length, STRIDE);
    packets.forEach((packet, slot) => {
      put(from, slot, packet, row);
      from.meta[slot * FIELDS + FLAGS] = handle;
    });
    const rows = esp.seal(from, packets.length, into);
    return { into, rows, errors: packets.map((_, slot) => column(from, slot, ERROR)) };
  };
  /** The datagrams of all rows. */
  const datagrams = ({ into, rows }: { readonly into: Batch; readonly rows: number }): Uint8Array[] => {
    const found: Uint8Array[] = [];
    for (let slot = 0; slot < rows; slot++) {
      const train = packetIn(into, slot);
      const size = column(into, slot, GSO_SIZE) || train.length;
      for (let at = 0; at < train.length; at += size) found.push(train.slice(at, at + size));
    }
    return found;
  };
  /** Open what arrived; a train when `size` is given. */
  const arriving = (packets: readonly Uint8Array[], size = 0): Batch => {
    const from = batch(packets.length, STRIDE);
    packets.forEach((packet, slot) => {
      put(from, slot, packet, { gsoSize: size });
      const row = slot * FIELDS;
      from.meta[row + HOP_LIMIT] = ARRIVAL.hopLimit;
      from.meta[row + TRAFFIC_CLASS] = ARRIVAL.trafficClass;
      from.meta[row + INTERFACE] = 3;
      from.meta[row + SPARE] = 10_501;
      from.slab.set(UDP_PATH.source, slot * STRIDE + SOURCE_AT);
      from.slab.set(UDP_PATH.destination, slot * STRIDE + DESTINATION_AT);
    });
    return from;
  };
  const openAll = (
    packets: readonly Uint8Array[],
    size = 0,
    into: Batch = batch(100, 2048),
    carrier: EspCarrier = 'udp',
  ): { readonly flags: number; readonly octets: string }[] => {
    const from = arriving(packets, size);
    const found: { readonly flags: number; readonly octets: string }[] = [];
    for (let rows = esp.open(from, packets.length, into, carrier); rows > 0;) {
      for (let slot = 0; slot < rows; slot++) {
        found.push({ flags: column(into, slot, FLAGS), octets: toHex(packetIn(into, slot)) });
      }
      rows = esp.open(from, packets.length, into, carrier);
    }
    return found;
  };

  describe.each(SUITE_IDS)('suite %i', (suite) => {
    it('seals what the portable code opens (property, HIP-277, HIP-292)', () => {
      const handle = outbound(suite, { sequence: 0xffff_fff0n });
      const peer = new InboundAssociation(association(suite, { sequence: 0xffff_fff0n }));
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 255 }), (length, first) => {
          const packet = datagram(length, first);
          const [sealed = octets(0)] = datagrams(seal(handle, [packet]));
          expect(sealed.length).toBe(espLength(SUITES[suite], packet.length - 40));
          expect(peer.open(sealed)).toMatchObject({ ok: true, nextHeader: 17, payload: packet.slice(40) });
        }),
      );
      expect(esp.counters(handle).sequence).toBe(peer.sequence);
    });

    it('opens what the portable code sealed (property, HIP-279, HIP-280)', () => {
      const handle = inbound(suite, { sequence: 0xffff_fff0n });
      const peer = new OutboundAssociation(association(suite, { sequence: 0xffff_fff0n }), octets);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 58 }), (payload, nextHeader) => {
          const sealed = peer.seal(nextHeader, payload) ?? octets(0);
          const restored = withInnerHeader({ nextHeader, payload }, HITS, ARRIVAL);
          expect(openAll([sealed])).toEqual([{ flags: handle, octets: toHex(restored) }]);
        }),
      );
      expect(esp.counters(handle)).toMatchObject({ forged: 0, replayed: 0, sequence: peer.sequence });
    });

    it('opens nothing that was changed, cut or repeated, and counts it (HIP-243, HIP-283)', () => {
      const handle = inbound(suite);
      const peer = new OutboundAssociation(association(suite), octets);
      const sealed = peer.seal(17, octets(45)) ?? octets(0);
      let forged = 0;
      for (let at = 8; at < sealed.length; at++) {
        const changed = sealed.slice();
        changed[at] = (changed[at] ?? 0) ^ 0x80;
        expect(openAll([changed])).toEqual([]);
        forged++;
      }
      expect(openAll([sealed.slice(0, 20)])).toEqual([]);
      expect(openAll([sealed, sealed]).length).toBe(1);
      expect(esp.counters(handle)).toMatchObject({ forged, malformed: 1, replayed: 1, packets: 1, octets: 45 });
    });
  });

  describe('sealing', () => {
    const whole: Segment = {
      ports: [1000, 80],
      sequence: 0xffff_ff00,
      flags: ACK | PSH,
      options: octets(12),
      payload: octets(62_000),
    };
    const offload = { gsoSize: 1400, checksumStart: 40, checksumOffset: 16 };

    it.each([13, 8] as const)(
      'splits a super-packet into trains of segments, checksums over HITs (suite %i)',
      (suite) => {
        const handle = outbound(suite);
        const sealed = seal(handle, [ipv6(HITS, 6, unfinishedTcp(HITS, whole))], offload);
        expect(sealed.errors).toEqual([0]);
        const peer = new InboundAssociation(association(suite));
        const parts = datagrams(sealed);
        expect(parts.length).toBe(Math.ceil(62_000 / 1400));
        parts.forEach((part, i) => {
          const opened = peer.open(part);
          if (!opened.ok) throw new Error(opened.reason);
          const payload = whole.payload.slice(i * 1400, (i + 1) * 1400);
          const flags = i === parts.length - 1 ? whole.flags : ACK;
          const sequence = (whole.sequence + i * 1400) >>> 0;
          expect(toHex(opened.payload)).toBe(toHex(tcp(HITS, { ...whole, flags, sequence, payload })));
        });
        for (let slot = 0; slot < sealed.rows; slot++) {
          expect(column(sealed.into, slot, LENGTH)).toBeLessThanOrEqual(65_000);
          expect([SOCKET, FLAGS, SPARE].map((field) => column(sealed.into, slot, field))).toEqual([7, handle, 10_500]);
          expect(sealed.into.slab.slice(slot * STRIDE, slot * STRIDE + 32)).toEqual(
            Uint8Array.of(...UDP_PATH.source, ...UDP_PATH.destination),
          );
        }
      },
    );

    it('puts packets of one length behind each other, and finishes checksums', () => {
      const handle = outbound(13);
      const same = [1, 2, 3].map((first) => datagram(100, first));
      const sealed = seal(handle, [...same, datagram(20), datagram(100, 4)]);
      expect([sealed.rows, column(sealed.into, 0, GSO_SIZE), column(sealed.into, 1, GSO_SIZE)]).toEqual([
        2,
        espLength(SUITES[13], 108),
        0,
      ]);
      const segment: Segment = { ports: [1, 2], sequence: 3, flags: ACK, payload: octets(77) };
      const unfinished = seal(handle, [ipv6(HITS, 6, unfinishedTcp(HITS, segment))], {
        checksumStart: 40,
        checksumOffset: 16,
      });
      const peer = new InboundAssociation(association(13));
      const opened = peer.open(datagrams(unfinished)[0] ?? octets(0));
      expect(opened).toMatchObject({ ok: true, payload: tcp(HITS, segment) });
    });

    it('writes outer headers where there is no UDP, of both families (HIP-279, HIP-280, HIP-282)', () => {
      const handle = outbound(13, {}, RAW_PATH);
      const [six = octets(0)] = datagrams(seal(handle, [datagram(30)]));
      expect(toHex(six.slice(0, 40))).toBe(
        `6b800000${(six.length - 40).toString(16).padStart(4, '0')}323d${toHex(RAW_PATH.source)}${toHex(RAW_PATH.destination)}`,
      );
      esp.setPath(handle, {
        ...RAW_PATH,
        source: address('::ffff:192.0.2.1'),
        destination: address('::ffff:192.0.2.2'),
      });
      const [four = octets(0)] = datagrams(seal(handle, [datagram(30)]));
      expect(toHex(four.slice(0, 20))).toBe(
        `45b8${four.length.toString(16).padStart(4, '0')}000000003d320000c0000201c0000202`,
      );
      const peer = new InboundAssociation(association(13));
      expect([peer.open(six.slice(40)).ok, peer.open(four.slice(20)).ok]).toEqual([true, true]);
    });

    it('refuses packets of other addresses, and SAs that are not there (HIP-249, HIP-278)', () => {
      const handle = outbound(13);
      const foreign = ipv6({ source: RESPONDER, destination: INITIATOR }, 17, octets(20));
      expect(seal(handle, [foreign, datagram(9), octets(30)]).errors).toEqual([1, 0, 22]);
      expect(seal(handle + 100, [datagram(9)]).errors).toEqual([2]);
      expect(seal(inbound(13), [datagram(9)]).errors).toEqual([2]);
      expect(seal(-1, [datagram(9)])).toMatchObject({ rows: 0, errors: [-7] });
      remove(handle);
      expect(seal(handle, [datagram(9)]).errors).toEqual([2]);
    });

    it.each([
      ['64-bit', false, 0xffff_ffff_ffff_fffen],
      ['32-bit', true, 0xffff_fffen],
    ])('stops for good at the last %s number (HIP-245, HIP-288)', (_, hasShortNumbers, sequence) => {
      const handle = outbound(13, { hasShortNumbers, sequence });
      expect(seal(handle, [datagram(9), datagram(9), datagram(9)])).toMatchObject({ rows: 1, errors: [0, 75, 75] });
      expect(esp.counters(handle)).toMatchObject({ packets: 1, exhausted: 2, sequence: sequence + 1n });
    });

    it('says so when there is no room', () => {
      const handle = outbound(13);
      expect(seal(handle, [datagram(9), datagram(99)], {}, batch(1, STRIDE))).toMatchObject({
        rows: 1,
        errors: [0, 105],
      });
      expect(seal(handle, [datagram(900)], {}, batch(1, 512)).errors).toEqual([90]);
    });
  });

  describe('opening', () => {
    it('takes trains apart, over several calls when there are few slots', () => {
      const handle = inbound(13);
      const peer = new OutboundAssociation(association(13), octets);
      const parts = Array.from({ length: 20 }, (_, i) => peer.seal(17, octets(50, i)) ?? octets(0));
      const train = Uint8Array.from(parts.flatMap((part) => [...part]));
      const found = openAll([train, peer.seal(6, octets(9)) ?? octets(0)], parts[0]?.length ?? 0, batch(3, 512));
      expect(found.length).toBe(21);
      expect(found.map(({ flags }) => flags)).toEqual(Array.from({ length: 21 }, () => handle));
      expect(found[7]?.octets.slice(80)).toBe(toHex(octets(50, 7)));
    });

    it('tells where a packet came from', () => {
      inbound(13);
      const sealed = new OutboundAssociation(association(13), octets).seal(17, octets(9)) ?? octets(0);
      const into = batch(2, 512);
      expect(esp.open(arriving([sealed]), 1, into, 'udp')).toBe(1);
      expect([INTERFACE, HOP_LIMIT, TRAFFIC_CLASS, SPARE, GSO_SIZE].map((field) => column(into, 0, field))).toEqual([
        ...[3, 61, 0xb8, 10_501, 0],
      ]);
      expect(into.slab.slice(0, 32)).toEqual(Uint8Array.of(...UDP_PATH.source, ...UDP_PATH.destination));
      expect(column(into, 0, OFFSET)).toBe(64);
    });

    it('gives HIP packets and unknown SPIs to the caller, keepalives to nobody (HIP-260)', () => {
      const control = Uint8Array.of(0, 0, 0, 0, 59, 4, 1, 0x21, 9);
      const unknown = Uint8Array.of(9, 9, 9, 9, 0, 0, 0, 1, 5);
      const packets = [control, Uint8Array.of(0xff), unknown, octets(7), octets(0)];
      expect(openAll(packets)).toEqual([
        { flags: CONTROL, octets: '3b04012109' },
        { flags: UNKNOWN_SPI, octets: toHex(unknown) },
      ]);
      expect(openAll([control], 0, batch(2, 512), 'raw')).toEqual([{ flags: UNKNOWN_SPI, octets: toHex(control) }]);
    });

    it('discards dummies and wrong padding (HIP-290, HIP-291)', () => {
      const handle = inbound(8);
      const peer = new OutboundAssociation(association(8), octets);
      expect(openAll([peer.seal(59, octets(9)) ?? octets(0)])).toEqual([]);
      expect(esp.counters(handle)).toMatchObject({ dummies: 1, packets: 0, sequence: 1n });
    });

    it('keeps the window of the portable code (property, HIP-293)', () => {
      const start = 0xffff_fe00n;
      const peer = new OutboundAssociation(association(13, { sequence: start }), octets);
      const sent = Array.from({ length: 1500 }, () => peer.seal(17, octets(4)) ?? octets(0));
      fc.assert(
        fc.property(fc.array(fc.nat({ max: 1499 }), { minLength: 1, maxLength: 200 }), (order) => {
          const handle = inbound(13, { sequence: start, window: 64 });
          const naive = new InboundAssociation(association(13, { sequence: start, window: 64 }));
          for (const i of order) {
            const packet = sent[i] ?? octets(0);
            expect(openAll([packet]).length === 1).toBe(naive.open(packet).ok);
          }
          expect(esp.counters(handle).sequence).toBe(naive.sequence);
          remove(handle);
        }),
        { numRuns: 20 },
      );
    });

    it('finds its way back after more than 2^32 lost packets (HIP-296)', () => {
      const handle = inbound(13);
      const far = new OutboundAssociation(association(13, { sequence: 3n << 32n }), octets);
      let lost = 0;
      while (openAll([far.seal(17, octets(4)) ?? octets(0)]).length === 0 && lost < 3000) lost++;
      expect(lost).toBe(1024);
      expect(esp.counters(handle).sequence).toBe(far.sequence);
    });

    it('has one inbound SA for an SPI, which is free again when it goes (HIP-246)', () => {
      const handle = inbound(13);
      expect(() => esp.addInbound(association(8))).toThrow();
      remove(handle);
      expect(() => esp.counters(handle)).toThrow();
      expect(
        openAll([new OutboundAssociation(association(13), octets).seal(17, octets(4)) ?? octets(0)])[0]?.flags,
      ).toBe(UNKNOWN_SPI);
      expect(inbound(8)).toBeGreaterThanOrEqual(0);
    });
  });
}
