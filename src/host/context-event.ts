import type { LocatorPair } from '../locators/pair.ts';
import { formatAddress } from '../wire/address.ts';
import type { HostEvent, PairText } from './events.ts';

type OfContext = Extract<HostEvent, { readonly ulids: PairText }>;
type Told<E> = E extends unknown ? Omit<E, 'at' | 'ulids' | 'forkedInstanceId'> : never;

/** An event that concerns one context, without what is the same in all of them. */
export type ContextEvent = Told<OfContext>;

export function pairText(pair: LocatorPair): PairText {
  return [formatAddress(pair.local), formatAddress(pair.peer)];
}
