import type { Instant } from '../wire/time.ts';
import { parseAddressMessage, listAddresses, RTM_DELADDR } from './netlink/address.ts';
import type { AddressMessage } from './netlink/address.ts';
import { listLinks } from './netlink/link.ts';
import { messageType } from './netlink/message.ts';
import { listRoutes } from './netlink/route.ts';
import { NetlinkSocket } from './netlink.ts';
import { NetworkPicture } from './network-picture.ts';
import type { InterfaceSelection, LocalLocator } from './network-picture.ts';

const RTNLGRP_LINK = 1;
const RTNLGRP_IPV6_IFADDR = 9;
const RTNLGRP_IPV6_ROUTE = 11;

/** The whole picture after a change, and the addresses that went since the last one, with the flags they had in the end. */
export interface LocatorChange {
  readonly locators: readonly LocalLocator[];
  readonly departed: readonly AddressMessage[];
}

/** Follows links, addresses and routes of this host. Reports in the turn of the event loop in which the kernel tells. */
export class LocatorMonitor {
  readonly #events: NetlinkSocket;
  readonly #requests: NetlinkSocket;
  readonly #selection: InterfaceSelection;
  readonly #now: () => Instant;
  readonly #callbacks: ((change: LocatorChange) => void)[] = [];
  readonly #picture = new NetworkPicture();
  #departed: AddressMessage[] = [];
  #reportPending = false;
  #closed = false;

  private constructor(selection: InterfaceSelection, now: () => Instant) {
    this.#selection = selection;
    this.#now = now;
    this.#requests = NetlinkSocket.open('route');
    this.#events = NetlinkSocket.open('route', [RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE]);
    this.#list(); // after subscribing: what changes meanwhile is told twice, never missed
    this.#events.onMessage((message) => {
      if (message === undefined) this.#list();
      else if (!this.#take(message)) return;
      this.#report();
    });
  }

  static open(selection: InterfaceSelection, now: () => Instant): LocatorMonitor {
    return new LocatorMonitor(selection, now);
  }

  get picture(): NetworkPicture {
    return this.#picture;
  }

  get locators(): LocalLocator[] {
    return this.#picture.locators(this.#selection, this.#now());
  }

  onChange(callback: (change: LocatorChange) => void): void {
    this.#callbacks.push(callback);
  }

  close(): void {
    this.#closed = true;
    this.#events.close();
    this.#requests.close();
  }

  #list(): void {
    this.#picture.clear();
    for (const list of [listLinks(), listAddresses(), listRoutes()]) {
      for (const message of this.#requests.exchange(list)) this.#take(message);
    }
  }

  #take(message: Uint8Array): boolean {
    if (messageType(message) === RTM_DELADDR) {
      const address = parseAddressMessage(message);
      if (address.ok) this.#departed.push(address.value);
    }
    return this.#picture.apply(message, this.#now());
  }

  /** Once for all messages that were read together: at the end of this turn, not later. */
  #report(): void {
    if (this.#reportPending) return;
    this.#reportPending = true;
    queueMicrotask(() => {
      this.#reportPending = false;
      if (this.#closed) return;
      const change = { locators: this.locators, departed: this.#departed };
      this.#departed = [];
      for (const callback of this.#callbacks) callback(change);
    });
  }
}
