import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { HipCrypto, Rhash } from '../crypto/ports.ts';
import type { Hit } from './parameter.ts';

/** A puzzle to solve, RFC 7401 §4.1.2. Plain octets, so that it can be handed to a worker. */
export interface PuzzleTask {
  /** That of the Responder's HIT suite. */
  readonly rhash: Rhash;
  readonly k: number;
  readonly i: Uint8Array;
  readonly initiator: Hit;
  readonly responder: Hit;
  /** Where the search begins: random, RHASH_len long. */
  readonly j: Uint8Array;
}

/** Whether J solves the puzzle, RFC 7401 §6.3: the lowest-order K bits of RHASH(I | HIT-I | HIT-R | J) are zero. */
export function verifiesPuzzle(crypto: HipCrypto, task: PuzzleTask): boolean {
  const length = RHASH_LENGTH[task.rhash];
  if (task.i.length !== length || task.j.length !== length) return false;
  return endsInZeros(crypto.hash(task.rhash, puzzleInput(task)), task.k);
}

/** The search for J, RFC 7401 §6.3, in slices: about 2^K hashes altogether. */
export class PuzzleSearch {
  readonly #crypto: HipCrypto;
  readonly #rhash: Rhash;
  readonly #k: number;
  readonly #input: Uint8Array;
  readonly #jLength: number;
  #hashes = 0;
  #found = false;

  constructor(crypto: HipCrypto, task: PuzzleTask) {
    const length = RHASH_LENGTH[task.rhash];
    if (task.i.length !== length || task.j.length !== length)
      throw new RangeError('I and J have as many octets as RHASH');
    this.#crypto = crypto;
    this.#rhash = task.rhash;
    this.#k = task.k;
    this.#input = puzzleInput(task);
    this.#jLength = length;
  }

  /** Hashes computed so far. */
  get hashes(): number {
    return this.#hashes;
  }

  /** J once found; `undefined` after `limit` more hashes in vain, and the next call goes on from there. */
  step(limit: number): Uint8Array | undefined {
    for (let tried = 0; tried < limit && !this.#found; tried++) {
      this.#hashes++;
      if (endsInZeros(this.#crypto.hash(this.#rhash, this.#input), this.#k)) this.#found = true;
      else this.#increment();
    }
    return this.#found ? this.#input.slice(-this.#jLength) : undefined;
  }

  /** J is one number and wraps. */
  #increment(): void {
    const start = this.#input.length - this.#jLength;
    for (let at = this.#input.length - 1; at >= start; at--) {
      const octet = ((this.#input[at] ?? 0) + 1) & 0xff;
      this.#input[at] = octet;
      if (octet !== 0) return;
    }
  }
}

/** The whole search at once. */
export function solvePuzzle(crypto: HipCrypto, task: PuzzleTask): Uint8Array {
  const search = new PuzzleSearch(crypto, task);
  for (;;) {
    const j = search.step(0x1_0000);
    if (j !== undefined) return j;
  }
}

/** §5.2.4: seconds that the puzzle is valid, from the Lifetime field. */
export function puzzleLifetimeSeconds(lifetime: number): number {
  return 2 ** (lifetime - 32);
}

/** §6.3: everything in network order. */
function puzzleInput({ i, initiator, responder, j }: PuzzleTask): Uint8Array {
  return Uint8Array.of(...i, ...initiator, ...responder, ...j);
}

function endsInZeros(digest: Uint8Array, bits: number): boolean {
  const octets = bits >> 3;
  for (let fromEnd = 1; fromEnd <= octets; fromEnd++) if (digest[digest.length - fromEnd] !== 0) return false;
  const rest = bits & 7;
  return rest === 0 || ((digest[digest.length - octets - 1] ?? 1) & ((1 << rest) - 1)) === 0;
}
