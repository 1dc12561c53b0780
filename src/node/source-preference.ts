import type { Address } from '../wire/address.ts';
import { addressKey, prefixOf, sameOctets } from '../wire/address.ts';
import { RTM_DELADDRLABEL, RTM_NEWADDRLABEL, writeLabel } from './netlink/label.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './netlink/message.ts';
import type { LocalLocator } from './network-picture.ts';
import type { OwnAddress } from './own-address.ts';
import { LABEL } from './own-mark.ts';
import { GONE, perform } from './refusal.ts';

/**
 * Makes the kernel choose our address for new connections, whatever else its prefix has: RFC 6724 §5 rule 6 prefers a source
 * whose label equals that of the destination, and comes before the rules on temporary addresses and longest match, and before
 * the order in which addresses were added. So the other addresses of the prefix get a label of their own, while ours is usable.
 */
export class SourcePreference {
  readonly #route: NetlinkExchange;
  readonly #labelled = new Map<string, Address>();

  constructor(route: NetlinkExchange) {
    this.#route = route;
  }

  update(locators: readonly LocalLocator[], own: readonly OwnAddress[]): void {
    const usable = own.filter(({ state, identity }) => state === 'preferred' && identity === undefined);
    const rivals = new Map<string, Address>();
    for (const { address, index } of locators) {
      const ours = usable.find((o) => o.index === index && sameOctets(prefixOf(o.address), prefixOf(address)));
      if (ours !== undefined && !sameOctets(ours.address, address)) rivals.set(addressKey(address), address);
    }
    const requests: Uint8Array[] = [];
    for (const [key, address] of this.#labelled)
      if (!rivals.has(key)) requests.push(label(RTM_DELADDRLABEL, 0, address));
    for (const [key, address] of rivals) {
      if (!this.#labelled.has(key)) requests.push(label(RTM_NEWADDRLABEL, NLM_F_CREATE | NLM_F_EXCL, address));
    }
    this.#labelled.clear();
    for (const [key, address] of rivals) this.#labelled.set(key, address);
    perform(this.#route, requests, ['EEXIST', ...GONE]);
  }

  close(): void {
    this.update([], []);
  }
}

function label(type: number, flags: number, address: Address): Uint8Array {
  return writeLabel(type, flags, { prefix: address, prefixLength: 128, label: LABEL });
}
