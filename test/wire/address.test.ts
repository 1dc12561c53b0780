import fc from 'fast-check';
import { isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  addressKey,
  formatAddress,
  isGlobalUnicast,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  parseAddress,
  prefixOf,
  sameOctets,
} from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';

const ip = (text: string): Uint8Array => parseAddress(text) ?? new Uint8Array(0);

describe('address text', () => {
  it.each([
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['ABCD:ef01::', 'abcdef01000000000000000000000000'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
  ])('%s is read as RFC 4291 §2.2 has it', (text, octets) => {
    expect(toHex(ip(text))).toBe(octets);
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1::',
    '1::2::3',
    '12345::',
    'g::',
    ':1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:',
    ':1::',
    '::1%eth0',
    '::1/64',
    ' ::1',
    '::1 ',
    '1.2.3.4',
    '::256.1.1.1',
    '::1.2.3',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3.4:5',
    '0x1::',
    '-1::',
  ])('%j is refused', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // RFC 5952 §4.2.3: the first of two equal runs
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // the longest
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // §4.2.2: no :: for a single group
    ['2001:DB8::AB', '2001:db8::ab'], // §4.3
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'], // §5
    ['::c000:201', '::c000:201'],
  ])('%s is written %s', (text, canonical) => {
    expect(formatAddress(ip(text))).toBe(canonical);
  });

  it('is read as it was written', () => {
    const words = fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff, 0xab), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(words, (list) => {
        const address = Uint8Array.from(list.flatMap((word) => [word >> 8, word & 0xff]));
        const text = formatAddress(address);
        expect(isIPv6(text)).toBe(true);
        expect(ip(text)).toEqual(address);
        const { hostname } = new URL(`http://[${text}]/`); // an independent canonical form, which has no dotted tail
        if (!text.includes('.')) expect(hostname).toBe(`[${text}]`);
      }),
      { numRuns: 500 },
    );
  });

  it('is accepted exactly when the operating system accepts it', () => {
    const piece = fc.constantFrom(
      ':',
      '::',
      '0',
      '1',
      'ab',
      'ffff',
      '12345',
      '1.2.3.4',
      '01.2.3.4',
      '256.1.1.1',
      'g',
      '',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 17 }), (pieces) => {
        const text = pieces.join('');
        expect(parseAddress(text) !== undefined, text).toBe(isIPv6(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('kinds of addresses', () => {
  it.each([
    ['2001:db8::1', true],
    ['fd00::1', true],
    ['fe80::1', false],
    ['febf::1', false],
    ['fec0::1', false],
    ['feff::1', false],
    ['ff02::1', false],
    ['::', false],
    ['::1', false],
  ])('%s as a locator: %s', (text, expected) => {
    expect(isGlobalUnicast(ip(text))).toBe(expected);
  });

  it('are told apart at their borders', () => {
    expect([isLinkLocal(ip('fe80::')), isLinkLocal(ip('febf:ffff::')), isLinkLocal(ip('fec0::'))]).toEqual([
      true,
      true,
      false,
    ]);
    expect([isMulticast(ip('ff00::')), isMulticast(ip('fe00::'))]).toEqual([true, false]);
    expect([isLoopback(ip('::1')), isLoopback(ip('::2')), isLoopback(ip('1::1'))]).toEqual([true, false, false]);
    expect([isUnspecified(ip('::')), isUnspecified(ip('::1'))]).toEqual([true, false]);
  });

  it('compare by octets', () => {
    expect(sameOctets(ip('::1'), ip('::1'))).toBe(true);
    expect(sameOctets(ip('::1'), ip('::2'))).toBe(false);
    expect(sameOctets(ip('::1'), ip('::1').subarray(1))).toBe(false);
    expect(addressKey(ip('2001:db8::ff'))).toBe(addressKey(ip('2001:db8:0::ff')));
    expect(addressKey(ip('2001:db8::ff'))).not.toBe(addressKey(ip('2001:db8::fe')));
    expect(toHex(prefixOf(ip('2001:db8:1:2:3::')))).toBe('20010db800010002');
  });
});
