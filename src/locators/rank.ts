import { isGlobalUnicast, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { reachableRules } from './destination-order.ts';
import { samePair } from './pair.ts';
import type { LocatorPair } from './pair.ts';
import { DEFAULT_POLICY, policyOf } from './policy-table.ts';
import type { PolicyRow } from './policy-table.ts';
import { compareBy } from './rule.ts';
import type { Rule } from './rule.ts';
import { isMapped, scopeOf } from './scope.ts';
import { compareOctets, prefer } from './source-selection.ts';
import type { SourceCandidate } from './source-selection.ts';

/** A locator of this host, with what RFC 5534 §3.1, §3.2 ask about it. */
export interface OwnLocator {
  readonly address: Address;
  readonly state: 'tentative' | 'preferred' | 'deprecated';
  /** Link up, carrier, a first hop that is reachable (§3.2). */
  readonly operational: boolean;
  /** Local policy; less is better. */
  readonly cost?: number;
  /** Only when nothing else works. */
  readonly backup?: boolean;
}

/** A locator of the peer, with its Locator Preferences (RFC 5533 §5.15.3). */
export interface PeerLocator {
  readonly address: Address;
  /** HBA or CGA verification succeeded, or the locator is the ULID. */
  readonly verified: boolean;
  /** Flagged BROKEN. */
  readonly broken: boolean;
  /** As in SRV: less is better. */
  readonly priority: number;
  /** Among equal priorities, more is better. */
  readonly weight: number;
}

export interface PairQuestion {
  readonly own: readonly OwnLocator[];
  readonly peer: readonly PeerLocator[];
  /** The pair in use: tried once more before all others, unless ruled out. */
  readonly current?: LocatorPair | undefined;
  readonly table?: readonly PolicyRow[];
}

/** A pair that may be tried, with what the rules ask about it; also a destination with its source. */
export interface PairCandidate {
  readonly pair: LocatorPair;
  readonly own: OwnLocator;
  readonly peer: PeerLocator;
  readonly isCurrent: boolean;
  readonly isDisjoint: boolean;
  readonly address: Address;
  readonly source: SourceCandidate;
}

/**
 * The order in which REAP tries locator pairs, RFC 5534 §4.2: the current pair, pairs that share no locator with it, the
 * rest; among those by the peer's preferences, local policy, deprecation, and RFC 6724. Pairs to a locator flagged BROKEN,
 * and pairs from a backup locator, come after all others. The same question always gets the same answer.
 */
export function rankPairs(question: PairQuestion): LocatorPair[] {
  return rankedCandidates(question).map((candidate) => candidate.pair);
}

/** As `rankPairs`, with what the order rests on. */
export function rankedCandidates(question: PairQuestion): PairCandidate[] {
  const { own, peer, current, table } = question;
  const candidates: PairCandidate[] = [];
  for (const ours of own) {
    for (const theirs of peer) {
      if (unfitness(ours, theirs) !== undefined) continue;
      const pair = { local: ours.address, peer: theirs.address };
      const isCurrent = current !== undefined && samePair(pair, current);
      const isDisjoint =
        current === undefined || !(sameOctets(pair.local, current.local) || sameOctets(pair.peer, current.peer));
      const asDestination = { address: theirs.address, source: { address: ours.address } };
      candidates.push({ pair, own: ours, peer: theirs, isCurrent, isDisjoint, ...asDestination });
    }
  }
  const rules = pairRules(table);
  return candidates.sort((a, b) => compareBy(rules, a, b));
}

/** Why a pair is not tried at all; `undefined` when it is. */
export function unfitness(own: OwnLocator, peer: PeerLocator): string | undefined {
  if (own.state === 'tentative') return 'our address is still tentative';
  if (!own.operational) return 'our link is down';
  if (!isAvailable(own)) return 'our address is no locator';
  if (!peer.verified) return "the peer's address is not proven";
  if (!isGlobalUnicast(peer.address)) return "the peer's address is no locator";
  if (isMapped(own.address) !== isMapped(peer.address)) return 'one address is of IPv4, the other of IPv6';
  return scopeOf(own.address) === scopeOf(peer.address) ? undefined : 'the scopes of the two addresses differ';
}

/** RFC 5534 §3.1, §3.2: assigned, no longer tentative, global or unique local, and working as far as is known here. */
export function isAvailable(locator: OwnLocator): boolean {
  return locator.state !== 'tentative' && locator.operational && isGlobalUnicast(locator.address);
}

/** The rules behind `rankPairs`, in their order. */
export function pairRules(table: readonly PolicyRow[] = DEFAULT_POLICY): readonly Rule<PairCandidate>[] {
  return [
    rule('broken', 'the peer flagged its address BROKEN', (a, b) => prefer(!a.peer.broken, !b.peer.broken)),
    rule('current', 'another pair is in use', (a, b) => prefer(a.isCurrent, b.isCurrent)),
    rule('backup', 'our address is for when nothing else works', (a, b) =>
      prefer(a.own.backup !== true, b.own.backup !== true),
    ),
    rule('deprecated', 'our address is deprecated', (a, b) =>
      prefer(a.own.state === 'preferred', b.own.state === 'preferred'),
    ),
    rule('disjoint', 'it shares an address with the pair in use', (a, b) => prefer(a.isDisjoint, b.isDisjoint)),
    rule('priority', "the peer's priority of its address comes later", (a, b) => a.peer.priority - b.peer.priority),
    rule('weight', "the peer's weight of its address is lower", (a, b) => b.peer.weight - a.peer.weight),
    rule('cost', 'our address costs more', (a, b) => (a.own.cost ?? 0) - (b.own.cost ?? 0)),
    ...reachableRules({ table }).map((r) => ({ ...r, rule: `RFC 6724 §6 rule ${r.rule}` })), // with the source that each pair has
    rule(
      'precedence',
      'our address has a lower precedence',
      (a, b) => policyOf(b.pair.local, table).precedence - policyOf(a.pair.local, table).precedence,
    ),
    rule('order', 'no rule decides; our address has the higher number', (a, b) =>
      compareOctets(a.pair.local, b.pair.local),
    ),
    rule('order', "no rule decides; the peer's address has the higher number", (a, b) =>
      compareOctets(a.pair.peer, b.pair.peer),
    ),
  ];
}

function rule(name: string, text: string, compare: Rule<PairCandidate>['compare']): Rule<PairCandidate> {
  return { rule: name, text, compare };
}
