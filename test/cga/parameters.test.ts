import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  extensionsLength,
  findMultiPrefix,
  multiPrefixLength,
  parseExtensions,
  parseMultiPrefix,
  writeExtensions,
  writeMultiPrefix,
} from '../../src/cga/extensions.ts';
import { encodeCgaParameters, parseCgaParameters } from '../../src/cga/parameters.ts';
import { parseRsaPublicKey } from '../../src/crypto/rsa-key.ts';
import { toHex } from '../../src/wire/hex.ts';
import { Writer } from '../../src/wire/writer.ts';
import { exampleKey, hex, vectors } from './vectors.ts';

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe('CGA Parameters data structure, RFC 3972 §3', () => {
  it.each(vectors.cga)('S6-216 splits $id into its fields and writes the same octets', (row) => {
    const parsed = parseCgaParameters(hex(row.cga_params_hex));
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(toHex(parsed.value.modifier)).toBe(row.modifier);
    expect(toHex(parsed.value.publicKey)).toBe(row.spki_hex);
    expect(toHex(parsed.value.extensions)).toBe(row.ext_hex);
    expect(parsed.value.collisionCount).toBe(row.collision_count);
    expect(toHex(encodeCgaParameters(parsed.value))).toBe(row.cga_params_hex);
  });

  it.each(vectors.cga)('S6-218 recognises whether the key of $id is RSA', (row) => {
    expect(parseRsaPublicKey(hex(row.spki_hex)).ok).toBe(row.key_type.startsWith('rsa'));
  });

  const start = '89a8a8b2e858d8b8f2633f44d2d4ce9bfe80000000000000';
  it.each([
    ['an empty one', '', 'truncated', 0],
    ['one without a key', `${start}00`, 'bad-value', 25],
    ['S6-215 a collision count of 3', `${start}03${toHex(exampleKey)}`, 'bad-value', 24],
    ['S6-216 a key that is no SEQUENCE', `${start}00040100`, 'bad-value', 25],
    ['a key that runs past the end', `${start}00305c300d`, 'bad-value', 25],
    ['a key of indefinite length', `${start}0030800000`, 'bad-value', 25],
    ['a length that is not in its shortest form', `${start}0030810100`, 'bad-value', 25],
  ])('refuses %s', (_name, text, reason, at) => {
    expect(parseCgaParameters(hex(text))).toEqual({ ok: false, reason, at });
  });

  it('parses what it writes', () => {
    fc.assert(
      fc.property(
        octets(16),
        octets(8),
        fc.integer({ min: 0, max: 2 }),
        fc.uint8Array({ maxLength: 100 }),
        (modifier, subnetPrefix, collisionCount, extensions) => {
          const parameters = { modifier, subnetPrefix, collisionCount, publicKey: exampleKey, extensions };
          expect(parseCgaParameters(encodeCgaParameters(parameters))).toEqual({ ok: true, value: parameters });
        },
      ),
    );
  });

  it('writes what it parsed, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
        const bytes = Uint8Array.of(...hex(`${start}00`), ...tail);
        const parsed = parseCgaParameters(bytes);
        if (parsed.ok) expect(encodeCgaParameters(parsed.value)).toEqual(bytes);
      }),
    );
  });
});

describe('extension fields, RFC 4581 §2', () => {
  it('S6-251 walks type, length of the data, data, without padding', () => {
    expect(parseExtensions(hex('fffd0003616263fffe0000'))).toEqual({
      ok: true,
      value: [
        { type: 0xfffd, body: hex('616263') },
        { type: 0xfffe, body: new Uint8Array(0) },
      ],
    });
    expect(parseExtensions(hex('fffd000461'))).toEqual({ ok: false, reason: 'truncated', at: 4 });
    expect(parseExtensions(hex('fffd00'))).toEqual({ ok: false, reason: 'truncated', at: 2 });
  });

  it('parses what it writes', () => {
    const extension = fc.record({ type: fc.integer({ min: 0, max: 0xffff }), body: fc.uint8Array({ maxLength: 30 }) });
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 5 }), (extensions) => {
        const w = new Writer(extensionsLength(extensions));
        writeExtensions(w, extensions);
        expect(parseExtensions(w.finish())).toEqual({ ok: true, value: extensions });
      }),
    );
  });
});

describe('Multi-Prefix extension, RFC 5535 §5', () => {
  const prefixes = [hex('20010db8000a0001'), hex('20010db8000a0002')];
  const P0 = '001200140000000020010db8000a000120010db8000a0002';
  const P1 = '001200148000000020010db8000a000120010db8000a0002';

  it('S6-203 has type 0x0012, Length 4+8n and P only with a real key', () => {
    for (const [hasPublicKey, text] of [
      [false, P0],
      [true, P1],
    ] as const) {
      const w = new Writer(multiPrefixLength({ hasPublicKey, prefixes }));
      writeMultiPrefix(w, { hasPublicKey, prefixes });
      expect(toHex(w.finish())).toBe(text);
      expect(findMultiPrefix(hex(text))).toEqual({ hasPublicKey, prefixes });
    }
  });

  it('S6-202 ignores reserved bits on receipt', () => {
    expect(findMultiPrefix(hex(P0.replace('00000000', '7fffffff')))).toEqual({ hasPublicKey: false, prefixes });
    expect(findMultiPrefix(hex(P0.replace('00000000', 'ffffffff')))).toEqual({ hasPublicKey: true, prefixes });
  });

  it('S6-220 passes over unrecognised extensions', () => {
    expect(findMultiPrefix(hex(`fffd0003616263${P1}fffe0000`))).toEqual({ hasPublicKey: true, prefixes });
  });

  it.each([
    ['two of them', P0 + P0],
    ['no prefix', '0012000400000000'],
    ['a Length that is not 4+8n', '0012000d0000000020010db8000a000100'],
    ['a Length below 4', '001200020000'],
    ['octets after it that are no TLV', `${P0}00`],
  ])('S6-203 takes %s for no valid extension', (_name, text) => {
    expect(findMultiPrefix(hex(text))).toBeUndefined();
  });

  it('writes what it parsed, up to the reserved bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 44 }), (body) => {
        const parsed = parseMultiPrefix(body);
        if (!parsed.ok) return;
        const w = new Writer(multiPrefixLength(parsed.value));
        writeMultiPrefix(w, parsed.value);
        expect(w.finish().subarray(8)).toEqual(body.subarray(4));
      }),
    );
  });
});
