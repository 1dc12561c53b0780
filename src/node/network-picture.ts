import type { Address } from '../wire/address.ts';
import { addressKey, isGlobalUnicast } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_TENTATIVE,
  parseAddressMessage,
  RTM_DELADDR,
  RTM_NEWADDR,
} from './netlink/address.ts';
import type { AddressMessage } from './netlink/address.ts';
import { IFF_LOOPBACK, IFF_LOWER_UP, IFF_UP, parseLink, RTM_DELLINK, RTM_NEWLINK } from './netlink/link.ts';
import type { LinkMessage } from './netlink/link.ts';
import { AF_INET6, messageFlags, messageType, NLM_F_REPLACE } from './netlink/message.ts';
import {
  isOfTable,
  parseRoute,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_NEWROUTE,
  RTN_UNICAST,
} from './netlink/route.ts';
import type { NextHop, Prefix, RouteMessage } from './netlink/route.ts';
import { PROTOCOL } from './own-mark.ts';

/** An address of this host that can serve as a locator, with what is needed to judge it. */
export interface LocalLocator {
  readonly address: Address;
  readonly prefixLength: number;
  readonly interface: string;
  readonly index: number;
  readonly state: 'tentative' | 'preferred' | 'deprecated';
  readonly dadFailed: boolean;
  /** Remaining when the picture was taken; `Infinity` when it does not end. */
  readonly validLifetimeSeconds: number;
  readonly preferredLifetimeSeconds: number;
  /** Administratively up and with carrier. */
  readonly linkUp: boolean;
  /** Next hop of the default route through its interface, in the main table. */
  readonly gateway: Gateway | undefined;
  readonly mtu: number;
  readonly flags: number;
  /** Set by this project. */
  readonly ours: boolean;
}

/** A router on a link. */
export interface Gateway {
  readonly address: Address;
  readonly index: number;
}

/** Which interfaces count, by name. Loopback never does. */
export type InterfaceSelection = (name: string) => boolean;

interface Held extends AddressMessage {
  readonly at: Instant;
}

/** One way of the main table. */
export interface Way {
  readonly destination: Prefix;
  readonly source: Prefix;
  readonly priority: number;
  readonly preference: number;
  readonly hop: NextHop;
}

/** What the kernel said about links, IPv6 addresses and the main routing table, kept current from its messages. */
export class NetworkPicture {
  readonly #links = new Map<number, LinkMessage>();
  readonly #addresses = new Map<string, Held>();
  readonly #ways = new Map<string, Way>();
  readonly #downs = new Map<number, number>();

  clear(): void {
    this.#links.clear();
    this.#addresses.clear();
    this.#ways.clear();
  }

