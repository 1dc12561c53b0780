import { random32 } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { WRONG_ELEMENT_COUNT, WRONG_GENERATION, VERIFICATION_METHOD } from './error-message.ts';
import { MAX_UPDATE_TIMEOUT, UPDATE_TIMEOUT, backoff } from './exchange.ts';
import type { Preference } from './locator-list.ts';
import { encodeShim6 } from './message-codec.ts';
import { NO_OFFER, differs } from './own-side.ts';
import type { Offer, OwnSide } from './own-side.ts';
import type { ContextTag } from './tag.ts';

/** §5.1: an Update Request with its fixed part fits in the smallest MTU. */
const ROOM = IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - 16;

interface Outstanding {
  readonly nonce: number;
  readonly offer: Offer;
  /** Preferences that the peer may have stored from a request that this one replaces; `undefined`: replaces none. */
  readonly doubts: readonly Preference[] | undefined;
  readonly sent: number;
  readonly retryAt: Instant;
  /** Already repeated in full after an Error message. */
  readonly repaired: boolean;
}

/**
 * The Update exchange of one context, RFC 5533 §10: brings what the peer was told to what is to be told. At most one request
 * is outstanding; it is repeated for ever, or replaced by one that contains everything not yet acknowledged.
 */
export class LocatorUpdate {
  readonly #own: OwnSide;
  readonly #random: Random;
  /** What the peer has acknowledged, by R2 or Update Acknowledgement. */
  #told: Offer = NO_OFFER;
  #refused: Offer | undefined;
  #outstanding: Outstanding | undefined;

  constructor(own: OwnSide, random: Random) {
    this.#own = own;
    this.#random = random;
  }

  get deadline(): Instant {
    return this.#outstanding?.retryAt ?? NEVER;
  }

  /** Addresses that the peer acknowledged. */
  get acknowledged(): readonly Address[] {
    return this.#told.list?.locators.map(({ address }) => address) ?? [];
  }

  /** Has a list ever been acknowledged? From then on every list counts, also one with a single locator. */
  get hasToldList(): boolean {
    return this.#told.list !== undefined;
  }

  /** Could the peer take this address for ours: told, or about to be? */
  mentions(address: Address): boolean {
    const lists = [this.#told.list, this.#outstanding?.offer.list];
    return lists.some((list) => list?.locators.some((locator) => sameOctets(locator.address, address)));
  }

  /** The peer learnt `offer` by I2, I2bis or R2, and nothing else. */
  exchanged(offer: Offer): void {
    this.#told = offer;
    this.#refused = undefined;
    this.#outstanding = undefined;
  }

  /** The request that is due when the context became able to send one or the locators changed; none if the peer knows all. */
  next(peerTag: ContextTag, source: Address, now: Instant): Uint8Array | undefined {
    const offer = this.#own.offer(ROOM, !this.hasToldList, source, this.hasToldList);
    const before = this.#outstanding;
    if (before === undefined) {
      if (!differs(offer, this.#told)) return undefined;
      if (this.#refused !== undefined && !differs(offer, this.#refused)) return undefined;
    } else if (!differs(offer, before.offer)) return undefined;
    this.#refused = undefined;
    return this.#request({ offer, doubts: doubtsOf(before), repaired: false }, peerTag, now);
  }

  /** A repetition when it is due. */
  tick(peerTag: ContextTag, now: Instant): Uint8Array | undefined {
    if (this.#outstanding === undefined || now < this.#outstanding.retryAt) return undefined;
    return this.repeat(peerTag, now);
  }

  /** A repetition at once: another pair is in use now. */
  repeat(peerTag: ContextTag, now: Instant): Uint8Array | undefined {
    if (this.#outstanding === undefined) return undefined;
    const sent = this.#outstanding.sent + 1;
    this.#outstanding = { ...this.#outstanding, sent, retryAt: now + this.#wait(sent) };
    return this.#encode(this.#outstanding, peerTag);
  }

  /** §10.5: only the nonce of the outstanding request counts. */
  acknowledge(nonce: number): boolean {
    if (this.#outstanding?.nonce !== nonce) return false;
    this.#told = this.#outstanding.offer;
    this.#outstanding = undefined;
    return true;
  }

  /** An Error message about the request with this nonce: the request that replaces it, if one does. */
  refused(code: number, nonce: number | undefined, peerTag: ContextTag, now: Instant): Uint8Array | undefined {
    const before = this.#outstanding;
    if (before === undefined || before.nonce !== nonce) return undefined;
    const repairable = code === WRONG_GENERATION || code === WRONG_ELEMENT_COUNT;
    if (!repairable && code !== VERIFICATION_METHOD) return undefined;
    if (repairable && !before.repaired) {
      const offer = this.#own.renewed(before.offer);
      return this.#request({ offer, doubts: doubtsOf(before), repaired: true }, peerTag, now);
    }
    this.#refused = before.offer; // stop: the list last acknowledged stays in force
    this.#outstanding = undefined;
    return undefined;
  }

  #request(request: Pick<Outstanding, 'offer' | 'doubts' | 'repaired'>, peerTag: ContextTag, now: Instant): Uint8Array {
    const nonce = random32(this.#random);
    this.#outstanding = { ...request, nonce, sent: 1, retryAt: now + this.#wait(1) };
    return this.#encode(this.#outstanding, peerTag);
  }

  #encode({ nonce, offer, doubts }: Outstanding, peerTag: ContextTag): Uint8Array {
    // §10.3: a replacement repeats what is not acknowledged yet; telling everything does that
    const told: Offer =
      doubts === undefined ? this.#told : { list: undefined, preferences: [...this.#told.preferences, ...doubts] };
    const options = this.#own.options(offer, told, !this.hasToldList);
    return encodeShim6({ type: 'UpdateRequest', receiverContextTag: peerTag, requestNonce: nonce, options });
  }

  #wait(sent: number): number {
    return backoff(this.#random, UPDATE_TIMEOUT, sent, MAX_UPDATE_TIMEOUT);
  }
}

function doubtsOf(before: Outstanding | undefined): readonly Preference[] | undefined {
  return before === undefined ? undefined : [...(before.doubts ?? []), ...before.offer.preferences];
}
