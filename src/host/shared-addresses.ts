import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** One copy of each address that contexts hold, as long as one of them does. */
export class SharedAddresses {
  readonly #addresses = new Map<string, { readonly address: Address; users: number }>();

  acquire(address: Address): Address {
    const key = addressKey(address);
    const known = this.#addresses.get(key);
    if (known === undefined) {
      this.#addresses.set(key, { address, users: 1 });
      return address;
    }
    known.users++;
    return known.address;
  }

  release(address: Address): void {
    const key = addressKey(address);
    const known = this.#addresses.get(key);
    if (known !== undefined && --known.users === 0) this.#addresses.delete(key);
  }
}
