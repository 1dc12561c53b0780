import type { Address } from '../wire/address.ts';
import { addressKey } from '../wire/address.ts';
import { IFA_F_NODAD, IFA_F_NOPREFIXROUTE, RTM_DELADDR, RTM_NEWADDR, writeAddressMessage } from './netlink/address.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from './netlink/message.ts';
import { PROTOCOL } from './own-mark.ts';
import { GONE, perform } from './refusal.ts';

/**
 * Identifiers that outlive their address: deprecated /128 addresses of the TUN device, so that programs may stay bound to them
 * and packets to them are still ours, while nothing new chooses them.
 */
export class KeptIdentifiers {
  readonly #route: NetlinkExchange;
  readonly #tunIndex: number;
  readonly #kept = new Map<string, Address>();

  constructor(route: NetlinkExchange, tunIndex: number) {
    this.#route = route;
    this.#tunIndex = tunIndex;
  }

  get all(): Address[] {
    return [...this.#kept.values()];
  }

  /** Also while the address is still there, on its interface. */
  keep(identifier: Address): void {
    if (this.#kept.has(addressKey(identifier))) return;
    perform(this.#route, [this.#request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, identifier)]);
    this.#kept.set(addressKey(identifier), identifier.slice());
  }

  release(identifier: Address): void {
    if (!this.#kept.delete(addressKey(identifier))) return;
    perform(this.#route, [this.#request(RTM_DELADDR, 0, identifier)], GONE);
  }

  close(): void {
    for (const identifier of this.all) this.release(identifier);
  }

  #request(type: number, flags: number, address: Address): Uint8Array {
    return writeAddressMessage(type, flags, {
      index: this.#tunIndex,
      address,
      prefixLength: 128,
      flags: IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
      validLifetimeSeconds: Number.POSITIVE_INFINITY,
      preferredLifetimeSeconds: 0,
      protocol: PROTOCOL,
    });
  }
}
