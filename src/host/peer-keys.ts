import { parseCgaParameters } from '../cga/parameters.ts';
import type { Crypto } from '../crypto/ports.ts';
import { addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** Names hosts by the key that their identifiers are the hashes of (RFC 3972 §3), or else by their only identifier. */
export class PeerKeys {
  readonly #crypto: Crypto;
  readonly #known = new WeakMap<Uint8Array, string>();

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  of(parameters: Uint8Array | undefined, ulid: Address): string {
    if (parameters === undefined) return addressKey(ulid);
    let key = this.#known.get(parameters);
    if (key === undefined) {
      const parsed = parseCgaParameters(parameters);
      key = parsed.ok ? String.fromCharCode(...this.#crypto.sha256(parsed.value.publicKey)) : addressKey(ulid);
      this.#known.set(parameters, key);
    }
    return key;
  }
}
