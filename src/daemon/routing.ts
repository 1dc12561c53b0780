import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Interception } from '../node/interception.ts';
import type { LocalLocator } from '../node/network-picture.ts';
import type { Routing } from '../node/shell.ts';
import { addressKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';

/** RFC 5533 §15.4: the payload extension header takes 8 octets of every packet. */
const PAYLOAD_HEADER_LENGTH = 8;

/** The largest packet that may enter the TUN device, so that it still fits through every locator's link when tagged. */
export function tunMtu(locators: readonly LocalLocator[]): number {
  const smallest = Math.min(9_000, ...locators.map((locator) => locator.mtu));
  return Math.max(IPV6_MINIMUM_MTU, smallest - PAYLOAD_HEADER_LENGTH);
}

/** Performs what the host wants done to the kernel's routing, and keeps identifiers alive whose address has gone. */
export class KernelRouting implements Routing {
  readonly #interception: Interception;
  readonly #locators: () => readonly LocalLocator[];
  readonly #diverted = new Set<string>();
  /** Own identifiers of diverted pairs, and of how many. */
  readonly #identifiers = new Map<string, { readonly address: Address; pairs: number }>();
  readonly #peers = new Map<string, readonly Address[]>();
  #seen: readonly LocalLocator[] | undefined;

  constructor(interception: Interception, locators: () => readonly LocalLocator[]) {
    this.#interception = interception;
    this.#locators = locators;
  }

  divert(ulids: LocatorPair): void {
    this.#use(ulids);
    if (!this.#isSafe(ulids.local)) this.#interception.keepIdentifier(ulids.local);
    this.#interception.divert(ulids.local, ulids.peer);
    this.#releaseQueued(ulids);
  }

  #use(ulids: LocatorPair): void {
    if (this.#diverted.has(pairKey(ulids))) return;
    this.#diverted.add(pairKey(ulids));
    const identifier = this.#identifiers.get(addressKey(ulids.local));
    if (identifier !== undefined) identifier.pairs++;
    else this.#identifiers.set(addressKey(ulids.local), { address: ulids.local, pairs: 1 });
  }

  /** What the kernel still holds for a link that lost its carrier would keep TCP from sending it again. */
  #releaseQueued({ local, peer }: LocatorPair): void {
    for (const { address, linkUp, index, gateway } of this.#present) {
      if (linkUp || !sameOctets(address, local)) continue;
      this.#interception.forgetNeighbours(index, gateway === undefined ? [peer] : [gateway.address, peer]);
    }
  }

  restore(ulids: LocatorPair): void {
    this.#interception.undivert(ulids.local, ulids.peer);
    if (!this.#diverted.delete(pairKey(ulids))) return;
    const identifier = this.#identifiers.get(addressKey(ulids.local));
    if (identifier === undefined || --identifier.pairs > 0) return;
    this.#identifiers.delete(addressKey(ulids.local));
    if (this.#isSafe(ulids.local)) this.#interception.releaseIdentifier(ulids.local);
  }

  forgetMtu(ulids: LocatorPair): void {
    this.#interception.forgetMtu(ulids.local, ulids.peer);
  }

  peer(ulids: LocatorPair, locators: readonly Address[]): void {
    const key = pairKey(ulids);
    const before = this.#peers.get(key) ?? [];
    this.#interception.establish(locators); // first, so that what stays is not taken away in between
    this.#interception.release(before);
    if (locators.length === 0) this.#peers.delete(key);
    else this.#peers.set(key, locators);
  }

  /** The addresses changed: an identifier in use whose own is about to go, or gone, gets one on the TUN device. */
  follow(): void {
    this.#seen = undefined;
    for (const { address } of this.#identifiers.values())
      if (!this.#isSafe(address)) this.#interception.keepIdentifier(address);
  }

  #isSafe(identifier: Address): boolean {
    return this.#present.some(
      (locator) => locator.state === 'preferred' && locator.linkUp && sameOctets(locator.address, identifier),
    );
  }

  /** As of this turn of the event loop: in one, many pairs may be diverted. */
  get #present(): readonly LocalLocator[] {
    if (this.#seen === undefined) {
      this.#seen = this.#locators();
      queueMicrotask(() => {
        this.#seen = undefined;
      });
    }
    return this.#seen;
  }
}
