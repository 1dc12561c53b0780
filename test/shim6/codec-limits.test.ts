import { describe, expect, it } from 'vitest';
import { encodeRsaPublicKey } from '../../src/crypto/rsa-key.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { optionAt } from '../../src/shim6/options.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { addressKey, addressPairKey } from '../../src/wire/address.ts';
import { Reader } from '../../src/wire/reader.ts';

const i1 = { type: 'I1', initiatorContextTag: contextTag(1), initiatorNonce: 2 } as const;

describe('the ends of what the codecs take', () => {
  it('nothing, and one octet, are no message', () => {
    expect(parseShim6(new Uint8Array(0))).toEqual({ ok: false, reason: 'truncated', at: 1 });
    expect(parseShim6(Uint8Array.of(59))).toEqual({ ok: false, reason: 'truncated', at: 1 });
  });

  it('a message longer than its length field can say is not written (S6-008)', () => {
    const unknown = [{ type: 0x1234, critical: false, body: new Uint8Array(2_048), at: 0 }];
    expect(() => encodeShim6({ ...i1, options: { unknown } })).toThrow(RangeError);
  });

  it('an option is found where it begins, or not at all', () => {
    const octets = encodeShim6({ ...i1, options: { forkedInstanceId: 7, detection: { sendTimeoutMs: 50 } } });
    expect(optionAt(octets, 16, 'forkedInstanceId')).toBe(16);
    expect(optionAt(octets, 16, 'detection')).toBe(24);
    expect(optionAt(octets, 16, 'signature')).toBe(-1);
  });

  it('a key of 64 KiB is not written', () => {
    const modulus = new Uint8Array(0x1_0000).fill(0x80);
    expect(() => encodeRsaPublicKey({ modulus, exponent: Uint8Array.of(1, 0, 1) })).toThrow(RangeError);
  });

  it('after the first refusal a reader reads zeros', () => {
    const r = new Reader(Uint8Array.of(1, 2));
    expect([r.u32(), r.u8(), r.u16()]).toEqual([0, 0, 0]);
    expect(r.failed).toBe(true);
  });

  it('a key of a pair differs from that of the pair the other way round', () => {
    const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    expect(addressPairKey(a, b)).toBe(addressKey(a) + addressKey(b));
    expect(addressPairKey(b, a)).not.toBe(addressPairKey(a, b));
    expect(addressKey(a.subarray(0, 8))).toHaveLength(8);
    expect(addressPairKey(a, b.subarray(0, 8))).toHaveLength(32);
  });
});
