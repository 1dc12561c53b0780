import type { Address } from '../wire/address.ts';
import { addressKey } from '../wire/address.ts';
import { refuseClashes } from './clash.ts';
import { cleanUp } from './cleanup.ts';
import type { Leftover } from './cleanup.ts';
import { Diversion } from './diversion.ts';
import { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import { KeptIdentifiers } from './kept-identifiers.ts';
import { LocatorRoutes, ROUTE_LIFETIME_SECONDS } from './locator-routes.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { writeNeighbourDeletion } from './netlink/neighbour.ts';
import type { LocalLocator, NetworkPicture } from './network-picture.ts';
import { GONE, perform } from './refusal.ts';

/** What interception needs from around it. */
export interface InterceptionOptions {
  readonly route: NetlinkExchange;
  readonly picture: NetworkPicture;
  readonly tunIndex: number;
  readonly numbers: InterceptionNumbers;
  /** Of the routes to peers with an established context: below the kernel's 200 ms, so that TCP does not sleep over a repair. */
  readonly rtoMinMs: number;
  /**
   * What the TUN device takes, at least 1280 (RFC 8200 §5): of the routes into it, and of those to peers with an established
   * context. Then a diversion changes no segment size: TCP takes a refused segment of the old size for a full queue, and
   * waits for 200 ms.
   */
  readonly mtu: () => number;
  /** A request that the kernel refused, although the rest goes on. */
  readonly onProblem: (problem: LociError) => void;
}

/** Everything that this host's routing needs for packets between identifiers, set and taken away again. */
export class Interception {
  readonly #route: NetlinkExchange;
  readonly #onProblem: (problem: LociError) => void;
  readonly #kept: KeptIdentifiers;
  readonly #diversion: Diversion;
  readonly #locatorRoutes: LocatorRoutes;
  readonly #renewal: NodeJS.Timeout;
  /** Neighbours that are to be forgotten. */
  readonly #stale = new Map<string, { readonly index: number; readonly address: Address }>();
  #closed = false;
  /** What a former run had left, and is removed now. */
  readonly leftovers: readonly Leftover[];

  private constructor(options: InterceptionOptions) {
    const { route, picture, tunIndex, numbers, rtoMinMs, onProblem, mtu } = options;
    this.#route = route;
    this.#onProblem = onProblem;
    this.leftovers = cleanUp(route, { keepAddresses: true });
    refuseClashes(route, numbers);
    this.#kept = new KeptIdentifiers(route, tunIndex);
    this.#diversion = new Diversion({ ...options, kept: this.#kept });
    this.#locatorRoutes = new LocatorRoutes(route, picture, numbers, rtoMinMs, onProblem, mtu);
    this.#renewal = setInterval(
      () => {
        this.#locatorRoutes.renew();
      },
      (ROUTE_LIFETIME_SECONDS * 1000) / 3,
    );
    this.#renewal.unref();
  }

  /** Removes leftovers of a former run, except its addresses, which `OwnAddresses` adopts; throws on clashes with others. */
  static open(options: InterceptionOptions): Interception {
    return new Interception(options);
  }

  /** Follow the locators of this host, their interfaces and gateways: routing by source address. */
  setLocators(locators: readonly LocalLocator[]): void {
    if (!this.#closed) this.#locatorRoutes.update(locators);
  }

  /** Routes with `rto_min` to the locators of a peer, from each own locator; counted, so `release` as often. */
  establish(peerLocators: readonly Address[]): void {
    this.#locatorRoutes.establish(peerLocators);
  }

  release(peerLocators: readonly Address[]): void {
    this.#locatorRoutes.release(peerLocators);
  }

  /**
   * Packets from `own` to `peer` go into the TUN device from the end of this turn of the event loop on, also those of open
   * sockets; so do packets to `peer` that have no source yet, and get `own`, and those from other addresses.
   */
  divert(own: Address, peer: Address): void {
    this.#diversion.divert(own, peer);
  }

  undivert(own: Address, peer: Address): void {
    this.#diversion.undivert(own, peer);
  }

  /** What the kernel has learnt of the MTU of the path that diverted packets take holds no longer. */
  forgetMtu(own: Address, peer: Address): void {
    this.#diversion.forgetMtu(own, peer);
  }

  isDiverted(own: Address, peer: Address): boolean {
    return this.#diversion.isDiverted(own, peer);
  }

  /** Do `work` once the kernel knows all pairs that were diverted or not any more until now. */
  afterwards(work: () => void): void {
    this.#diversion.afterwards(work);
  }

  /**
   * Drop the packets that wait for these neighbours' link-layer addresses, as they do for seconds on a link without carrier:
   * TCP does not send again what it believes to be in a queue of its own host.
   */
  forgetNeighbours(index: number, addresses: readonly Address[]): void {
    if (this.#stale.size === 0) {
      this.afterwards(() => {
        this.#forget(); // what is sent again at once shall be diverted
      });
    }
    for (const address of addresses) this.#stale.set(`${String(index)} ${addressKey(address)}`, { index, address });
  }

  #forget(): void {
    const requests = [...this.#stale.values()].map(({ index, address }) => writeNeighbourDeletion(index, address));
    this.#stale.clear();
    try {
      perform(this.#route, requests, GONE);
    } catch (error) {
      if (!(error instanceof LociError)) throw error;
      this.#onProblem(error);
    }
  }

  setRtoMin(rtoMinMs: number): void {
    this.#locatorRoutes.setRtoMin(rtoMinMs);
    this.#diversion.setRtoMin(rtoMinMs);
  }

  /** An identifier whose address is gone, or is going, stays valid: as a deprecated address of the TUN device. */
  keepIdentifier(identifier: Address): void {
    this.#kept.keep(identifier);
  }

  releaseIdentifier(identifier: Address): void {
    this.#kept.release(identifier);
  }

  /** Take everything away. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#renewal);
    this.#diversion.close();
    this.#locatorRoutes.close();
    this.#kept.close();
    cleanUp(this.#route, { keepAddresses: true });
  }
}
