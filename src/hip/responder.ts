import { isDhGroup } from '../crypto/dh-groups.ts';
import { RHASH_LENGTH, random32 } from '../crypto/ports.ts';
import type { HipCrypto, Random } from '../crypto/ports.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import { isMulticast, isUnspecified, sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import type { AssociationEffect, HipDropReason, HipPath, OwnHipLocator } from './association-io.ts';
import { I1Doorkeeper } from './i1-doorkeeper.ts';
import { hitSuiteOf, isHit } from './orchid.ts';
import type { OwnIdentity } from './orchid.ts';
import { writeChecksum } from './packet-carriage.ts';
import { HIP_HEADER_LENGTH, RECEIVER_HIT_AT, encodeHip } from './packet-codec.ts';
import type { ReceivedPacket } from './packet.ts';
import { PARAMETER_TYPES, parameterOf } from './parameter.ts';
import type { Hit, Solution } from './parameter.ts';
import { TLV_HEADER_LENGTH, rawParameters } from './parameter-list.ts';
import { verifiesPuzzle } from './puzzle.ts';
import { PuzzleLoad } from './puzzle-load.ts';
import { R1Pool } from './r1-pool.ts';
import type { R1Entry } from './r1-pool.ts';
import { signed } from './seal.ts';
import type { HipSettings } from './settings.ts';

/** RFC 7401 §5.2.4: K and Lifetime stand before Opaque. */
const OPAQUE_AT = TLV_HEADER_LENGTH + 2;
const I_AT = TLV_HEADER_LENGTH + 4;
/** §7: an Initiator whose HIT is of no use as a hint gets an identity of a suite that is REQUIRED. */
const REQUIRED_SUITE = 1;
/** NOTIFYs to those who have solved a puzzle, and have no association. */
const NOTIFY_RATE = { perSecond: 10, burst: 20 };

export interface ResponderConfiguration {
  readonly crypto: HipCrypto;
  readonly random: Random;
  readonly settings: HipSettings;
  readonly identities: readonly OwnIdentity[];
  /** Where R1 counters start: larger after every start of the host, by its clock for instance (RFC 7401 §4.1.4). */
  readonly firstGeneration: bigint;
}

/**
 * What a host says and knows without an association, RFC 7401 §6.7: R1s made in advance, and whether an I2 comes from one of
 * them. It remembers its own R1s and how much it has answered lately, nothing about who asked.
 */
export class HipResponder {
  readonly pool: R1Pool;
  readonly #crypto: HipCrypto;
  readonly #random: Random;
  readonly #settings: HipSettings;
  readonly #identities: readonly OwnIdentity[];
  readonly #doorkeeper: I1Doorkeeper;
  readonly #load: PuzzleLoad;
  #notifies: TokenBucket | undefined;

  constructor({ crypto, random, settings, identities, firstGeneration }: ResponderConfiguration) {
    this.#crypto = crypto;
    this.#random = random;
    this.#settings = settings;
    this.#identities = identities;
    this.#doorkeeper = new I1Doorkeeper(settings);
    this.#load = new PuzzleLoad(settings);
    this.pool = new R1Pool({ crypto, random, settings, firstGeneration });
  }

  /** This host's addresses, for LOCATOR_SET of the R1s to come. */
  announce(locators: readonly OwnHipLocator[], now: Instant): void {
    this.pool.announce(locators, now);
  }

  /** The identity of one of this host's HITs. */
  identityOf(hit: Hit): OwnIdentity | undefined {
    return this.#identities.find((own) => sameOctets(own.hit, hit));
  }

