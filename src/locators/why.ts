import type { Address } from '../wire/address.ts';
import { destinationRules } from './destination-order.ts';
import type { OrderedDestination } from './destination-order.ts';
import type { LocatorPair } from './pair.ts';
import { pairRules, rankedCandidates, unfitness } from './rank.ts';
import type { PairQuestion } from './rank.ts';
import { compareBy, decidingRule } from './rule.ts';
import type { Rule } from './rule.ts';
import { isAdmissible, sourceRules } from './source-selection.ts';
import type { SelectionPolicy, SourceCandidate } from './source-selection.ts';

/** Why a candidate is not the first: by which rule another one goes before it. */
export interface Defeat {
  readonly rule: string;
  readonly text: string;
}

export type Explained<T> = T & { readonly lostBy?: Defeat };

/** The candidates for a source, best first, each with the rule of RFC 6724 §5 by which it lost to the first. */
export function explainSources(
  destination: Address,
  candidates: readonly SourceCandidate[],
  policy: SelectionPolicy = {},
): Explained<{ readonly candidate: SourceCandidate }>[] {
  const rules = sourceRules(destination, policy);
  const ranked = candidates
    .filter((candidate) => isAdmissible(candidate, destination))
    .sort((a, b) => compareBy(rules, a, b));
  const [winner] = ranked;
  const refused = candidates.filter((candidate) => !isAdmissible(candidate, destination));
  return [
    ...ranked.map((candidate) => ({ candidate, ...defeat(rules, candidate, winner) })),
    ...refused.map((candidate) => ({ candidate, lostBy: { rule: 'candidate', text: 'it is of another kind' } })),
  ];
}

/** Destinations with their sources, best first, each with the rule of RFC 6724 §6 by which it lost to the one before it. */
export function explainDestinations(
  destinations: readonly OrderedDestination[],
  policy: SelectionPolicy = {},
): Explained<OrderedDestination>[] {
  const rules = destinationRules(policy);
  const ordered = [...destinations].sort((a, b) => compareBy(rules, a, b)); // rule 10: sorting is stable
  return ordered.map((destination, i) => ({
    ...destination,
    ...defeat(rules, destination, ordered[i - 1], { rule: '10', text: 'no rule decides; it was named later' }),
  }));
}

/** What became of a pair: its place in the order (1: tried first) and why not an earlier one, or that it is not tried. */
export interface ExplainedPair {
  readonly pair: LocatorPair;
  readonly rank: number | null;
  readonly lostBy?: Defeat;
}

/** All pairs of a question, in the order of `rankPairs`, each with the rule by which it lost to the one before it. */
export function explainPairs(question: PairQuestion): ExplainedPair[] {
  const rules = pairRules(question.table);
  const ranked = rankedCandidates(question);
  const unfit = question.own.flatMap((own) =>
    question.peer.flatMap((peer): ExplainedPair[] => {
      const text = unfitness(own, peer);
      const pair = { local: own.address, peer: peer.address };
      return text === undefined ? [] : [{ pair, rank: null, lostBy: { rule: 'unusable', text } }];
    }),
  );
  return [
    ...ranked.map((candidate, i) => ({
      pair: candidate.pair,
      rank: i + 1,
      ...defeat(rules, candidate, ranked[i - 1]),
    })),
    ...unfit,
  ];
}

function defeat<T>(
  rules: readonly Rule<T>[],
  loser: T,
  winner: T | undefined,
  otherwise?: Defeat,
): { readonly lostBy?: Defeat } {
  if (winner === undefined || winner === loser) return {};
  const { rule, text } = decidingRule(rules, loser, winner) ?? otherwise ?? { rule: 'same', text: 'it is the same' };
  return { lostBy: { rule, text } };
}