  /** Take in one message; whether it changed the picture. Messages that do not parse, or are of no interest, change nothing. */
  apply(message: Uint8Array, now: Instant): boolean {
    const type = messageType(message);
    switch (type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = parseLink(message);
        return link.ok && link.value.family === 0 && this.#link(link.value, type === RTM_NEWLINK);
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = parseAddressMessage(message);
        return (
          address.ok && address.value.family === AF_INET6 && this.#address(address.value, type === RTM_NEWADDR, now)
        );
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        if (!isOfTable(message, RT_TABLE_MAIN)) return false; // ours come by the thousand
        const route = parseRoute(message);
        if (!route.ok || !ofMainTable(route.value)) return false;
        return this.#route(route.value, type === RTM_NEWROUTE, (messageFlags(message) & NLM_F_REPLACE) !== 0);
      }
      default:
        return false;
    }
  }

  link(index: number): LinkMessage | undefined {
    return this.#links.get(index);
  }

  /** How often the interface was seen administratively down, which takes all its routes away, in every table. */
  downs(index: number): number {
    return this.#downs.get(index) ?? 0;
  }

  /** Everything that could be a locator, on the selected interfaces. */
  locators(selection: InterfaceSelection, now: Instant): LocalLocator[] {
    const locators: LocalLocator[] = [];
    for (const held of this.#addresses.values()) {
      const link = this.#links.get(held.index);
      if (link === undefined || !isGlobalUnicast(held.address) || !isSelected(link, selection)) continue;
      const elapsed = Math.floor((now - held.at) / 1000);
      const hop = this.defaultWay(held.index, held.address)?.hop;
      locators.push({
        address: held.address,
        prefixLength: held.prefixLength,
        interface: link.name ?? '',
        index: held.index,
        state: stateOf(held.flags),
        dadFailed: (held.flags & IFA_F_DADFAILED) !== 0,
        validLifetimeSeconds: Math.max(0, held.validLifetimeSeconds - elapsed),
        preferredLifetimeSeconds: Math.max(0, held.preferredLifetimeSeconds - elapsed),
        linkUp: isUp(link),
        gateway: hop?.gateway === undefined ? undefined : { address: hop.gateway, index: hop.index },
        mtu: link.mtu ?? 0,
        flags: held.flags,
        ours: held.protocol === PROTOCOL,
      });
    }
    return locators;
  }

  /** The default route through an interface that the kernel would prefer for this source. */
  defaultWay(index: number, source: Address): Way | undefined {
    return this.#best(index, source, (way) => way.destination.length === 0);
  }

  /** How the main table reaches `destination` through an interface. */
  wayTo(destination: Address, index: number, source: Address): Way | undefined {
    return this.#best(index, source, (way) => covers(way.destination, destination));
  }

  #best(index: number, source: Address, accepts: (way: Way) => boolean): Way | undefined {
    let best: Way | undefined;
    for (const way of this.#ways.values()) {
      if (way.hop.index !== index || !covers(way.source, source) || !accepts(way)) continue;
      if (best === undefined || precedes(way, best)) best = way;
    }
    return best;
  }

  #link(link: LinkMessage, present: boolean): boolean {
    const before = this.#links.get(link.index);
    if (present) {
      // Some messages carry only a part.
      const merged = { ...link, name: link.name ?? before?.name, mtu: link.mtu ?? before?.mtu };
      this.#links.set(link.index, merged);
      if (before?.name === merged.name && before?.mtu === merged.mtu && before?.flags === merged.flags) return false;
    } else {
      this.#links.delete(link.index);
      this.#drop(this.#addresses, (held) => held.index === link.index);
    }
    if (!present || (link.flags & IFF_UP) === 0) {
      // The kernel may take the routes of a link away without a word (net.ipv6.route.skip_notify_on_dev_down).
      this.#drop(this.#ways, (way) => way.hop.index === link.index);
      this.#downs.set(link.index, this.downs(link.index) + 1);
    }
    return true;
  }

  #address(message: AddressMessage, present: boolean, now: Instant): boolean {
    const key = `${String(message.index)} ${addressKey(message.address)}`;
    if (!present) return this.#addresses.delete(key);
    this.#addresses.set(key, { ...message, at: now });
    return true;
  }

  #route(route: RouteMessage, present: boolean, replaces: boolean): boolean {
    if (present && replaces) {
      const same = wayKey(route, undefined);
      for (const [key] of this.#ways) if (key.startsWith(same)) this.#ways.delete(key);
    }
    const { destination, source, priority, preference } = route;
    let changed = false;
    for (const hop of route.nextHops) {
      const key = wayKey(route, hop);
      if (!present) changed = this.#ways.delete(key) || changed;
      else {
        this.#ways.set(key, { destination, source, priority, preference, hop });
        changed = true;
      }
    }
    return changed;
  }

  #drop<T>(table: Map<string, T>, matches: (value: T) => boolean): void {
    for (const [key, value] of table) if (matches(value)) table.delete(key);
  }
}

/** Administratively up and with carrier. */
export function isUp(link: LinkMessage): boolean {
  return (link.flags & IFF_UP) !== 0 && (link.flags & IFF_LOWER_UP) !== 0 && link.carrier !== false;
}

function isSelected(link: LinkMessage, selection: InterfaceSelection): boolean {
  return (link.flags & IFF_LOOPBACK) === 0 && link.name !== undefined && selection(link.name);
}

function stateOf(flags: number): LocalLocator['state'] {
  if ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0) return 'tentative';
  return (flags & IFA_F_DEPRECATED) === 0 ? 'preferred' : 'deprecated';
}

function ofMainTable(route: RouteMessage): boolean {
  const live = route.type === RTN_UNICAST && (route.flags & RTM_F_CLONED) === 0;
  return live && route.family === AF_INET6 && route.table === RT_TABLE_MAIN && route.protocol !== PROTOCOL;
}

/** Whether `address` lies in `prefix`. */
export function covers(prefix: Prefix, address: Address): boolean {
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address[i] !== address[i]) return false;
  const mask = 0xff00 >> (prefix.length & 7);
  return (((prefix.address[whole] ?? 0) ^ (address[whole] ?? 0)) & mask & 0xff) === 0;
}

/** Longest destination, then longest source, then lowest metric, then router preference. */
function precedes(a: Way, b: Way): boolean {
  if (a.destination.length !== b.destination.length) return a.destination.length > b.destination.length;
  if (a.source.length !== b.source.length) return a.source.length > b.source.length;
  if (a.priority !== b.priority) return a.priority < b.priority;
  return rank(a.preference) > rank(b.preference);
}

/** RFC 4191 §2.1: 1 is high, 0 medium, 3 low. */
function rank(preference: number): number {
  return preference === 1 ? 1 : preference === 3 ? -1 : 0;
}

/** Without a hop: what all next hops of the route have in common. */
function wayKey(route: RouteMessage, hop: NextHop | undefined): string {
  const { destination, source, priority } = route;
  const common = `${addressKey(destination.address)}/${String(destination.length)} ${addressKey(source.address)}/${String(source.length)} ${String(priority)} `;
  if (hop === undefined) return common;
  return `${common}${String(hop.index)} ${hop.gateway === undefined ? '' : addressKey(hop.gateway)}`;
}
