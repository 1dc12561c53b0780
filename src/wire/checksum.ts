/** One's complement sum of 16-bit words (RFC 1071), folded to 16 bits; an odd last octet is padded with zero. */
export function onesComplementSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  if (even !== bytes.length) sum += (bytes[even] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** The Internet checksum: complement of the sum; 0xffff when the field was left in and is right gives 0. */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~onesComplementSum(bytes, initial) & 0xffff;
}

/** Sum of the IPv6 pseudo-header, RFC 8200 §8.1, to start an upper-layer checksum with. */
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, length: number, protocol: number): number {
  const sum = onesComplementSum(destination, onesComplementSum(source));
  return onesComplementSum(NOTHING, sum + (length >>> 16) + (length & 0xffff) + protocol);
}

const NOTHING = new Uint8Array(0);
