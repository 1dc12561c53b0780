import type { Address } from '../wire/address.ts';
import type { LocalLocator } from './network-picture.ts';

/** Why an address of ours is not there although its prefix is. */
export type Absence =
  | 'deleted' // by the operator: not fought
  | 'collided' // three times in duplicate address detection
  | 'refused'; // by the kernel

/** One who has addresses on this host; mostly there is only one. */
export interface Identity {
  /** `undefined`: the one whose addresses programs get without asking. */
  readonly name: string | undefined;
  /** Its CGA for a prefix of 8 octets, RFC 3972 §4; `undefined` when its key has none there (RFC 5535). */
  readonly formAddress: (prefix: Uint8Array, collisionCount: number) => Address | undefined;
  /** Whether it has addresses on this interface. */
  readonly isOn: (interfaceName: string) => boolean;
}

/** An address formed here for a prefix. */
export interface OwnAddress {
  readonly identity: string | undefined;
  readonly address: Address;
  readonly interface: string;
  readonly index: number;
  readonly collisionCount: number;
  readonly state: LocalLocator['state'] | Absence;
}
