import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import type { Cause } from './input.ts';
import type { ReapState } from './probe.ts';
import type { SentProbe } from './sent-probes.ts';

/** What has been learnt since a host stopped being content, and when that suffices to choose a pair. */
export class Incident {
  readonly cause: Cause;
  /** This host doubts a pair; otherwise it only answers a peer that does. */
  readonly isSuspecting: boolean;
  /** The host knows that a pair is dead or about to go: no grace. */
  isCertain: boolean;
  /** Not to be chosen although it works, RFC 5534 §4.2 does not know this: its address will go. */
  avoid: LocatorPair | undefined;
  /** The one to be found instead of it; things stay as they are where it does not work. */
  wanted: LocatorPair | undefined;
  /** Probes sent before this prove nothing about the suspected pair. */
  readonly #provesSince: Instant;
  readonly #confirmed = new Map<string, LocatorPair>();
  #since: Instant;
  #answeredAt: Instant | undefined;
  #isInboundHeard = false;
  #isInboundProbed = false;
  #isVouchedFor = false;
  #isPeerContent = false;

  constructor(cause: Cause, role: 'suspecting' | 'certain' | 'answering', since: Instant, provesSince: Instant) {
    this.cause = cause;
    this.isSuspecting = role !== 'answering';
    this.isCertain = role === 'certain';
    this.#since = since;
    this.#provesSince = provesSince;
  }

  get since(): Instant {
    return this.#since;
  }

  /** Some probe of this incident arrived at the peer. */
  get isAnswered(): boolean {
    return this.#confirmed.size > 0;
  }

  get isInboundHeard(): boolean {
    return this.#isInboundHeard;
  }

  /** The peer has left the exploration: it needs no Probe(Operational). */
  get isPeerContent(): boolean {
    return this.#isPeerContent;
  }

  get confirmed(): readonly LocatorPair[] {
    return [...this.#confirmed.values()];
  }

  isConfirmed(pair: LocatorPair): boolean {
    return this.#confirmed.has(pairKey(pair));
  }

  isFresh(probe: SentProbe): boolean {
    return probe.at >= this.#provesSince;
  }

  confirm(probe: SentProbe, now: Instant): void {
    if (!this.isFresh(probe)) return;
    this.#confirmed.set(probe.key, probe.pair);
    this.#answeredAt ??= now;
  }

  /** Something came in on `pair`; `expected` is where the peer's payload came from so far. */
  hear(pair: LocatorPair, expected: LocatorPair | undefined, what: 'payload' | 'probe'): void {
    if (expected !== undefined && !samePair(pair, expected)) return;
    this.#isInboundHeard = true;
    if (what === 'probe') this.#isInboundProbed = true;
  }

  /** The peer says that it hears our payload where it is: a Keepalive, or a Probe(Operational) that names no pair. */
  vouch(): void {
    this.#isVouchedFor = true;
  }

  /** The state in the peer's last Probe. */
  peerIs(state: ReapState): void {
    this.#isPeerContent = state === 'Operational';
  }

  delay(ms: number): void {
    this.#since += ms;
  }

  /** The suspicion was wrong: both directions of the current pairs are known to work. */
  clears(current: LocatorPair): boolean {
    return this.#isVouchedFor || (this.isConfirmed(current) && (this.#isInboundHeard || this.#isPeerContent));
  }

  /**
   * When to choose among what is confirmed by then. `roundTripMs` is the allowance for the current pair.
   *
   * Once probes come in where the peer's payload does, only our own direction can be dead. The peer would vouch for
   * resumed payload at once, so half of the grace is enough.
   */
  decideAt(current: LocatorPair, graceMs: number, roundTripMs: number): Instant {
    const isOneWay = this.#isInboundProbed && !this.isConfirmed(current);
    const earliest = this.#since + (isOneWay ? graceMs / 2 : graceMs) + roundTripMs;
    if (this.#answeredAt === undefined) return earliest;
    return Math.max(earliest, this.#answeredAt + graceMs / 2 + roundTripMs); // answers that waited together come together
  }
}
