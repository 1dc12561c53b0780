import type { Address } from '../wire/address.ts';
import { refuseClashes } from './clash.ts';
import { cleanUp } from './cleanup.ts';
import type { Leftover } from './cleanup.ts';
import { Diversion } from './diversion.ts';
import type { DivertOptions } from './diversion.ts';
import type { LociError } from './error.ts';
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
   * Of the routes to peers with an established context: what the TUN device takes. Then a diversion changes no segment
   * size: TCP takes a refused segment of the old size for a full queue, and waits for 200 ms.
   */
  readonly peerMtu?: () => number;
  /** A request that the kernel refused, although the rest goes on. */
  readonly onProblem: (problem: LociError) => void;
}

/** Everything that this host's routing needs for packets between identifiers, set and taken away again. */
export class Interception {
  readonly #route: NetlinkExchange;
  readonly #kept: KeptIdentifiers;
  readonly #diversion: Diversion;
  readonly #locatorRoutes: LocatorRoutes;
  readonly #renewal: NodeJS.Timeout;
  #closed = false;
  /** What a former run had left, and is removed now. */
  readonly leftovers: readonly Leftover[];

  private constructor(options: InterceptionOptions) {
    const { route, picture, tunIndex, numbers, rtoMinMs, onProblem, peerMtu } = options;
    this.#route = route;
    this.leftovers = cleanUp(route, { keepAddresses: true });
    refuseClashes(route, numbers);
    this.#kept = new KeptIdentifiers(route, tunIndex);
    this.#diversion = new Diversion(route, tunIndex, this.#kept, numbers, rtoMinMs);
    this.#locatorRoutes = new LocatorRoutes(route, picture, numbers, rtoMinMs, onProblem, peerMtu);
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

  /** Packets from `own` to `peer` go into the TUN device from now on, also those of open sockets. */
  divert(own: Address, peer: Address, options: DivertOptions): void {
    this.#diversion.divert(own, peer, options);
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

  /**
   * Drop the packets that wait for these neighbours' link-layer addresses, as they do for seconds on a link without carrier:
   * TCP does not send again what it believes to be in a queue of its own host.
   */
  forgetNeighbours(index: number, addresses: readonly Address[]): void {
    perform(
      this.#route,
      addresses.map((address) => writeNeighbourDeletion(index, address)),
      GONE,
    );
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
