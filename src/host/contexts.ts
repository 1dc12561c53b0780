import { addressKey } from '../wire/address.ts';
import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { QuotedPacket } from '../shim6/quoted.ts';
import type { HostContext } from './host-context.ts';
import { NOWHERE } from './indexed.ts';

/** What tells a context from all others, RFC 5533 §4.2. */
export interface Identity {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
}

/** Finds the context that a packet belongs to, RFC 5533 §12.4, without looking at the others. */
export class Contexts {
  readonly #byUlids = new Map<string, HostContext>();
  readonly #byTag = new Map<number, HostContext>();
  readonly #byTagPeer = new Index<number>();
  readonly #byNonce = new Index<number>();
  /** Those whose current pair is not that of their identifiers, and forked ones, which `of` does not find by a pair. */
  readonly #moved = new Index<string>();

  get size(): number {
    return this.#byTag.size;
  }

  [Symbol.iterator](): Iterator<HostContext> {
    return this.#byTag.values();
  }

  add(context: HostContext): void {
    this.#byUlids.set(identity(context.ulids, context.forkedInstanceId), context);
    this.#byTag.set(context.tag, context);
  }

  remove(context: HostContext): void {
    this.#byUlids.delete(identity(context.ulids, context.forkedInstanceId));
    this.#byTag.delete(context.tag);
    const { nonce, tagPeer, movedTo } = context.indexed;
    this.#byNonce.remove(nonce, context);
    this.#byTagPeer.remove(tagPeer, context);
    this.#moved.remove(movedTo, context);
    context.indexed = NOWHERE;
  }

  /** What a context is found by may have changed. */
  refresh(context: HostContext): void {
    const known = context.indexed;
    const nonce = context.context.pendingNonce;
    const tagPeer = context.tagPeer;
    const { pair, ulids, isForked } = context.flow;
    const isMoved = isForked === true || (pair !== ulids && !samePair(pair, ulids));
    const movedTo = isMoved ? pairKey(pair) : undefined;
    if (known.nonce === nonce && known.tagPeer === tagPeer && known.movedTo === movedTo) return;
    this.#byNonce.move(known.nonce, nonce, context);
    this.#byTagPeer.move(known.tagPeer, tagPeer, context);
    this.#moved.move(known.movedTo, movedTo, context);
    context.indexed = { nonce, tagPeer, movedTo };
  }

  /** I1, I2, I2bis and plain packets: ULIDs and Forked Instance Identifier. */
  of(ulids: LocatorPair, forkedInstanceId = 0): HostContext | undefined {
    return this.#byUlids.get(identity(ulids, forkedInstanceId));
  }

  /** Payload, Update, Keepalive, Probe: our own tag. */
  tagged(tag: number): HostContext | undefined {
    return this.#byTag.get(tag);
  }

  /** R1 and R2: the Initiator Nonce of the exchange under way. */
  withNonce(nonce: number): readonly HostContext[] {
    return this.#byNonce.get(nonce);
  }

  /** R1bis and quoted packets that carry CT(peer). */
  withTagPeer(tag: number): readonly HostContext[] {
    return this.#byTagPeer.get(tag);
  }

  /** Those that may have sent the packet that came back. */
  quoted(quoted: QuotedPacket): readonly HostContext[] {
    if (quoted.type !== 'I1' && quoted.type !== 'I2' && quoted.type !== 'I2bis') {
      return this.withTagPeer(quoted.contextTag);
    }
    const context = this.of(quoted.ulids, quoted.forkedInstanceId);
    return context === undefined ? NONE : [context];
  }

  /** Those whose payload goes out on `pair`. */
  using(pair: LocatorPair): readonly HostContext[] {
    const moved = this.#moved.get(pairKey(pair));
    const own = this.of(pair);
    return own !== undefined && samePair(own.flow.pair, pair) ? [own, ...moved] : moved;
  }

  /** RFC 5533 §7.15: another context with the same CT(peer) and a common peer locator. */
  confusedWith(context: HostContext): HostContext | undefined {
    const { tagPeer } = context;
    if (tagPeer === undefined) return undefined;
    const others = this.withTagPeer(tagPeer).filter((other) => other !== context && other.tagPeer === tagPeer);
    if (others.length === 0) return undefined;
    const locators = new Set(context.peerLocators.map((locator) => addressKey(locator.address)));
    return others.find((other) => other.peerLocators.some((locator) => locators.has(addressKey(locator.address))));
  }
}

const NONE: readonly HostContext[] = [];

/** Contexts by something that several may have in common. */
class Index<Key> {
  readonly #found = new Map<Key, HostContext | HostContext[]>();

  get(key: Key): readonly HostContext[] {
    const found = this.#found.get(key);
    if (found === undefined) return NONE;
    return Array.isArray(found) ? found : [found];
  }

  move(from: Key | undefined, to: Key | undefined, context: HostContext): void {
    if (from === to) return;
    this.remove(from, context);
    if (to === undefined) return;
    const found = this.#found.get(to);
    if (found === undefined) this.#found.set(to, context);
    else if (Array.isArray(found)) found.push(context);
    else this.#found.set(to, [found, context]);
  }

  remove(key: Key | undefined, context: HostContext): void {
    if (key === undefined) return;
    const found = this.#found.get(key);
    if (found === context) this.#found.delete(key);
    if (!Array.isArray(found)) return;
    const at = found.indexOf(context);
    if (at >= 0) found.splice(at, 1);
    if (found.length === 0) this.#found.delete(key);
  }
}

function identity(ulids: LocatorPair, forkedInstanceId: number): string {
  return forkedInstanceId === 0 ? pairKey(ulids) : pairKey(ulids) + String(forkedInstanceId);
}
