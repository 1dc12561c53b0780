import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { LocatorList } from './locator-list.ts';
import type { PeerLocators } from './peer-locators.ts';

/** Remembered at most; what was not asked for longest is forgotten first, which costs memory only. */
const MAX_FACTS = 2048;

/** Keeps one copy of what all contexts with one identifier of a peer know alike. */
export class SharedFacts {
  readonly #parameters = new Map<string, Uint8Array>();
  readonly #locators = new Map<string, PeerLocators>();

  /** The first copy of these CGA parameters. */
  parameters(octets: Uint8Array): Uint8Array {
    return remembered(this.#parameters, addressKey(octets), () => octets);
  }

  /** Ls(peer) after this list, made once. */
  locators(ulid: Address, { generation, locators }: LocatorList, make: () => PeerLocators): PeerLocators {
    const members = locators.map(({ address, method }) => addressKey(address) + String.fromCharCode(method));
    return remembered(this.#locators, `${String(generation)} ${addressKey(ulid)}${members.join('')}`, make);
  }
}

function remembered<Value>(memory: Map<string, Value>, key: string, make: () => Value): Value {
  const value = memory.get(key) ?? make();
  memory.delete(key);
  memory.set(key, value); // last in the order of use
  if (memory.size > MAX_FACTS) {
    for (const oldest of memory.keys()) {
      memory.delete(oldest);
      break;
    }
  }
  return value;
}
