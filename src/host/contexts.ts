import { addressKey } from '../wire/address.ts';
import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { HostContext } from './host-context.ts';

/** Finds the context that a packet belongs to, RFC 5533 §12.4. */
export class Contexts {
  readonly #byUlids = new Map<string, HostContext>();
  readonly #byTag = new Map<number, HostContext>();

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
  }

  /** I1, I2, I2bis and plain packets: ULIDs and Forked Instance Identifier. */
  of(ulids: LocatorPair, forkedInstanceId = 0): HostContext | undefined {
    return this.#byUlids.get(identity(ulids, forkedInstanceId));
  }

  /** Payload, Update, Keepalive, Probe: our own tag. */
  tagged(tag: number): HostContext | undefined {
    return this.#byTag.get(tag);
  }

  /** R1, R2, R1bis and quoted packets: whatever the context itself recognises. */
  find(matches: (context: HostContext) => boolean): HostContext | undefined {
    for (const context of this.#byTag.values()) if (matches(context)) return context;
    return undefined;
  }

  /** RFC 5533 §7.15: another context with the same CT(peer) and a common peer locator. */
  confusedWith(context: HostContext): HostContext | undefined {
    const locators = new Set(context.peerLocators.map((locator) => addressKey(locator.address)));
    return this.find(
      (other) =>
        other !== context &&
        other.tagPeer !== undefined &&
        other.tagPeer === context.tagPeer &&
        other.peerLocators.some((locator) => locators.has(addressKey(locator.address))),
    );
  }
}

function identity(ulids: LocatorPair, forkedInstanceId: number): string {
  return pairKey(ulids) + String(forkedInstanceId);
}
