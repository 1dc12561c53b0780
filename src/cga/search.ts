import type { Crypto } from '../crypto/ports.ts';
import { hash2Input, satisfiesSec } from './hash.ts';
import type { Sec } from './hash.ts';
import { MODIFIER_LENGTH, PREFIX_LENGTH, encodeCgaParameters } from './parameters.ts';

/** What a Modifier is searched for. Plain octets, so that it can be handed to a worker. */
export interface ModifierTask {
  /** Where the search begins: random, or one found before for the same key (RFC 3972 §4), which is then found at once. */
  readonly modifier: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly extensions: Uint8Array;
  readonly sec: Sec;
}

/** The search of RFC 3972 §4 steps 2 and 3, in slices: about 2^(16*Sec) hashes altogether. */
export class ModifierSearch {
  readonly #crypto: Crypto;
  readonly #input: Uint8Array;
  readonly #sec: Sec;
  #hashes = 0;
  #found: boolean;

  constructor(crypto: Crypto, task: ModifierTask) {
    if (task.modifier.length !== MODIFIER_LENGTH) throw new RangeError('a Modifier has 16 octets');
    const { modifier, publicKey, extensions, sec } = task;
    const subnetPrefix = new Uint8Array(PREFIX_LENGTH);
    this.#crypto = crypto;
    this.#input = hash2Input(encodeCgaParameters({ modifier, subnetPrefix, collisionCount: 0, publicKey, extensions }));
    this.#sec = sec;
    this.#found = sec === 0; // §4: no condition, steps 2 and 3 are skipped
  }

  /** Hashes computed so far. */
  get hashes(): number {
    return this.#hashes;
  }

  /** The Modifier once found; `undefined` after `limit` more hashes in vain, and the next call goes on from there. */
  step(limit: number): Uint8Array | undefined {
    for (let i = 0; i < limit && !this.#found; i++) {
      this.#hashes++;
      if (satisfiesSec(this.#crypto.sha1(this.#input), this.#sec)) this.#found = true;
      else this.#increment();
    }
    return this.#found ? this.#input.slice(0, MODIFIER_LENGTH) : undefined;
  }

  /** §4 step 3: the Modifier is one 128-bit number and wraps. */
  #increment(): void {
    for (let i = MODIFIER_LENGTH - 1; i >= 0; i--) {
      const octet = ((this.#input[i] ?? 0) + 1) & 0xff;
      this.#input[i] = octet;
      if (octet !== 0) return;
    }
  }
}

/** The whole search at once: instantly for Sec 0, some tenths of a second for Sec 1; Sec 2 takes hours. */
export function findModifier(crypto: Crypto, task: ModifierTask): Uint8Array {
  const search = new ModifierSearch(crypto, task);
  for (;;) {
    const modifier = search.step(0x1_0000);
    if (modifier !== undefined) return modifier;
  }
}
