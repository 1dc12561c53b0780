import { addressPairKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** A locator pair as this host sees it: packets go out from `local` to `peer`, and come in the other way round. */
export interface LocatorPair {
  readonly local: Address;
  readonly peer: Address;
}

export function pairKey(pair: LocatorPair): string {
  return addressPairKey(pair.local, pair.peer);
}

export function samePair(a: LocatorPair, b: LocatorPair): boolean {
  return sameOctets(a.local, b.local) && sameOctets(a.peer, b.peer);
}
