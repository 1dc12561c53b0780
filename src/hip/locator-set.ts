import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

/** Locator types, RFC 8046 §4.2. */
export const LOCATOR_ADDRESS = 0;
export const LOCATOR_SPI = 1;

/** Traffic types, RFC 8046 §4.2. */
export const TRAFFIC_BOTH = 0;
export const TRAFFIC_SIGNALLING = 1;
export const TRAFFIC_DATA = 2;

/** RFC 8046 §4.2: the lifetime that has no end. */
export const UNBOUNDED_LIFETIME = 0xffff_ffff;

/** RFC 8046 §4.2. IPv4 addresses are in their IPv4-mapped form. */
export type Locator =
  | { readonly locatorType: typeof LOCATOR_ADDRESS; readonly address: Address }
  | { readonly locatorType: typeof LOCATOR_SPI; readonly spi: number; readonly address: Address }
  | { readonly locatorType: 'unsupported'; readonly number: number; readonly octets: Uint8Array };

/** One locator of a LOCATOR_SET with what is said about it, RFC 8046 §4. */
export interface LocatorSetEntry {
  readonly trafficType: number;
  readonly isPreferred: boolean;
  /** Never 0. */
  readonly lifetimeSeconds: number;
  readonly locator: Locator;
}

const ENTRY_HEADER_LENGTH = 8;
const PREFERRED = 0x01;
/** Locator Lengths count units of four octets. */
const UNIT = 4;
const ADDRESS_UNITS = 4;
const SPI_UNITS = 5;

/**
 * One entry, RFC 8046 §4.
 *
 *     0                1                2                3
 *   +----------------+----------------+----------------+---------------+-+
 *   |  Traffic Type  |  Locator Type  | Locator Length |   Reserved    |P|
 *   |                        Locator Lifetime                            |
 *   |          Locator, Locator Length units of four octets              |
 */
export function readLocatorSetEntry(r: Reader): LocatorSetEntry {
  const trafficType = r.u8();
  const type = r.u8();
  const lengthAt = r.at;
  const units = r.u8();
  const isPreferred = (r.u8() & PREFERRED) !== 0;
  const lifetimeAt = r.at;
  const lifetimeSeconds = r.u32();
  if (!r.failed && lifetimeSeconds === 0) r.reject('bad-value', lifetimeAt); // §4: MUST be non-zero
  const expected = type === LOCATOR_ADDRESS ? ADDRESS_UNITS : type === LOCATOR_SPI ? SPI_UNITS : units;
  if (!r.failed && units !== expected) r.reject('bad-length', lengthAt);
  return { trafficType, isPreferred, lifetimeSeconds, locator: readLocator(r, type, units) };
}

function readLocator(r: Reader, type: number, units: number): Locator {
  switch (type) {
    case LOCATOR_ADDRESS:
      return { locatorType: LOCATOR_ADDRESS, address: r.octets(ADDRESS_LENGTH) };
    case LOCATOR_SPI:
      return { locatorType: LOCATOR_SPI, spi: r.u32(), address: r.octets(ADDRESS_LENGTH) };
    default:
      return { locatorType: 'unsupported', number: type, octets: r.octets(units * UNIT) };
  }
}

export function locatorSetEntryLength({ locator }: LocatorSetEntry): number {
  return ENTRY_HEADER_LENGTH + locatorUnits(locator) * UNIT;
}

function locatorUnits(locator: Locator): number {
  switch (locator.locatorType) {
    case LOCATOR_ADDRESS:
      return ADDRESS_UNITS;
    case LOCATOR_SPI:
      return SPI_UNITS;
    case 'unsupported':
      return locator.octets.length / UNIT;
  }
}

export function writeLocatorSetEntry(w: Writer, entry: LocatorSetEntry): void {
  const { trafficType, isPreferred, lifetimeSeconds, locator } = entry;
  w.u8(trafficType);
  w.u8(locator.locatorType === 'unsupported' ? locator.number : locator.locatorType);
  w.u8(locatorUnits(locator));
  w.u8(isPreferred ? PREFERRED : 0);
  w.u32(lifetimeSeconds);
  if (locator.locatorType === 'unsupported') {
    w.octets(locator.octets);
    return;
  }
  if (locator.locatorType === LOCATOR_SPI) w.u32(locator.spi);
  w.octets(locator.address);
}
