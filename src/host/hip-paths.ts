import type { Carriage, HipPath } from '../hip/association-io.ts';
import { rankPairs } from '../locators/rank.ts';
import type { OwnLocator } from '../locators/rank.ts';
import type { Address } from '../wire/address.ts';
import { ADDRESS_UNREACHABLE, DESTINATION_UNREACHABLE, icmpErrorPacket } from '../wire/icmpv6.ts';

/** Pairs that are tried with both carriages before any other pair is. */
const DISJOINT = 2;

/** RFC 4443 §2.4: an error fits the minimum MTU. */
const QUOTED = 1232;

/** Ways to a peer, best first: two pairs of addresses raw and in UDP, which are tried together; then the others. */
export function pathsTo(
  locators: readonly Address[],
  own: readonly OwnLocator[],
  carriages: readonly Carriage[],
): HipPath[] {
  const peer = locators.map((address, priority) => ({ address, verified: true, broken: false, priority, weight: 0 }));
  const [best] = rankPairs({ own, peer });
  if (best === undefined) return [];
  const pairs = rankPairs({ own, peer, current: best }); // those that share nothing with the best one come next
  const [disjoint, rest] = [pairs.slice(0, DISJOINT), pairs.slice(DISJOINT)];
  return [disjoint, rest].flatMap((some) =>
    carriages.flatMap((carriage) => some.map((pair) => ({ ...pair, carriage }))),
  );
}

/** What a program is told of its packet, as if by the peer's router. */
export function unreachable(octets: Uint8Array, own: Address, hit: Address): Uint8Array {
  return icmpErrorPacket(hit, own, {
    type: DESTINATION_UNREACHABLE,
    code: ADDRESS_UNREACHABLE,
    parameter: 0,
    invokingPacket: octets.subarray(0, QUOTED),
  });
}
