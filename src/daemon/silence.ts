import type { RememberedPeers } from '../host/remembered-peers.ts';
import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { CountVisitor } from '../node/nftables.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';

/** A peer that is there answers the first packet of a session sooner. */
const SILENT_MS = 180;
/** The same pair is not reported again for so long. */
const REPORTED_FOR_MS = 2_000;
const MAX_PAIRS = 4_096;

/** What hears the answers of peers that are known from before. */
export interface Ear {
  setKnown(addresses: readonly Address[]): void;
  heard(visit: CountVisitor): void;
}

interface Pair {
  readonly ulids: LocatorPair;
  sent: number;
  sentNow: number;
  heard: number;
  since: Instant | undefined;
  reportedAt: Instant;
}

/** Finds pairs without a context whose packets find no answer, although the peer is known from before. */
export class Silence {
  readonly #ear: Ear;
  readonly #peers: RememberedPeers;
  readonly #pairs = new Map<string, Pair>();
  #version = 0;

  constructor(ear: Ear, peers: RememberedPeers) {
    this.#ear = ear;
    this.#peers = peers;
  }

  /** So many packets went out by now, of those that are counted together. */
  sent(ulids: LocatorPair, packets: number, rule?: number): void {
    if (this.#peers.of(ulids.peer) === undefined) return;
    const key = pairKey(ulids) + String(rule ?? '');
    const pair = this.#pairs.get(key);
    if (pair !== undefined) pair.sentNow = packets;
    else if (this.#pairs.size < MAX_PAIRS) {
      const nothing = { sent: 0, heard: 0, since: undefined, reportedAt: -Infinity };
      this.#pairs.set(key, { ulids, sentNow: packets, ...nothing });
    }
  }

  /** Whether `unanswered` may say something new although nothing more is sent. */
  get isListening(): boolean {
    return [...this.#pairs.values()].some((pair) => pair.since !== undefined);
  }

  /** Those whose peer has been silent since before the last call. To be called when all pairs were told. */
  unanswered(now: Instant): LocatorPair[] {
    if (this.#version !== this.#peers.version) this.#ear.setKnown(this.#peers.addresses);
    this.#version = this.#peers.version;
    const due = [...this.#pairs.values()].filter((pair) => pair.sentNow !== pair.sent || pair.since !== undefined);
    if (due.length === 0) return [];
    const heard = this.#heard();
    return due.filter((pair) => this.#isSilent(pair, heard, now)).map(({ ulids }) => ulids);
  }

  #isSilent(pair: Pair, heard: ReadonlyMap<string, number>, now: Instant): boolean {
    const packets = heard.get(pairKey(pair.ulids)) ?? 0;
    const hasSent = pair.sentNow !== pair.sent;
    const hasHeard = packets !== pair.heard;
    pair.sent = pair.sentNow;
    pair.heard = packets;
    if (hasHeard) pair.since = undefined;
    else if (hasSent) pair.since ??= now;
    if (pair.since === undefined || now - pair.since < SILENT_MS) return false;
    pair.since = undefined;
    if (now - pair.reportedAt < REPORTED_FOR_MS) return false;
    pair.reportedAt = now;
    return true;
  }

  /** Packets of known peers, by the pair as this host sees it. */
  #heard(): Map<string, number> {
    const heard = new Map<string, number>();
    this.#ear.heard((octets, at, packets) => {
      const pair = { local: octets.slice(at + 16, at + 32), peer: octets.slice(at, at + 16) };
      heard.set(pairKey(pair), packets);
    });
    return heard;
  }
}
