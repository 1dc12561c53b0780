import { describe, expect, it } from 'vitest';
import { orderDestinations } from '../../src/locators/destination-order.ts';
import { DEFAULT_POLICY, policyOf, policyRow } from '../../src/locators/policy-table.ts';
import type { PolicyRow } from '../../src/locators/policy-table.ts';
import { scopeOf } from '../../src/locators/scope.ts';
import { selectSource } from '../../src/locators/source-selection.ts';
import type { SourceCandidate } from '../../src/locators/source-selection.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text.includes(':') ? text : `::ffff:${text}`);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

/** `2001:db8::1 deprecated`, `… home`, `… care-of`, `… temporary`. */
function candidate(text: string): SourceCandidate {
  const [plain = '', ...marks] = text.split(' ');
  return {
    address: address(plain),
    isDeprecated: marks.includes('deprecated'),
    isTemporary: marks.includes('temporary'),
    ...(marks.includes('home') ? { mobility: 'home' as const } : {}),
    ...(marks.includes('care-of') ? { mobility: 'care-of' as const } : {}),
  };
}

function table(...rows: (readonly [string, number, number])[]): readonly PolicyRow[] {
  return [...DEFAULT_POLICY, ...rows.map((row) => policyRow(...row)).filter((row) => row !== undefined)];
}

function source(destination: string, candidates: readonly string[], rows = DEFAULT_POLICY): string | undefined {
  const best = selectSource(address(destination), candidates.map(candidate), { table: rows });
  return best === undefined ? undefined : formatAddress(best.address).replace('::ffff:', '');
}

function order(destinations: readonly string[], candidates: readonly string[], rows = DEFAULT_POLICY): string[] {
  return orderDestinations(destinations.map(address), candidates.map(candidate), { table: rows }).map(
    ({ address: to, source: from }) =>
      `${formatAddress(to).replace('::ffff:', '')} (${from === undefined ? '-' : formatAddress(from.address).replace('::ffff:', '')})`,
  );
}

describe('RFC 6724 §10.1, §10.2 source selection', () => {
  it.each([
    ['rule 2', '2001:db8:1::1', ['2001:db8:3::1', 'fe80::1'], '2001:db8:3::1'],
    ['rule 2, multicast', 'ff05::1', ['2001:db8:3::1', 'fe80::1'], '2001:db8:3::1'],
    ['rule 1', '2001:db8:1::1', ['2001:db8:1::1 deprecated', '2001:db8:2::1'], '2001:db8:1::1'],
    ['rule 2, link-local', 'fe80::1', ['fe80::2 deprecated', '2001:db8:1::1'], 'fe80::2'],
    ['rule 8', '2001:db8:1::1', ['2001:db8:1::2', '2001:db8:3::2'], '2001:db8:1::2'],
    ['rule 4', '2001:db8:1::1', ['2001:db8:1::2 care-of', '2001:db8:3::2 home'], '2001:db8:3::2'],
    [
      'rule 6',
      '2002:c633:6401::1',
      ['2002:c633:6401::d5e3:7953:13eb:22e8 temporary', '2001:db8:1::2'],
      '2002:c633:6401:0:d5e3:7953:13eb:22e8',
    ],
    [
      'rule 7',
      '2001:db8:1::d5e3:0:0:1',
      ['2001:db8:1::2', '2001:db8:1::d5e3:7953:13eb:22e8 temporary'],
      '2001:db8:1:0:d5e3:7953:13eb:22e8',
    ],
  ])('%s', (_rule, destination, candidates, expected) => {
    expect(source(destination, candidates)).toBe(expected);
    expect(source(destination, [...candidates].reverse())).toBe(expected);
  });

  it('rule 5 and 5.5: the outgoing interface, then the prefix of the next hop', () => {
    const a = { address: address('2001:db8:1::1'), isOnOutgoingInterface: false };
    const b = { address: address('2001:db8:9::1') };
    const c = { address: address('2001:db8:9::2'), isFromNextHop: true };
    expect(selectSource(address('2001:db8:1::9'), [a, b])).toBe(b);
    expect(selectSource(address('2001:db8:1::9'), [a, b, c])).toBe(c);
  });

  it('prefers a verifiable address before rule 8, and the lower address in a tie', () => {
    const plain = { address: address('2001:db8:1::1') };
    const verifiable = { address: address('2001:db8:9::1'), isVerifiable: true };
    expect(selectSource(address('2001:db8:1::9'), [plain, verifiable])).toBe(verifiable);
    expect(source('2001:db8:f::1', ['2001:db8:1::2', '2001:db8:1::1'])).toBe('2001:db8:1::1');
  });

  it('has no source of the other family', () => {
    expect(source('198.51.100.1', ['2001:db8::1'])).toBeUndefined();
  });
});

