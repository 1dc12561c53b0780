import type { Address } from '../wire/address.ts';
import type { LocalLocator } from './network-picture.ts';

/** Why an address of ours is not there although its prefix is. */
export type Absence =
  | 'deleted' // by the operator: not fought
  | 'collided' // three times in duplicate address detection
  | 'refused'; // by the kernel

/** An address formed here for a prefix. */
export interface OwnAddress {
  readonly address: Address;
  readonly interface: string;
  readonly index: number;
  readonly collisionCount: number;
  readonly state: LocalLocator['state'] | Absence;
}
