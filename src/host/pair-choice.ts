import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { pairRules, rankedCandidates, rankPairs } from '../locators/rank.ts';
import type { PairQuestion, PeerLocator } from '../locators/rank.ts';
import { compareBy } from '../locators/rule.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { HostLocator } from './host-io.ts';
import { BACKUP_PRIORITY } from './own-locators.ts';
import type { Wishes } from './wish.ts';

/** A locator of the peer that may be tried. */
export type CandidateLocator = Omit<PeerLocator, 'verified'>;

/** The context whose pairs are chosen from. */
export interface Choosing {
  readonly ulids: LocatorPair;
  /** Where payload goes now. */
  readonly current: LocatorPair;
  readonly usableLocators: readonly Address[];
  readonly peerLocators: readonly CandidateLocator[];
}

/** By these a pair is better than that of the identifiers, which costs nothing else. */
const BETTER = pairRules().filter(({ rule }) => ['broken', 'backup', 'priority', 'weight', 'cost'].includes(rule));

/** Which pairs a context may use, which one it goes back to, and which it keeps for bad days. */
export class PairChoice {
  readonly #owner: Choosing;
  readonly #locators: () => readonly HostLocator[];
  /** Where somebody wants it, until it fails there. */
  pinned: LocatorPair | undefined;
  /** Whether one more pair is to be kept ready, RFC 6316 §6.3. */
  isHot = false;

  constructor(owner: Choosing, locators: () => readonly HostLocator[]) {
    this.#owner = owner;
    this.#locators = locators;
  }

  get wishes(): Wishes {
    return { preferred: this.pinned, standby: this.isHot };
  }

  set wishes({ preferred, standby }: Wishes) {
    this.pinned = preferred;
    this.isHot = standby;
  }

  /** RFC 5534 §4.2: what may be tried, best first. */
  get pairs(): LocatorPair[] {
    return rankPairs({ ...this.#question, current: this.#owner.current });
  }

  /** Over a backup link of ours or of the peer's: idle as long as others may do. */
  isReserve(pair: LocatorPair): boolean {
    const own = this.#own(pair.local);
    return own?.backup === true || (this.#peer(pair.peer)?.priority ?? 0) >= BACKUP_PRIORITY;
  }

  /** The pair to go back to. */
  get home(): LocatorPair | undefined {
    const { pinned } = this;
    if (pinned !== undefined && this.pairs.some((pair) => samePair(pair, pinned))) return pinned;
    const { ulids, peerLocators } = this.#owner;
    const local = this.#own(ulids.local);
    const isUsable =
      local?.operational === true && local.state === 'preferred' && this.#peer(ulids.peer)?.broken === false;
    const isIndifferent =
      peerLocators.every(({ priority, weight }) => priority === 0 && weight === 0) &&
      this.#locators().every(({ cost = 0, backup = false }) => cost === 0 && !backup);
    if (isIndifferent) return isUsable ? ulids : undefined;
    const ranked = rankedCandidates({ ...this.#question, current: ulids }); // what shares no locator with them comes first
    const own = isUsable ? ranked.find(({ pair }) => samePair(pair, ulids)) : undefined;
    if (own === undefined) return ranked.find(({ pair }) => !samePair(pair, ulids))?.pair;
    return ranked.find((other) => compareBy(BETTER, other, own) < 0)?.pair ?? ulids;
  }

  /** The pair to keep ready. */
  get alternate(): LocatorPair | undefined {
    return this.isHot ? this.pairs.find((pair) => !samePair(pair, this.#owner.current)) : undefined;
  }

  get #question(): Pick<PairQuestion, 'own' | 'peer'> {
    const { usableLocators, peerLocators } = this.#owner;
    const own = this.#locators().filter(({ address }) => usableLocators.some((usable) => sameOctets(usable, address)));
    return { own, peer: peerLocators.map((locator) => ({ ...locator, verified: true })) };
  }

  #own(address: Address): HostLocator | undefined {
    return this.#locators().find((locator) => sameOctets(locator.address, address));
  }

  #peer(address: Address): CandidateLocator | undefined {
    return this.#owner.peerLocators.find((locator) => sameOctets(locator.address, address));
  }
}
