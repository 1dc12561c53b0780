import type { Address } from '../wire/address.ts';
import { addressKey } from '../wire/address.ts';
import { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import type { KeptIdentifiers } from './kept-identifiers.ts';
import { joined } from './netlink/attributes.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './netlink/message.ts';
import { RTM_DELROUTE, RTM_NEWROUTE, writeRoute } from './netlink/route.ts';
import type { RouteRequest } from './netlink/route.ts';
import { RTM_DELRULE, RTM_NEWRULE, writeRule } from './netlink/rule.ts';
import { PROTOCOL } from './own-mark.ts';
import { GONE, perform } from './refusal.ts';

/** How packets between two identifiers are diverted. */
export interface DivertOptions {
  /** Of the route into the TUN device; at least 1280 (RFC 8200 §5). */
  readonly mtu: number;
  /** Also take connections to the peer that have no source address yet; they get this own identifier. */
  readonly unbound: boolean;
}

interface Pair extends DivertOptions {
  readonly own: Address;
  readonly peer: Address;
}

/** Sends packets between two identifiers into the TUN device instead of the kernel's own path, and back. */
export class Diversion {
  readonly #route: NetlinkExchange;
  readonly #tunIndex: number;
  readonly #kept: KeptIdentifiers;
  readonly #numbers: InterceptionNumbers;
  readonly #pairs = new Map<string, Map<string, Pair>>(); // by peer, then by own identifier, in the order of diversion
  #rtoMinMs: number;

  constructor(
    route: NetlinkExchange,
    tunIndex: number,
    kept: KeptIdentifiers,
    numbers: InterceptionNumbers,
    rtoMinMs: number,
  ) {
    this.#route = route;
    this.#tunIndex = tunIndex;
    this.#kept = kept;
    this.#numbers = numbers;
    this.#rtoMinMs = rtoMinMs;
  }

  /** One exchange with the kernel; sockets that are open already follow with their next packet. */
  divert(own: Address, peer: Address, options: DivertOptions): void {
    if (options.mtu < 1280) throw new RangeError('the MTU of an IPv6 link is at least 1280');
    const pairs = this.#pairs.get(addressKey(peer)) ?? new Map<string, Pair>();
    if (pairs.has(addressKey(own))) return;
    const pair = { own: own.slice(), peer: peer.slice(), ...options };
    const all = [...pairs.values(), pair];
    const isFirstUnbound = options.unbound && ![...pairs.values()].some((other) => other.unbound);
    const requests = [this.#setRoute(all), this.#pairRule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, pair)];
    if (isFirstUnbound) requests.push(this.#unboundRule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, pair));
    this.#exchange(joined(requests), sourceOf(all));
    pairs.set(addressKey(own), pair);
    this.#pairs.set(addressKey(peer), pairs);
  }

  undivert(own: Address, peer: Address): void {
    const pairs = this.#pairs.get(addressKey(peer));
    const pair = pairs?.get(addressKey(own));
    if (pairs === undefined || pair === undefined) return;
    pairs.delete(addressKey(own));
    const left = [...pairs.values()];
    const requests = [this.#pairRule(RTM_DELRULE, 0, pair)];
    if (pair.unbound && !left.some((other) => other.unbound)) requests.push(this.#unboundRule(RTM_DELRULE, 0, pair));
    if (left.length === 0) {
      this.#pairs.delete(addressKey(peer));
      requests.push(writeRoute(RTM_DELROUTE, 0, this.#routeOf([pair])));
    }
    perform(this.#route, requests, GONE);
    if (left.length > 0) this.#exchange(this.#setRoute(left), sourceOf(left));
  }

  /** A route that is replaced loses what the kernel learnt for it by Packet Too Big. */
  forgetMtu(own: Address, peer: Address): void {
    const pairs = this.#pairs.get(addressKey(peer));
    if (pairs?.has(addressKey(own)) !== true) return;
    const all = [...pairs.values()];
    this.#exchange(this.#setRoute(all), sourceOf(all));
  }

  isDiverted(own: Address, peer: Address): boolean {
    return this.#pairs.get(addressKey(peer))?.has(addressKey(own)) === true;
  }

  /** `rto_min` of all diverted routes from now on. */
  setRtoMin(rtoMinMs: number): void {
    if (rtoMinMs === this.#rtoMinMs) return;
    this.#rtoMinMs = rtoMinMs;
    for (const pairs of this.#pairs.values()) {
      const all = [...pairs.values()];
      this.#exchange(this.#setRoute(all), sourceOf(all));
    }
  }

  close(): void {
    for (const pairs of [...this.#pairs.values()]) {
      for (const { own, peer } of [...pairs.values()].reverse()) this.undivert(own, peer);
    }
  }

  /** A route may only name a source that some interface has. */
  #exchange(requests: Uint8Array, source: Address): void {
    try {
      this.#route.exchange(requests);
    } catch (error) {
      if (!(error instanceof LociError) || error.code !== 'EINVAL') throw error;
      this.#kept.keep(source);
      this.#retry(requests);
    }
  }

  /** Behind the refused route, the kernel has taken the rules: they are refused now as existing. */
  #retry(requests: Uint8Array): void {
    try {
      this.#route.exchange(requests);
    } catch (error) {
      if (!(error instanceof LociError) || error.code !== 'EEXIST') throw error;
    }
  }

  #setRoute(pairs: readonly Pair[]): Uint8Array {
    return writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, this.#routeOf(pairs));
  }

  /** All pairs with one peer share a route. */
  #routeOf(pairs: readonly Pair[]): RouteRequest {
    return {
      table: this.#numbers.divertTable,
      destination: { address: firstOf(pairs).peer, length: 128 },
      protocol: PROTOCOL,
      index: this.#tunIndex,
      preferredSource: sourceOf(pairs),
      rtoMinMs: this.#rtoMinMs,
      mtu: Math.min(...pairs.map((pair) => pair.mtu)),
    };
  }

  #pairRule(type: number, flags: number, { own, peer }: Pair): Uint8Array {
    return writeRule(type, flags, { ...this.#rule(this.#numbers.divertPreference), source: own, destination: peer });
  }

  #unboundRule(type: number, flags: number, { peer }: Pair): Uint8Array {
    return writeRule(type, flags, { ...this.#rule(this.#numbers.unboundPreference), destination: peer });
  }

  #rule(priority: number): { priority: number; table: number; protocol: number; mark: number; mask: number } {
    const { divertTable, mark } = this.#numbers;
    return { priority, table: divertTable, protocol: PROTOCOL, mark: 0, mask: mark };
  }
}

function firstOf(pairs: readonly Pair[]): Pair {
  const [first] = pairs;
  if (first === undefined) throw new RangeError('no pair is diverted');
  return first;
}

/** The identifier that connections get that have none yet. */
function sourceOf(pairs: readonly Pair[]): Address {
  return (pairs.find((pair) => pair.unbound) ?? firstOf(pairs)).own;
}
