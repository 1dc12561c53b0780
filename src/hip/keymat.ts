import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { HipCrypto, Rhash } from '../crypto/ports.ts';
import { HIP_CIPHERS } from './hip-cipher.ts';
import type { HipCipherId } from './hip-cipher.ts';
import { compareHits } from './orchid.ts';
import type { Hit } from './parameter.ts';

/** What keying material is made of, RFC 7401 §6.5. I and J are those of the base exchange, also after a rekey (RFC 7402 §6.9). */
export interface KeymatSource {
  readonly rhash: Rhash;
  /** Kij. */
  readonly sharedSecret: Uint8Array;
  readonly i: Uint8Array;
  readonly j: Uint8Array;
  /** Of both hosts, in whatever order. */
  readonly hits: readonly [Hit, Hit];
}

/** RFC 5869 §2.3: no more blocks than one octet can count. */
const MAX_BLOCKS = 255;

/**
 * Keying material, RFC 7401 §6.5: HKDF with RHASH, salt I | J, info the smaller HIT and the larger one. Expanded as far as somebody
 * has asked. For suite 5, which has no such rule, KMAC128 takes the place of HMAC.
 */
export class Keymat {
  readonly #crypto: HipCrypto;
  readonly #rhash: Rhash;
  readonly #pseudorandomKey: Uint8Array;
  readonly #info: Uint8Array;
  readonly #blocks: Uint8Array[] = [];

  constructor(crypto: HipCrypto, { rhash, sharedSecret, i, j, hits: [one, other] }: KeymatSource) {
    const [smaller, larger] = compareHits(one, other) < 0 ? [one, other] : [other, one];
    this.#crypto = crypto;
    this.#rhash = rhash;
    this.#info = Uint8Array.of(...smaller, ...larger);
    this.#pseudorandomKey = crypto.mac(rhash, Uint8Array.of(...i, ...j), sharedSecret);
  }

  /** Octets that there are altogether. */
  get length(): number {
    return MAX_BLOCKS * RHASH_LENGTH[this.#rhash];
  }

  /** A part, from the KEYMAT Index on; `undefined` where it runs past the end. */
  octets(index: number, length: number): Uint8Array | undefined {
    if (index + length > this.length) return undefined;
    const blockLength = RHASH_LENGTH[this.#rhash];
    const part = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const number = Math.floor((index + at) / blockLength);
      const from = (index + at) % blockLength;
      const piece = this.#block(number).subarray(from, from + length - at);
      part.set(piece, at);
      at += piece.length;
    }
    return part;
  }

  /** T(number + 1) of RFC 5869 §2.3. */
  #block(number: number): Uint8Array {
    let block = this.#blocks.at(-1) ?? new Uint8Array(0);
    while (this.#blocks.length <= number) {
      const input = Uint8Array.of(...block, ...this.#info, this.#blocks.length + 1);
      block = this.#crypto.mac(this.#rhash, this.#pseudorandomKey, input);
      this.#blocks.push(block);
    }
    return this.#blocks[number] ?? block;
  }
}

/** The keys of one direction. */
export interface DirectionKeys {
  readonly encryption: Uint8Array;
  readonly authentication: Uint8Array;
}

/** Keys drawn from a `Keymat`. */
export interface DrawnKeys {
  /** For what this host sends. */
  readonly outgoing: DirectionKeys;
  /** For what the peer sends. */
  readonly incoming: DirectionKeys;
  /** KEYMAT Index of the first octet behind them. */
  readonly nextIndex: number;
}

/**
 * Draw keys for both directions, RFC 7401 §6.5 and RFC 7402 §7: first those of the host with the larger HIT, encryption before
 * authentication. `undefined` when too little is left.
 */
export function drawKeys(
  keymat: Keymat,
  index: number,
  lengths: { readonly encryption: number; readonly authentication: number },
  hits: { readonly own: Hit; readonly peer: Hit },
): DrawnKeys | undefined {
  const { encryption, authentication } = lengths;
  const each = encryption + authentication;
  const both = keymat.octets(index, 2 * each);
  if (both === undefined) return undefined;
  const keysAt = (at: number): DirectionKeys => ({
    encryption: both.slice(at, at + encryption),
    authentication: both.slice(at + encryption, at + each),
  });
  const ownFirst = compareHits(hits.own, hits.peer) > 0;
  return {
    outgoing: keysAt(ownFirst ? 0 : each),
    incoming: keysAt(ownFirst ? each : 0),
    nextIndex: index + 2 * each,
  };
}

/** The HIP keys: of ENCRYPTED, and of HIP_MAC (RFC 7401 §6.5). `nextIndex` is where ESP keys start (HIP-255). */
export function drawHipKeys(
  keymat: Keymat,
  cipher: HipCipherId,
  rhash: Rhash,
  hits: { readonly own: Hit; readonly peer: Hit },
): DrawnKeys {
  const lengths = { encryption: HIP_CIPHERS[cipher].keyLength, authentication: RHASH_LENGTH[rhash] };
  const keys = drawKeys(keymat, 0, lengths, hits);
  if (keys === undefined) throw new RangeError('the HIP keys are longer than all keying material');
  return keys;
}
