import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elements, listElements, parseElements } from '../../src/node/netlink/nf-tables.ts';
import type { Inside } from './support/namespace.ts';
import { CAN_BUILD_NETWORKS, connect, eventually, Namespace } from './support/namespace.ts';

const OWN = '2001:db8:1::a';
const PEER = '2001:db8:1::b';
const OTHER = '2001:db8:1::c';

type Counts = Record<string, number>;

describe.skipIf(!CAN_BUILD_NETWORKS)('packet observation', { timeout: 60_000 }, () => {
  let host: Namespace;
  let peer: Namespace;
  let inside: Inside;

  beforeEach(async () => {
    host = new Namespace('host');
    peer = new Namespace('peer');
    connect(host, peer, 'eth0');
    host.run(`ip addr add ${OWN}/64 dev eth0 nodad`);
    for (const address of [PEER, OTHER]) peer.run(`ip addr add ${address}/64 dev eth0 nodad`);
    inside = host.start();
    await inside.call('observe');
  });

  afterEach(() => {
    host.remove();
    peer.remove();
  });

  const ping = (to: string, count = 3, more = ''): string =>
    host.run(`ping -6 -q -i 0.01 -W 2 -c ${String(count)}${more} -I ${OWN} ${to}`);
  const counters = (): Promise<Counts> => inside.call<Counts>('counters');

  it('counts each direction of a watched pair, and only those', async () => {
    await inside.call('watch', OWN, PEER);
    await inside.call('watch', PEER, OWN);
    host.run('ip -6 neigh flush dev eth0');
    ping(PEER, 5);
    ping(OTHER, 2);
    expect(await counters()).toEqual({ [`${OWN} ${PEER}`]: 5, [`${PEER} ${OWN}`]: 5 });
    ping(PEER, 2);
    expect(await counters()).toMatchObject({ [`${OWN} ${PEER}`]: 7 });
    expect(await inside.call('countersOf', OWN, PEER)).toMatchObject({ [`${OWN} ${PEER}`]: 7 });
    await inside.call('unwatch', OWN, PEER);
    ping(PEER, 2);
    expect(await counters()).toEqual({ [`${PEER} ${OWN}`]: 9 });
  });

  it('lists a pair only while it is in use, and counts on afterwards', async () => {
    await inside.call('watch', OWN, PEER);
    expect(await counters()).toEqual({});
    ping(PEER, 4);
    expect(await counters()).toEqual({ [`${OWN} ${PEER}`]: 4 });
    await eventually('quiet', counters, (all) => Object.keys(all).length === 0);
    expect(host.run('nft list set ip6 loci active')).not.toContain('elements');
    ping(PEER, 4);
    expect(await counters()).toEqual({ [`${OWN} ${PEER}`]: 8 });
  });

  it('starts from nothing when a pair is watched again', async () => {
    await inside.call('watch', OWN, PEER);
    ping(PEER, 4);
    await inside.call('unwatch', OWN, PEER); // was never listed
    await counters();
    await inside.call('watch', OWN, PEER);
    expect(await counters()).toEqual({});
    ping(PEER, 1);
    expect(await counters()).toEqual({ [`${OWN} ${PEER}`]: 1 });
  });

  it('sees new correspondents of own addresses, without Neighbour Discovery, multicast and what is watched', async () => {
    await inside.call('setOwn', OWN);
    await inside.call('watch', OWN, PEER);
    host.run('ip -6 neigh flush dev eth0');
    ping(PEER, 2);
    ping(OTHER, 3);
    host.run(`ping -6 -c 1 -W 1 -I ${OWN} ff02::1%eth0`);
    expect(await inside.call('seen')).toEqual({ [`${OWN} ${OTHER}`]: 3 });
    await inside.call('setOwn', PEER);
    ping(OTHER, 3);
    expect(await inside.call('seen')).toEqual({ [`${OWN} ${OTHER}`]: 3 });
  });

  it('does not see exempt ports, of TCP and of UDP', async () => {
    await inside.call('setOwn', OWN);
    const send = (port: number): void => {
      const text = `import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("${OWN}", 0)); s.sendto(bytes(8), ("${OTHER}", ${String(port)}))`;
      host.shell(`python3 -c '${text}'`);
    };
    send(53);
    expect(await inside.call('seen')).toEqual({});
    send(54);
    expect(await inside.call('seen')).toEqual({ [`${OWN} ${OTHER}`]: 1 });
  });

  it('leaves SCTP and MPTCP alone, but not TCP', async () => {
    await inside.call('setOwn', OWN);
    const raw = (protocol: number, octets: string): void => {
      const text = `import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, ${String(protocol)}); s.bind(("${OWN}", 0)); s.sendto(bytes.fromhex("${octets}"), ("${OTHER}", 0))`;
      host.shell(`python3 -c '${text}'`);
    };
    const syn = '3039303900000000000000008002040000000000'; // with 12 octets of options
    raw(132, '3039303900000000');
    raw(6, `${syn}1e0c00810000000000000001`); // MP_CAPABLE, RFC 8684 §3.1
    expect(await inside.call('seen')).toEqual({});
    raw(6, `${syn}0101080a0000000100000000`); // timestamps
    expect(await inside.call('seen')).toEqual({ [`${OWN} ${OTHER}`]: 1 });
  });

  it('counts classes of packets apart, the first one that fits, in packets and octets', async () => {
    await inside.call('setOwn', OWN);
    const send = (to: string, port: number): void => {
      const text = `import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("${OWN}", 0)); s.sendto(bytes(100), ("${to}", ${String(port)}))`;
      host.shell(`python3 -c '${text}'`);
    };
    send(PEER, 9_000); // class 0: port 9000 at PEER
    send(PEER, 9_000);
    send(OTHER, 9_000); // none
    send(PEER, 9_001); // class 1 triggers nothing
    send(OTHER, 9_001);
    send(OTHER, 9_002); // class 2: anything to OTHER/128 on port 9002
    expect(await inside.call('seenOf', 0)).toEqual({ [`${OWN} ${PEER}`]: [2, 2 * 148] });
    expect(await inside.call('seenOf', 2)).toEqual({ [`${OWN} ${OTHER}`]: [1, 148] });
    expect(await inside.call('seen')).toEqual({ [`${OWN} ${OTHER}`]: 1 });
  });

  it('does not count what carries our mark, nor Shim6 and HIP, nor what is diverted', async () => {
    await inside.call('setOwn', OWN);
    await inside.call('watch', OWN, PEER);
    ping(PEER, 2, ' -m 268435456'); // 0x10000000
    for (const protocol of [139, 140]) {
      const send = `import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, ${String(protocol)}); s.sendto(bytes(8), ("${PEER}", 0)); s.sendto(bytes(8), ("${OTHER}", 0))`;
      host.shell(`python3 -c '${send}'`);
    }
    host.run(`ip -6 route add 2001:db8:7::/48 dev loci0 src ${OWN}`);
    host.shell(`ping -6 -q -c 1 -W 1 -I ${OWN} 2001:db8:7::1 || true`);
    expect(await counters()).toEqual({});
    expect(await inside.call('seen')).toEqual({});
  });

  it('watches thousands of pairs', async () => {
    await inside.call('watchMany', OWN, 10_000);
    ping('2001:db8:1::b', 1);
    expect(await counters()).toEqual({ [`${OWN} 2001:db8:1::b`]: 1 });
  });

  it('wakes once when a watched pair begins, and not while it goes on', async () => {
    await inside.call('watch', OWN, PEER);
    expect(await inside.call('rest')).toBe('resting');
    ping(OTHER, 1);
    expect(await inside.call('wakes')).toBe(0);
    ping(PEER, 1);
    await eventually(
      'woken',
      () => inside.call<number>('wakes'),
      (wakes) => wakes === 1,
    );
    expect(await inside.call('rest')).toEqual({ [`${OWN} ${PEER}`]: 1 });
    ping(PEER, 3);
    await eventually(
      'quiet',
      () => inside.call('rest'),
      (answer) => answer === 'resting',
    );
    expect(await inside.call('wakes')).toBe(1);
    ping(PEER, 2);
    await eventually(
      'woken',
      () => inside.call<number>('wakes'),
      (wakes) => wakes === 2,
    );
    expect(await counters()).toEqual({ [`${OWN} ${PEER}`]: 6 });
  });

  it('wakes when something is sent on unwatched pairs of own addresses, of any class that counts', async () => {
    await inside.call('setOwn', OWN);
    expect(await inside.call('restFromOthers')).toBe(true);
    ping(OTHER, 3);
    await eventually(
      'woken',
      () => inside.call<number>('wakes'),
      (wakes) => wakes === 1,
    );
    expect(await inside.call('restFromOthers')).toBe(true);
    expect(await inside.call('wakes')).toBe(1);
    const text = `import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("${OWN}", 0)); s.sendto(bytes(8), ("${PEER}", 9000))`;
    host.shell(`python3 -c '${text}'`);
    await eventually(
      'woken',
      () => inside.call<number>('wakes'),
      (wakes) => wakes === 2,
    );
    expect(await inside.call('seenOf', 0)).toEqual({ [`${OWN} ${PEER}`]: [1, 56] });
  });

  it('takes another group of nfnetlink_log when one is taken, and does without where there is none', async () => {
    await inside.killed();
    const first = host.start();
    await first.call('takeLog');
    const other = host.start();
    await other.call('observe', 99);
    expect(host.run('nft list table ip6 loci')).toMatch(/log group 534/);
    await other.killed();
    const without = host.start();
    await without.call('observe', 99, false);
    await without.call('watch', OWN, PEER);
    expect(await without.call('rest')).toEqual({});
    expect(host.run('nft list table ip6 loci')).not.toMatch(/log group/);
    ping(PEER, 2);
    expect(await without.call('counters')).toEqual({ [`${OWN} ${PEER}`]: 2 });
  });

  it('vanishes with its process', async () => {
    expect(host.run('nft list tables')).toContain('table ip6 loci');
    await inside.killed();
    expect(host.run('nft list tables')).toBe('');
  });

  it('names the remedy when the table is taken', async () => {
    const second = host.start();
    await expect(second.call('observe', 99)).rejects.toMatchObject({
      code: 'nf-tables',
      message: expect.stringMatching(/EPERM.*beside another locid/) as string,
    });
    await inside.killed();
    host.run('nft add table ip6 loci');
    await expect(second.call('observe', 99)).rejects.toMatchObject({
      code: 'nf-tables',
      message: expect.stringMatching(/nft delete table/) as string,
    });
  });
});

