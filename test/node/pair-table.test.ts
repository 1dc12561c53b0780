import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PairTable } from '../../src/node/pair-table.ts';

/** Few different keys, so that the same ones come again. */
const key = fc.uint8Array({ minLength: 4, maxLength: 4, max: 2 });
const command = fc.record({ isDeletion: fc.boolean(), key, value: fc.nat() });

describe('a table of pairs', () => {
  it('holds what a Map by text would', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const table = new PairTable<number>(4);
        const model = new Map<string, number>();
        for (const { isDeletion, key: octets, value } of commands) {
          if (isDeletion) {
            table.delete(octets);
            model.delete(octets.join());
          } else {
            table.set(octets.slice(), value);
            model.set(octets.join(), value);
          }
          expect(table.get(Uint8Array.of(7, 7, ...octets, 7), 2)).toBe(model.get(octets.join()));
          expect(table.size).toBe(model.size);
        }
        for (const [text, value] of model) expect(table.get(Uint8Array.from(text.split(',').map(Number)))).toBe(value);
      }),
    );
  });

  it('keeps keys apart that meet in one place', () => {
    const table = new PairTable<number>(4);
    const keys = Array.from({ length: 150_000 }, (_, i) => Uint8Array.of(i & 0xff, (i >> 8) & 0xff, i >> 16, i & 1));
    keys.forEach((octets, i) => {
      table.set(octets, i);
    });
    for (const octets of keys.filter((_, i) => i % 3 === 0)) table.delete(octets);
    expect(keys.every((octets, i) => table.get(octets) === (i % 3 === 0 ? undefined : i))).toBe(true);
    expect(table.size).toBe(100_000);
  });
});
