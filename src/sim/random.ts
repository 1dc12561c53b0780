import type { Random } from '../crypto/ports.ts';

/** A reproducible stream of octets (xoshiro128**). For simulation and tests: predictable, so never for real packets. */
export function seededRandom(seed: number): Random {
  let [a, b, c, d] = [seed ^ 0x9e3779b9, seed ^ 0x243f6a88, seed ^ 0xb7e15162, seed ^ 0xdeadbeef];
  const next = (): number => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  for (let i = 0; i < 16; i++) next();
  return (length) => {
    const octets = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = next();
      for (let j = 0; j < 4 && i + j < length; j++) octets[i + j] = (word >>> (8 * j)) & 0xff;
    }
    return octets;
  };
}