describe('elements of a set', () => {
  const key = (last: number): Uint8Array => {
    const pair = new Uint8Array(32).fill(0x20);
    pair[31] = last;
    return pair;
  };

  it('are found in what we write ourselves, key by key', () => {
    const [message] = elements('add', 'loci', 'watch', [key(1), key(2), key(3)]);
    if (message === undefined) throw new Error('nothing written');
    const found: number[] = [];
    expect(parseElements(message, 32, (at) => found.push(message[at + 31] ?? 0))).toEqual({ ok: true, value: 3 });
    expect(found).toEqual([1, 2, 3]);
  });

  it('are split into several messages where the length of an attribute ends', () => {
    const messages = elements(
      'add',
      'loci',
      'watch',
      Array.from({ length: 2500 }, (_, i) => key(i & 0xff)),
    );
    const counts = messages.map((message) => parseElements(message, 32, () => undefined));
    expect(counts).toEqual([1000, 1000, 500].map((value) => ({ ok: true, value })));
  });

  it('never throw, whatever the octets', () => {
    const [template] = elements('add', 'loci', 'watch', [key(1), key(2)]);
    if (template === undefined) throw new Error('nothing written');
    const mutated = fc.array(fc.tuple(fc.nat(template.length - 1), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const octets = template.slice();
      for (const [at, octet] of changes) octets[at] = octet;
      return octets;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (octets) => {
        parseElements(octets, 32, (at) => {
          expect(at + 32).toBeLessThanOrEqual(octets.length);
        });
      }),
      { numRuns: 3000 },
    );
  });

  it('ask for a list with a dump of nf_tables', () => {
    const request = listElements('loci', 'seen');
    expect([...request.subarray(4, 8)]).toEqual([13, 10, 0x01, 0x03]);
  });
});
