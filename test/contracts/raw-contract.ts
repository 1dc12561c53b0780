import { constants } from 'node:os';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  batch,
  CHECKSUM_START,
  DESTINATION_AT,
  ERROR,
  GSO_SIZE,
  HEADROOM,
  HOP_LIMIT,
  INTERFACE,
  LENGTH,
  OFFSET,
  SOURCE_AT,
  TRAFFIC_CLASS,
} from '../../src/host/ports.ts';
import type { Batch, PacketReceiver, PacketSender } from '../../src/host/ports.ts';
import type { Address } from '../../src/wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { toHex } from '../../src/wire/hex.ts';
import {
  ACK,
  address,
  column,
  CWR,
  eventually,
  FIN,
  ipv6,
  octets,
  packetIn,
  PSH,
  put,
  SHIM6,
  tcp,
  udp,
  UDP,
  unfinishedTcp,
} from './packets.ts';
import type { Ends, Segment } from './packets.ts';

/** A sender and a receiver for protocol 140 on one host. */
export interface RawHarness {
  readonly sender: PacketSender;
  readonly receiver: PacketReceiver & { readonly dropped: number };
  readonly own: readonly [Address, Address];
  /** Reached over a link with an MTU of 1500. */
  readonly far: Address;
  /** No route leads there. */
  readonly lost: Address;
  /** Of the interface over which own addresses reach each other. */
  readonly interfaceIndex: number;
  close(): void;
}

const { EADDRNOTAVAIL, EBADF, EINVAL, EMSGSIZE, ENETUNREACH } = constants.errno;
const ULIDS: Ends = { source: address('2001:db8:1::1'), destination: address('2001:db8:2::2') };
const PAYLOAD_HEADER = Uint8Array.of(6, 0, 0x80 | 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc); // RFC 5533 §5.2
const SHIM_OFFLOAD = { checksumStart: 48, checksumOffset: 16 };

