import type { LocatorPair } from '../locators/pair.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** Peers remembered at most; the one that was longest without a context is forgotten first. */
const MAX_PEERS = 1_024;
/** Locators of one peer that are looked at. */
const MAX_LOCATORS = 8;

/** What is known of a host with which there was a context. */
export interface RememberedPeer {
  /** Verified in that context (RFC 5533 §7.2); any of them may be a ULID. */
  locators: readonly Address[];
  /** The pair that carried packets last. */
  lastPair: LocatorPair;
}

/** Knowledge that outlives contexts, so that a new one may begin over any pair known from before. In memory only. */
export class RememberedPeers {
  readonly #byLocator = new Map<string, RememberedPeer>();
  readonly #peers = new Set<RememberedPeer>();
  readonly #onForgotten: (peer: RememberedPeer) => void;
  /** Grows with every address that comes or goes. */
  version = 0;

  constructor(onForgotten: (peer: RememberedPeer) => void = () => undefined) {
    this.#onForgotten = onForgotten;
  }

  of(address: Address): RememberedPeer | undefined {
    return this.#byLocator.get(addressKey(address));
  }

  [Symbol.iterator](): Iterator<RememberedPeer> {
    return this.#peers.values();
  }

  /** Every address of every peer. */
  get addresses(): Address[] {
    return [...this.#peers].flatMap(({ locators }) => locators);
  }

  /** What a context knows now replaces what was known of this peer. */
  remember(all: readonly Address[], lastPair: LocatorPair): RememberedPeer {
    const locators = all.slice(0, MAX_LOCATORS);
    const before = this.of(lastPair.peer);
    const isSame = before !== undefined && sameLocators(before.locators, locators);
    const peer = before ?? { locators, lastPair };
    if (before !== undefined) this.#remove(before);
    for (const oldest of this.#peers) {
      if (this.#peers.size < MAX_PEERS) break;
      this.#remove(oldest);
      this.#onForgotten(oldest);
    }
    peer.lastPair = lastPair;
    peer.locators = locators;
    this.#peers.add(peer);
    for (const locator of locators) this.#byLocator.set(addressKey(locator), peer);
    if (!isSame) this.version++;
    return peer;
  }

  #remove(peer: RememberedPeer): void {
    this.#peers.delete(peer);
    for (const locator of peer.locators) {
      if (this.of(locator) === peer) this.#byLocator.delete(addressKey(locator));
    }
  }
}

function sameLocators(a: readonly Address[], b: readonly Address[]): boolean {
  const keys = new Set(a.map(addressKey));
  return keys.size === b.length && b.every((locator) => keys.has(addressKey(locator)));
}
