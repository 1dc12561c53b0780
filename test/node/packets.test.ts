import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { batch, DESTINATION_AT, HOP_LIMIT, INTERFACE, LENGTH, SOURCE_AT } from '../../src/host/ports.ts';
import { Capture, CAPTURE, Icmpv6Socket, RawReceiver, RawSender } from '../../src/node/packets.ts';
import { CONTROL_BUT_I1, I1_ONLY, PAYLOAD_ONLY } from '../../src/node/packet-filter.ts';
import { TunDevice } from '../../src/node/tun.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { toHex } from '../../src/wire/hex.ts';
import { address, column, eventually, ipv6, octets, packetIn, put, settle, SHIM6 } from '../contracts/packets.ts';
import { inOwnNetwork, ip, runInOwnNetwork } from '../contracts/own-network.ts';
import { networkInterfaces } from 'node:os';

const ROUTER_SOLICITATION = 133;
const OUTGOING = 4;

function indexOf(name: string): number {
  const found = networkInterfaces()[name]?.find((entry) => entry.family === 'IPv6');
  if (found === undefined || found.family !== 'IPv6') throw new Error(`${name} has no IPv6 address`);
  return found.scopeid;
}

if (!inOwnNetwork) {
  it('sockets of the kernel work in a network namespace of its own', { timeout: 60_000 }, () => {
    runInOwnNetwork(import.meta.url);
  });
} else {
  beforeEach(() => {
    ip('link set lo up');
    ip('link add lociV1 type veth peer name lociV2');
    for (const name of ['lociV1', 'lociV2']) {
      ip(`link set ${name} addrgenmode none`);
      ip(`link set ${name} up`);
    }
    ip('-6 addr add fe80::1/64 dev lociV1 nodad');
    ip('-6 addr add fe80::2/64 dev lociV2 nodad');
  });
  afterEach(() => {
    ip('link del lociV1');
  });

  describe('an ICMPv6 socket', () => {
    it('sends to a link-local group by interface with hop limit 255, and receives only the types asked for', async () => {
      const sender = Icmpv6Socket.open();
      const receiver = Icmpv6Socket.open([ROUTER_SOLICITATION]);
      const group = address('ff02::1');
      sender.send(group, indexOf('lociV1'), Uint8Array.of(134, 0, 0, 0, 0, 0, 0, 0));
      sender.send(group, indexOf('lociV1'), Uint8Array.of(ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0));
      const into = batch(8, 512);
      const onOtherEnd: number[] = [];
      await eventually(() => {
        const count = receiver.receive(into);
        for (let slot = 0; slot < count; slot++)
          if (column(into, slot, INTERFACE) === indexOf('lociV2')) onOtherEnd.push(slot);
        return onOtherEnd.length > 0;
      });
      const slot = onOtherEnd[0] ?? 0;
      const message = packetIn(into, slot);
      const addressAt = (at: number): Uint8Array =>
        into.slab.slice(slot * into.stride + at, slot * into.stride + at + 16);
      expect(message[0]).toBe(ROUTER_SOLICITATION);
      expect(column(into, slot, HOP_LIMIT)).toBe(255);
      expect(formatAddress(addressAt(SOURCE_AT))).toBe('fe80::1');
      expect(formatAddress(addressAt(DESTINATION_AT))).toBe('ff02::1');
      expect(internetChecksum(message, pseudoHeaderSum(addressAt(SOURCE_AT), group, message.length, 58))).toBe(0);
      sender.close();
      receiver.close();
    });

    it('receives errors by default: nobody listens for protocol 140 (RFC 4443 §3.4)', async () => {
      const errors = Icmpv6Socket.open();
      const sender = new RawSender();
      const from = batch(1, 512);
      const loopback = address('::1');
      const packet = ipv6({ source: loopback, destination: loopback }, SHIM6, octets(16));
      put(from, 0, packet, { socket: sender.descriptor(loopback) });
      sender.send(from, 1);
      const into = batch(4, 2048);
      await eventually(() => errors.receive(into) === 1);
      expect([...packetIn(into, 0).slice(0, 2)]).toEqual([4, 1]);
      expect(toHex(packetIn(into, 0).slice(8))).toBe(toHex(packet));
      sender.close();
      errors.close();
    });

    it('names the errno when it cannot send', () => {
      const socket = Icmpv6Socket.open();
      expect(() => {
        socket.send(address('2001:db8::1'), 0, octets(8));
      }).toThrow(expect.objectContaining({ code: 'ENETUNREACH' }));
      socket.close();
    });
  });

  describe('the filters for protocol 140', () => {
    const TYPE_AT = 2; // RFC 5533 §5.2, §5.3: P and the type, or P and the beginning of the tag
    const kindOf = (type: number): string => (type >= 0x80 ? 'payload' : type === 1 ? 'I1' : 'control');

    it('give each packet to one socket: payload, I1, or any other message; one without a type to none', async () => {
      const loopback = address('::1');
      const receivers = { payload: PAYLOAD_ONLY, I1: I1_ONLY, control: CONTROL_BUT_I1, any: undefined };
      const sockets = Object.entries(receivers).map(([kind, filter]) => ({
        kind,
        socket: RawReceiver.open(SHIM6, filter),
        octets: new Array<string>(),
      }));
      const sender = new RawSender();
      const socket = sender.descriptor(loopback);
      const into = batch(64, 512);
      const send = async (packets: readonly Uint8Array[]): Promise<void> => {
        const from = batch(packets.length, 512);
        packets.forEach((packet, slot) => {
          put(from, slot, ipv6({ source: loopback, destination: loopback }, SHIM6, packet), { socket });
        });
        sender.send(from, packets.length);
        const seen = sockets.find(({ kind }) => kind === 'any')?.octets ?? [];
        const expected = seen.length + packets.length;
        await eventually(() => {
          for (const one of sockets) {
            const count = one.socket.receive(into);
            for (let slot = 0; slot < count; slot++) one.octets.push(toHex(packetIn(into, slot)));
          }
          return seen.length === expected;
        });
      };
      const all = Array.from({ length: 256 }, (_, type) => Uint8Array.of(59, 0, type, 0, 1, 2, 3, type));
      for (let from = 0; from < all.length; from += 32) await send(all.slice(from, from + 32));
      await send([0, 1, TYPE_AT].map((length) => new Uint8Array(length).fill(1)));
      await send([Uint8Array.of(59, 0, 1)]); // cut off behind the type: whose it is can be told
      for (const { kind, octets: seen } of sockets.filter((one) => one.kind !== 'any')) {
        const wanted = [...all, Uint8Array.of(59, 0, 1)].filter((packet) => kindOf(packet[TYPE_AT] ?? 0) === kind);
        expect(seen, kind).toEqual(wanted.map(toHex));
      }
      for (const one of [...sockets.map((each) => each.socket), sender]) one.close();
    });
  });

  describe('a capture', () => {
    it('sees both directions, whole frames, with their time', async () => {
      const loopback = address('::1');
      const receiver = RawReceiver.open(SHIM6);
      const capture = Capture.open(1);
      const sender = new RawSender();
      const from = batch(1, 4096);
      const packet = ipv6({ source: loopback, destination: loopback }, SHIM6, octets(3000));
      put(from, 0, packet, { socket: sender.descriptor(loopback) });
      const before = Date.now();
      sender.send(from, 1);
      const into = batch(8, 8192);
      await settle();
      expect(capture.receive(into)).toBe(2);
      expect([0, 1].map((slot) => column(into, slot, CAPTURE.direction)).sort()).toEqual([0, OUTGOING]);
      for (const slot of [0, 1]) {
        expect(toHex(packetIn(into, slot).slice(14))).toBe(toHex(packet));
        const time = column(into, slot, CAPTURE.seconds) * 1000 + column(into, slot, CAPTURE.nanoseconds) / 1e6;
        expect(time).toBeGreaterThan(before - 1);
        expect(time).toBeLessThan(Date.now() + 1);
      }
      sender.send(from, 1);
      await settle();
      expect(capture.receive(batch(8, 1024))).toBe(0);
      expect(capture.dropped).toBe(2);
      for (const socket of [capture, sender, receiver]) socket.close();
    });

    it('sees only its interface', async () => {
      const capture = Capture.open(indexOf('lociV1'));
      const sender = new RawSender();
      const loopback = address('::1');
      const from = batch(1, 4096);
      put(from, 0, ipv6({ source: loopback, destination: loopback }, SHIM6, octets(30)), {
        socket: sender.descriptor(loopback),
      });
      sender.send(from, 1);
      await settle();
      const into = batch(8, 4096);
      const count = capture.receive(into);
      for (let slot = 0; slot < count; slot++) expect(column(into, slot, LENGTH)).not.toBe(14 + 70);
      capture.close();
      sender.close();
    });
  });

  describe('a TUN device', () => {
    it('is up with its MTU, and names what it cannot do', () => {
      const device = TunDevice.open('lociT', 1432);
      ip('-6 addr add fd00:77::1/64 dev lociT nodad');
      expect(device.index).toBe(indexOf('lociT') || device.index);
      expect(() => TunDevice.open('lociT', 1500)).toThrow(
        expect.objectContaining({ name: 'LociError', code: 'EBUSY' }),
      );
      expect(() => TunDevice.open('a name that is too long', 1500)).toThrow(RangeError);
      expect(() => TunDevice.open('lociU', 99_999_999)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      device.close();
      expect(Object.keys(networkInterfaces())).not.toContain('lociT');
    });

    it('throws, rather than spins, when it was deleted', () => {
      const device = TunDevice.open('lociT', 1500);
      ip('link del lociT');
      expect(() => device.read(batch(1, 2048))).toThrow(expect.objectContaining({ name: 'LociError' }));
      device.close();
    });
  });
}
