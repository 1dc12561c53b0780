import type { Address } from '../../wire/address.ts';
import { attribute, LITTLE_ENDIAN, viewOf } from './attributes.ts';
import { AF_INET6, NLM_F_ACK, request } from './message.ts';

const RTM_DELNEIGH = 29;
const NDA_DST = 1;

/**
 * Makes the kernel forget a neighbour on an interface, and drop the packets that wait for its link-layer address.
 * `struct ndmsg`: family, padding (3), interface index (4), state (2), flags, type.
 */
export function writeNeighbourDeletion(index: number, address: Address): Uint8Array {
  const fixed = new Uint8Array(12);
  fixed[0] = AF_INET6;
  viewOf(fixed).setInt32(4, index, LITTLE_ENDIAN);
  return request(RTM_DELNEIGH, NLM_F_ACK, fixed, attribute(NDA_DST, address));
}
