import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import { fromHex } from '../../src/wire/hex.ts';
import { ipv4Mapped, isIpv4Mapped, parseIpv4Header } from '../../src/wire/ipv4.ts';

/** 10.77.0.1 to 10.77.0.2, protocol 139, 68 octets. */
const HEADER = fromHex('45000044abcd4000408b7a960a4d00010a4d0002') ?? new Uint8Array(0);

const changed = (at: number, value: number): Uint8Array => HEADER.map((octet, i) => (i === at ? value : octet));

describe('the IPv4 header', () => {
  it('is read with its addresses in IPv4-mapped form', () => {
    const parsed = parseIpv4Header(HEADER);
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        headerLength: 20,
        totalLength: 68,
        fragmentOffset: 0,
        moreFragments: false,
        timeToLive: 64,
        protocol: 139,
      },
    });
    if (!parsed.ok) return;
    expect(formatAddress(parsed.value.source)).toBe('::ffff:10.77.0.1');
    expect(formatAddress(parsed.value.destination)).toBe('::ffff:10.77.0.2');
  });

  it('may have options, which are skipped', () => {
    const longer = Uint8Array.from([...changed(0, 0x46), 1, 1, 1, 0, 9, 9]);
    expect(parseIpv4Header(longer)).toMatchObject({ ok: true, value: { headerLength: 24 } });
  });

  it('tells which part of a fragmented packet this is', () => {
    expect(parseIpv4Header(changed(6, 0x20))).toMatchObject({ value: { fragmentOffset: 0, moreFragments: true } });
    expect(parseIpv4Header(changed(7, 5))).toMatchObject({ value: { fragmentOffset: 40, moreFragments: false } });
  });

  it.each([
    ['of another version', changed(0, 0x65), 'bad-value', 0],
    ['shorter than a header can be', changed(0, 0x44), 'bad-length', 0],
    ['cut off', HEADER.slice(0, 19), 'truncated', 16],
    ['cut off in its options', changed(0, 0x46), 'truncated', 20],
    ['nothing', new Uint8Array(0), 'truncated', 0],
  ])('is refused when %s', (_, octets, reason, at) => {
    expect(parseIpv4Header(octets)).toEqual({ ok: false, reason, at });
  });

  it('is read without a throw whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (octets) => {
        expect(typeof parseIpv4Header(octets).ok).toBe('boolean');
      }),
    );
  });
});

describe('IPv4-mapped addresses', () => {
  it('are told from others', () => {
    expect(isIpv4Mapped(ipv4Mapped(Uint8Array.of(192, 0, 2, 1)))).toBe(true);
    for (const other of ['::', '::1', '::fffe:192.0.2.1', '::1:ffff:192.0.2.1', '2001:db8::1']) {
      expect(isIpv4Mapped(parseAddress(other) ?? new Uint8Array(16))).toBe(false);
    }
  });
});
