import type { Crypto, Random } from '../crypto/ports.ts';
import { encodeRsaPublicKey } from '../crypto/rsa-key.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { Writer } from '../wire/writer.ts';
import { findMultiPrefix, multiPrefixLength, writeMultiPrefix } from './extensions.ts';
import { formAddress } from './generate.ts';
import type { Cga } from './generate.ts';
import type { Sec } from './hash.ts';
import {
  MAX_COLLISION_COUNT,
  MODIFIER_LENGTH,
  PREFIX_LENGTH,
  encodeCgaParameters,
  parseCgaParameters,
} from './parameters.ts';
import { findModifier } from './search.ts';
import { failed, verifyCga } from './verify.ts';
import type { CgaFailure, CgaVerification, Verdict } from './verify.ts';

/** §6: the Extended Modifier that takes the place of a key has 384 bits. */
export const EXTENDED_MODIFIER_LENGTH = 48;

/** RFC 5535 leaves the exponent open. */
const PSEUDO_KEY_EXPONENT = Uint8Array.of(1, 0, 1);

/** An HBA set, RFC 5535 §6: one address per prefix, in the order of the extension; all share everything but the prefix. */
export interface HbaSet {
  readonly sec: Sec;
  readonly members: readonly Cga[];
}

/** What the members of a set have in common. */
export interface HbaBasis {
  readonly sec: Sec;
  readonly prefixes: readonly Uint8Array[];
  /** Final: it satisfies Sec together with key and extension. */
  readonly modifier: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly extensions: Uint8Array;
  readonly collisionCount: number;
}

export interface HbaRequest {
  readonly crypto: Crypto;
  readonly random: Random;
  readonly prefixes: readonly Uint8Array[];
  readonly sec: Sec;
  /** Makes a CGA/HBA set, whose addresses can also sign for other locators; left out, a random number stands in. */
  readonly publicKey?: Uint8Array;
  /** Where the search begins. */
  readonly modifier?: Uint8Array;
}

/** RFC 5535 §6, without duplicate address detection. Blocks for the search of Sec 1 or 2. */
export function generateHbaSet(request: HbaRequest): HbaSet {
  const { crypto, random, prefixes, sec } = request;
  const extensions = hbaExtensions(prefixes, request.publicKey !== undefined); // step 1
  const start = request.modifier ?? random(MODIFIER_LENGTH); // step 2
  const publicKey = request.publicKey ?? pseudoKey(random(EXTENDED_MODIFIER_LENGTH));
  const modifier = findModifier(crypto, { modifier: start, publicKey, extensions, sec }); // steps 3 and 4
  return formHbaSet(crypto, { sec, prefixes, modifier, publicKey, extensions, collisionCount: 0 });
}

/** §6 step 6: the addresses. After a collision on any of them the whole set is formed again with the next count. */
export function formHbaSet(crypto: Crypto, basis: HbaBasis): HbaSet {
  const { sec, modifier, publicKey, extensions, collisionCount } = basis;
  const members = basis.prefixes.map((subnetPrefix) => {
    const parameters = { modifier, subnetPrefix, collisionCount, publicKey, extensions };
    return { address: formAddress(crypto, parameters, sec), parameters };
  });
  return { sec, members };
}

/** §6 step 6.4: the set after a duplicate of any member was detected; `undefined` after the third. */
export function hbaSetAfterCollision(crypto: Crypto, set: HbaSet): HbaSet | undefined {
  const [first] = set.members;
  if (first === undefined || first.parameters.collisionCount >= MAX_COLLISION_COUNT) return undefined;
  const collisionCount = first.parameters.collisionCount + 1;
  const prefixes = set.members.map(({ parameters }) => parameters.subnetPrefix);
  return formHbaSet(crypto, { ...first.parameters, sec: set.sec, prefixes, collisionCount });
}

/** The extension octets of a set: one Multi-Prefix extension. */
export function hbaExtensions(prefixes: readonly Uint8Array[], hasPublicKey: boolean): Uint8Array {
  if (prefixes.length === 0) throw new RangeError('an HBA set needs a prefix');
  if (prefixes.some((prefix) => prefix.length !== PREFIX_LENGTH)) throw new RangeError('a subnet prefix has 8 octets');
  const extension = { hasPublicKey, prefixes };
  const w = new Writer(multiPrefixLength(extension));
  writeMultiPrefix(w, extension);
  return w.finish();
}

/** §6: the Extended Modifier in the encoding of an RSA key, of which it is the modulus. */
export function pseudoKey(extendedModifier: Uint8Array): Uint8Array {
  if (extendedModifier.length !== EXTENDED_MODIFIER_LENGTH) throw new RangeError('an Extended Modifier has 48 octets');
  return encodeRsaPublicKey({ modulus: extendedModifier, exponent: PSEUDO_KEY_EXPONENT });
}

export type HbaFailure = CgaFailure | 'malformed' | 'no-multi-prefix' | 'prefix-not-in-set';

/** Does `address` belong to the set of these parameters, RFC 5535 §7.2? The parameters may be those of any member. */
export function verifyHba(
  crypto: Crypto,
  address: Address,
  parameters: Uint8Array,
  options: CgaVerification = {},
): Verdict<HbaFailure> {
  const parsed = parseCgaParameters(parameters);
  if (!parsed.ok) return failed(parsed.reason === 'truncated' ? 'truncated' : 'malformed');
  const multiPrefix = findMultiPrefix(parsed.value.extensions);
  if (multiPrefix === undefined) return failed('no-multi-prefix');
  const subnetPrefix = address.slice(0, PREFIX_LENGTH);
  if (!multiPrefix.prefixes.some((prefix) => sameOctets(prefix, subnetPrefix))) return failed('prefix-not-in-set'); // step 1
  return verifyCga(crypto, address, encodeCgaParameters({ ...parsed.value, subnetPrefix }), options); // step 2
}
