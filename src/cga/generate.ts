import type { Crypto, Random } from '../crypto/ports.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { hash1, interfaceIdentifier } from './hash.ts';
import type { Sec } from './hash.ts';
import { MAX_COLLISION_COUNT, MODIFIER_LENGTH, PREFIX_LENGTH, encodeCgaParameters } from './parameters.ts';
import type { CgaParameters } from './parameters.ts';
import { findModifier } from './search.ts';

/** An address with the parameters that prove it. */
export interface Cga {
  readonly address: Address;
  readonly parameters: CgaParameters;
}

export interface CgaRequest {
  readonly crypto: Crypto;
  readonly random: Random;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** The 64-bit subnet prefix. */
  readonly prefix: Uint8Array;
  readonly sec: Sec;
  /** Where the search for the Modifier begins; one kept from before with the same key, extensions and Sec is reused (§4). */
  readonly modifier?: Uint8Array;
  readonly collisionCount?: number;
  readonly extensions?: Uint8Array;
}

/** CGA generation, RFC 3972 §4, without the duplicate address detection of step 8. Blocks for the search of Sec 1 or 2. */
export function generateCga(request: CgaRequest): Cga {
  const { crypto, publicKey, sec, collisionCount = 0, extensions = new Uint8Array(0) } = request;
  const modifier = findModifier(crypto, {
    modifier: request.modifier ?? request.random(MODIFIER_LENGTH), // step 1
    publicKey,
    extensions,
    sec,
  });
  const parameters = { modifier, subnetPrefix: request.prefix, collisionCount, publicKey, extensions };
  return { address: formAddress(crypto, parameters, sec), parameters };
}

/**
 * Steps 5 to 7: the address of parameters whose Modifier already satisfies Sec. For a new prefix or a raised
 * collision count no other Modifier is needed, since Hash2 covers neither.
 */
export function formAddress(crypto: Crypto, parameters: CgaParameters, sec: Sec): Address {
  if (parameters.subnetPrefix.length !== PREFIX_LENGTH) throw new RangeError('a subnet prefix has 8 octets');
  if (!(parameters.collisionCount >= 0 && parameters.collisionCount <= MAX_COLLISION_COUNT)) {
    throw new RangeError('collision count not 0, 1 or 2'); // §3
  }
  const address = new Uint8Array(ADDRESS_LENGTH);
  address.set(parameters.subnetPrefix);
  address.set(interfaceIdentifier(hash1(crypto, encodeCgaParameters(parameters)), sec), PREFIX_LENGTH);
  return address;
}

/** Step 8: what to try after a duplicate was detected; `undefined` after the third. */
export function afterCollision(crypto: Crypto, cga: Cga, sec: Sec): Cga | undefined {
  const collisionCount = cga.parameters.collisionCount + 1;
  if (collisionCount > MAX_COLLISION_COUNT) return undefined;
  const parameters = { ...cga.parameters, collisionCount };
  return { address: formAddress(crypto, parameters, sec), parameters };
}
