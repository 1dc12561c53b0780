import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const MAX_KEYS = 256;

/** Imported public keys, most recently used last. A peer's key serves for all its messages; its import costs more than a hash. */
export class KeyCache {
  readonly #keys = new Map<string, KeyObject>();
  readonly #accepts: (publicKey: Uint8Array) => boolean;

  /** `accepts`: OpenSSL also takes other algorithms and sloppy DER. */
  constructor(accepts: (publicKey: Uint8Array) => boolean) {
    this.#accepts = accepts;
  }

  /** The key of a DER SubjectPublicKeyInfo; `undefined` when it is not accepted. */
  imported(publicKey: Uint8Array): KeyObject | undefined {
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
    const known = this.#keys.get(name);
    if (known !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    if (!this.#accepts(publicKey)) return undefined;
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    if (this.#keys.size >= MAX_KEYS)
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    this.#keys.set(name, key);
    return key;
  }
}
