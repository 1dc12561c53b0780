import { parseCgaParameters } from '../cga/parameters.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { I1, I2, I2bis } from '../shim6/messages.ts';
import { ulidsOf } from '../shim6/received.ts';
import type { ReceivedPacket } from '../shim6/received.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { HostLocator } from './host-io.ts';

/** Somebody who wants a context, as far as that is known by then. */
export interface Approach {
  /** ULID(peer). */
  readonly peer: Address;
  /** Where it came in; unknown when we are the ones who ask. */
  readonly interface?: string | undefined;
  /**
   * DER SubjectPublicKeyInfo of an I2 or I2bis, `null` when that has none; left out before. Nothing is made of a message
   * whose key is not that of its ULID (RFC 5533 §7.13), so who says yes because of a key does not have to prove it.
   */
  readonly publicKey?: Uint8Array | null;
}

/** Who may have a context with this host, and what it is told about it. */
export interface PeerPolicy {
  /** To be answered before anything is stored; without a key: could it be? */
  admits(approach: Approach): boolean;
  /** Is this locator of ours told to the peer? The ULID always is. */
  announces(peer: Address, locator: HostLocator): boolean;
}

/** May the sender of this message have a context that does not exist yet? */
export function admitted(
  policy: PeerPolicy | undefined,
  message: I1 | I2 | I2bis,
  packet: ReceivedPacket,
  locators: readonly HostLocator[],
): boolean {
  if (policy === undefined) return true;
  const { peer } = ulidsOf(message, packet);
  const arrival = locators.find((locator) => sameOctets(locator.address, packet.destination));
  const approach = { peer, interface: arrival?.interface };
  return policy.admits(message.type === 'I1' ? approach : { ...approach, publicKey: keyIn(message) });
}

function keyIn({ options: { parameters } }: I2 | I2bis): Uint8Array | null {
  const parsed = parameters && parseCgaParameters(parameters);
  return parsed?.ok === true ? parsed.value.publicKey : null;
}

/** The locators that the peer of these ULIDs is told. */
export function announced(
  policy: PeerPolicy | undefined,
  { local, peer }: LocatorPair,
  locators: readonly HostLocator[],
): readonly HostLocator[] {
  if (policy === undefined) return locators;
  return locators.filter((locator) => sameOctets(locator.address, local) || policy.announces(peer, locator));
}
