import { signLocators } from '../cga/signature.ts';
import { random32 } from '../crypto/ports.ts';
import type { Random, Signer } from '../crypto/ports.ts';
import { addressKey } from '../wire/address.ts';
import { METHOD_CGA } from './locator-list.ts';
import type { ListedLocator, LocatorList } from './locator-list.ts';

/** A locator list of this host, ready to be sent in any number of messages. */
export interface OwnList extends LocatorList {
  /** Present when a locator has method CGA. */
  readonly signature: Uint8Array | undefined;
}

/** Lists in use at one time: one per identity and set of locators, more while a change is under way. */
const MAX_LISTS = 1024;

/**
 * The locator lists that this host publishes, each with its generation (RFC 5533 §10.1) and signed once (§5.15.5).
 * Shared by all contexts: those with the same locators send the same list.
 */
export class OwnLists {
  readonly #signer: Signer | undefined;
  readonly #lists = new Map<string, OwnList>();
  #generation: number;

  constructor(random: Random, signer?: Signer) {
    this.#signer = signer;
    this.#generation = random32(random); // §10.3: the first is random, later ones count on
  }

  /** A peer knows this generation from before: the next one is later (RFC 5533 §10.3). */
  continueAfter(generation: number): void {
    if (((generation - this.#generation) | 0) > 0) this.#generation = generation; // modulo 2^32
  }

  /** The list of these locators in this order. */
  listOf(locators: readonly ListedLocator[]): OwnList {
    const key = keyOf(locators);
    const known = this.#lists.get(key);
    if (known === undefined) return this.#make(key, locators);
    this.#lists.delete(key);
    this.#lists.set(key, known);
    return known;
  }

  /** The same locators under the next generation, unless another context has had that made already. */
  renewed(list: OwnList): OwnList {
    const current = this.listOf(list.locators);
    return current.generation === list.generation ? this.#make(keyOf(list.locators), list.locators) : current;
  }

  #make(key: string, locators: readonly ListedLocator[]): OwnList {
    this.#generation = (this.#generation + 1) >>> 0;
    const generation = this.#generation;
    const signed = locators.filter(({ method }) => method === METHOD_CGA).map(({ address }) => address);
    if (signed.length > 0 && this.#signer === undefined) throw new TypeError('a CGA locator needs a signer');
    const signature =
      signed.length > 0 && this.#signer !== undefined ? signLocators(this.#signer, generation, signed) : undefined;
    const list = { generation, locators, signature };
    this.#lists.delete(key);
    this.#lists.set(key, list);
    if (this.#lists.size > MAX_LISTS) {
      for (const oldest of this.#lists.keys()) {
        this.#lists.delete(oldest);
        break;
      }
    }
    return list;
  }
}

function keyOf(locators: readonly ListedLocator[]): string {
  return locators.map(({ address, method }) => String.fromCharCode(method) + addressKey(address)).join('');
}
