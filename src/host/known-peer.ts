import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** A Path Test that gets no answer is repeated once. */
const MAX_TRIES = 2;

/** One host at the other end, known by its key: what all contexts with its identifiers know together. */
export class KnownPeer {
  readonly key: string;
  /** RFC 5533 §7.2 (2): a probe exchange has shown that it is there. */
  readonly #present = new Set<string>();
  readonly #tries = new Map<string, number>();
  users = 0;

  constructor(key: string) {
    this.key = key;
  }

  isPresent(locator: Address): boolean {
    return this.#present.has(addressKey(locator));
  }

  confirmed(locator: Address): void {
    this.#present.add(addressKey(locator));
  }

  /** The first pair to a locator at which the peer was not seen yet, unless that was tried in vain. */
  untried(pairs: readonly LocatorPair[]): LocatorPair | undefined {
    return pairs.find((pair) => !this.isPresent(pair.peer) && (this.#tries.get(pairKey(pair)) ?? 0) < MAX_TRIES);
  }

  tried(pair: LocatorPair): void {
    this.#tries.set(pairKey(pair), (this.#tries.get(pairKey(pair)) ?? 0) + 1);
  }
}

/** The hosts with which there are contexts. */
export class KnownPeers {
  readonly #peers = new Map<string, KnownPeer>();

  acquire(key: string): KnownPeer {
    let peer = this.#peers.get(key);
    if (peer === undefined) this.#peers.set(key, (peer = new KnownPeer(key)));
    peer.users++;
    return peer;
  }

  release(peer: KnownPeer): void {
    if (--peer.users === 0) this.#peers.delete(peer.key);
  }
}
