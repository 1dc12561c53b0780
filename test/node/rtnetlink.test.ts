import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddressMessage, RTM_NEWADDR, writeAddressMessage } from '../../src/node/netlink/address.ts';
import {
  attribute,
  AttributeCursor,
  joined,
  nestedAttribute,
  textAttribute,
  u32Attribute,
} from '../../src/node/netlink/attributes.ts';
import { parseLabel, RTM_NEWADDRLABEL, writeLabel } from '../../src/node/netlink/label.ts';
import { parseLink } from '../../src/node/netlink/link.ts';
import { deletion } from '../../src/node/netlink/message.ts';
import { parseRoute, RTM_NEWROUTE, writeRoute } from '../../src/node/netlink/route.ts';
import { parseRule, RTM_DELRULE, RTM_NEWRULE, writeRule } from '../../src/node/netlink/rule.ts';
import { NetworkPicture } from '../../src/node/network-picture.ts';
import { parseAddress, UNSPECIFIED } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { fromHex } from '../../src/wire/hex.ts';
import type { Parsed } from '../../src/wire/parsed.ts';
import type { Inside } from './support/namespace.ts';
import { CAN_BUILD_NETWORKS, connect, Namespace } from './support/namespace.ts';

const at = (text: string): Address => {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(text);
  return address;
};
const octets = (hex: string): Uint8Array => {
  const parsed = fromHex(hex.replace(/\s/g, ''));
  if (parsed === undefined) throw new TypeError(hex);
  return parsed;
};
const valueOf = <T>(parsed: Parsed<T>): T => {
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${String(parsed.at)}`);
  return parsed.value;
};

describe('attributes', () => {
  it('are walked with their padding', () => {
    const cursor = new AttributeCursor(
      joined([textAttribute(3, 'eth0'), u32Attribute(4, 1500), attribute(9, octets('01'))]),
    );
    const seen: unknown[] = [];
    while (cursor.next()) seen.push([cursor.type, cursor.length]);
    expect(seen).toEqual([
      [3, 5],
      [4, 4],
      [9, 1],
    ]);
    expect(cursor.malformed).toBe(false);
  });

  it('nest, without the flag in their type', () => {
    const cursor = new AttributeCursor(nestedAttribute(8, u32Attribute(13, 50)));
    expect(cursor.next()).toBe(true);
    expect(cursor.type).toBe(8);
    const inner = cursor.nested();
    expect(inner.find(13)).toBe(true);
    expect(inner.u32()).toBe(50);
  });

  it.each([
    ['a length shorter than its header', '0300 0100'],
    ['a length beyond the end', '0900 0100 00000000'],
    ['half a header', '0400'],
  ])('are refused with %s', (_, hex) => {
    const cursor = new AttributeCursor(octets(hex));
    expect(cursor.next()).toBe(false);
    expect(cursor.finish(0)).toMatchObject({ ok: false, reason: 'bad-length', at: 0 });
  });

  it('are refused when a value is shorter than what is read', () => {
    const cursor = new AttributeCursor(attribute(1, octets('0102')));
    cursor.next();
    expect(cursor.u32()).toBe(0);
    expect(cursor.malformed).toBe(true);
  });
});

describe('what is written for the kernel', () => {
  it('has the fields of a route where struct rtmsg and its attributes have them', () => {
    const written = writeRoute(RTM_NEWROUTE, 0x600, {
      table: 533,
      destination: { address: at('2001:db8::1'), length: 128 },
      protocol: 76,
      index: 1,
      gateway: at('fe80::1'),
    });
    expect(written).toEqual(
      octets(`
        54000000 1800 0506 00000000 00000000
        0a 80 00 00 00 4c 00 01 00000000
        0800 0f00 15020000
        0800 0400 01000000
        1400 0100 20010db8000000000000000000000001
        1400 0500 fe800000000000000000000000000001`),
    );
  });

  it('is read back as it was', () => {
    const route = valueOf(
      parseRoute(
        writeRoute(RTM_NEWROUTE, 0, {
          table: 1001,
          destination: { address: at('2001:db8::1'), length: 128 },
          protocol: 76,
          index: 7,
          gateway: at('fe80::1'),
          preferredSource: at('2001:db8::2'),
          rtoMinMs: 50,
          mtu: 1400,
        }),
      ),
    );
    expect(route).toMatchObject({
      table: 1001,
      protocol: 76,
      destination: { address: at('2001:db8::1'), length: 128 },
      nextHops: [{ index: 7, gateway: at('fe80::1') }],
      preferredSource: at('2001:db8::2'),
      rtoMinMs: 50,
      mtu: 1400,
    });
    const rule = {
      priority: 100,
      table: 533,
      protocol: 76,
      source: at('2001:db8::2'),
      destination: at('2001:db8::1'),
      mark: 0,
      mask: 0x10000000,
    };
    expect(valueOf(parseRule(writeRule(RTM_NEWRULE, 0, rule)))).toMatchObject({
      priority: 100,
      table: 533,
      protocol: 76,
      mark: 0,
      mask: 0x10000000,
      source: { length: 128 },
      destination: { length: 128 },
      suppressPrefixLength: undefined,
      action: 1,
    });
    const address = {
      index: 3,
      address: at('2001:db8::1'),
      prefixLength: 64,
      flags: 0x200,
      validLifetimeSeconds: Infinity,
      preferredLifetimeSeconds: 100,
      protocol: 76,
    };
    expect(valueOf(parseAddressMessage(writeAddressMessage(RTM_NEWADDR, 0, address)))).toEqual({
      family: 10,
      ...address,
    });
    const label = { prefix: at('2001:db8::1'), prefixLength: 128, label: 5 };
    expect(valueOf(parseLabel(writeLabel(RTM_NEWADDRLABEL, 0, label)))).toEqual(label);
  });

  it('deletes what the kernel listed, in its own words', () => {
    const listed = writeRule(RTM_NEWRULE, 0, { priority: 100, table: 533, protocol: 76 });
    const request = deletion(listed, RTM_DELRULE);
    expect([...request.subarray(4, 8)]).toEqual([33, 0, 5, 0]);
    expect(request.subarray(16)).toEqual(listed.subarray(16));
  });
});

describe('the next hops of a route', () => {
  const multipath = (list: Uint8Array): Uint8Array => {
    const written = writeRoute(RTM_NEWROUTE, 0, {
      table: 254,
      destination: { address: UNSPECIFIED, length: 0 },
      protocol: 2,
      index: 1,
    });
    return joined([written, nestedAttribute(9, list)]);
  };
  const hop = (index: number, gateway: string): Uint8Array =>
    joined([octets('1c000000'), Uint8Array.of(index, 0, 0, 0), attribute(5, at(gateway))]);

  it('come as a list', () => {
    expect(valueOf(parseRoute(multipath(joined([hop(2, 'fe80::1'), hop(3, 'fe80::2')])))).nextHops).toEqual([
      { index: 2, gateway: at('fe80::1') },
      { index: 3, gateway: at('fe80::2') },
    ]);
  });

  it.each(['0000000001000000', '0700000001000000', 'ff00000001000000', '0800', '0a000000010000000101'])(
    'are refused when malformed: %s',
    (hex) => {
      expect(parseRoute(multipath(octets(hex)))).toMatchObject({ ok: false });
    },
  );
});

describe('messages of any content', () => {
  const valid = [
    writeRoute(RTM_NEWROUTE, 0, {
      table: 1001,
      destination: { address: at('2001:db8::'), length: 64 },
      protocol: 76,
      index: 7,
      rtoMinMs: 50,
      mtu: 1400,
    }),
    writeRule(RTM_NEWRULE, 0, { priority: 1, table: 2, protocol: 3, source: at('::1'), suppressPrefixLength: 0 }),
    writeAddressMessage(RTM_NEWADDR, 0, {
      index: 1,
      address: at('::1'),
      prefixLength: 128,
      flags: 0,
      validLifetimeSeconds: 5,
      preferredLifetimeSeconds: 0,
      protocol: 1,
    }),
    writeLabel(RTM_NEWADDRLABEL, 0, { prefix: at('::1'), prefixLength: 128, label: 1 }),
  ];
  const mutated = fc
    .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 5 }), fc.nat(10))
    .map(([message, changes, cut]) => {
      const octets = message.slice(0, message.length - cut);
      for (const [offset, octet] of changes) octets[offset % octets.length] = octet;
      return octets;
    });

  it('never make a parser throw or read outside', () => {
    const picture = new NetworkPicture();
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 120 })), (message) => {
        const results = [parseLink, parseAddressMessage, parseRoute, parseRule, parseLabel].map((parse) =>
          parse(message),
        );
        for (const result of results) if (!result.ok) expect(result.at).toBeLessThanOrEqual(message.length);
        picture.apply(message, 0);
      }),
      { numRuns: 5000 },
    );
  });
});

describe.skipIf(!CAN_BUILD_NETWORKS)('what the kernel says', () => {
  let host: Namespace;
  let other: Namespace;
  let inside: Inside;

  beforeAll(() => {
    host = new Namespace('host');
    other = new Namespace('other');
    connect(host, other, 'eth0');
    inside = host.start();
  });

  afterAll(() => {
    host.remove();
    other.remove();
  });

  it('of routes agrees with iproute2', async () => {
    host.run('ip addr add 2001:db8:1::a/64 dev eth0 nodad');
    host.run(
      'ip -6 route add 2001:db8:2::/48 via 2001:db8:1::1 dev eth0 metric 7 table 77 proto 99 rto_min 50ms mtu 1300 src 2001:db8:1::a',
    );
    host.run('ip -6 route add 2001:db8:3::/48 via 2001:db8:1::1 dev eth0 expires 100 table 77');
    host.run('ip -6 route add 2001:db8:4::/48 from 2001:db8:9::/64 dev eth0 table 77');
    host.run(
      'ip -6 route add 2001:db8:5::/48 table 77 nexthop via 2001:db8:1::1 dev eth0 nexthop via 2001:db8:1::2 dev eth0',
    );
    host.run('ip nexthop add id 5 via 2001:db8:1::3 dev eth0');
    host.run('ip -6 route add 2001:db8:6::/48 nhid 5 table 77');
    const routes = await inside.call<unknown[]>('routes', 77);
    expect(routes).toMatchObject([
      {
        to: '2001:db8:2::/48',
        priority: 7,
        protocol: 99,
        rtoMinMs: 50,
        mtu: 1300,
        source: '2001:db8:1::a',
        hops: ['2001:db8:1::1'],
      },
      { to: '2001:db8:3::/48', hops: ['2001:db8:1::1'] },
      { to: '2001:db8:4::/48', from: '2001:db8:9::/64', hops: [undefined] },
      { to: '2001:db8:5::/48', hops: ['2001:db8:1::1', '2001:db8:1::2'] },
      { to: '2001:db8:6::/48', nextHopId: 5, hops: ['2001:db8:1::3'] },
    ]);
    const { expiresSeconds } = (routes as { expiresSeconds: number }[])[1] ?? { expiresSeconds: 0 };
    expect(expiresSeconds).toBeGreaterThan(50);
    expect(expiresSeconds).toBeLessThanOrEqual(100);
  });

  it('of rules agrees with iproute2', async () => {
    host.run(
      'ip -6 rule add pref 50 from 2001:db8::/32 to 2001:db8:1::/48 fwmark 0x10/0xf0 iif eth0 ipproto 58 lookup 77 protocol 99',
    );
    host.run('ip -6 rule add pref 51 lookup main suppress_prefixlength 0');
    expect(await inside.call('rules')).toMatchObject([
      { priority: 0, table: 255, protocol: 2 },
      {
        priority: 50,
        source: { length: 32 },
        destination: { length: 48 },
        mark: 0x10,
        mask: 0xf0,
        inputInterface: 'eth0',
        ipProtocol: 58,
        table: 77,
        protocol: 99,
      },
      { priority: 51, table: 254, suppressPrefixLength: 0 },
      { priority: 32766, table: 254, suppressPrefixLength: undefined },
    ]);
  });

  it('of links agrees with iproute2', async () => {
    host.run('ip link set eth0 mtu 1400');
    expect(await inside.call('links')).toMatchObject([
      { name: 'lo', kind: undefined },
      { name: 'eth0', mtu: 1400, kind: 'veth', carrier: true, operState: 6 },
    ]);
  });
});
