import { isMulticast, isUnspecified, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { commonPrefixLength, DEFAULT_POLICY, policyOf } from './policy-table.ts';
import type { PolicyRow } from './policy-table.ts';
import { compareBy } from './rule.ts';
import type { Rule } from './rule.ts';
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
  const rules = sourceRules(destination, policy);
  let best: SourceCandidate | undefined;
  for (const candidate of candidates) {
    if (!isAdmissible(candidate, destination)) continue;
    if (best === undefined || compareBy(rules, candidate, best) < 0) best = candidate;
  }
  return best;
}

/** The rules of RFC 6724 §5, in their order. */
export function sourceRules(destination: Address, policy: SelectionPolicy = {}): readonly Rule<SourceCandidate>[] {
  const d = destination;
  const wanted = policy.preferPublic !== true;
  return [
    rule('1', 'another is the destination itself', (a, b) =>
      prefer(sameOctets(a.address, d), sameOctets(b.address, d)),
    ),
    rule('2', 'its scope fits the destination less well', (a, b) =>
      compareScopes(scopeOf(a.address), scopeOf(b.address), scopeOf(d)),
    ),
    rule('3', 'it is deprecated', (a, b) => prefer(a.isDeprecated !== true, b.isDeprecated !== true)),
    rule('4', 'it is less of a home address', (a, b) => homeliness(b) - homeliness(a)),
    rule('5', 'it is not on the interface by which the packets leave', (a, b) =>
      prefer(a.isOnOutgoingInterface !== false, b.isOnOutgoingInterface !== false),
    ),
    rule('5.5', 'the next hop did not advertise its prefix', (a, b) =>
      prefer(a.isFromNextHop === true, b.isFromNextHop === true),
    ),
    rule('6', 'its label is not that of the destination', (a, b) =>
      prefer(hasLabelOf(a, d, policy), hasLabelOf(b, d, policy)),
    ),
    rule('7', wanted ? 'it is not a temporary address' : 'it is a temporary address', (a, b) =>
      prefer((a.isTemporary === true) === wanted, (b.isTemporary === true) === wanted),
    ),
    rule('verifiable', 'no key or hash set proves it', (a, b) =>
      prefer(a.isVerifiable === true, b.isVerifiable === true),
    ),
    rule(
      '8',
      'it shares fewer leading bits with the destination',
      (a, b) => commonPrefixLength(b.address, d, b.prefixLength) - commonPrefixLength(a.address, d, a.prefixLength),
    ),
    // from here on: only so that the result is always the same
    rule(
      'order',
      'no rule decides; its interface comes later',
      (a, b) => (a.interfaceIndex ?? 0) - (b.interfaceIndex ?? 0),
    ),
    rule('order', 'no rule decides; its number is higher', (a, b) => compareOctets(a.address, b.address)),
  ];
}

function rule(number: string, text: string, compare: Rule<SourceCandidate>['compare']): Rule<SourceCandidate> {
  return { rule: number, text, compare };
}

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
export function isAdmissible(candidate: SourceCandidate, destination: Address): boolean {
  if (isMulticast(candidate.address) || isUnspecified(candidate.address)) return false;
  return isMapped(candidate.address) === isMapped(destination);
}
