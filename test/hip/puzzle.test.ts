import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portableHipCrypto } from '../../src/crypto/portable-hip.ts';
import { RHASH_LENGTH } from '../../src/crypto/ports.ts';
import type { Rhash } from '../../src/crypto/ports.ts';
import { PuzzleSearch, puzzleLifetimeSeconds, solvePuzzle, verifiesPuzzle } from '../../src/hip/puzzle.ts';
import type { PuzzleTask } from '../../src/hip/puzzle.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { toHex } from '../../src/wire/hex.ts';
import { ip } from '../cga/vectors.ts';

const crypto = nodeHipCrypto;
const ecdsa = ip('2001:22:e536:3e46:4d1:79f5:53e2:2632');
const rsa = ip('2001:21:d4bf:8284:dae7:d346:68c9:9a15');
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Computed with Python's hashlib: the smallest J. */
const known: readonly (PuzzleTask & { readonly smallest: number })[] = [
  task('sha256', 12, ecdsa, rsa, 0x3e5),
  task('sha384', 8, rsa, ecdsa, 0x175),
];

function task(
  rhash: Rhash,
  k: number,
  initiator: Uint8Array,
  responder: Uint8Array,
  smallest: number,
): (typeof known)[number] {
  const i = crypto.hash(rhash, text('puzzle I'));
  return { rhash, k, i, initiator, responder, j: new Uint8Array(RHASH_LENGTH[rhash]), smallest };
}

const numbered = (length: number, value: number): Uint8Array => {
  const j = new Uint8Array(length);
  new DataView(j.buffer).setUint32(length - 4, value);
  return j;
};

describe.each([
  ['node', nodeHipCrypto],
  ['portable', portableHipCrypto(systemRandom)],
] as const)('a puzzle by the %s provider', (_name, provider) => {
  it.each(known)('HIP-085 HIP-086 HIP-184 with $rhash has the solution found elsewhere', (puzzle) => {
    const j = solvePuzzle(provider, puzzle);
    expect(toHex(j)).toBe(toHex(numbered(puzzle.j.length, puzzle.smallest)));
    expect(verifiesPuzzle(provider, { ...puzzle, j })).toBe(true);
    for (let value = 0; value < puzzle.smallest; value++) {
      expect(verifiesPuzzle(provider, { ...puzzle, j: numbered(puzzle.j.length, value) })).toBe(false);
    }
  });
});

describe('a puzzle', () => {
  const rhash = fc.constantFrom<Rhash>('sha1', 'sha256', 'sha384', 'shake128');
  const puzzle = fc.record({ rhash, k: fc.nat({ max: 9 }) }).map(({ rhash: hash, k }) => {
    const [i, j] = [systemRandom(RHASH_LENGTH[hash]), systemRandom(RHASH_LENGTH[hash])];
    return { rhash: hash, k, i, j, initiator: ecdsa, responder: rsa };
  });

  it('HIP-085 is solved by what the search finds, for these hosts and this I alone', () => {
    fc.assert(
      fc.property(puzzle, (one) => {
        const solved = { ...one, j: solvePuzzle(crypto, one) };
        expect(verifiesPuzzle(crypto, solved)).toBe(true);
        if (one.k < 9) return;
        const wrong = [
          { ...solved, initiator: rsa, responder: ecdsa },
          { ...solved, i: systemRandom(one.i.length) },
        ];
        expect(wrong.filter((other) => verifiesPuzzle(crypto, other)).length).toBeLessThan(2);
      }),
    );
  });

  it('HIP-089 with K = 0 is solved by anything', () => {
    fc.assert(
      fc.property(puzzle, (one) => {
        expect(solvePuzzle(crypto, { ...one, k: 0 })).toEqual(one.j);
        expect(verifiesPuzzle(crypto, { ...one, k: 0 })).toBe(true);
      }),
    );
  });

  it('HIP-046 is not solved by a J, nor posed by an I, of another length', () => {
    const [one] = known;
    if (one === undefined) throw new Error('no puzzle');
    const short = one.j.slice(1);
    expect(verifiesPuzzle(crypto, { ...one, k: 0, j: short })).toBe(false);
    expect(verifiesPuzzle(crypto, { ...one, k: 0, i: one.i.slice(1) })).toBe(false);
    expect(() => new PuzzleSearch(crypto, { ...one, j: short })).toThrow(RangeError);
  });

  it('has no solution when K asks for more bits than the hash has', () => {
    const zeros = { ...crypto, hash: (hash: Rhash) => new Uint8Array(RHASH_LENGTH[hash]) };
    const [one] = known;
    if (one === undefined) throw new Error('no puzzle');
    const verdicts = [0, 7, 8, 255].map((k) => verifiesPuzzle(zeros, { ...one, k }));
    expect(verdicts).toEqual([true, true, true, true]);
    const sha1 = { ...one, rhash: 'sha1', i: new Uint8Array(20), j: new Uint8Array(20) } as const;
    expect([160, 161, 168, 255].map((k) => verifiesPuzzle(zeros, { ...sha1, k }))).toEqual([true, false, false, false]);
  });

  it('is searched for in slices that go on where the last one ended', () => {
    const [one] = known;
    if (one === undefined) throw new Error('no puzzle');
    const search = new PuzzleSearch(crypto, one);
    let j: Uint8Array | undefined;
    while (j === undefined) j = search.step(100);
    expect(j).toEqual(solvePuzzle(crypto, one));
    expect(search.hashes).toBe(one.smallest + 1);
    expect(search.step(100)).toEqual(j);
    expect(search.hashes).toBe(one.smallest + 1);
  });

  it('is searched for beyond the largest J', () => {
    const [one] = known;
    if (one === undefined) throw new Error('no puzzle');
    const found = solvePuzzle(crypto, { ...one, j: new Uint8Array(32).fill(0xff) });
    expect(toHex(found)).toBe(toHex(numbered(32, one.smallest)));
  });

  it('HIP-090 lives for a power of two of seconds', () => {
    expect([32, 37, 31].map(puzzleLifetimeSeconds)).toEqual([1, 32, 0.5]);
  });
});
