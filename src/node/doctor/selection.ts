import { readFileSync } from 'node:fs';
import { DEFAULT_POLICY, policyOf } from '../../locators/policy-table.ts';
import type { PolicyRow } from '../../locators/policy-table.ts';
import type { SelectionPolicy, SourceCandidate } from '../../locators/source-selection.ts';
import { isLinkLocal, isLoopback, isMulticast, sameOctets } from '../../wire/address.ts';
import type { Address } from '../../wire/address.ts';
import type { Parsed } from '../../wire/parsed.ts';
import { LociError } from '../error.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  listAddresses,
  parseAddressMessage,
} from '../netlink/address.ts';
import type { AddressMessage } from '../netlink/address.ts';
import { listLabels, parseLabel } from '../netlink/label.ts';
import { listLinks, parseLink } from '../netlink/link.ts';
import { AF_INET6 } from '../netlink/message.ts';
import type { NetlinkExchange } from '../netlink/message.ts';
import { lookUpRoute, parseRoute } from '../netlink/route.ts';
import type { RouteMessage } from '../netlink/route.ts';

/** What the kernel says about address selection (RFC 6724) towards one destination. */
export interface SelectionFacts {
  readonly candidates: readonly (SourceCandidate & { readonly interface: string })[];
  readonly policy: SelectionPolicy;
  /** By which packets leave; `undefined` when there is no route. */
  readonly interface: string | undefined;
  /** The source that the kernel takes when the program leaves it open. */
  readonly kernelSource: Address | undefined;
}

/** Asks the kernel, once for all destinations, and once for each of them. */
export class SelectionPicture {
  readonly #route: NetlinkExchange;
  readonly #addresses: readonly AddressMessage[];
  readonly #names: ReadonlyMap<number, string>;
  readonly #policy: SelectionPolicy;

  constructor(route: NetlinkExchange) {
    this.#route = route;
    const unusable = IFA_F_TENTATIVE | IFA_F_DADFAILED;
    this.#addresses = listed(route, listAddresses(), parseAddressMessage).filter(
      ({ family, flags }) => family === AF_INET6 && (flags & unusable) === 0,
    );
    this.#names = new Map(listed(route, listLinks(), parseLink).map(({ index, name }) => [index, name ?? '']));
    this.#policy = { table: labels(route) };
  }

  /** Whether this host has the address. */
  has(address: Address): boolean {
    return this.#addresses.some((own) => sameOctets(own.address, address));
  }

  towards(destination: Address): SelectionFacts {
    const route = this.#lookUp(destination);
    const outgoing = route?.nextHops[0]?.index;
    const onLink = isLinkLocal(destination) || isMulticast(destination); // RFC 6724 §4
    const candidates = this.#addresses
      .filter(({ address, index }) => (isLoopback(address) ? isLoopback(destination) : !onLink || index === outgoing))
      .map((own) => ({
        address: own.address,
        isDeprecated: (own.flags & IFA_F_DEPRECATED) !== 0,
        isTemporary: (own.flags & IFA_F_TEMPORARY) !== 0,
        isOnOutgoingInterface: outgoing === undefined || own.index === outgoing,
        interfaceIndex: own.index,
        prefixLength: own.prefixLength,
        interface: this.#name(own.index),
      }));
    const name = outgoing === undefined ? undefined : this.#name(outgoing);
    return {
      candidates,
      policy: { ...this.#policy, preferPublic: !prefersTemporary(name) },
      interface: name,
      kernelSource: route?.preferredSource,
    };
  }

  #name(index: number): string {
    return this.#names.get(index) ?? `interface ${String(index)}`;
  }

  #lookUp(destination: Address): RouteMessage | undefined {
    try {
      return listed(this.#route, lookUpRoute(destination), parseRoute)[0];
    } catch (error) {
      const noRoute =
        error instanceof LociError && ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL'].includes(error.code);
      if (noRoute) return undefined; // routes that say unreachable, prohibit, blackhole too
      throw error;
    }
  }
}

function listed<T>(route: NetlinkExchange, request: Uint8Array, parse: (message: Uint8Array) => Parsed<T>): T[] {
  return route.exchange(request).flatMap((message) => {
    const parsed = parse(message);
    return parsed.ok ? [parsed.value] : [];
  });
}

/** The kernel knows labels alone (`ip addrlabel`); precedences come from the default table. */
function labels(route: NetlinkExchange): PolicyRow[] {
  return listed(route, listLabels(), parseLabel).map(({ prefix, prefixLength, label }) => ({
    prefix,
    prefixLength,
    label,
    precedence: policyOf(prefix, DEFAULT_POLICY).precedence,
  }));
}

/** Rule 7 as the kernel is set: only with 2 temporary addresses come first. */
function prefersTemporary(name: string | undefined): boolean {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv6/conf/${name ?? 'all'}/use_tempaddr`, 'utf8')) >= 2;
  } catch {
    return false; // the interface has gone meanwhile, or there is no /proc
  }
}