  /** §6.7: an R1, or why there is none. */
  answer(i1: ReceivedPacket, path: HipPath, now: Instant): AssociationEffect[] {
    const own = this.#asked(i1);
    if (own === undefined || !isHit(i1.senderHit)) return drop('hit'); // step 1
    for (const address of [path.local, path.peer]) {
      if (isMulticast(address) || isUnspecified(address)) return drop('address');
    }
    const groups = parameterOf(i1, 'DH_GROUP_LIST')?.groups;
    if (groups === undefined) return drop('malformed'); // §6.7.2: in silence
    if (!this.#settings.accepts(i1.senderHit)) return drop('policy');
    this.#load.note(now);
    const refusal = this.#doorkeeper.refuses(i1.senderHit, path, now);
    if (refusal !== undefined) return drop(refusal);
    const { dhGroups } = this.#settings;
    const group = dhGroups.find((mine) => groups.includes(mine)) ?? dhGroups.find(isDhGroup); // step 4
    if (group === undefined) return drop('dh');
    const k = this.#load.k(now);
    const entry = this.pool.offer(own, group, now);
    return [{ type: 'transmit', path, octets: this.#r1(entry, k, i1.senderHit, path) }];
  }

  /** §6.9 steps 7 and 8: the R1 that an I2 answers, if there is one and its puzzle is solved. */
  r1Of(i2: ReceivedPacket, now: Instant): R1Entry | 'r1-counter' | 'puzzle' | 'parameters' {
    const counter = parameterOf(i2, 'R1_COUNTER');
    const solution = parameterOf(i2, 'SOLUTION');
    if (solution === undefined || counter === undefined) return 'parameters';
    const entry = this.pool.find(i2.receiverHit, counter.generation, now);
    if (entry === undefined || counter.reserved !== 0) return 'r1-counter';
    const i = this.#i(entry, solution.k, solution.opaque, i2.senderHit);
    return this.#crypto.equal(i, solution.i) && this.#isSolved(entry, solution, i2.senderHit) ? entry : 'puzzle';
  }

  /** §6.9.1, §5.3.6: to somebody who has solved a puzzle. */
  notify(own: OwnIdentity, peer: Hit, notifyType: number, path: HipPath, now: Instant): AssociationEffect[] {
    this.#notifies ??= new TokenBucket(NOTIFY_RATE, now);
    if (!this.#notifies.take(now)) return drop('rate');
    return [{ type: 'transmit', path, octets: checked(notification(own, peer, notifyType), path) }];
  }

  /** §6.7 step 5: the HIT asked for; with the NULL HIT one of the Initiator's suite. */
  #asked({ senderHit, receiverHit }: ReceivedPacket): OwnIdentity | undefined {
    if (!isUnspecified(receiverHit)) return this.identityOf(receiverHit);
    const ofSuite = (suite: number | undefined): OwnIdentity | undefined =>
      this.#identities.find(({ hit }) => hitSuiteOf(hit) === suite);
    return ofSuite(hitSuiteOf(senderHit)) ?? ofSuite(REQUIRED_SUITE) ?? this.#identities[0];
  }

  /** The R1 made in advance, with what belongs to this Initiator filled in. */
  #r1(entry: R1Entry, k: number, initiator: Hit, path: HipPath): Uint8Array {
    const octets = this.pool.template(entry, k).slice();
    octets.set(initiator, RECEIVER_HIT_AT);
    const opaque = random32(this.#random) & 0xffff;
    for (const parameter of rawParameters(octets.subarray(HIP_HEADER_LENGTH), HIP_HEADER_LENGTH)) {
      if (parameter?.number !== PARAMETER_TYPES.PUZZLE) continue;
      octets[parameter.at + OPAQUE_AT] = opaque >> 8;
      octets[parameter.at + OPAQUE_AT + 1] = opaque & 0xff;
      octets.set(this.#i(entry, k, opaque, initiator), parameter.at + I_AT);
      break;
    }
    return checked(octets, path);
  }

  /**
   * I, Appendix A. K is in it: what was given out with a hard puzzle is not solved by an easy one. So is Opaque, or an Initiator
   * got the same I again (§4.1.2). Addresses are not: the I2 may come from others (RFC 8047 §4.2.8).
   */
  #i(entry: R1Entry, k: number, opaque: number, initiator: Hit): Uint8Array {
    const w = new Writer(3 + 2 * initiator.length);
    w.u8(k);
    w.u16(opaque);
    w.octets(initiator);
    w.octets(entry.own.hit);
    return this.#crypto.mac(entry.rhash, entry.secret, w.finish());
  }

  #isSolved(entry: R1Entry, { k, i, j }: Solution, initiator: Hit): boolean {
    if (j.length !== RHASH_LENGTH[entry.rhash]) return false;
    return verifiesPuzzle(this.#crypto, { rhash: entry.rhash, k, i, initiator, responder: entry.own.hit, j });
  }
}

/** §5.3.6. */
export function notification(
  own: OwnIdentity,
  peer: Hit,
  notifyType: number,
  notificationData: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return signed(
    encodeHip({
      type: 'NOTIFY',
      isAnonymous: false,
      senderHit: own.hit,
      receiverHit: peer,
      parameters: [{ type: 'NOTIFICATION', notifyType, notificationData }],
    }),
    own,
  );
}

/** With the Checksum for a path, RFC 7401 §5.1.1; inside UDP it stays 0 (RFC 9028 §5.1). */
export function checked(octets: Uint8Array, { carriage, local, peer }: HipPath): Uint8Array {
  if (carriage === 'raw') writeChecksum(octets, local, peer);
  return octets;
}

export function drop(reason: HipDropReason): AssociationEffect[] {
  return [{ type: 'drop', reason }];
}
