import { IPv6, IPv6CidrRange } from 'ip-num';
import type { Address } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { Config, PolicyConfig } from './config.ts';

/** Whether the policy lets a peer have a context: `deny` wins, an empty `allow` means everybody. */
export function peerFilter(policy: PolicyConfig): (peer: Address) => boolean {
  const allow = policy.allow.map((prefix) => IPv6CidrRange.fromCidr(prefix));
  const deny = policy.deny.map((prefix) => IPv6CidrRange.fromCidr(prefix));
  return (peer) => {
    const address = IPv6.fromBigInt(BigInt(`0x${toHex(peer)}`));
    if (deny.some((range) => range.contains(address))) return false;
    return allow.length === 0 || allow.some((range) => range.contains(address));
  };
}

/** Whether the addresses of an interface may become locators. The loopback and our own TUN device never do. */
export function interfaceSelected(config: Config, name: string): boolean {
  if (name === 'lo' || name === config.tun.name) return false;
  const { include, exclude } = config.interfaces;
  const matches = (pattern: string): boolean =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  return !exclude.some(matches) && (include.length === 0 || include.some(matches));
}
