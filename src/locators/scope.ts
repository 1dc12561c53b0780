import { isLinkLocal, isLoopback, isMulticast } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

const LINK_LOCAL = 0x2;
const SITE_LOCAL = 0x5;
const GLOBAL = 0xe;

/** The scope of an address as a number, larger being wider: RFC 6724 §3.1, §3.2, §3.4. */
export function scopeOf(address: Address): number {
  if (isMulticast(address)) return (address[1] ?? 0) & 0xf;
  if (isLinkLocal(address) || isLoopback(address)) return LINK_LOCAL;
  if (isMapped(address)) return isAutoconfiguredIpv4(address) ? LINK_LOCAL : GLOBAL;
  if (address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0xc0) return SITE_LOCAL;
  return GLOBAL; // §3.1: unique local ones too
}

/** An IPv4 address in the form ::ffff:a.b.c.d. */
export function isMapped(address: Address): boolean {
  return address.subarray(0, 10).every((octet) => octet === 0) && address[10] === 0xff && address[11] === 0xff;
}

/** §3.2: 169.254/16 and 127/8 are link-local. */
function isAutoconfiguredIpv4(address: Address): boolean {
  return address[12] === 127 || (address[12] === 169 && address[13] === 254);
}
