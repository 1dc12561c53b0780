import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

/** Verification methods, RFC 5533 §5.15.2 Table 4 (the list in §17 has them the wrong way round). */
export const METHOD_HBA = 1;
export const METHOD_CGA = 2;

/** One locator of a Locator List, with the number of its verification method as it is on the wire. */
export interface ListedLocator {
  readonly address: Address;
  readonly method: number;
}

/**
 * Contents of the Locator List option, RFC 5533 §5.15.2.
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   |      Locator List Generation      |
 *   +--------+--------+--------+--------+
 *   |   N    | Method 1 .. Method N, zeros up to a multiple of 8 from the start of the option
 *   +--------+--------+--------+--------+
 *   |   Locator[1 .. N], 16 each        |
 */
export interface LocatorList {
  readonly generation: number;
  readonly locators: readonly ListedLocator[];
}

/** Offset of the first Verification Method in the option's contents: Error code 2 points there. */
export const METHODS_AT = 5;

export function parseLocatorList(body: Uint8Array, base = 0): Parsed<LocatorList> {
  const r = new Reader(body, base);
  const generation = r.u32();
  const count = r.u8();
  if (count === 0) r.reject('bad-value', base + 4);
  const methods = r.list(count, () => r.u8());
  r.skip(methodPadding(count));
  const locators = r.list(count, () => r.octets(ADDRESS_LENGTH));
  return r.finish({
    generation,
    locators: locators.map((address, i) => ({ address, method: methods[i] ?? 0 })),
  });
}

export function locatorListLength({ locators }: LocatorList): number {
  return METHODS_AT + locators.length + methodPadding(locators.length) + ADDRESS_LENGTH * locators.length;
}

export function writeLocatorList(w: Writer, { generation, locators }: LocatorList): void {
  w.u32(generation);
  w.u8(locators.length);
  for (const { method } of locators) w.u8(method);
  w.zeros(methodPadding(locators.length));
  for (const { address } of locators) w.octets(address);
}

/** §5.15.2: the locators start on a multiple of 8; these octets count in Length. */
function methodPadding(count: number): number {
  return (8 - ((1 + count) % 8)) % 8;
}

/** What a host says about one of its locators, RFC 5533 §5.15.3. Priority and weight as in DNS SRV (lower priority first). */
export interface Preference {
  readonly broken: boolean;
  readonly transient: boolean;
  readonly priority: number;
  readonly weight: number;
}

/** What holds without a Locator Preferences option. */
export const NO_PREFERENCE: Preference = { broken: false, transient: false, priority: 0, weight: 0 };

/** Preference flags, RFC 5533 §5.15.3. */
const BROKEN = 0x01;
const TRANSIENT = 0x02;

/**
 * Contents of the Locator Preferences option, RFC 5533 §5.15.3: generation (32), Element Len (8), elements of
 * flags, priority, weight, of which Element Len 1 and 2 leave the last ones out.
 */
export interface LocatorPreferences {
  readonly generation: number;
  readonly elementLength: 1 | 2 | 3;
  readonly elements: readonly Preference[];
}

export function parseLocatorPreferences(body: Uint8Array, base = 0): Parsed<LocatorPreferences> {
  const r = new Reader(body, base);
  const generation = r.u32();
  const length = r.u8();
  if (length === 0)
    r.reject('bad-value', base + 4); // undefined in §5.15.3
  else if (r.left % length !== 0) r.reject('bad-length', base + 4);
  const elements = r.list(r.left / length, () => {
    const flags = r.u8();
    const priority = length >= 2 ? r.u8() : NO_PREFERENCE.priority;
    const weight = length >= 3 ? r.u8() : NO_PREFERENCE.weight;
    r.skip(Math.max(0, length - 3)); // §5.15.3: longer elements begin with the three known octets
    return { broken: (flags & BROKEN) !== 0, transient: (flags & TRANSIENT) !== 0, priority, weight };
  });
  return r.finish({ generation, elementLength: length >= 3 ? 3 : length === 2 ? 2 : 1, elements });
}

export function locatorPreferencesLength({ elementLength, elements }: LocatorPreferences): number {
  return 5 + elementLength * elements.length;
}

export function writeLocatorPreferences(w: Writer, preferences: LocatorPreferences): void {
  const { generation, elementLength, elements } = preferences;
  w.u32(generation);
  w.u8(elementLength);
  for (const { broken, transient, priority, weight } of elements) {
    w.u8((broken ? BROKEN : 0) | (transient ? TRANSIENT : 0));
    if (elementLength >= 2) w.u8(priority);
    if (elementLength >= 3) w.u8(weight);
  }
}