export function rawContract(open: () => RawHarness): void {
  let harness: RawHarness;
  let locators: Ends;
  let socket: number;
  beforeEach(() => {
    harness = open();
    locators = { source: harness.own[0], destination: harness.own[1] };
    socket = harness.sender.descriptor(harness.own[0]);
  });
  afterEach(() => {
    harness.close();
  });

  const withHeader = (upper: Uint8Array): Uint8Array => Uint8Array.from([...PAYLOAD_HEADER, ...upper]);
  const plain = (length: number, first = 0): Uint8Array => ipv6(locators, SHIM6, octets(length, first));
  const send = (...packets: readonly Uint8Array[]): number[] => {
    const from = batch(packets.length, 2048);
    packets.forEach((packet, slot) => {
      put(from, slot, packet, { socket });
    });
    harness.sender.send(from, packets.length);
    return packets.map((_, slot) => column(from, slot, ERROR));
  };
  /** The payloads of the next `count` packets. */
  const arrived = async (count: number, into: Batch = batch(16, 2048)): Promise<string[]> => {
    const seen: string[] = [];
    await eventually(() => {
      const received = harness.receiver.receive(into);
      for (let slot = 0; slot < received; slot++) seen.push(toHex(packetIn(into, slot)));
      return seen.length >= count;
    });
    return seen;
  };

  describe('receiving', () => {
    it('tells payload, source, destination, interface, hop limit and traffic class', async () => {
      expect(send(ipv6(locators, SHIM6, octets(77), 0xb8))).toEqual([0]);
      const into = batch(4, 512);
      into.meta.fill(-9);
      expect(await arrived(1, into)).toEqual([toHex(octets(77))]);
      expect(column(into, 0, OFFSET)).toBe(HEADROOM);
      expect(into.slab.slice(SOURCE_AT, SOURCE_AT + 16)).toEqual(harness.own[0]);
      expect(into.slab.slice(DESTINATION_AT, DESTINATION_AT + 16)).toEqual(harness.own[1]);
      expect([INTERFACE, HOP_LIMIT, TRAFFIC_CLASS].map((field) => column(into, 0, field))).toEqual([
        harness.interfaceIndex,
        61,
        0xb8,
      ]);
      expect([GSO_SIZE, CHECKSUM_START, ERROR].map((field) => column(into, 0, field))).toEqual([0, 0, 0]);
    });

    it('takes no more than fits the batch, and more than one system call gives', async () => {
      const packets = Array.from({ length: 150 }, (_, i) => plain(20, i));
      send(...packets);
      const small = batch(3, 512);
      await eventually(() => harness.receiver.receive(small) === 3);
      expect(column(small, 2, OFFSET)).toBe(2 * 512 + HEADROOM);
      const rest = await arrived(147, batch(140, 512));
      expect(rest).toEqual(packets.slice(3).map((packet) => toHex(packet.slice(40))));
    });

    it('drops and counts packets cut off by their slot, leaving no gap', async () => {
      send(plain(30, 1), plain(900), plain(40, 2), plain(901), plain(50, 3));
      const seen = await arrived(3, batch(8, 512));
      expect(seen).toEqual([octets(30, 1), octets(40, 2), octets(50, 3)].map(toHex));
      expect(harness.receiver.dropped).toBe(2);
    });

    it('calls back while something is left, and never after close', async () => {
      const into = batch(1, 512);
      let seen = 0;
      let called = 0;
      harness.receiver.onReadable(() => {
        called++;
        seen += harness.receiver.receive(into);
      });
      send(plain(1), plain(2), plain(3));
      await eventually(() => seen === 3);
      harness.receiver.close();
      harness.receiver.close();
      called = 0;
      send(plain(4));
      expect(harness.receiver.receive(into)).toBe(0);
      expect(called).toBe(0);
    });
  });

  describe('sending', () => {
    it('sends from several locators in the order of the slots', async () => {
      const back: Ends = { source: harness.own[1], destination: harness.own[0] };
      const from = batch(4, 512);
      const sockets = [socket, harness.sender.descriptor(harness.own[1])];
      for (let slot = 0; slot < 4; slot++)
        put(from, slot, ipv6(slot % 2 === 0 ? locators : back, SHIM6, octets(10, slot)), {
          socket: sockets[slot % 2] ?? -1,
        });
      harness.sender.send(from, 4);
      expect(await arrived(4)).toEqual([0, 1, 2, 3].map((slot) => toHex(octets(10, slot))));
      expect(harness.sender.descriptor(harness.own[1])).toBe(sockets[1]);
    });

    it('sends only the first slots that it is told to, and refuses more than there are', async () => {
      const from = batch(2, 512);
      put(from, 0, plain(10, 1), { socket });
      put(from, 1, plain(10, 2), { socket });
      harness.sender.send(from, 1);
      expect(await arrived(1)).toEqual([toHex(octets(10, 1))]);
      expect(column(from, 1, ERROR)).toBe(-7);
      expect(() => {
        harness.sender.send(from, 3);
      }).toThrow(RangeError);
    });

    it('finishes a checksum from the sum in its field, though the addresses were rewritten', async () => {
      for (const length of [0, 1, 2, 3, 5, 1000, 1001]) {
        const finished = tcp(ULIDS, { ports: [1, 2], sequence: 3, flags: ACK, payload: octets(length) });
        const unfinished = unfinishedTcp(ULIDS, { ports: [1, 2], sequence: 3, flags: ACK, payload: octets(length) });
        const from = batch(1, 2048);
        put(from, 0, ipv6(locators, SHIM6, withHeader(unfinished)), { socket, ...SHIM_OFFLOAD });
        harness.sender.send(from, 1);
        harness.sender.send(from, 1); // again, as after EAGAIN
        expect(column(from, 0, CHECKSUM_START)).toBe(0);
        const expected = toHex(withHeader(finished));
        expect(await arrived(2)).toEqual([expected, expected]);
      }
    });

    it('sends 0xffff for a UDP checksum of zero (RFC 8200 §8.1)', async () => {
      const sum = pseudoHeaderSum(ULIDS.source, ULIDS.destination, 10, UDP);
      const datagram = Uint8Array.of(0, 1, 0, 2, 0, 10, 0, 0, 0, 0);
      const view = new DataView(datagram.buffer);
      view.setUint16(8, internetChecksum(datagram, sum)); // now everything sums up to 0xffff
      expect(toHex(udp(ULIDS, [1, 2], datagram.slice(8))).slice(12, 16)).toBe('ffff');
      view.setUint16(6, sum);
      const from = batch(1, 512);
      put(from, 0, ipv6(locators, SHIM6, withHeader(datagram)), { socket, checksumStart: 48, checksumOffset: 6 });
      harness.sender.send(from, 1);
      expect(await arrived(1)).toEqual([toHex(withHeader(udp(ULIDS, [1, 2], datagram.slice(8))))]);
    });

    /** What a super-packet must become, made segment by segment. */
    const expectedSegments = (whole: Segment, size: number): string[] => {
      const expected: string[] = [];
      for (let at = 0; at === 0 || at < whole.payload.length; at += size) {
        const payload = whole.payload.slice(at, at + size);
        let flags = whole.flags;
        if (at > 0) flags &= ~CWR;
        if (at + size < whole.payload.length) flags &= ~(FIN | PSH);
        expected.push(
          toHex(withHeader(tcp(ULIDS, { ...whole, sequence: (whole.sequence + at) >>> 0, flags, payload }))),
        );
      }
      return expected;
    };
    const sendWhole = (whole: Segment, gsoSize: number): number => {
      const from = batch(1, 65536 + 256);
      put(from, 0, ipv6(locators, SHIM6, withHeader(unfinishedTcp(ULIDS, whole))), {
        socket,
        gsoSize,
        ...SHIM_OFFLOAD,
      });
      harness.sender.send(from, 1);
      return column(from, 0, ERROR);
    };

    it('splits a super-packet behind a Shim6 header into exact segments with checksums for the identifiers', async () => {
      const options = Uint8Array.of(1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8);
      const whole: Segment = {
        ports: [1000, 80],
        sequence: 0xfffffff0,
        flags: ACK | PSH | FIN | CWR,
        options,
        payload: octets(60_001),
      };
      expect(sendWhole(whole, 1400)).toBe(0);
      expect(await arrived(43)).toEqual(expectedSegments(whole, 1400));
    });

    it('takes trains of packets apart', async () => {
      const packets = [1, 2, 3].map((first) => plain(100, first)).concat(plain(30, 4));
      const from = batch(1, 2048);
      put(from, 0, Uint8Array.from(packets.flatMap((packet) => [...packet])), { socket, gsoSize: 140 });
      harness.sender.send(from, 1);
      expect(column(from, 0, ERROR)).toBe(0);
      expect(await arrived(4)).toEqual(packets.map((packet) => toHex(packet.slice(40))));
    });

    it('splits into more segments than one system call takes', async () => {
      const whole: Segment = { ports: [1000, 80], sequence: 7, flags: ACK | PSH, payload: octets(30_050) };
      expect(sendWhole(whole, 100)).toBe(0);
      expect(await arrived(301)).toEqual(expectedSegments(whole, 100));
    });

    it('splits any super-packet (property)', async () => {
      const whole = fc.record({
        ports: fc.constant([7, 8] as const),
        sequence: fc.integer({ min: 0, max: 0xffffffff }),
        flags: fc.constantFrom(ACK, ACK | PSH, ACK | FIN, ACK | CWR, ACK | PSH | FIN | CWR),
        options: fc.constantFrom(new Uint8Array(0), octets(4), octets(12), octets(40)),
        payload: fc.integer({ min: 0, max: 9000 }).map((length) => octets(length, length)),
      });
      await fc.assert(
        fc.asyncProperty(whole, fc.integer({ min: 500, max: 1400 }), async (segment, size) => {
          expect(sendWhole(segment, size)).toBe(0);
          const expected = expectedSegments(segment, size);
          expect(await arrived(expected.length)).toEqual(expected);
        }),
        { numRuns: 40 },
      );
    });

    it('reports an address that cannot be bound, and a slot without a socket', () => {
      const foreign = address('2001:db8:ffff::1');
      expect(harness.sender.descriptor(foreign)).toBe(-1);
      const from = batch(1, 512);
      put(from, 0, plain(10), { socket: -1 });
      harness.sender.send(from, 1);
      expect(column(from, 0, ERROR)).toBe(EADDRNOTAVAIL);
    });

    it('reports what the kernel refused, and sends what lies around it', async () => {
      const unroutable = ipv6({ ...locators, destination: harness.lost }, SHIM6, octets(10));
      const large = ipv6({ ...locators, destination: harness.far }, SHIM6, octets(1600));
      const cut = plain(10).slice(0, 30);
      expect(send(plain(10, 1), unroutable, plain(10, 2), large, cut, plain(10, 3))).toEqual([
        0,
        ENETUNREACH,
        0,
        EMSGSIZE,
        EINVAL,
        0,
      ]);
      expect(await arrived(3)).toEqual([1, 2, 3].map((first) => toHex(octets(10, first))));
    });

    it('reports a super-packet whose segments are too large, once', () => {
      const whole: Segment = { ports: [1, 2], sequence: 1, flags: ACK, payload: octets(10_000) };
      const from = batch(1, 65536);
      const ends = { ...locators, destination: harness.far };
      put(from, 0, ipv6(ends, SHIM6, withHeader(unfinishedTcp(ULIDS, whole))), {
        socket,
        gsoSize: 1600,
        ...SHIM_OFFLOAD,
      });
      harness.sender.send(from, 1);
      expect(column(from, 0, ERROR)).toBe(EMSGSIZE);
    });

    it('refuses a super-packet that is no TCP, or shorter than its headers', () => {
      const from = batch(3, 512);
      const whole = ipv6(
        locators,
        SHIM6,
        withHeader(unfinishedTcp(ULIDS, { ports: [1, 2], sequence: 1, flags: ACK, payload: octets(99) })),
      );
      put(from, 0, whole, { socket, gsoSize: 50, checksumStart: 48, checksumOffset: 6 });
      put(from, 1, whole, { socket, gsoSize: 50, checksumStart: whole.length - 10, checksumOffset: 16 });
      put(from, 2, whole, { socket, gsoSize: 50, checksumStart: 8, checksumOffset: 16 });
      harness.sender.send(from, 3);
      expect([0, 1, 2].map((slot) => column(from, slot, ERROR))).toEqual([EINVAL, EINVAL, EINVAL]);
    });

    it('refuses a descriptor that is not its own, was released, or is closed', () => {
      const from = batch(1, 512);
      const result = (descriptor: number): number => {
        put(from, 0, plain(10), { socket: descriptor });
        harness.sender.send(from, 1);
        return column(from, 0, ERROR);
      };
      expect(result(100_000)).toBe(EBADF);
      const other = harness.sender.descriptor(harness.own[1]);
      harness.sender.release(harness.own[1]);
      harness.sender.release(harness.own[1]);
      expect(result(other)).toBe(EBADF);
      expect(harness.sender.descriptor(harness.own[1])).toBeGreaterThanOrEqual(0);
      harness.sender.close();
      expect(result(socket)).toBe(EBADF);
    });

    it('refuses a row that points outside the slab', () => {
      const from = batch(1, 512);
      put(from, 0, plain(10), { socket });
      from.meta[LENGTH] = 4096;
      harness.sender.send(from, 1);
      expect(column(from, 0, ERROR)).toBe(EINVAL);
    });
  });
}
