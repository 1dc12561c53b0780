import { parseAddress } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';

/** One row of the policy table, RFC 6724 §2.1. */
export interface PolicyRow {
  readonly prefix: Address;
  readonly prefixLength: number;
  readonly precedence: number;
  readonly label: number;
}

/** A row from text such as `2001:db8::/32`; `undefined` when that is no prefix. */
export function policyRow(text: string, precedence: number, label: number): PolicyRow | undefined {
  const [address = '', length = ''] = text.split('/');
  const prefix = parseAddress(address);
  if (prefix === undefined || !/^\d{1,3}$/.test(length) || Number(length) > 128) return undefined;
  return { prefix, prefixLength: Number(length), precedence, label };
}

/** The default policy table, RFC 6724 §2.1. */
export const DEFAULT_POLICY: readonly PolicyRow[] = [
  policyRow('::1/128', 50, 0),
  policyRow('::/0', 40, 1),
  policyRow('::ffff:0:0/96', 35, 4),
  policyRow('2002::/16', 30, 2),
  policyRow('2001::/32', 5, 5),
  policyRow('fc00::/7', 3, 13),
  policyRow('::/96', 1, 3),
  policyRow('fec0::/10', 1, 11),
  policyRow('3ffe::/16', 1, 12),
].filter((row) => row !== undefined);

const UNLISTED = { precedence: 0, label: -1 } as const;

/** Longest-prefix lookup, RFC 6724 §2.1. */
export function policyOf(
  address: Address,
  table: readonly PolicyRow[] = DEFAULT_POLICY,
): { readonly precedence: number; readonly label: number } {
  let best: PolicyRow | undefined;
  for (const row of table) {
    if (best !== undefined && row.prefixLength <= best.prefixLength) continue;
    if (equalBits(address, row.prefix) >= row.prefixLength) best = row;
  }
  return best ?? UNLISTED;
}

/** How many leading bits two addresses share. */
export function equalBits(a: Address, b: Address): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24;
  }
  return 8 * a.length;
}

/** CommonPrefixLen(S, D), RFC 6724 §2.2: no longer than the prefix of the source. */
export function commonPrefixLength(source: Address, destination: Address, sourcePrefixLength = 64): number {
  return Math.min(sourcePrefixLength, equalBits(source, destination));
}
