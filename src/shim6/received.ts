import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { I1, I2, I2bis } from './messages.ts';

/** A control message as it came in. `octets` start at the Shim6 header. */
export interface ReceivedPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly octets: Uint8Array;
}

/** ULID(local) and ULID(peer) of a received message: by its ULID Pair option or its addresses, RFC 5533 §5.15.6. */
export function ulidsOf(message: I1 | I2 | I2bis, packet: ReceivedPacket): LocatorPair {
  const pair = message.options.ulidPair;
  return { local: pair?.receiver ?? packet.destination, peer: pair?.sender ?? packet.source };
}

/** The pair on which an answer to `packet` goes out. */
export function pairBack(packet: { readonly source: Address; readonly destination: Address }): LocatorPair {
  return { local: packet.destination, peer: packet.source };
}
