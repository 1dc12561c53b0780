import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { FlowClass } from '../node/flow-classes.ts';
import { parseAddress } from '../wire/address.ts';
import type { PolicyConfig } from './config.ts';
import { peerFilter } from './selection.ts';

/** Pairs remembered at most: those seen first are forgotten first. */
const MAX_PAIRS = 16_384;

/** Packets that show that a flow is alive when only time decides. */
const FEW_PACKETS = 4;

interface Seen {
  since: Instant;
  packets: number;
}

/** What else is known of packets. */
interface Traffic {
  readonly bytes?: number;
  readonly rule?: number;
}

type Triggers = Pick<PolicyConfig, 'triggerPackets' | 'triggerBytes' | 'triggerSeconds'>;

const ALWAYS: Triggers = { triggerPackets: 1, triggerBytes: 0, triggerSeconds: 0 };

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

  /** So much went out between these addresses, as far as the rule of that number is about it, or none: is a context due? */
  isDue(ulids: LocatorPair, packets: number, now: Instant, { bytes = 0, rule }: Traffic = {}): boolean {
    if (!this.#admits(ulids.peer)) return false;
    const key = pairKey(ulids) + String(rule ?? '');
    const seen = this.#seen.get(key) ?? { since: now, packets: 0 };
    const isSilent = packets === seen.packets; // the kernel remembers flows for a while after their last packet
    if (packets < seen.packets) seen.since = now; // it had forgotten them: this is another flow
    seen.packets = packets;
    this.#remember(key, seen);
    if (isSilent) return false;
    const { triggerPackets, triggerBytes, triggerSeconds } = this.#triggers(rule);
    if (packets >= triggerPackets || (triggerBytes > 0 && bytes >= triggerBytes)) return true;
    return triggerSeconds > 0 && packets >= FEW_PACKETS && now - seen.since >= triggerSeconds * 1000;
  }

  /** The rules as classes of packets, in the same order. */
  get classes(): FlowClass[] {
    return this.#config.rules.map(({ peer, port, context }) => ({
      prefix: peer === undefined ? undefined : prefixOf(peer),
      port,
      counts: context !== 'never',
    }));
  }

  /** The numbers of the rules whose packets are counted. */
  get counted(): number[] {
    return this.#config.rules.flatMap(({ context }, rule) => (context === 'never' ? [] : [rule]));
  }

  #triggers(rule: number | undefined): Triggers {
    const own = rule === undefined ? undefined : this.#config.rules[rule];
    if (own?.context === 'always') return ALWAYS;
    return own ?? this.#config;
  }

  #remember(key: string, seen: Seen): void {
    this.#seen.set(key, seen);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_PAIRS) break;
      this.#seen.delete(oldest);
    }
  }
}

/** The configuration has been checked: it is a prefix. */
function prefixOf(text: string): { address: Address; length: number } {
  const [address = '', length = ''] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`);
  return { address: parsed, length: Number(length) };
}
