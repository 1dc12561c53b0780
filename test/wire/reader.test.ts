import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reader } from '../../src/wire/reader.ts';
import { Writer } from '../../src/wire/writer.ts';

const bytes = Uint8Array.from({ length: 20 }, (_, i) => i + 1);

describe('the reader', () => {
  it('reads big-endian fields and counts from its base', () => {
    const r = new Reader(bytes, 100);
    expect([r.u8(), r.u16(), r.u32(), r.u48()]).toEqual([1, 0x0203, 0x04050607, 0x08090a0b0c0d]);
    expect([r.at, r.left]).toEqual([113, 7]);
    r.skip(2);
    expect(r.rest()).toEqual(Uint8Array.of(16, 17, 18, 19, 20));
    expect(r.finish('done')).toEqual({ ok: true, value: 'done' });
  });

  it('reads 32 bits without sign and 48 bits without loss', () => {
    const ones = new Reader(new Uint8Array(10).fill(0xff));
    expect([ones.u32(), ones.u48()]).toEqual([0xffff_ffff, 0xffff_ffff_ffff]);
  });

  it('keeps the first failure; later reads yield zeros', () => {
    const r = new Reader(Uint8Array.of(1, 2, 3), 10);
    r.u16();
    expect(r.u16()).toBe(0);
    r.reject('bad-value', 0);
    expect([r.u8(), r.octets(1), r.left, r.failed]).toEqual([0, new Uint8Array(0), 0, true]);
    expect(r.finish(0)).toEqual({ ok: false, reason: 'truncated', at: 12 });
  });

  it('refuses octets left over, at the first of them', () => {
    const r = new Reader(bytes, 4);
    r.u8();
    expect(r.finish(0)).toEqual({ ok: false, reason: 'trailing', at: 5 });
  });

  it('refuses a negative length', () => {
    const r = new Reader(bytes);
    expect(r.octets(-1)).toHaveLength(0);
    expect(r.failed).toBe(true);
  });

  it('stops a list at the first failure, whatever count the network claims', () => {
    const r = new Reader(bytes.subarray(0, 5));
    expect(r.list(0xffff_ffff, () => r.u16())).toEqual([0x0102, 0x0304, 0]);
  });

  it('copies: changing the buffer changes nothing that was read', () => {
    const buffer = bytes.slice();
    const read = new Reader(buffer).octets(4);
    buffer.fill(0);
    expect(read).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  it('takes over the refusal of a nested parser', () => {
    const r = new Reader(new Uint8Array(0));
    expect(r.accept({ ok: true, value: 7 })).toBe(7);
    expect(r.accept({ ok: false, reason: 'duplicate', at: 42 })).toBeUndefined();
    expect(r.finish(0)).toEqual({ ok: false, reason: 'duplicate', at: 42 });
  });

  it('reads what the writer wrote', () => {
    const max = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
    fc.assert(
      fc.property(max(8), max(16), max(32), max(48), fc.uint8Array(), (a, b, c, d, tail) => {
        const w = new Writer(13 + tail.length);
        w.u8(a);
        w.u16(b);
        w.u32(c);
        w.u48(d);
        w.octets(tail);
        const r = new Reader(w.finish());
        expect([r.u8(), r.u16(), r.u32(), r.u48(), r.rest()]).toEqual([a, b, c, d, tail]);
      }),
    );
  });
});
