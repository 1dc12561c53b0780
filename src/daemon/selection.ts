import { IPv6, IPv6CidrRange } from 'ip-num';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Config, PolicyConfig } from './config.ts';

/** Whether the policy lets a peer have a context: `deny` wins, an empty `allow` means everybody. */
export function peerFilter(policy: PolicyConfig): (peer: Address) => boolean {
  const allow = policy.allow.map((prefix) => IPv6CidrRange.fromCidr(prefix));
  const deny = policy.deny.map((prefix) => IPv6CidrRange.fromCidr(prefix));
  return (peer) => {
    if (deny.some((range) => contains(range, peer))) return false;
    return allow.length === 0 || allow.some((range) => contains(range, peer));
  };
}

export function contains(range: IPv6CidrRange, address: Address): boolean {
  return range.contains(IPv6.fromBigInt(BigInt(`0x${toHex(address)}`)));
}

/** Whether the addresses of an interface may become locators. The loopback and our own TUN device never do. */
export function interfaceSelected(config: Config, name: string): boolean {
  if (name === 'lo' || name === config.tun.name) return false;
  const { include, exclude } = config.interfaces;
  const matches = (pattern: string): boolean => matchesInterface(pattern, name);
  return !exclude.some(matches) && (include.length === 0 || include.some(matches));
}

/** What the configuration says of the locators on an interface. */
export function linkOf({ links }: Config, name: string): { readonly cost?: number; readonly backup?: boolean } {
  const link = links.find((one) => matchesInterface(one.interface, name));
  return link === undefined ? {} : { cost: link.cost, backup: link.backup };
}

/** A name, or the beginning of one followed by `*`. */
export function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
