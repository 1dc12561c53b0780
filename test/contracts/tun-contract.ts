import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  batch,
  CHECKSUM_OFFSET,
  CHECKSUM_START,
  FIELDS,
  GSO_SIZE,
  HEADROOM,
  LENGTH,
  OFFSET,
} from '../../src/host/ports.ts';
import type { Batch, Tun } from '../../src/host/ports.ts';
import { segments } from '../../src/sim/segments.ts';
import type { Offload } from '../../src/sim/ports.ts';
import { toHex } from '../../src/wire/hex.ts';
import {
  ACK,
  column,
  eventually,
  FIN,
  ipv6,
  octets,
  packetIn,
  PSH,
  put,
  settle,
  tcp,
  udp,
  unfinishedTcp,
} from './packets.ts';
import { TCP, UDP } from './packets.ts';
import type { Ends, Segment } from './packets.ts';

export interface Delivered {
  readonly packet: Uint8Array;
  readonly offload: Offload;
}

/** A TUN device and what is on its other side. */
export interface TunHarness {
  readonly tun: Tun & { readonly dropped: number };
  /** Addresses behind the other side (source) and behind the device (destination) of an injected packet. */
  readonly inwards: Ends;
  /** The kernel routes a packet into the device. */
  inject(packet: Uint8Array, offload?: Offload): void;
  /** What the kernel got from the device since the last call. */
  taken(): Delivered[];
  /** Whether `write` merges segments. */
  readonly merges: boolean;
  close(): void;
}

const WIDE = 65536 + 128;
const TCP_OFFLOAD = { checksumStart: 40, checksumOffset: 16 };

