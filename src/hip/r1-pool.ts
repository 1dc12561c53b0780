import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { DhGroup, DhKeyPair, HipCrypto, Random, Rhash } from '../crypto/ports.ts';
import { UNSPECIFIED, addressKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Instant } from '../wire/time.ts';
import type { OwnHipLocator } from './association-io.ts';
import { ESP_TRANSFORM_FORMAT, hostIdOf, locatorsBeforeSpi, loci } from './offers.ts';
import { hitSuiteOf, rhashOf } from './orchid.ts';
import type { OwnIdentity } from './orchid.ts';
import { encodeHip } from './packet-codec.ts';
import { puzzleLifetimeSeconds } from './puzzle.ts';
import { signed2 } from './seal.ts';
import type { HipSettings } from './settings.ts';

/** Puzzle secrets, RFC 7401 Appendix A. */
const SECRET_LENGTH = 32;
/** R1s out of offer that are remembered, of one identity and group: with more, one that was used is offered again. */
const MAX_RETIRED = 64;
/** Solutions of one R1 that are remembered as used. */
const MAX_USED = 4096;
/** §8: bad I2s with one good solution before it is worth nothing. */
const MAX_BAD = 4;
/** Solutions that bad I2s are counted for. */
const MAX_SUSPECTS = 256;

/** An R1 made in advance: one Diffie-Hellman key, one secret, one number of its generation. */
export interface R1Entry {
  readonly own: OwnIdentity;
  readonly rhash: Rhash;
  readonly dh: DhKeyPair;
  readonly secret: Uint8Array;
  readonly generation: bigint;
  /** A new one is offered from then on. */
  readonly offeredUntil: Instant;
  /** Its octets, signed, by the K in it; Opaque, I and Receiver's HIT are zero. */
  readonly signed: Map<number, Uint8Array>;
  /** §6.7.1: out of offer; I2s are taken until then. */
  validUntil: Instant;
  /** Somebody made an association with it. */
  isUsed: boolean;
  readonly usedSolutions: Set<string>;
  readonly badSolutions: Map<string, number>;
}

export interface R1PoolConfiguration {
  readonly crypto: HipCrypto;
  readonly random: Random;
  readonly settings: HipSettings;
  /** Where R1 counters start; to be larger after every start of the host (§4.1.4). */
  readonly firstGeneration: bigint;
}

/** R1s of all identities, RFC 7401 §6.7.1: made when first asked for, offered for a while, known for a while longer. */
export class R1Pool {
  readonly #crypto: HipCrypto;
  readonly #random: Random;
  readonly #settings: HipSettings;
  readonly #offered = new Map<string, R1Entry>();
  readonly #retired = new Map<string, R1Entry[]>();
  #locators: readonly OwnHipLocator[] = [];
  #generation: bigint;

  constructor({ crypto, random, settings, firstGeneration }: R1PoolConfiguration) {
    this.#crypto = crypto;
    this.#random = random;
    this.#settings = settings;
    this.#generation = firstGeneration;
  }

