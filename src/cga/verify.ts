import type { Crypto } from '../crypto/ports.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { hash1, hash2, isAssignedSec, matchesHash1, satisfiesSec, secOf } from './hash.ts';
import { MAX_COLLISION_COUNT, MODIFIER_LENGTH, PREFIX_LENGTH, PUBLIC_KEY_OFFSET } from './parameters.ts';

export type CgaFailure =
  | 'truncated' // shorter than the fixed part
  | 'bad-collision-count'
  | 'prefix-mismatch'
  | 'unassigned-sec' // RFC 4982 §4.2: the meaning of Sec 3 to 7 is not defined yet
  | 'hash1-mismatch'
  | 'hash2-mismatch';

/** A failure is an answer, not an error: reasons can be shown and counted. */
export type Verdict<Failure> = { readonly valid: true } | { readonly valid: false; readonly reason: Failure };

export interface CgaVerification {
  /** Apply the rule of RFC 3972 to Sec 3 to 7 too, as if SHA-1 were assigned to them. */
  readonly unassignedSecAsSha1?: boolean;
}

/**
 * CGA verification, RFC 3972 §5, of an address against the octets of a CGA Parameters data structure. Key and
 * extensions are hashed, not interpreted. Stops at the first failure; at most two SHA-1 runs.
 */
export function verifyCga(
  crypto: Crypto,
  address: Address,
  parameters: Uint8Array,
  options: CgaVerification = {},
): Verdict<CgaFailure> {
  if (parameters.length < PUBLIC_KEY_OFFSET) return failed('truncated');
  if ((parameters[PUBLIC_KEY_OFFSET - 1] ?? 0) > MAX_COLLISION_COUNT) return failed('bad-collision-count'); // step 1
  const subnetPrefix = parameters.subarray(MODIFIER_LENGTH, MODIFIER_LENGTH + PREFIX_LENGTH);
  if (!sameOctets(subnetPrefix, address.subarray(0, PREFIX_LENGTH))) return failed('prefix-mismatch'); // step 2
  const sec = secOf(address); // step 5, earlier: RFC 4982 §4 lets Sec choose the hash
  if (!isAssignedSec(sec) && options.unassignedSecAsSha1 !== true) return failed('unassigned-sec');
  const identifier = address.subarray(PREFIX_LENGTH);
  if (!matchesHash1(hash1(crypto, parameters), identifier)) return failed('hash1-mismatch'); // steps 3 and 4
  if (sec > 0 && !satisfiesSec(hash2(crypto, parameters), sec)) return failed('hash2-mismatch'); // steps 6 and 7
  return { valid: true };
}

export function failed<Failure>(reason: Failure): Verdict<Failure> {
  return { valid: false, reason };
}
