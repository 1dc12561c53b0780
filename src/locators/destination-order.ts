import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { commonPrefixLength, DEFAULT_POLICY, policyOf } from './policy-table.ts';
import { isMapped, scopeOf } from './scope.ts';
import { prefer, selectSource } from './source-selection.ts';
import type { SelectionPolicy, SourceCandidate } from './source-selection.ts';

/** A destination with the source that would be used for it, RFC 6724 §6. */
export interface OrderedDestination {
  readonly address: Address;
  /** `undefined`: no source, unusable. */
  readonly source: SourceCandidate | undefined;
}

export interface DestinationFacts {
  /** Rule 1: known to be unreachable. */
  readonly unreachable?: readonly Address[];
  /** Rule 7: reached through a tunnel. */
  readonly encapsulated?: readonly Address[];
}

/** Destination address selection, RFC 6724 §6: best first, every address kept. */
export function orderDestinations(
  destinations: readonly Address[],
  candidates: readonly SourceCandidate[],
  policy: SelectionPolicy = {},
  facts: DestinationFacts = {},
): OrderedDestination[] {
  return destinations
    .map((address) => ({ address, source: selectSource(address, candidates, policy) }))
    .sort((a, b) => compareDestinations(a, b, policy, facts)); // rule 10: sorting is stable
}

function compareDestinations(
  a: OrderedDestination,
  b: OrderedDestination,
  policy: SelectionPolicy,
  facts: DestinationFacts,
): number {
  const isUsable = (d: OrderedDestination): boolean =>
    d.source !== undefined && !includes(facts.unreachable, d.address);
  const usable = prefer(isUsable(a), isUsable(b)); // 1
  if (usable !== 0 || a.source === undefined || b.source === undefined) return usable;
  return compareReachable(a.address, a.source, b.address, b.source, policy, facts);
}

/** Rules 2 to 9 for two destinations with their sources. */
export function compareReachable(
  a: Address,
  sourceOfA: SourceCandidate,
  b: Address,
  sourceOfB: SourceCandidate,
  policy: SelectionPolicy = {},
  facts: DestinationFacts = {},
): number {
  const table = policy.table ?? DEFAULT_POLICY;
  const policyA = policyOf(a, table);
  const policyB = policyOf(b, table);
  const labelA = policyOf(sourceOfA.address, table).label;
  const labelB = policyOf(sourceOfB.address, table).label;
  return (
    prefer(scopeOf(a) === scopeOf(sourceOfA.address), scopeOf(b) === scopeOf(sourceOfB.address)) || // 2
    prefer(sourceOfA.isDeprecated !== true, sourceOfB.isDeprecated !== true) || // 3
    prefer(sourceOfA.mobility !== 'care-of', sourceOfB.mobility !== 'care-of') || // 4
    prefer(labelA === policyA.label, labelB === policyB.label) || // 5
    policyB.precedence - policyA.precedence || // 6
    prefer(!includes(facts.encapsulated, a), !includes(facts.encapsulated, b)) || // 7
    scopeOf(a) - scopeOf(b) || // 8
    (isMapped(a) === isMapped(b)
      ? commonPrefixLength(sourceOfB.address, b, sourceOfB.prefixLength) -
        commonPrefixLength(sourceOfA.address, a, sourceOfA.prefixLength)
      : 0) // 9
  );
}

function includes(addresses: readonly Address[] | undefined, address: Address): boolean {
  return addresses?.some((other) => sameOctets(other, address)) ?? false;
}