export function tunContract(open: () => TunHarness): void {
  let harness: TunHarness;
  let outwards: Ends;
  beforeEach(() => {
    harness = open();
    outwards = { source: harness.inwards.destination, destination: harness.inwards.source };
  });
  afterEach(() => {
    harness.close();
  });

  /** Reads, without the multicast that a kernel sends on its own. */
  const read = (into: Batch): number => {
    const count = harness.tun.read(into);
    let kept = 0;
    for (let slot = 0; slot < count; slot++) {
      if (packetIn(into, slot)[24] === 0xff) continue;
      into.slab.copyWithin(kept * into.stride, slot * into.stride, (slot + 1) * into.stride);
      into.meta.copyWithin(kept * FIELDS, slot * FIELDS, (slot + 1) * FIELDS);
      into.meta[kept * FIELDS + OFFSET] = column(into, kept, OFFSET) - (slot - kept) * into.stride;
      kept++;
    }
    return kept;
  };
  const write = (packets: readonly Uint8Array[]): number => {
    const from = batch(packets.length, 2048);
    packets.forEach((packet, slot) => {
      put(from, slot, packet);
    });
    return harness.tun.write(from, packets.length);
  };
  /** What was delivered, with super-packets split again. */
  const flatten = (delivered: readonly Delivered[]): string[] =>
    delivered.flatMap(({ packet, offload }) => {
      if (offload.gsoSize === 0) return [toHex(packet)];
      const parts = segments(packet, offload.gsoSize, offload.checksumStart, offload.checksumOffset);
      return (parts ?? []).map(toHex);
    });
  const flow = (port: number, count: number, from = 0): Uint8Array[] =>
    Array.from({ length: count }, (_, i) =>
      outwardSegment({
        ports: [port, 80],
        sequence: 0xfffffc00 + (from + i) * 1000,
        flags: ACK,
        payload: octets(1000, i),
      }),
    );
  const outwardSegment = (segment: Segment): Uint8Array => ipv6(outwards, TCP, tcp(outwards, segment));

  describe('reading', () => {
    it('leaves a packet behind the headroom of its slot, complete', async () => {
      const packet = ipv6(harness.inwards, UDP, udp(harness.inwards, [1, 2], octets(100)), 0x28);
      const into = batch(4, WIDE);
      harness.inject(packet);
      await eventually(() => read(into) === 1);
      expect(column(into, 0, OFFSET)).toBe(HEADROOM);
      expect(column(into, 0, GSO_SIZE)).toBe(0);
      expect(column(into, 0, CHECKSUM_START)).toBe(0);
      expect(toHex(packetIn(into, 0))).toBe(toHex(packet));
    });

    it('takes as many packets as are there and fit', async () => {
      const packets = [1, 2, 3, 4, 5].map((port) =>
        ipv6(harness.inwards, UDP, udp(harness.inwards, [port, 2], octets(port))),
      );
      for (const packet of packets) harness.inject(packet);
      const into = batch(3, WIDE);
      const seen: string[] = [];
      const counts: number[] = [];
      await eventually(() => {
        const count = read(into);
        if (count > 0) counts.push(count);
        for (let slot = 0; slot < count; slot++) seen.push(toHex(packetIn(into, slot)));
        return seen.length === packets.length;
      });
      expect(seen).toEqual(packets.map(toHex));
      expect(Math.max(...counts)).toBe(3);
      expect(column(into, 1, OFFSET)).toBe(WIDE + HEADROOM);
      expect(read(into)).toBe(0);
    });

    it('takes a TCP super-packet whole, with the size of its segments and its checksum unfinished', async () => {
      const whole = ipv6(
        harness.inwards,
        TCP,
        unfinishedTcp(harness.inwards, { ports: [5, 6], sequence: 9, flags: ACK | PSH, payload: octets(20_000) }),
      );
      const into = batch(2, WIDE);
      harness.inject(whole, { gsoSize: 1400, ...TCP_OFFLOAD });
      await eventually(() => read(into) === 1);
      expect([GSO_SIZE, CHECKSUM_START, CHECKSUM_OFFSET].map((field) => column(into, 0, field))).toEqual([
        1400, 40, 16,
      ]);
      expect(toHex(packetIn(into, 0))).toBe(toHex(whole));
    });

    it('drops and counts a packet that does not fit its slot, and goes on with the next', async () => {
      const before = harness.tun.dropped;
      const small = ipv6(harness.inwards, UDP, udp(harness.inwards, [1, 2], octets(20)));
      harness.inject(ipv6(harness.inwards, UDP, udp(harness.inwards, [1, 2], octets(1000))));
      harness.inject(small);
      const into = batch(8, 512);
      await eventually(() => read(into) === 1);
      expect(harness.tun.dropped - before).toBe(1);
      expect(toHex(packetIn(into, 0))).toBe(toHex(small));
    });

    it('takes a packet that fills its slot exactly', async () => {
      const packet = ipv6(harness.inwards, UDP, udp(harness.inwards, [1, 2], octets(400)));
      harness.inject(packet);
      const into = batch(1, HEADROOM + packet.length);
      await eventually(() => read(into) === 1);
      expect(toHex(packetIn(into, 0))).toBe(toHex(packet));
    });
  });

  describe('writing', () => {
    it('delivers packets unchanged, in order, and counts them', async () => {
      const packets = [1, 2, 3].map((port) => ipv6(outwards, UDP, udp(outwards, [port, 2], octets(port * 100))));
      expect(write(packets)).toBe(3);
      await settle();
      expect(flatten(harness.taken())).toEqual(packets.map(toHex));
    });

    it('skips a row that points outside the slab', async () => {
      const from = batch(2, 2048);
      const packet = ipv6(outwards, UDP, udp(outwards, [1, 2], octets(10)));
      put(from, 0, packet);
      put(from, 1, packet);
      from.meta[LENGTH] = from.slab.length;
      expect(harness.tun.write(from, 2)).toBe(1);
      await settle();
      expect(flatten(harness.taken())).toEqual([toHex(packet)]);
    });

    it('refuses more packets than there are slots', () => {
      expect(() => harness.tun.write(batch(1, 2048), 2)).toThrow(RangeError);
    });

    it('may merge consecutive segments with good checksums, and loses nothing by it', async () => {
      const packets = [
        ...flow(7, 9),
        outwardSegment({ ports: [7, 80], sequence: 0xfffffc00 + 9000, flags: ACK | PSH, payload: octets(300, 9) }),
      ];
      expect(write(packets)).toBe(10);
      await settle();
      const delivered = harness.taken();
      expect(flatten(delivered)).toEqual(packets.map(toHex));
      if (harness.merges) expect(delivered.map(({ offload }) => offload.gsoSize)).toEqual([1000]);
    });

    it('never merges a segment with a bad checksum', async () => {
      const packets = flow(7, 9);
      const bad = packets[4] ?? new Uint8Array(0);
      bad[bad.length - 1] = (bad[bad.length - 1] ?? 0) ^ 1;
      const expected = packets.map(toHex);
      expect(write(packets)).toBe(9);
      await settle();
      const delivered = harness.taken();
      expect(flatten(delivered)).toEqual(expected);
      if (harness.merges) expect(delivered.map(({ offload }) => offload.gsoSize)).toEqual([1000, 0, 1000]);
    });

    it('merges flows that interleave, each by itself', async () => {
      const [a, b] = [flow(7, 5), flow(8, 5)];
      expect(write(a.flatMap((packet, i) => [packet, b[i] ?? packet]))).toBe(10);
      await settle();
      const delivered = harness.taken();
      expect(flatten(delivered).sort()).toEqual([...a, ...b].map(toHex).sort());
      if (harness.merges) expect(delivered).toHaveLength(2);
    });

    it('keeps the order within a flow when a segment cannot be merged', async () => {
      const fin = outwardSegment({
        ports: [7, 80],
        sequence: 0xfffffc00 + 3000,
        flags: ACK | FIN,
        payload: octets(1000),
      });
      const acknowledgement = outwardSegment({
        ports: [7, 80],
        sequence: 0xfffffc00 + 3000,
        flags: ACK,
        payload: octets(0),
      });
      const packets = [...flow(7, 3), acknowledgement, fin, ...flow(7, 2)];
      const expected = packets.map(toHex);
      expect(write(packets)).toBe(packets.length);
      await settle();
      expect(flatten(harness.taken())).toEqual(expected);
    });

    it('delivers every flow complete, in order and unchanged, whatever comes (property)', async () => {
      const item = fc.record({
        port: fc.integer({ min: 1, max: 10 }),
        size: fc.constantFrom(0, 1, 536, 1000, 1000, 1000),
        flags: fc.constantFrom(ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN),
        corrupt: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        gap: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 64 }), async (items) => {
          const next = new Map<number, number>();
          const packets = items.map(({ port, size, flags, corrupt, gap }) => {
            const sequence = (next.get(port) ?? 0) + (gap ? 17 : 0);
            next.set(port, sequence + size);
            const packet = outwardSegment({ ports: [port, 80], sequence, flags, payload: octets(size, port) });
            if (corrupt) packet[40 + 17] = (packet[40 + 17] ?? 0) ^ 0x55;
            return packet;
          });
          const perFlow = (all: readonly string[]): string[] =>
            [...next.keys()].map((port) =>
              all.filter((hex) => hex.slice(80, 84) === port.toString(16).padStart(4, '0')).join('\n'),
            );
          const expected = perFlow(packets.map(toHex));
          expect(write(packets)).toBe(packets.length);
          await Promise.resolve();
          expect(perFlow(flatten(harness.taken()))).toEqual(expected);
        }),
        { numRuns: 60 },
      );
    });

    it('passes on a super-packet as it is', async () => {
      const whole = ipv6(
        outwards,
        TCP,
        unfinishedTcp(outwards, { ports: [5, 6], sequence: 9, flags: ACK, payload: octets(9000) }),
      );
      const from = batch(1, WIDE);
      put(from, 0, whole, { gsoSize: 1400, ...TCP_OFFLOAD });
      expect(harness.tun.write(from, 1)).toBe(1);
      await settle();
      expect(harness.taken()).toEqual([{ packet: whole, offload: { gsoSize: 1400, ...TCP_OFFLOAD } }]);
    });
  });

  describe('waiting', () => {
    const packetFrom = (port: number): Uint8Array =>
      ipv6(harness.inwards, UDP, udp(harness.inwards, [port, 2], octets(8)));

    it('calls back for what was there before, and again while something is left', async () => {
      for (const port of [1, 2, 3]) harness.inject(packetFrom(port));
      const into = batch(1, WIDE);
      let seen = 0;
      harness.tun.onReadable(() => {
        seen += read(into);
      });
      await eventually(() => seen === 3);
      harness.inject(packetFrom(4));
      await eventually(() => seen === 4);
      await settle();
      expect(seen).toBe(4);
    });

    it('uses the callback given last', async () => {
      const called: string[] = [];
      const into = batch(8, WIDE);
      const reader = (name: string) => (): void => {
        if (read(into) > 0) called.push(name);
      };
      harness.tun.onReadable(reader('first'));
      await settle();
      harness.tun.onReadable(reader('second'));
      harness.inject(packetFrom(1));
      await eventually(() => called.length > 0);
      expect(called).toEqual(['second']);
    });

    it('reads nothing, writes nothing and calls nobody after close', async () => {
      let called = 0;
      harness.tun.onReadable(() => called++);
      await settle();
      harness.tun.close();
      harness.tun.close();
      called = 0;
      const into = batch(1, WIDE);
      put(into, 0, packetFrom(1));
      expect(harness.tun.write(into, 1)).toBe(0);
      expect(harness.tun.read(into)).toBe(0);
      await settle();
      expect(called).toBe(0);
    });
  });
}
