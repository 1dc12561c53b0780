import { addressKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { OwnLocator } from './context-io.ts';
import { METHOD_CGA, METHOD_HBA, NO_PREFERENCE } from './locator-list.ts';
import type { LocatorPreferences, Preference } from './locator-list.ts';
import { optionsLength } from './options.ts';
import type { Shim6Options } from './options.ts';
import type { OwnList, OwnLists } from './own-lists.ts';

/** What one message tells, or could tell, the peer about this host's locators. */
export interface Offer {
  /** Nothing but the ULID when `undefined`. */
  readonly list: OwnList | undefined;
  /** One per locator of the list. */
  readonly preferences: readonly Preference[];
}

/** Address, method, preference and what padding can add: leaving one out gains no more. */
const MOST_OCTETS_PER_LOCATOR = 32;

export const NO_OFFER: Offer = { list: undefined, preferences: [] };

export interface OwnSideConfiguration {
  readonly ulid: Address;
  /** CGA Parameter Data Structure of the ULID; without it no locator can be proven, and none is told. */
  readonly parameters: Uint8Array | undefined;
  readonly lists: OwnLists;
  readonly locators: readonly OwnLocator[];
}

/** Ls(local) of one context, RFC 5533 §2.2. */
export class OwnSide {
  readonly #ulid: Address;
  readonly #parameters: Uint8Array | undefined;
  readonly #lists: OwnLists;
  #locators: readonly OwnLocator[] = [];

  constructor({ ulid, parameters, lists, locators }: OwnSideConfiguration) {
    this.#ulid = ulid;
    this.#parameters = parameters;
    this.#lists = lists;
    this.replace(locators);
  }

  /** The ULID stays a member even when its address is gone: it is then listed as BROKEN. */
  replace(locators: readonly OwnLocator[]): void {
    const listed = locators.some(({ address }) => sameOctets(address, this.#ulid));
    if (listed) {
      this.#locators = locators;
      return;
    }
    const before = this.#locators.find(({ address }) => sameOctets(address, this.#ulid));
    const method = before?.method ?? locators[0]?.method ?? 'hba';
    this.#locators = [...locators, { ...NO_PREFERENCE, broken: locators.length > 0, address: this.#ulid, method }];
  }

  get parameters(): Uint8Array | undefined {
    return this.#parameters;
  }

  /** Lists to come get generations after that of `list`. */
  continueAfter(list: OwnList): void {
    this.#lists.continueAfter(list.generation);
  }

  get addresses(): readonly Address[] {
    return this.#locators.map(({ address }) => address);
  }

  has(address: Address): boolean {
    return this.#locators.some((locator) => sameOctets(locator.address, address));
  }

  /**
   * The largest offer that fits in `room` octets of options. The ULID and `source` are never left out. A single locator is
   * not worth a list unless one `mustList` it.
   */
  offer(room: number, withParameters: boolean, source: Address, mustList: boolean): Offer {
    if (this.#parameters === undefined || (this.#locators.length < 2 && !mustList)) return NO_OFFER;
    let locators = this.#locators;
    for (;;) {
      const offer = this.#offerOf(locators);
      const excess = optionsLength(this.options(offer, NO_OFFER, withParameters)) - room;
      if (excess <= 0) return offer;
      const fewer = withoutLast(locators, Math.ceil(excess / MOST_OCTETS_PER_LOCATOR), [this.#ulid, source]);
      if (fewer.length === locators.length) return NO_OFFER;
      locators = fewer;
    }
  }

  /** The same offer with a list whose generation comes after that of `list`. */
  newer(offer: Offer, list: OwnList | undefined): Offer {
    if (offer.list === undefined || list === undefined) return offer;
    const age = (offer.list.generation - list.generation) | 0; // modulo 2^32
    return age > 0 ? offer : { ...offer, list: this.#lists.renewed(offer.list) };
  }

  /** The options that tell `offer` to a peer that knows `told`. Nothing about preferences while there are none to tell. */
  options(offer: Offer, told: Offer, withParameters: boolean): Shim6Options {
    const { list } = offer;
    if (list === undefined) return {};
    const withList = list !== told.list;
    return {
      locatorList: withList ? { generation: list.generation, locators: list.locators } : undefined,
      locatorPreferences: tellsPreferences(offer, told) ? preferencesOf(list, offer.preferences) : undefined,
      parameters: withList && withParameters ? this.#parameters : undefined,
      signature: withList ? list.signature : undefined,
    };
  }

  #offerOf(locators: readonly OwnLocator[]): Offer {
    const list = this.#lists.listOf(
      locators.map(({ address, method }) => ({ address, method: method === 'hba' ? METHOD_HBA : METHOD_CGA })),
    );
    return { list, preferences: locators };
  }
}

/** `offer` with the list of `known` when its locators are the same: a generation of its own would tell nothing new. */
export function recognised(offer: Offer, known: Offer): Offer {
  const same = offer.list !== undefined && known.list !== undefined && sameLocators(offer.list, known.list);
  return same ? { ...offer, list: known.list } : offer;
}

/** Is there anything in `offer` that a peer that knows `told` does not know? */
export function differs(offer: Offer, told: Offer): boolean {
  return offer.list !== told.list || tellsPreferences(offer, told);
}

function sameLocators({ locators }: OwnList, other: OwnList): boolean {
  return (
    locators.length === other.locators.length &&
    locators.every(({ address, method }, i) => {
      const locator = other.locators[i];
      return locator !== undefined && locator.method === method && sameOctets(locator.address, address);
    })
  );
}

function tellsPreferences(offer: Offer, told: Offer): boolean {
  if (offer.list !== told.list) return !indifferent(offer.preferences) || !indifferent(told.preferences);
  return preferenceKey(offer.preferences) !== preferenceKey(told.preferences);
}

function indifferent(preferences: readonly Preference[]): boolean {
  return preferences.every((preference) => preferenceKey([preference]) === NO_PREFERENCE_KEY);
}

function preferencesOf({ generation }: OwnList, elements: readonly Preference[]): LocatorPreferences {
  const ranked = elements.some(({ priority, weight }) => priority !== 0 || weight !== 0);
  return { generation, elementLength: ranked ? 3 : 1, elements };
}

function preferenceKey(preferences: readonly Preference[]): string {
  return preferences
    .map(({ broken, transient, priority, weight }) => [Number(broken), Number(transient), priority, weight].join())
    .join(';');
}

const NO_PREFERENCE_KEY = preferenceKey([NO_PREFERENCE]);

/** At most `count` locators fewer, from the end, sparing `kept`. */
function withoutLast(locators: readonly OwnLocator[], count: number, kept: readonly Address[]): readonly OwnLocator[] {
  const keptKeys = new Set(kept.map(addressKey));
  const removable = locators.filter(({ address }) => !keptKeys.has(addressKey(address)));
  const removed = new Set(removable.slice(Math.max(0, removable.length - count)));
  return locators.filter((locator) => !removed.has(locator));
}
