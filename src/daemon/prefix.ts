import { IPv6CidrRange, Validator } from 'ip-num';
import { PREFIX_LENGTH } from '../cga/parameters.ts';
import { formatAddress, parseAddress, sameOctets } from '../wire/address.ts';

const SUBNET_BITS = 64n;

/** The octets of a subnet prefix such as `2001:db8:a:1::/64`; `undefined` for other lengths and for bits set beyond it. */
export function parseSubnetPrefix(text: string): Uint8Array | undefined {
  const address = parseAddress(text.slice(0, Math.max(text.indexOf('/'), 0))); // first: ip-num lets an empty zone pass, then throws
  if (address === undefined || !Validator.isValidIPv6CidrNotation(text)[0]) return undefined;
  const range = IPv6CidrRange.fromCidr(text);
  const first = parseAddress(range.getFirst().toString());
  if (range.getPrefix().getValue() !== SUBNET_BITS || first === undefined) return undefined;
  return sameOctets(address, first) ? first.slice(0, PREFIX_LENGTH) : undefined;
}

export function formatSubnetPrefix(prefix: Uint8Array): string {
  const address = new Uint8Array(16);
  address.set(prefix);
  return `${formatAddress(address)}/64`;
}