describe('RFC 6724 §10.2 ff. destination ordering', () => {
  it.each([
    [
      'rule 2',
      ['2001:db8:1::1', '198.51.100.121'],
      ['2001:db8:1::2', 'fe80::1', '169.254.13.78'],
      ['2001:db8:1::1 (2001:db8:1::2)', '198.51.100.121 (169.254.13.78)'],
    ],
    [
      'rule 2, reversed',
      ['2001:db8:1::1', '198.51.100.121'],
      ['fe80::1', '198.51.100.117'],
      ['198.51.100.121 (198.51.100.117)', '2001:db8:1::1 (fe80::1)'],
    ],
    [
      'rule 6',
      ['2001:db8:1::1', '10.1.2.3'],
      ['2001:db8:1::2', 'fe80::1', '10.1.2.4'],
      ['2001:db8:1::1 (2001:db8:1::2)', '10.1.2.3 (10.1.2.4)'],
    ],
    [
      'rule 8',
      ['2001:db8:1::1', 'fe80::1'],
      ['2001:db8:1::2', 'fe80::2'],
      ['fe80::1 (fe80::2)', '2001:db8:1::1 (2001:db8:1::2)'],
    ],
    [
      'rule 4',
      ['2001:db8:1::1', 'fe80::1'],
      ['2001:db8:1::2 care-of', '2001:db8:3::1 home', 'fe80::2 care-of'],
      ['2001:db8:1::1 (2001:db8:3::1)', 'fe80::1 (fe80::2)'],
    ],
    [
      'rule 3',
      ['2001:db8:1::1', 'fe80::1'],
      ['2001:db8:1::2', 'fe80::2 deprecated'],
      ['2001:db8:1::1 (2001:db8:1::2)', 'fe80::1 (fe80::2)'],
    ],
    [
      'rule 9',
      ['2001:db8:1::1', '2001:db8:3ffe::1'],
      ['2001:db8:1::2', '2001:db8:3f44::2', 'fe80::2'],
      ['2001:db8:1::1 (2001:db8:1::2)', '2001:db8:3ffe::1 (2001:db8:3f44::2)'],
    ],
    [
      'rule 5',
      ['2002:c633:6401::1', '2001:db8:1::1'],
      ['2002:c633:6401::2', 'fe80::2'],
      ['2002:c633:6401::1 (2002:c633:6401::2)', '2001:db8:1::1 (2002:c633:6401::2)'],
    ],
    [
      'rule 6, 6to4',
      ['2002:c633:6401::1', '2001:db8:1::1'],
      ['2002:c633:6401::2', '2001:db8:1::2', 'fe80::2'],
      ['2001:db8:1::1 (2001:db8:1::2)', '2002:c633:6401::1 (2002:c633:6401::2)'],
    ],
  ])('%s', (_rule, destinations, candidates, expected) => {
    expect(order(destinations, candidates)).toEqual(expected);
  });

  it('§10.5 multihomed site: rows pair the provider prefixes', () => {
    const sources = ['2001:db8:1aaa::a', '2001:db8:70aa::a', 'fe80::a'];
    const rows = table(['2001:db8:1aaa::/48', 43, 6], ['2001:db8:1bbb::/48', 43, 6]);
    const near = ['2001:db8:1bbb::b', '2001:db8:70bb::b'];
    expect(order(near, sources)).toEqual([
      '2001:db8:70bb::b (2001:db8:70aa::a)',
      '2001:db8:1bbb::b (2001:db8:1aaa::a)',
    ]);
    expect(order(near, sources, rows)).toEqual([
      '2001:db8:1bbb::b (2001:db8:1aaa::a)',
      '2001:db8:70bb::b (2001:db8:70aa::a)',
    ]);
    const far = ['2001:db8:1ccc::c', '2001:db8:6ccc::c'];
    expect(order(far, sources)).toEqual(['2001:db8:1ccc::c (2001:db8:1aaa::a)', '2001:db8:6ccc::c (2001:db8:70aa::a)']);
    expect(order(far, sources, rows)).toEqual([
      '2001:db8:6ccc::c (2001:db8:70aa::a)',
      '2001:db8:1ccc::c (2001:db8:70aa::a)',
    ]);
  });

  it('§10.6 unique local addresses', () => {
    const sources = ['2001:db8:1::1', 'fd11:1111:1111:1::1'];
    const own = table(['fd11:1111:1111::/48', 45, 14]);
    expect(order(['2001:db8:2::2', 'fd22:2222:2222:2::2'], sources)[0]).toMatch(/^2001/);
    expect(order(['2001:db8:2::2', 'fd11:1111:1111:2::2'], sources, own)[0]).toMatch(/^fd11/);
    expect(source('ff0e::1', sources)).toBe('2001:db8:1::1');
  });

  it('§10.7 6to4', () => {
    const sources = ['2002:c633:6401::2', '10.1.2.3'];
    expect(order(['2001:db8:1::1', '203.0.113.1'], sources)[0]).toMatch(/^203/);
    const own = table(['2002:c633:6401::/48', 45, 14]);
    expect(order(['2002:c633:6401:2::2', '203.0.113.1'], sources, own)[0]).toMatch(/^2002/);
  });

  it('rule 1 and 7: unreachable last, tunnels after native paths, otherwise the order given', () => {
    const [a, b] = [address('2001:db8:5::1'), address('2001:db8:6::1')];
    const from = [{ address: address('2001:db8:8::1') }];
    const first = (facts: Parameters<typeof orderDestinations>[3]) =>
      orderDestinations([a, b], from, {}, facts)[0]?.address;
    expect(first({})).toBe(a);
    expect(first({ unreachable: [a] })).toBe(b);
    expect(first({ encapsulated: [a] })).toBe(b);
  });
});

describe('RFC 6724 §2.1, §3', () => {
  it.each([
    ['::1', 50, 0],
    ['2001:db8::1', 40, 1],
    ['10.0.0.1', 35, 4],
    ['2002::1', 30, 2],
    ['2001::1', 5, 5],
    ['fd00::1', 3, 13],
    ['::9', 1, 3],
    ['fec0::1', 1, 11],
    ['3ffe::1', 1, 12],
  ])('looks %s up', (text, precedence, label) => {
    expect(policyOf(address(text))).toMatchObject({ precedence, label });
  });

  it.each([
    ['fe80::1', 2],
    ['::1', 2],
    ['127.0.0.1', 2],
    ['169.254.1.1', 2],
    ['10.0.0.1', 14],
    ['fec0::1', 5],
    ['fd00::1', 14],
    ['ff05::1', 5],
    ['2001:db8::1', 14],
  ])('knows the scope of %s', (text, scope) => {
    expect(scopeOf(address(text))).toBe(scope);
  });

  it('refuses rows that are no prefix', () => {
    expect([policyRow('2001:db8::', 1, 1), policyRow('x/3', 1, 1), policyRow('::/129', 1, 1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
