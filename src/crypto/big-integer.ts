import { fromHex, toHex } from '../wire/hex.ts';

/** An unsigned number in network order. */
export function toBigInt(octets: Uint8Array): bigint {
  return octets.length === 0 ? 0n : BigInt(`0x${toHex(octets)}`);
}

/** The number in network order, with leading zeros; `RangeError` when it does not fit. */
export function toOctets(value: bigint, length: number): Uint8Array {
  const octets = fromHex(value.toString(16).padStart(2 * length, '0'));
  if (octets?.length !== length) throw new RangeError('the number does not fit');
  return octets;
}

export function modularPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n % modulus;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
