import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { LocatorList } from './locator-list.ts';
import type { PeerLocators } from './peer-locators.ts';
import { recall } from './recent.ts';

/** Remembered at most; what was not asked for longest is forgotten first, which costs memory only. */
const MAX_FACTS = 2048;

/** Keeps one copy of what all contexts with one identifier of a peer know alike. */
export class SharedFacts {
  readonly #parameters = new Map<string, Uint8Array>();
  readonly #locators = new Map<string, PeerLocators>();

  /** The first copy of these CGA parameters. */
  parameters(octets: Uint8Array): Uint8Array {
    return recall(this.#parameters, addressKey(octets), MAX_FACTS, () => octets);
  }

  /** Ls(peer) after this list, made once. */
  locators(ulid: Address, { generation, locators }: LocatorList, make: () => PeerLocators): PeerLocators {
    const members = locators.map(({ address, method }) => addressKey(address) + String.fromCharCode(method));
    return recall(this.#locators, `${String(generation)} ${addressKey(ulid)}${members.join('')}`, MAX_FACTS, make);
  }
}
