import { parseCgaParameters } from '../cga/parameters.ts';
import type { Random, Signer } from '../crypto/ports.ts';
import { OwnLists } from '../shim6/own-lists.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { HostLocator } from './host-io.ts';

/** The keys of a host. */
export interface Keys {
  readonly random: Random;
  /** The key that our identifiers are the hashes of; an HBA set may have none. */
  readonly signer: Signer | undefined;
  /** Keys of further identities, by their names. */
  readonly signers?: ReadonlyMap<string, Signer>;
}

/** To which identity of this host an address belongs, also after it has gone: a peer is told those of one identity only. */
export class Identities {
  readonly #keys: Keys;
  readonly #lists = new Map<string | undefined, OwnLists>();
  readonly #byAddress = new Map<string, string | undefined>();
  readonly #byPublicKey = new Map<string, string | undefined>();

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  follow(locators: readonly HostLocator[]): void {
    for (const { address, parameters, identity } of locators) {
      const at = addressKey(address);
      if (parameters === undefined || (this.#byAddress.has(at) && this.#byAddress.get(at) === identity)) continue;
      this.#byAddress.set(at, identity);
      const key = publicKeyIn(parameters);
      if (key !== undefined) this.#byPublicKey.set(key, identity);
    }
  }

  /** An identifier that another process used: its address may not have been here yet, its parameters name the key. */
  adopt(ulid: Address, parameters: Uint8Array | undefined): void {
    const key = parameters && publicKeyIn(parameters);
    if (key === undefined || this.#byAddress.has(addressKey(ulid)) || !this.#byPublicKey.has(key)) return;
    this.#byAddress.set(addressKey(ulid), this.#byPublicKey.get(key));
  }

  /** What the identity behind an address publishes, signed with its key. */
  listsOf(address: Address): OwnLists {
    const name = this.of(address);
    const known = this.#lists.get(name);
    if (known !== undefined) return known;
    const { random, signer, signers } = this.#keys;
    const lists = new OwnLists(random, name === undefined ? signer : (signers?.get(name) ?? signer));
    this.#lists.set(name, lists);
    return lists;
  }

  /** `undefined`: the one that programs get without asking. */
  of(address: Address): string | undefined {
    return this.#byAddress.get(addressKey(address));
  }
}

function publicKeyIn(parameters: Uint8Array): string | undefined {
  const parsed = parseCgaParameters(parameters);
  return parsed.ok ? toHex(parsed.value.publicKey) : undefined;
}
