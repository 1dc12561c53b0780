import { cshake128 as cshake, kmac128 as kmac } from '@noble/hashes/sha3-addons.js';

/** cSHAKE128 of SP 800-185 with an empty function name; without a customization it is SHAKE128. Node has neither this nor KMAC. */
export function cshake128(octets: Uint8Array, length: number, customization: Uint8Array): Uint8Array {
  return cshake(octets, { dkLen: length, personalization: customization });
}

/** KMAC128 of SP 800-185 with an empty customization. */
export function kmac128(key: Uint8Array, octets: Uint8Array, length: number): Uint8Array {
  return kmac(key, octets, { dkLen: length });
}
