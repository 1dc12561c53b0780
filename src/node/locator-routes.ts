import type { Address } from '../wire/address.ts';
import { addressKey, UNSPECIFIED } from '../wire/address.ts';
import { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './netlink/message.ts';
import { RT_TABLE_MAIN, RTM_DELROUTE, RTM_NEWROUTE, writeRoute } from './netlink/route.ts';
import type { NextHop, RouteRequest } from './netlink/route.ts';
import { RTM_DELRULE, RTM_NEWRULE, writeRule } from './netlink/rule.ts';
import type { LocalLocator, NetworkPicture } from './network-picture.ts';
import { PROTOCOL } from './own-mark.ts';
import { recallSockets } from './recall.ts';
import { GONE, perform, refusalOf } from './refusal.ts';

/** The default route of a locator lives this long unless it is renewed, so that it dies soon after a killed process. */
export const ROUTE_LIFETIME_SECONDS = 15;

interface Slot {
  readonly number: number;
  readonly locator: Address;
  index: number;
  /** How often the interface was down when the routes were set. */
  downs: number;
  defaultHop: NextHop | undefined;
  readonly peers: Map<string, { readonly peer: Address; readonly hop: NextHop }>;
}

interface Peer {
  readonly address: Address;
  contexts: number;
}

/**
 * Routing by source address: every locator has a table with the default route of its own interface, and one with a route to
 * each locator of each established peer, which carries `rto_min` and the MTU of what may be diverted. Three rules with one
 * preference, in this order, lead there: routes to peers first (not for our own packets, which are larger by the payload
 * header), then whatever the main table knows better than by its default route, then the own default route.
 */
export class LocatorRoutes {
  readonly #route: NetlinkExchange;
  readonly #picture: NetworkPicture;
  readonly #numbers: InterceptionNumbers;
  readonly #slots = new Map<string, Slot>();
  readonly #peers = new Map<string, Peer>();
  readonly #onProblem: (problem: LociError) => void;
  readonly #mtu: () => number;
  #rtoMinMs: number;
  #isRecallDue = false;

  constructor(
    route: NetlinkExchange,
    picture: NetworkPicture,
    numbers: InterceptionNumbers,
    rtoMinMs: number,
    onProblem: (problem: LociError) => void,
    mtu: () => number,
  ) {
    this.#mtu = mtu;
    this.#route = route;
    this.#picture = picture;
    this.#numbers = numbers;
    this.#rtoMinMs = rtoMinMs;
    this.#onProblem = onProblem;
  }

  /** Follow the locators of this host, their interfaces and gateways. */
  update(locators: readonly LocalLocator[]): void {
    const requests: Uint8Array[] = [];
    const present = new Map(locators.filter(isUsable).map((locator) => [addressKey(locator.address), locator]));
    for (const [key, slot] of this.#slots) {
      if (present.has(key)) continue;
      this.#slots.delete(key);
      requests.push(...this.#withdrawal(slot));
    }
    this.#perform(requests, GONE);
    for (const [key, locator] of present) this.#reconcile(this.#slots.get(key) ?? this.#open(key, locator), locator);
  }

  /** Set routes to these locators of a peer, in the table of each own locator. Counted: `release` as often. */
  establish(peerLocators: readonly Address[]): void {
    const added: Peer[] = [];
    for (const address of peerLocators) {
      const peer = this.#peers.get(addressKey(address));
      if (peer !== undefined) peer.contexts++;
      else {
        const fresh = { address: address.slice(), contexts: 1 };
        this.#peers.set(addressKey(address), fresh);
        added.push(fresh);
      }
    }
    this.#perform(
      [...this.#slots.values()].flatMap((slot) => added.flatMap((peer) => this.#peerRoute(slot, peer))),
      GONE,
    );
    if (added.length > 0) this.#recallSoon();
  }

  release(peerLocators: readonly Address[]): void {
    const requests: Uint8Array[] = [];
    for (const address of peerLocators) {
      const key = addressKey(address);
      const peer = this.#peers.get(key);
      if (peer === undefined || --peer.contexts > 0) continue;
      this.#peers.delete(key);
      for (const slot of this.#slots.values()) requests.push(...this.#withdrawPeer(slot, key));
    }
    this.#perform(requests, GONE);
  }

  /** `rto_min` of all routes to peers from now on. */
  setRtoMin(rtoMinMs: number): void {
    if (rtoMinMs === this.#rtoMinMs) return;
    this.#rtoMinMs = rtoMinMs;
    const requests: Uint8Array[] = [];
    for (const slot of this.#slots.values()) {
      slot.peers.clear();
      for (const peer of this.#peers.values()) requests.push(...this.#peerRoute(slot, peer));
    }
    this.#perform(requests, GONE);
  }

  /** Renew the default routes: due several times in `ROUTE_LIFETIME_SECONDS`. */
  renew(): void {
    for (const slot of this.#slots.values()) {
      if (slot.defaultHop === undefined) continue;
      // Adding what is there is refused, after its lifetime was renewed; replacing it would forget what is known of path MTUs.
      const refusal = refusalOf(
        this.#route,
        writeRoute(RTM_NEWROUTE, NLM_F_CREATE, this.#defaultRoute(slot, slot.defaultHop)),
        ['EEXIST'],
      );
      if (refusal !== undefined) this.#onProblem(refusal);
    }
  }

  close(): void {
    this.#isRecallDue = false;
    perform(
      this.#route,
      [...this.#slots.values()].flatMap((slot) => this.#withdrawal(slot)),
      GONE,
    );
    this.#slots.clear();
    this.#peers.clear();
  }

  /** Sockets shall find `rto_min` while all is well: at the end of this turn of the event loop, for all peers that it brings. */
  #recallSoon(): void {
    if (this.#isRecallDue) return;
    this.#isRecallDue = true;
    queueMicrotask(() => {
      if (!this.#isRecallDue) return;
      this.#isRecallDue = false;
      this.#perform([recallSockets(this.#numbers)], GONE);
    });
  }

  #open(key: string, locator: LocalLocator): Slot {
    const taken = new Set([...this.#slots.values()].map((slot) => slot.number));
    let number = 0;
    while (taken.has(number)) number++;
    const slot: Slot = {
      number,
      locator: locator.address.slice(),
      index: locator.index,
      downs: this.#picture.downs(locator.index),
      defaultHop: undefined,
      peers: new Map(),
    };
    if (number >= this.#numbers.maxLocators) {
      this.#onProblem(new LociError('too-many-locators', `more than ${String(number)} locators: raise max_locators`));
      return slot; // and without a place in #slots it gets no rules; #reconcile sets nothing for it
    }
    this.#slots.set(key, slot);
    this.#perform(this.#rules(slot, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL), ['EEXIST']);
    return slot;
  }

  #reconcile(slot: Slot, locator: LocalLocator): void {
    if (slot.number >= this.#numbers.maxLocators) return;
    const downs = this.#picture.downs(locator.index);
    if (slot.index !== locator.index || slot.downs !== downs) {
      // Its interface was down, which took the routes along, or it has moved to another one.
      this.#perform(this.#withdrawRoutes(slot), GONE);
      slot.index = locator.index;
      slot.downs = downs;
    }
    const requests: Uint8Array[] = [];
    const hop = this.#picture.defaultWay(slot.index, slot.locator)?.hop;
    if (!sameHop(hop, slot.defaultHop)) {
      if (hop !== undefined)
        requests.push(writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, this.#defaultRoute(slot, hop)));
      else if (slot.defaultHop !== undefined)
        requests.push(writeRoute(RTM_DELROUTE, 0, this.#defaultRoute(slot, slot.defaultHop)));
      slot.defaultHop = hop;
    }
    for (const peer of this.#peers.values()) requests.push(...this.#peerRoute(slot, peer));
    this.#perform(requests, GONE);
  }

  /** The request that brings the route of `slot` to `peer` up to date, if it is not. */
  #peerRoute(slot: Slot, peer: Peer): Uint8Array[] {
    const key = addressKey(peer.address);
    const hop = this.#picture.wayTo(peer.address, slot.index, slot.locator)?.hop;
    if (hop === undefined) return this.#withdrawPeer(slot, key);
    if (sameHop(slot.peers.get(key)?.hop, hop)) return [];
    slot.peers.set(key, { peer: peer.address, hop });
    return [writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, this.#routeTo(slot, peer.address, hop))];
  }

  #withdrawPeer(slot: Slot, key: string): Uint8Array[] {
    const known = slot.peers.get(key);
    if (known === undefined) return [];
    slot.peers.delete(key);
    return [writeRoute(RTM_DELROUTE, 0, this.#routeTo(slot, known.peer, known.hop))];
  }

  #withdrawRoutes(slot: Slot): Uint8Array[] {
    const requests = [...slot.peers.keys()].flatMap((key) => this.#withdrawPeer(slot, key));
    if (slot.defaultHop !== undefined)
      requests.push(writeRoute(RTM_DELROUTE, 0, this.#defaultRoute(slot, slot.defaultHop)));
    slot.defaultHop = undefined;
    return requests;
  }

  #withdrawal(slot: Slot): Uint8Array[] {
    return [...this.#rules(slot, RTM_DELRULE, 0), ...this.#withdrawRoutes(slot)];
  }

  #rules(slot: Slot, type: number, flags: number): Uint8Array[] {
    const priority = this.#numbers.locatorPreference + slot.number;
    const rule = { priority, source: slot.locator, protocol: PROTOCOL };
    const table = this.#tableOf(slot);
    return [
      writeRule(type, flags, { ...rule, table: this.#peerTableOf(slot), mark: 0, mask: this.#numbers.mark }),
      writeRule(type, flags, { ...rule, table: RT_TABLE_MAIN, suppressPrefixLength: 0 }),
      writeRule(type, flags, { ...rule, table }),
    ];
  }

  #tableOf(slot: Slot): number {
    return this.#numbers.locatorTable + slot.number;
  }

  /** Behind the tables of all locators. */
  #peerTableOf(slot: Slot): number {
    return this.#tableOf(slot) + this.#numbers.maxLocators;
  }

  #defaultRoute(slot: Slot, hop: NextHop): RouteRequest {
    return {
      table: this.#tableOf(slot),
      destination: { address: UNSPECIFIED, length: 0 },
      protocol: PROTOCOL,
      ...hop,
      expiresSeconds: ROUTE_LIFETIME_SECONDS,
    };
  }

  #routeTo(slot: Slot, peer: Address, hop: NextHop): RouteRequest {
    return {
      table: this.#peerTableOf(slot),
      destination: { address: peer, length: 128 },
      protocol: PROTOCOL,
      ...hop,
      rtoMinMs: this.#rtoMinMs,
      mtu: this.#mtu(),
    };
  }

  /** The picture may be a moment behind the kernel: what it refuses now is set with the next change. */
  #perform(requests: readonly Uint8Array[], expected: readonly string[]): void {
    try {
      perform(this.#route, requests, expected);
    } catch (error) {
      if (!(error instanceof LociError)) throw error;
      this.#onProblem(error);
    }
  }
}

function isUsable(locator: LocalLocator): boolean {
  return locator.state !== 'tentative' && !locator.dadFailed;
}

function sameHop(a: NextHop | undefined, b: NextHop | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.index !== b.index || (a.gateway === undefined) !== (b.gateway === undefined)) return false;
  return a.gateway === undefined || b.gateway === undefined || addressKey(a.gateway) === addressKey(b.gateway);
}
