import { toBigInt } from './big-integer.ts';
import type { DhGroup } from './ports.ts';

/** Curves of RFC 7401 §5.2.7, cofactor 1. */
export type DhCurve = 'P-256' | 'P-384' | 'P-521' | 'secp160r1';

/** What a group is made of. `length`: octets of a MODP public value, or of one coordinate; Kij has as many. */
export type DhGroupFacts =
  | { readonly type: 'modp'; readonly length: number; readonly prime: bigint }
  | { readonly type: 'ecp'; readonly length: number; readonly curve: DhCurve };

/** RFC 3526 §2 and §4; the generator is 2. */
const MODP_1536 = BigInt(
  '0x' +
    'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
    'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f' +
    '83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca237327ffffffffffffffff',
);
const MODP_3072 = BigInt(
  '0x' +
    'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd' +
    'ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed' +
    'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f' +
    '83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b' +
    'e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510' +
    '15728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7' +
    'abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200c' +
    'bbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a93ad2caffffffffffffffff',
);

export const DH_GROUPS: Readonly<Record<DhGroup, DhGroupFacts>> = {
  3: { type: 'modp', length: 192, prime: MODP_1536 },
  4: { type: 'modp', length: 384, prime: MODP_3072 },
  7: { type: 'ecp', length: 32, curve: 'P-256' },
  8: { type: 'ecp', length: 48, curve: 'P-384' },
  9: { type: 'ecp', length: 66, curve: 'P-521' },
  10: { type: 'ecp', length: 20, curve: 'secp160r1' },
};

export function isDhGroup(group: number): group is DhGroup {
  return Object.hasOwn(DH_GROUPS, group);
}

/**
 * A MODP public value as a number, if it generates the subgroup of the large prime order: of the elements of a group modulo a safe
 * prime p = 2q + 1, those of order q are the squares other than 1 (RFC 2785 §3.1). Shorter values stand for leading zeros.
 */
export function modpPublicValue(prime: bigint, length: number, octets: Uint8Array): bigint | undefined {
  if (octets.length > length) return undefined;
  const value = toBigInt(octets);
  return value > 1n && value < prime - 1n && jacobi(value, prime) === 1 ? value : undefined;
}

/** The Jacobi symbol (a/n) of an odd n: for a prime, whether a is a square. Cheaper than the power (n-1)/2. */
function jacobi(a: bigint, n: bigint): number {
  let [top, bottom, sign] = [a % n, n, 1];
  while (top !== 0n) {
    while ((top & 1n) === 0n) {
      top >>= 1n;
      const residue = bottom & 7n;
      if (residue === 3n || residue === 5n) sign = -sign;
    }
    [top, bottom] = [bottom, top];
    if ((top & 3n) === 3n && (bottom & 3n) === 3n) sign = -sign;
    top %= bottom;
  }
  return bottom === 1n ? sign : 0;
}
