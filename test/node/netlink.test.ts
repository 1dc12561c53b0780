import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { NetlinkSocket } from '../../src/node/netlink.ts';
import { eventually } from '../contracts/packets.ts';
import { inOwnNetwork, ip, runInOwnNetwork } from '../contracts/own-network.ts';

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_DELLINK = 17;
const RTNLGRP_LINK = 1;
const RTNLGRP_IPV6_ROUTE = 11;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const RTM_NEWROUTE = 24;
const AF_INET6 = 10;

/** A message with a `struct ifinfomsg` and nothing else. */
function linkMessage(type: number, flags: number, index: number): Uint8Array {
  const message = new Uint8Array(32);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | flags, true);
  view.setInt32(20, index, true);
  return message;
}

function typeOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint16(4, true);
}

function indexOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getInt32(20, true);
}

if (!inOwnNetwork) {
  it('netlink works in a network namespace of its own', { timeout: 60_000 }, () => {
    runInOwnNetwork(import.meta.url);
  });
} else {
  describe('a netlink socket', () => {
    const open: NetlinkSocket[] = [];
    afterEach(() => {
      for (const socket of open.splice(0)) socket.close();
    });
    const opened = (...parameters: Parameters<typeof NetlinkSocket.open>): NetlinkSocket => {
      const socket = NetlinkSocket.open(...parameters);
      open.push(socket);
      return socket;
    };

    it('lists links, the loopback among them, without the end mark', () => {
      const replies = opened('route').exchange(linkMessage(RTM_GETLINK, NLM_F_DUMP, 0));
      expect(replies.length).toBeGreaterThan(0);
      expect(replies.every((reply) => typeOf(reply) === RTM_NEWLINK)).toBe(true);
      expect(replies.map(indexOf)).toContain(1);
    });

    it('answers a request for one object, with and without an acknowledgement', () => {
      const socket = opened('route');
      for (const flags of [0, NLM_F_ACK]) {
        const replies = socket.exchange(linkMessage(RTM_GETLINK, flags, 1));
        expect(replies.map(indexOf)).toEqual([1]);
      }
    });

    it('answers several messages of one request in order', () => {
      const one = linkMessage(RTM_GETLINK, NLM_F_ACK, 1);
      const request = new Uint8Array([...one, ...one, ...one]);
      expect(opened('route').exchange(request).map(indexOf)).toEqual([1, 1, 1]);
    });

    it('names the errno of a refused request', () => {
      const socket = opened('route');
      const absent = linkMessage(RTM_GETLINK, NLM_F_ACK, 0x7ffffff0);
      expect(() => socket.exchange(absent)).toThrow(expect.objectContaining({ name: 'LociError', code: 'ENODEV' }));
      expect(socket.exchange(linkMessage(RTM_GETLINK, 0, 1))).toHaveLength(1); // and is still usable
    });

    it("passes on the kernel's explanation", () => {
      const request = new Uint8Array(28); // a route to a prefix of 200 bits
      const view = new DataView(request.buffer);
      view.setUint32(0, request.length, true);
      view.setUint16(4, RTM_NEWROUTE, true);
      view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
      request.set([AF_INET6, 200], 16);
      let message = '';
      try {
        opened('route').exchange(request);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/invalid argument \(.*prefix length.*\)/i);
    });

    it('delivers multicast messages', async () => {
      const socket = opened('route', [RTNLGRP_LINK]);
      const seen: number[] = [];
      const gone = new Promise<void>((resolve) => {
        socket.onMessage((message) => {
          if (message === undefined) return;
          seen.push(typeOf(message));
          if (typeOf(message) === RTM_DELLINK) resolve();
        });
      });
      ip('link add lociNLa type veth peer name lociNLb');
      ip('link del lociNLa');
      await gone;
      expect(seen).toContain(RTM_NEWLINK);
    });

    it('tells once that messages were lost, and goes on', async () => {
      const socket = opened('route', [RTNLGRP_LINK, RTNLGRP_IPV6_ROUTE]);
      const seen: string[] = [];
      socket.onMessage((message) => {
        seen.push(message === undefined ? 'lost' : typeOf(message) === RTM_NEWLINK ? 'link' : 'other');
      });
      ip('link set lo up');
      const lines = Array.from(
        { length: 40_000 },
        (_, i) => `route add 2001:db8:${(i & 0xffff).toString(16)}::/48 dev lo\n`,
      );
      execFileSync('ip', ['-6', '-batch', '-'], { input: lines.join('') }); // blocks us, so nothing is read meanwhile
      await eventually(() => seen.includes('lost'));
      expect(seen.filter((what) => what === 'lost')).toHaveLength(1);
      seen.length = 0;
      ip('link set lo mtu 9000');
      await eventually(() => seen.includes('link'));
    });

    it('refuses an exchange on a socket with groups', () => {
      const socket = opened('route', [RTNLGRP_LINK]);
      expect(() => socket.exchange(linkMessage(RTM_GETLINK, NLM_F_DUMP, 0))).toThrow(TypeError);
    });

    it('refuses an exchange after close', () => {
      const socket = opened('route');
      socket.close();
      expect(() => socket.exchange(linkMessage(RTM_GETLINK, 0, 1))).toThrow(expect.objectContaining({ code: 'EBADF' }));
    });
  });
}
