import { describe, expect, it } from 'vitest';
import { Writer } from '../../src/wire/writer.ts';

describe('the writer', () => {
  it('writes big-endian fields in order', () => {
    const w = new Writer(16);
    w.u8(1);
    w.u16(0x0203);
    w.u32(0xfffffffe);
    w.u48(0x0908_0706_0504);
    expect(w.at).toBe(13);
    w.zeros(1);
    w.octets(Uint8Array.of(7, 8));
    expect([...w.finish()]).toEqual([1, 2, 3, 0xff, 0xff, 0xff, 0xfe, 9, 8, 7, 6, 5, 4, 0, 7, 8]);
  });

  it.each([
    ['a field', (w: Writer) => w.u32(0)],
    ['octets', (w: Writer) => w.octets(new Uint8Array(4))],
    ['zeros', (w: Writer) => w.zeros(4)],
  ])('throws when %s would pass the end, and leaves the storage as it was', (_name, write) => {
    const w = new Writer(3);
    w.u8(9);
    expect(() => {
      write(w);
    }).toThrow(RangeError);
    expect([w.at, ...w.bytes]).toEqual([1, 9, 0, 0]);
  });

  it('throws when it is finished early', () => {
    const w = new Writer(2);
    w.u8(1);
    expect(() => w.finish()).toThrow(RangeError);
  });
});
