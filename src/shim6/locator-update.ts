import { random32 } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { VERIFICATION_METHOD, WRONG_ELEMENT_COUNT, WRONG_GENERATION } from './error-message.ts';
import { MAX_UPDATE_TIMEOUT, UPDATE_TIMEOUT, backoff } from './exchange.ts';
import { encodeShim6 } from './message-codec.ts';
import { NO_OFFER, differs, recognised } from './own-side.ts';
import type { Offer, OwnSide } from './own-side.ts';
import type { ContextTag } from './tag.ts';

/** §5.1: an Update Request with its fixed part fits in the smallest MTU. */
const ROOM = IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - 16;

const NO_OFFERS: readonly Offer[] = [];

interface Outstanding {
  readonly nonce: number;
  readonly offer: Offer;
  readonly sent: number;
  readonly retryAt: Instant;
  /** Already repeated in full after an Error message. */
  readonly repaired: boolean;
}

/**
 * The Update exchange of one context, RFC 5533 §10: brings what the peer knows to what it is to know. At most one request
 * is outstanding; it is repeated for ever, or replaced by one that contains everything not yet acknowledged.
 */
export class LocatorUpdate {
  readonly #own: OwnSide;
  readonly #random: Random;
  /** What the peer may know: one offer when that is certain, several when some of them may not have arrived. */
  #possible: readonly Offer[] = [NO_OFFER];
  /** What the messages of an exchange under way have told. */
  #offers: readonly Offer[] = NO_OFFERS;
  /** An offer that the peer could not verify. */
  #refused: Offer | undefined;
  #outstanding: Outstanding | undefined;

  constructor(own: OwnSide, random: Random) {
    this.#own = own;
    this.#random = random;
  }

  get deadline(): Instant {
    return this.#outstanding?.retryAt ?? NEVER;
  }

  /** Addresses that the peer knows for certain. */
  get acknowledged(): readonly Address[] {
    const [first = NO_OFFER, ...others] = this.#possible;
    return addressesOf(first).filter((address) => others.every((offer) => contains(offer, address)));
  }

  /** May the peer know a list? From then on every list counts, also one with a single locator. */
  get hasToldList(): boolean {
    return [...this.#possible, ...this.#offers].some(({ list }) => list !== undefined);
  }

  /** Could the peer take this address for ours? */
  mentions(address: Address): boolean {
    const offers = [...this.#possible, ...this.#offers, this.#outstanding?.offer ?? NO_OFFER];
    return offers.some((offer) => contains(offer, address));
  }

  /** Everything that the peer may know. */
  get told(): readonly Offer[] {
    return this.#outstanding === undefined ? this.#possible : including(this.#possible, this.#outstanding.offer);
  }

  /** Go on where another process was. */
  resume(told: readonly Offer[]): void {
    this.#possible = told.length === 0 ? [NO_OFFER] : told;
    for (const { list } of told) if (list !== undefined) this.#own.continueAfter(list);
  }

  /** An I2, I2bis or R2 tells this; which of several messages the peer took will not be known. */
  offering(offer: Offer): void {
    this.#offers = including(this.#offers, offer);
  }

  /** The exchange is over: the peer knows one of its offers. */
  exchanged(): void {
    this.#possible = this.#offers.length === 0 ? [NO_OFFER] : this.#offers;
    this.#offers = NO_OFFERS;
    this.#refused = undefined;
    this.#outstanding = undefined;
  }

  /** A new exchange begins; what was told before may still be known. */
  restart(): void {
    const before = [...this.#possible, this.#outstanding?.offer ?? NO_OFFER].filter(({ list }) => list !== undefined);
    this.#offers = before.reduce(including, this.#offers);
    this.#possible = [NO_OFFER];
    this.#refused = undefined;
    this.#outstanding = undefined;
  }

  /** The peer and everything told to it are gone. */
  forget(): void {
    this.#offers = [];
    this.exchanged();
  }

  /** The request that is due when the context became able to send one or the locators changed; none if the peer knows all. */
  next(peerTag: ContextTag, source: Address, now: Instant): Uint8Array | undefined {
    const current = this.#own.offer(ROOM, !this.hasToldList, source, this.hasToldList);
    const before = this.#outstanding;
    const certain = this.#certain;
    const known = before?.offer ?? certain;
    if (known !== undefined) {
      const offer = recognised(current, known);
      if (!differs(offer, known) || (before === undefined && this.#isRefused(offer))) return undefined;
      if (before === undefined && offer.list === known.list) return this.#request(offer, false, peerTag, now);
    }
    return this.#replace(current, false, peerTag, now);
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
    this.#possible = [this.#outstanding.offer];
    this.#outstanding = undefined;
    return true;
  }

  /** An Error message about the request with this nonce: the request that replaces it, if one does. */
  refused(code: number, nonce: number | undefined, peerTag: ContextTag, now: Instant): Uint8Array | undefined {
    const before = this.#outstanding;
    if (before === undefined || before.nonce !== nonce) return undefined;
    const repairable = code === WRONG_GENERATION || code === WRONG_ELEMENT_COUNT;
    if (!repairable && code !== VERIFICATION_METHOD) return undefined;
    if (repairable && !before.repaired) return this.#replace(before.offer, true, peerTag, now);
    this.#refused = before.offer; // stop: the list last acknowledged stays in force
    this.#outstanding = undefined;
    return undefined;
  }

  get #certain(): Offer | undefined {
    return this.#possible.length === 1 ? this.#possible[0] : undefined;
  }

  #isRefused(offer: Offer): boolean {
    return this.#refused !== undefined && !differs(recognised(offer, this.#refused), this.#refused);
  }

  /** §10.3: tells everything, under a generation after which a late request that this one replaces cannot undo it. */
  #replace(offer: Offer, repaired: boolean, peerTag: ContextTag, now: Instant): Uint8Array | undefined {
    if (offer.list === undefined) return undefined;
    if (this.#outstanding !== undefined) this.#possible = including(this.#possible, this.#outstanding.offer);
    const newest = this.#possible.reduce((newer, { list }) => this.#own.newer(newer, list), offer);
    return this.#request(newest, repaired, peerTag, now);
  }

  #request(offer: Offer, repaired: boolean, peerTag: ContextTag, now: Instant): Uint8Array {
    this.#refused = undefined;
    const nonce = random32(this.#random);
    this.#outstanding = { nonce, offer, repaired, sent: 1, retryAt: now + this.#wait(1) };
    return this.#encode(this.#outstanding, peerTag);
  }

  #encode({ nonce, offer }: Outstanding, peerTag: ContextTag): Uint8Array {
    const preferences = this.#possible.flatMap((possible) => possible.preferences);
    const told = this.#certain ?? { list: undefined, preferences };
    const options = this.#own.options(offer, told, !this.hasToldList);
    return encodeShim6({ type: 'UpdateRequest', receiverContextTag: peerTag, requestNonce: nonce, options });
  }

  #wait(sent: number): number {
    return backoff(this.#random, UPDATE_TIMEOUT, sent, MAX_UPDATE_TIMEOUT);
  }
}

function including(offers: readonly Offer[], offer: Offer): readonly Offer[] {
  return offers.some((known) => !differs(offer, known)) ? offers : [...offers, offer];
}

function addressesOf({ list }: Offer): readonly Address[] {
  return list?.locators.map(({ address }) => address) ?? [];
}

function contains(offer: Offer, address: Address): boolean {
  return addressesOf(offer).some((listed) => sameOctets(listed, address));
}
