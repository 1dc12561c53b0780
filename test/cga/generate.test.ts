import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterCollision, formAddress, generateCga } from '../../src/cga/generate.ts';
import { hash1, hash2, secOf } from '../../src/cga/hash.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import { ModifierSearch, findModifier } from '../../src/cga/search.ts';
import { verifyCga } from '../../src/cga/verify.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { exampleKey, hex, prefix, vectors } from './vectors.ts';

const NONE = new Uint8Array(0);

describe('the example of RFC 3972 Appendix A', () => {
  const request = {
    crypto: nodeCrypto,
    random: systemRandom,
    publicKey: exampleKey,
    prefix: prefix('fe80::'),
    sec: 1,
  } as const;
  const rejected = hex('89a8a8b2e858d8b8f2633f44d2d4ce9a');

  it('S6-223 finds the Modifier after the rejected one and forms the address', () => {
    const cga = generateCga({ ...request, modifier: rejected });
    expect(formatAddress(cga.address)).toBe('fe80::3c4a:5bf6:ffb4:ca6c');
    expect(toHex(cga.parameters.modifier)).toBe('89a8a8b2e858d8b8f2633f44d2d4ce9b');
    expect(encodeCgaParameters(cga.parameters)).toHaveLength(119);
  });

  it('S6-222 computes Hash1 and Hash2 as printed', () => {
    const octets = encodeCgaParameters(generateCga({ ...request, modifier: rejected }).parameters);
    expect(toHex(hash1(nodeCrypto, octets))).toBe('fd4a5bf6ffb4ca6c');
    expect(toHex(hash2(nodeCrypto, octets))).toBe('000001ca680b83888d0912dffcce');
    octets.set(rejected);
    expect(toHex(hash2(nodeCrypto, octets))).toBe('436b9a70dbfddbf1926e6e6629c0');
  });

  it('S6-230 S6-231 reuses the Modifier for a new prefix with a single hash', () => {
    const modifier = hex('89a8a8b2e858d8b8f2633f44d2d4ce9b');
    const search = new ModifierSearch(nodeCrypto, { modifier, publicKey: exampleKey, extensions: NONE, sec: 1 });
    expect(search.step(1)).toEqual(modifier);
    const moved = generateCga({ ...request, prefix: prefix('2001:db8:1:2::'), modifier });
    expect(moved.parameters.modifier).toEqual(modifier);
    expect(verifyCga(nodeCrypto, moved.address, encodeCgaParameters(moved.parameters))).toEqual({ valid: true });
  });
});

describe('generation', () => {
  it.each(vectors.cga)('S6-228 forms the address of $id from its parts', (row) => {
    const parameters = {
      modifier: hex(row.modifier),
      subnetPrefix: prefix(row.prefix),
      collisionCount: row.collision_count,
      publicKey: hex(row.spki_hex),
      extensions: hex(row.ext_hex),
    };
    expect(toHex(encodeCgaParameters(parameters))).toBe(row.cga_params_hex);
    expect(formatAddress(formAddress(nodeCrypto, parameters, row.sec))).toBe(row.independent_address);
    expect(toHex(hash1(nodeCrypto, hex(row.cga_params_hex)))).toBe(row.hash1);
    expect(toHex(hash2(nodeCrypto, hex(row.cga_params_hex)))).toBe(row.hash2);
  });

  it('S6-229 S6-226 produces what verification accepts, with the bits "u" and "g" zero', () => {
    const octets = (length: number): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(
        octets(16),
        octets(8),
        fc.constantFrom(0, 1, 2),
        fc.uint8Array({ maxLength: 40 }),
        (modifier, subnet, collisionCount, extensions) => {
          const request = {
            crypto: nodeCrypto,
            random: systemRandom,
            publicKey: exampleKey,
            prefix: subnet,
            sec: 0,
          } as const;
          const { address, parameters } = generateCga({ ...request, modifier, collisionCount, extensions });
          expect(verifyCga(nodeCrypto, address, encodeCgaParameters(parameters))).toEqual({ valid: true });
          expect((address[8] ?? 0) & 0xe3).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('S6-224 starts from a random Modifier', () => {
    const request = {
      crypto: nodeCrypto,
      random: systemRandom,
      publicKey: exampleKey,
      prefix: prefix('fe80::'),
      sec: 0,
    } as const;
    expect(generateCga(request).parameters.modifier).not.toEqual(generateCga(request).parameters.modifier);
  });

  it('S6-215 gives up after the third collision', () => {
    const first = generateCga({
      crypto: nodeCrypto,
      random: systemRandom,
      publicKey: exampleKey,
      prefix: prefix('fe80::'),
      sec: 0,
    });
    const second = afterCollision(nodeCrypto, first, 0);
    const third = second && afterCollision(nodeCrypto, second, 0);
    expect(second?.parameters).toEqual({ ...first.parameters, collisionCount: 1 });
    expect(third?.parameters.collisionCount).toBe(2);
    expect(new Set([first, second, third].map((cga) => formatAddress(cga?.address ?? NONE))).size).toBe(3);
    expect(third && afterCollision(nodeCrypto, third, 0)).toBeUndefined();
    expect(() => formAddress(nodeCrypto, { ...first.parameters, collisionCount: 3 }, 0)).toThrow(RangeError);
  });
});

describe('the Modifier search', () => {
  const task = {
    modifier: hex('000102030405060708090a0b0c0d0e0f'),
    publicKey: exampleKey,
    extensions: NONE,
    sec: 1,
  } as const;

  it('S6-229 finds the same Modifier in slices as at once, and stays within each slice', () => {
    const search = new ModifierSearch(nodeCrypto, task);
    let found: Uint8Array | undefined;
    for (let slices = 0; found === undefined; slices++) {
      expect(search.hashes).toBe(slices * 1000);
      found = search.step(1000);
    }
    expect(found).toEqual(findModifier(nodeCrypto, task));
    expect(search.step(1000)).toEqual(found);
  });

  it('S6-223 carries over all octets and wraps at 2^128', () => {
    const tried: string[] = [];
    const recording = {
      ...nodeCrypto,
      sha1: (octets: Uint8Array) => (tried.push(toHex(octets.subarray(0, 16))), Uint8Array.of(1)),
    };
    const search = new ModifierSearch(recording, { ...task, modifier: new Uint8Array(16).fill(0xff) });
    expect(search.step(2)).toBeUndefined();
    expect(tried).toEqual(['f'.repeat(32), '0'.repeat(32)]);
  });

  it('S6-253 puts Sec into the address, so that it cannot be lowered afterwards', () => {
    const cga = generateCga({ crypto: nodeCrypto, random: systemRandom, prefix: prefix('fe80::'), ...task });
    expect(secOf(cga.address)).toBe(1);
  });
});
