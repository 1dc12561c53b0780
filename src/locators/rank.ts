import { isGlobalUnicast, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { compareReachable } from './destination-order.ts';
import { samePair } from './pair.ts';
import type { LocatorPair } from './pair.ts';
import { DEFAULT_POLICY, policyOf } from './policy-table.ts';
import type { PolicyRow } from './policy-table.ts';
import { scopeOf } from './scope.ts';
import { compareOctets, prefer } from './source-selection.ts';

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

interface Candidate {
  readonly pair: LocatorPair;
  readonly own: OwnLocator;
  readonly peer: PeerLocator;
  readonly isCurrent: boolean;
  readonly isDisjoint: boolean;
}

/**
 * The order in which REAP tries locator pairs, RFC 5534 §4.2: the current pair, pairs that share no locator with it, the
 * rest; among those by the peer's preferences, local policy, deprecation, and RFC 6724. Pairs to a locator flagged BROKEN,
 * and pairs from a backup locator, come after all others. The same question always gets the same answer.
 */
export function rankPairs({ own, peer, current, table = DEFAULT_POLICY }: PairQuestion): LocatorPair[] {
  const candidates: Candidate[] = [];
  for (const ours of own) {
    if (!isAvailable(ours)) continue;
    for (const theirs of peer) {
      if (!theirs.verified || !isGlobalUnicast(theirs.address)) continue;
      if (scopeOf(ours.address) !== scopeOf(theirs.address)) continue;
      const pair = { local: ours.address, peer: theirs.address };
      const isCurrent = current !== undefined && samePair(pair, current);
      const isDisjoint =
        current === undefined || !(sameOctets(pair.local, current.local) || sameOctets(pair.peer, current.peer));
      candidates.push({ pair, own: ours, peer: theirs, isCurrent, isDisjoint });
    }
  }
  return candidates.sort((a, b) => compare(a, b, table)).map((candidate) => candidate.pair);
}

/** RFC 5534 §3.1, §3.2: assigned, no longer tentative, global or unique local, and working as far as is known here. */
export function isAvailable(locator: OwnLocator): boolean {
  return locator.state !== 'tentative' && locator.operational && isGlobalUnicast(locator.address);
}

function compare(a: Candidate, b: Candidate, table: readonly PolicyRow[]): number {
  return (
    prefer(!a.peer.broken, !b.peer.broken) ||
    prefer(a.isCurrent, b.isCurrent) ||
    prefer(a.own.backup !== true, b.own.backup !== true) ||
    prefer(a.own.state === 'preferred', b.own.state === 'preferred') ||
    prefer(a.isDisjoint, b.isDisjoint) ||
    a.peer.priority - b.peer.priority ||
    b.peer.weight - a.peer.weight ||
    (a.own.cost ?? 0) - (b.own.cost ?? 0) ||
    compareByRules(a, b, table) ||
    compareOctets(a.pair.local, b.pair.local) ||
    compareOctets(a.pair.peer, b.pair.peer)
  );
}

/** RFC 6724 §6 for whole pairs: rule 5, 6, 9 with the source that each pair has. */
function compareByRules(a: Candidate, b: Candidate, table: readonly PolicyRow[]): number {
  const order = compareReachable(
    a.pair.peer,
    { address: a.pair.local },
    b.pair.peer,
    { address: b.pair.local },
    { table },
  );
  return order || policyOf(b.pair.local, table).precedence - policyOf(a.pair.local, table).precedence;
}
