import { addressKey } from '../wire/address.ts';
import type { OwnHipLocator } from './association-io.ts';

/** Addresses as the peer was told them, in a form to compare. */
export function toldKey(locators: readonly OwnHipLocator[]): string {
  return locators.map(({ address, isPreferred }) => `${addressKey(address)}${String(isPreferred)}`).join(' ');
}
