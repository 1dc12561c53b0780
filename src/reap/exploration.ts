import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { ReapProfile } from './profile.ts';

const REMEMBERED = 512;
const NONE: readonly LocatorPair[] = [];

/** Which pairs the next probes go to, and how long to wait after them: RFC 5534 §4.2, §4.3. */
export class Exploration {
  readonly #profile: ReapProfile;
  #candidates: readonly LocatorPair[] = NONE;
  #reserve: readonly LocatorPair[] = NONE;
  #cursor = 0;
  #rounds = 0;
  /** Locators and pairs that cannot carry anything until the host says otherwise. */
  #ruledOut: Set<string> | undefined;

  constructor(profile: ReapProfile) {
    this.#profile = profile;
  }

  get candidates(): readonly LocatorPair[] {
    return this.#candidates;
  }

  /** A new list, best first. True when it has a pair that could not be tried before. */
  replace(candidates: readonly LocatorPair[], reserve: readonly LocatorPair[] = NONE): boolean {
    const known = new Set(this.#candidates.filter((pair) => this.isUsable(pair)).map(pairKey));
    this.#candidates = candidates;
    this.#reserve = reserve;
    for (const pair of candidates) this.#ruledOut?.delete(pairKey(pair));
    this.#cursor = 0;
    return candidates.some((pair) => !known.has(pairKey(pair)));
  }

  ruleOut(match: (pair: LocatorPair) => boolean, alsoKnown: readonly LocatorPair[]): void {
    const ruledOut = (this.#ruledOut ??= new Set());
    for (const pair of [...alsoKnown, ...this.#candidates]) if (match(pair)) ruledOut.add(pairKey(pair));
    for (const oldest of ruledOut) {
      if (ruledOut.size <= REMEMBERED) break;
      ruledOut.delete(oldest);
    }
  }

  isUsable(pair: LocatorPair): boolean {
    return this.#ruledOut?.has(pairKey(pair)) !== true;
  }

  /** From the start of the list, at the initial rate. */
  restart(): void {
    this.#cursor = 0;
    this.#rounds = 0;
  }

  /** The list from the start, at the present rate. */
  rewind(): void {
    this.#cursor = 0;
  }

  get rounds(): number {
    return this.#rounds;
  }

  /**
   * The pairs of the next round: `first`, as far as they can be used, filled up to the burst with the best others in
   * turn. A sequential profile takes one pair, the `first` ones being the start of its list.
   */
  next(first: readonly LocatorPair[], avoid?: LocatorPair): LocatorPair[] {
    const wanted = (pair: LocatorPair): boolean =>
      this.isUsable(pair) && (avoid === undefined || !samePair(pair, avoid));
    const lead = first.filter(wanted);
    const others = this.#inTurn(
      this.#candidates.filter((pair) => wanted(pair) && !lead.some((taken) => samePair(taken, pair))),
    );
    this.#rounds++;
    if (this.#profile.burst === 1) return this.#turn([...lead, ...others], 1);
    const taken = lead.slice(0, this.#profile.burst);
    return [...taken, ...this.#turn(others, this.#profile.burst - taken.length)];
  }

  /** A round for one pair. */
  only(pair: LocatorPair): LocatorPair[] {
    this.#rounds++;
    return this.isUsable(pair) ? [pair] : [];
  }

  /** §4.3: the wait after the round that was just sent, before randomisation. */
  get wait(): number {
    const { initialProbeMs, initialProbes, maxProbeMs } = this.#profile;
    const doublings = Math.min(Math.max(0, this.#rounds - initialProbes + 1), 40);
    return Math.min(maxProbeMs, initialProbeMs * 2 ** doublings);
  }

  /** Not in the first round: pairs in reserve, unless they are all there is. */
  #inTurn(others: readonly LocatorPair[]): readonly LocatorPair[] {
    if (this.#rounds > 0 || this.#reserve.length === 0) return others;
    const early = others.filter((pair) => !this.#reserve.some((reserved) => samePair(reserved, pair)));
    return early.length === 0 ? others : early;
  }

  #turn(pairs: readonly LocatorPair[], count: number): LocatorPair[] {
    const turn: LocatorPair[] = [];
    for (let i = 0; i < Math.min(count, pairs.length); i++) {
      const pair = pairs[this.#cursor++ % pairs.length];
      if (pair !== undefined) turn.push(pair);
    }
    return turn;
  }
}
