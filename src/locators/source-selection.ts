import { isMulticast, isUnspecified, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { commonPrefixLength, DEFAULT_POLICY, policyOf } from './policy-table.ts';
import type { PolicyRow } from './policy-table.ts';
import { isMapped, scopeOf } from './scope.ts';

/** A candidate source address, RFC 6724 §4, with what the rules of §5 ask about it. */
export interface SourceCandidate {
  readonly address: Address;
  readonly isDeprecated?: boolean;
  /** Rule 4; neither: an ordinary address, which counts as home and care-of at once. */
  readonly mobility?: 'home' | 'care-of';
  /** Rule 5: assigned to the interface by which packets to the destination leave. Default: yes. */
  readonly isOnOutgoingInterface?: boolean;
  /** Rule 5.5: the next hop advertised its prefix. Default: not tracked. */
  readonly isFromNextHop?: boolean;
  readonly isTemporary?: boolean;
  /** The address can be verified (CGA or HBA); decides before rule 8 when a Shim6 context may follow. */
  readonly isVerifiable?: boolean;
  readonly interfaceIndex?: number;
  readonly prefixLength?: number;
}

/** What may be set about address selection, RFC 6724 §2.1, §5. */
export interface SelectionPolicy {
  readonly table?: readonly PolicyRow[];
  /** Rule 7 the other way round. */
  readonly preferPublic?: boolean;
}

/** Source address selection, RFC 6724 §5; `undefined` when there is no candidate. */
export function selectSource(
  destination: Address,
  candidates: readonly SourceCandidate[],
  policy: SelectionPolicy = {},
): SourceCandidate | undefined {
  let best: SourceCandidate | undefined;
  for (const candidate of candidates) {
    if (!isAdmissible(candidate, destination)) continue;
    if (best === undefined || compareSources(candidate, best, destination, policy) < 0) best = candidate;
  }
  return best;
}

/** Negative when `a` is the better source for `destination`. */
export function compareSources(
  a: SourceCandidate,
  b: SourceCandidate,
  destination: Address,
  policy: SelectionPolicy = {},
): number {
  for (const rule of RULES) {
    const order = rule(a, b, destination, policy);
    if (order !== 0) return order;
  }
  return 0;
}

type Rule = (a: SourceCandidate, b: SourceCandidate, destination: Address, policy: SelectionPolicy) => number;

const RULES: readonly Rule[] = [
  (a, b, d) => prefer(sameOctets(a.address, d), sameOctets(b.address, d)), // 1
  (a, b, d) => compareScopes(scopeOf(a.address), scopeOf(b.address), scopeOf(d)), // 2
  (a, b) => prefer(a.isDeprecated !== true, b.isDeprecated !== true), // 3
  (a, b) => homeliness(b) - homeliness(a), // 4
  (a, b) => prefer(a.isOnOutgoingInterface !== false, b.isOnOutgoingInterface !== false), // 5
  (a, b) => prefer(a.isFromNextHop === true, b.isFromNextHop === true), // 5.5
  (a, b, d, policy) => prefer(hasLabelOf(a, d, policy), hasLabelOf(b, d, policy)), // 6
  (a, b, _d, policy) => {
    const wanted = policy.preferPublic !== true;
    return prefer((a.isTemporary === true) === wanted, (b.isTemporary === true) === wanted); // 7
  },
  (a, b) => prefer(a.isVerifiable === true, b.isVerifiable === true),
  (a, b, d) => commonPrefixLength(b.address, d, b.prefixLength) - commonPrefixLength(a.address, d, a.prefixLength), // 8
  (a, b) => (a.interfaceIndex ?? 0) - (b.interfaceIndex ?? 0), // from here on: only so that the result is always the same
  (a, b) => compareOctets(a.address, b.address),
];

/** For sorting: what has the property comes first. */
export function prefer(a: boolean, b: boolean): number {
  return Number(b) - Number(a);
}

/** Numerical order of addresses. */
export function compareOctets(a: Address, b: Address): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareScopes(a: number, b: number, destination: number): number {
  if (a === b) return 0;
  if (a < b) return a < destination ? 1 : -1;
  return b < destination ? -1 : 1;
}

function homeliness(candidate: SourceCandidate): number {
  if (candidate.mobility === undefined) return 2;
  return candidate.mobility === 'home' ? 1 : 0;
}

function hasLabelOf(candidate: SourceCandidate, destination: Address, policy: SelectionPolicy): boolean {
  const table = policy.table ?? DEFAULT_POLICY;
  return policyOf(candidate.address, table).label === policyOf(destination, table).label;
}

/** §4: unicast, of the same family, and on the link when the destination is link-local. */
function isAdmissible(candidate: SourceCandidate, destination: Address): boolean {
  if (isMulticast(candidate.address) || isUnspecified(candidate.address)) return false;
  return isMapped(candidate.address) === isMapped(destination);
}
