import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { PolicyConfig } from './config.ts';
import { peerFilter } from './selection.ts';

/** Pairs remembered at most: those seen first are forgotten first. */
const MAX_PAIRS = 16_384;

/** Packets that show that a flow is alive when only time decides. */
const FEW_PACKETS = 4;

interface Seen {
  readonly since: Instant;
  packets: number;
}

/** Deferred set-up, RFC 5533 §4 and RFC 6629 §7.3: a context is worth its messages when a flow has some packets or some age. */
export class Policy {
  readonly #config: PolicyConfig;
  readonly #admits: (peer: Address) => boolean;
  readonly #seen = new Map<string, Seen>();

  constructor(config: PolicyConfig) {
    this.#config = config;
    this.#admits = peerFilter(config);
  }

  /** Whether a peer may have a context at all. */
  admits(peer: Address): boolean {
    return this.#admits(peer);
  }

  /** So many packets went out between these addresses: is a context due? */
  isDue(ulids: LocatorPair, packets: number, now: Instant): boolean {
    if (!this.#admits(ulids.peer)) return false;
    const key = pairKey(ulids);
    const seen = this.#seen.get(key) ?? { since: now, packets: 0 };
    const isSilent = packets === seen.packets; // the kernel remembers flows for a while after their last packet
    seen.packets = packets;
    this.#remember(key, seen);
    if (isSilent) return false;
    if (packets >= this.#config.triggerPackets) return true;
    const { triggerSeconds } = this.#config;
    return triggerSeconds > 0 && packets >= FEW_PACKETS && now - seen.since >= triggerSeconds * 1000;
  }

  #remember(key: string, seen: Seen): void {
    this.#seen.set(key, seen);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_PAIRS) break;
      this.#seen.delete(oldest);
    }
  }
}
