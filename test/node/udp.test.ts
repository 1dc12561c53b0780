import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { batch, DESTINATION_AT, ERROR, FIELDS, FLAGS, GSO_SIZE, HOP_LIMIT, LENGTH } from '../../src/host/ports.ts';
import { SOCKET, SOURCE_AT, SPARE, TRAFFIC_CLASS } from '../../src/host/ports.ts';
import type { Batch } from '../../src/host/ports.ts';
import { NativeEsp } from '../../src/node/esp.ts';
import { RawReceiver, RawSender } from '../../src/node/packets.ts';
import { UdpEndpoint } from '../../src/node/udp.ts';
import { toHex } from '../../src/wire/hex.ts';
import { UNSPECIFIED } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { inOwnNetwork, ip, runInOwnNetwork } from '../contracts/own-network.ts';
import {
  address,
  ACK,
  column,
  eventually,
  ipv6,
  octets,
  packetIn,
  put,
  tcp,
  unfinishedTcp,
} from '../contracts/packets.ts';
import { association, INITIATOR, RESPONDER } from '../esp/vectors.ts';

const STRIDE = 65_536 + 128;
const ESP = 50;
const HITS = { source: INITIATOR, destination: RESPONDER };
const OWN = { source: address('::1'), destination: address('::1') };
const MAPPED = { source: address('::ffff:127.0.0.1'), destination: address('::ffff:127.0.0.2') };

if (!inOwnNetwork) {
  it('UDP for ESP works in a network namespace of its own', { timeout: 60_000 }, () => {
    runInOwnNetwork(import.meta.url);
  });
} else {
  describe('a UDP socket for ESP', () => {
    let udp: UdpEndpoint;
    let sender: RawSender;
    beforeEach(() => {
      ip('link set lo up');
      udp = UdpEndpoint.open();
      sender = new RawSender();
    });
    afterEach(() => {
      udp.close();
      sender.close();
    });

    const send = (train: Uint8Array, size: number, ends: { source: Address; destination: Address }): number => {
      const from = batch(1, STRIDE);
      put(from, 0, train, { socket: udp.descriptor, gsoSize: size });
      [from.meta[SPARE], from.meta[HOP_LIMIT], from.meta[TRAFFIC_CLASS]] = [10_500, 33, 0xb8];
      from.slab.set(ends.source, SOURCE_AT);
      from.slab.set(ends.destination, DESTINATION_AT);
      sender.send(from, 1);
      return column(from, 0, ERROR);
    };
    /** All datagrams that come, until there are `count`. */
    const received = async (count: number, into: Batch = batch(16, STRIDE)): Promise<string[]> => {
      const seen: string[] = [];
      await eventually(() => {
        const rows = udp.receive(into);
        for (let slot = 0; slot < rows; slot++) {
          const train = packetIn(into, slot);
          const size = column(into, slot, GSO_SIZE) || train.length;
          for (let at = 0; at < train.length; at += size) seen.push(toHex(train.slice(at, at + size)));
        }
        return seen.length >= count;
      });
      return seen;
    };

    it.each([
      ['IPv6', OWN],
      ['IPv4', MAPPED],
    ])('carries trains over %s, with addresses, port, hop limit and traffic class (HIP-407)', async (_, ends) => {
      const train = octets(40 * 1000 + 10);
      expect(send(train, 1000, ends)).toBe(0);
      const into = batch(16, STRIDE);
      expect((await received(41, into)).join('')).toBe(toHex(train));
      expect([SPARE, HOP_LIMIT, TRAFFIC_CLASS].map((field) => column(into, 0, field))).toEqual([10_500, 33, 0xb8]);
      expect(into.slab.slice(SOURCE_AT, 32)).toEqual(Uint8Array.of(...ends.source, ...ends.destination));
    });

    it('sends datagrams one by one where a train is refused', async () => {
      const train = octets(300 * 100); // more datagrams than any kernel takes in one train
      expect(send(train, 100, OWN)).toBe(0);
      expect((await received(300, batch(32, STRIDE))).join('')).toBe(toHex(train));
    });

    it('reports a source that is no address of this host, and a row that makes no sense', () => {
      expect(send(octets(20), 0, { ...OWN, source: address('2001:db8::99') })).toBe(99);
      expect(send(octets(20), 70_000, OWN)).toBe(22);
      expect(send(octets(20), 0, { ...OWN, destination: UNSPECIFIED, source: UNSPECIFIED })).toBeTypeOf('number');
    });

    it('reads as nothing once closed', () => {
      udp.close();
      udp.close();
      expect([udp.descriptor, udp.receive(batch(1, STRIDE))]).toEqual([-1, 0]);
    });

    it.each([
      ['UDP over IPv6', OWN, 10_500],
      ['UDP over IPv4', MAPPED, 10_500],
      ['protocol 50', OWN, 0],
      ['protocol 50 over IPv4', MAPPED, 0],
    ] as const)('brings a sealed super-packet to its program: %s', async (_, ends, port) => {
      const esp = new NativeEsp();
      const receiver = ends === MAPPED ? RawReceiver.openIpv4(ESP) : RawReceiver.open(ESP);
      const outbound = esp.addOutbound(association(13));
      const inbound = esp.addInbound(association(13));
      const socket = port === 0 ? sender.descriptor(ends.source) : udp.descriptor;
      esp.setPath(outbound, { socket, ...ends, port });
      const whole = { ports: [1, 2] as const, sequence: 7, flags: ACK, payload: octets(60_000) };
      const from = batch(1, STRIDE);
      put(from, 0, ipv6(HITS, 6, unfinishedTcp(HITS, whole)), { gsoSize: 1400, checksumStart: 40, checksumOffset: 16 });
      from.meta[FLAGS] = outbound;
      const sealed = batch(4, STRIDE);
      const rows = esp.seal(from, 1, sealed);
      expect([column(sealed, 0, SOCKET), rows > 0]).toEqual([socket, true]);
      sender.send(sealed, rows);
      for (let slot = 0; slot < rows; slot++) expect(column(sealed, slot, ERROR)).toBe(0);
      const arrived = batch(64, STRIDE);
      const opened = batch(64, 2048);
      const seen: string[] = [];
      await eventually(() => {
        const count = port === 0 ? receiver.receive(arrived) : udp.receive(arrived);
        for (;;) {
          const ready = esp.open(arrived, count, opened, port === 0 ? 'raw' : 'udp');
          if (ready === 0) break;
          for (let slot = 0; slot < ready; slot++) {
            expect(opened.meta[slot * FIELDS + FLAGS]).toBe(inbound);
            expect(column(opened, slot, LENGTH)).toBeLessThanOrEqual(1460);
            seen.push(toHex(packetIn(opened, slot).slice(40)));
          }
        }
        return seen.length >= 43;
      });
      const expected = Array.from({ length: 43 }, (_part, i) => {
        const payload = whole.payload.slice(i * 1400, (i + 1) * 1400);
        return toHex(tcp(HITS, { ...whole, sequence: 7 + i * 1400, payload }));
      });
      expect(seen).toEqual(expected);
      expect(esp.counters(inbound)).toMatchObject({ packets: 43, forged: 0, replayed: 0 });
      esp.remove(outbound);
      esp.remove(inbound);
      receiver.close();
    });
  });
}
