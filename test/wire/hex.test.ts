import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/wire/hex.ts';

describe('hexadecimal text', () => {
  it('is lower-case, two digits per octet', () => {
    expect(toHex(Uint8Array.of(0, 0x0f, 0xa0, 0xff))).toBe('000fa0ff');
    expect(toHex(new Uint8Array(0))).toBe('');
  });

  it('is read in either case', () => {
    expect(fromHex('000FaaFF')).toEqual(Uint8Array.of(0, 15, 0xaa, 255));
    expect(fromHex('')).toEqual(new Uint8Array(0));
  });

  it.each(['0', '0x00', '0g', ' 00', '00\n', '0 0 ', '-1', '٠٠'])('refuses %j', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        expect(fromHex(toHex(octets))).toEqual(octets);
      }),
    );
  });
});
