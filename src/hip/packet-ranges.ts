import { ADDRESS_LENGTH } from '../wire/address.ts';
import { CHECKSUM_AT, HEADER_LENGTH_AT, HIP_HEADER_LENGTH, RECEIVER_HIT_AT } from './packet-codec.ts';
import { PARAMETER_TYPES } from './parameter.ts';
import { TLV_HEADER_LENGTH, rawParameters } from './parameter-list.ts';

/*
 * What MACs and signatures are computed over, RFC 7401 §6.4: the packet as it was received or encoded, cut off in front of a
 * parameter, with the Header Length of what is left and a Checksum of 0. Nothing is written anew from parsed values. Of a
 * packet that does not have the parameter yet, the range is what it has so far.
 */

/** RFC 7401 §5.2.4: K and Lifetime; Opaque and I follow. */
const PUZZLE_CONSTANT_LENGTH = 2;

const NOTHING = new Uint8Array(0);

/** For HIP_MAC, §6.4.1. */
export function macRange(octets: Uint8Array): Uint8Array {
  return rangeBefore(octets, PARAMETER_TYPES.HIP_MAC);
}

/** For HIP_MAC_2, §6.4.1: behind the rest stands the Responder's HOST_ID parameter, padding included, as it was in the R1. */
export function mac2Range(octets: Uint8Array, hostId: Uint8Array): Uint8Array {
  return rangeBefore(octets, PARAMETER_TYPES.HIP_MAC_2, hostId);
}

/** For HIP_SIGNATURE, §6.4.2. */
export function signedRange(octets: Uint8Array): Uint8Array {
  return rangeBefore(octets, PARAMETER_TYPES.HIP_SIGNATURE);
}

/** For HIP_SIGNATURE_2, §6.4.2: the Receiver's HIT, and Opaque and I of PUZZLE are zero, so that an R1 can be made in advance. */
export function signedRange2(octets: Uint8Array): Uint8Array {
  const range = rangeBefore(octets, PARAMETER_TYPES.HIP_SIGNATURE_2);
  range.fill(0, RECEIVER_HIT_AT, RECEIVER_HIT_AT + ADDRESS_LENGTH);
  for (const parameter of rawParameters(range.subarray(HIP_HEADER_LENGTH), HIP_HEADER_LENGTH)) {
    if (parameter?.number !== PARAMETER_TYPES.PUZZLE) continue;
    const start = parameter.at + TLV_HEADER_LENGTH;
    range.fill(0, start + PUZZLE_CONSTANT_LENGTH, start + parameter.contents.length);
  }
  return range;
}

function rangeBefore(octets: Uint8Array, number: number, behind: Uint8Array = NOTHING): Uint8Array {
  let end = octets.length;
  for (const parameter of rawParameters(octets.subarray(HIP_HEADER_LENGTH), HIP_HEADER_LENGTH)) {
    if (parameter === undefined || parameter.number < number) continue;
    end = parameter.at;
    break;
  }
  const range = new Uint8Array(end + behind.length);
  range.set(octets.subarray(0, end));
  range.set(behind, end);
  range[HEADER_LENGTH_AT] = range.length / 8 - 1;
  range.fill(0, CHECKSUM_AT, CHECKSUM_AT + 2);
  return range;
}
