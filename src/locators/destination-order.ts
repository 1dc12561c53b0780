import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { commonPrefixLength, DEFAULT_POLICY, policyOf } from './policy-table.ts';
import { compareBy } from './rule.ts';
import type { Rule } from './rule.ts';
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

/** A destination that has a source. */
export interface ReachableDestination {
  readonly address: Address;
  readonly source: SourceCandidate;
}

/** Destination address selection, RFC 6724 §6: best first, every address kept. */
export function orderDestinations(
  destinations: readonly Address[],
  candidates: readonly SourceCandidate[],
  policy: SelectionPolicy = {},
  facts: DestinationFacts = {},
): OrderedDestination[] {
  const rules = destinationRules(policy, facts);
  return destinations
    .map((address) => ({ address, source: selectSource(address, candidates, policy) }))
    .sort((a, b) => compareBy(rules, a, b)); // rule 10: sorting is stable
}

/** The rules of RFC 6724 §6, in their order. */
export function destinationRules(
  policy: SelectionPolicy = {},
  facts: DestinationFacts = {},
): readonly Rule<OrderedDestination>[] {
  const isUsable = (d: OrderedDestination): boolean =>
    d.source !== undefined && !includes(facts.unreachable, d.address);
  return [
    { rule: '1', text: 'it cannot be reached', compare: (a, b) => prefer(isUsable(a), isUsable(b)) },
    ...reachableRules(policy, facts).map(({ compare, ...named }): Rule<OrderedDestination> => ({
      ...named,
      compare: ({ address: a, source: sourceOfA }, { address: b, source: sourceOfB }) =>
        sourceOfA === undefined || sourceOfB === undefined
          ? 0
          : compare({ address: a, source: sourceOfA }, { address: b, source: sourceOfB }),
    })),
  ];
}

/** Rules 2 to 9, for destinations with their sources. */
export function reachableRules(
  policy: SelectionPolicy = {},
  facts: DestinationFacts = {},
): readonly Rule<ReachableDestination>[] {
  const table = policy.table ?? DEFAULT_POLICY;
  const hasLabelOfSource = ({ address, source }: ReachableDestination): boolean =>
    policyOf(address, table).label === policyOf(source.address, table).label;
  const common = ({ address, source }: ReachableDestination): number =>
    commonPrefixLength(source.address, address, source.prefixLength);
  const hasScopeOfSource = ({ address, source }: ReachableDestination): boolean =>
    scopeOf(address) === scopeOf(source.address);
  return [
    rule('2', 'its scope is not that of its source', (a, b) => prefer(hasScopeOfSource(a), hasScopeOfSource(b))),
    rule('3', 'its source is deprecated', (a, b) =>
      prefer(a.source.isDeprecated !== true, b.source.isDeprecated !== true),
    ),
    rule('4', 'its source is a care-of address', (a, b) =>
      prefer(a.source.mobility !== 'care-of', b.source.mobility !== 'care-of'),
    ),
    rule('5', 'its label is not that of its source', (a, b) => prefer(hasLabelOfSource(a), hasLabelOfSource(b))),
    rule(
      '6',
      'its precedence is lower',
      (a, b) => policyOf(b.address, table).precedence - policyOf(a.address, table).precedence,
    ),
    rule('7', 'it is reached through a tunnel', (a, b) =>
      prefer(!includes(facts.encapsulated, a.address), !includes(facts.encapsulated, b.address)),
    ),
    rule('8', 'its scope is wider', (a, b) => scopeOf(a.address) - scopeOf(b.address)),
    rule('9', 'it shares fewer leading bits with its source', (a, b) =>
      isMapped(a.address) === isMapped(b.address) ? common(b) - common(a) : 0,
    ),
  ];
}

function rule(
  number: string,
  text: string,
  compare: Rule<ReachableDestination>['compare'],
): Rule<ReachableDestination> {
  return { rule: number, text, compare };
}

function includes(addresses: readonly Address[] | undefined, address: Address): boolean {
  return addresses?.some((other) => sameOctets(other, address)) ?? false;
}