  /** R1s in memory, for tests and metrics. */
  get size(): number {
    let size = this.#offered.size;
    for (const retired of this.#retired.values()) size += retired.length;
    return size;
  }

  /** What LOCATOR_SET of R1 says (RFC 8047 §4.2.8). */
  announce(locators: readonly OwnHipLocator[], now: Instant): void {
    this.#locators = locators;
    for (const key of [...this.#offered.keys()]) this.#retire(key, now);
  }

  /** The R1 that is offered now. */
  offer(own: OwnIdentity, group: DhGroup, now: Instant): R1Entry {
    const key = `${String(group)} ${addressKey(own.hit)}`;
    const offered = this.#offered.get(key);
    if (offered !== undefined && now < offered.offeredUntil && !this.#isSpent(key, offered, now)) return offered;
    if (offered !== undefined) this.#retire(key, now);
    const rhash = rhashOf(hitSuiteOf(own.hit) ?? 1);
    const entry: R1Entry = {
      own,
      rhash,
      dh: this.#crypto.dhKeyPair(group),
      secret: this.#random(SECRET_LENGTH),
      generation: ++this.#generation,
      offeredUntil: now + this.#settings.r1LifetimeMs,
      signed: new Map(),
      validUntil: Number.POSITIVE_INFINITY,
      isUsed: false,
      usedSolutions: new Set(),
      badSolutions: new Map(),
    };
    this.#offered.set(key, entry);
    return entry;
  }

  /** §6.9 step 7: the R1 with this counter, if I2s are still taken for it. */
  find(hit: Address, generation: bigint, now: Instant): R1Entry | undefined {
    const isIt = (entry: R1Entry): boolean =>
      entry.generation === generation && now < entry.validUntil && addressKey(entry.own.hit) === addressKey(hit);
    for (const entry of this.#offered.values()) if (isIt(entry)) return entry;
    for (const retired of this.#retired.values()) {
      const found = retired.find(isIt);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The octets of an R1 without what belongs to one Initiator, signed. */
  template(entry: R1Entry, k: number): Uint8Array {
    let octets = entry.signed.get(k);
    if (octets === undefined) entry.signed.set(k, (octets = this.#sign(entry, k)));
    return octets;
  }

  /** §5.3.2: after a valid I2 the Diffie-Hellman key is not offered any longer, unless that would take too much memory. */
  #isSpent(key: string, entry: R1Entry, now: Instant): boolean {
    return entry.isUsed && this.#stillRetired(key, now).length < MAX_RETIRED;
  }

  #retire(key: string, now: Instant): void {
    const entry = this.#offered.get(key);
    if (entry === undefined) return;
    this.#offered.delete(key);
    entry.validUntil = now + 2 * 1000 * puzzleLifetimeSeconds(this.#settings.puzzleLifetime); // §4.1.2, HIP-095
    entry.signed.clear();
    this.#retired.set(key, [...this.#stillRetired(key, now), entry].slice(-2 * MAX_RETIRED));
  }

  #stillRetired(key: string, now: Instant): R1Entry[] {
    const retired = this.#retired.get(key);
    if (retired === undefined) return [];
    const still = retired.filter(({ validUntil }) => now < validUntil);
    if (still.length < retired.length) this.#retired.set(key, still);
    return still;
  }

  /** §5.3.2. */
  #sign({ own, rhash, dh, generation }: R1Entry, k: number): Uint8Array {
    const { dhGroups, hipCiphers, espSuites, hitSuites, puzzleLifetime } = this.#settings;
    const octets = encodeHip({
      type: 'R1',
      isAnonymous: this.#settings.isAnonymous(own.hit),
      senderHit: own.hit,
      receiverHit: UNSPECIFIED,
      parameters: [
        { type: 'R1_COUNTER', reserved: 0, generation },
        ...locatorsBeforeSpi(this.#locators),
        { type: 'PUZZLE', k, lifetime: puzzleLifetime, opaque: 0, i: new Uint8Array(RHASH_LENGTH[rhash]) },
        { type: 'DH_GROUP_LIST', groups: dhGroups },
        { type: 'DIFFIE_HELLMAN', group: dh.group, publicValue: dh.publicValue },
        { type: 'HIP_CIPHER', ciphers: hipCiphers },
        hostIdOf(own),
        { type: 'HIT_SUITE_LIST', suites: hitSuites },
        { type: 'TRANSPORT_FORMAT_LIST', formats: [ESP_TRANSFORM_FORMAT] },
        { type: 'ESP_TRANSFORM', suites: espSuites.map(({ id }) => id) },
        ...loci(this.#settings),
      ],
    });
    return signed2(octets, own);
  }
}

/** Whether a solution may still be used: not twice, and not after bad I2s came with it. */
export function isFreshSolution(entry: R1Entry, i: Uint8Array): boolean {
  const key = toHex(i);
  return !entry.usedSolutions.has(key) && (entry.badSolutions.get(key) ?? 0) < MAX_BAD;
}

/** An association was made with it: the same I2 does not make another one. */
export function useSolution(entry: R1Entry, i: Uint8Array): void {
  entry.isUsed = true;
  if (entry.usedSolutions.size >= MAX_USED) entry.validUntil = Number.NEGATIVE_INFINITY;
  entry.usedSolutions.add(toHex(i));
}

/** §8: the solution is good and what came with it is not. */
export function blameSolution(entry: R1Entry, i: Uint8Array): void {
  const key = toHex(i);
  const bad = entry.badSolutions.get(key) ?? 0;
  if (bad === 0 && entry.badSolutions.size >= MAX_SUSPECTS) {
    const [oldest] = entry.badSolutions.keys();
    if (oldest !== undefined) entry.badSolutions.delete(oldest);
  }
  entry.badSolutions.set(key, bad + 1);
}
