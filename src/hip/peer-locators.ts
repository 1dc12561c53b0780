import { addressKey, isLinkLocal, isLoopback, isMulticast, isUnspecified, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { isIpv4Mapped } from '../wire/ipv4.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { LocatorStatus, PeerHipLocator } from './association-io.ts';
import { TRAFFIC_BOTH, TRAFFIC_SIGNALLING, UNBOUNDED_LIFETIME } from './locator-set.ts';
import type { LocatorSetEntry } from './locator-set.ts';

/** What is known of one address, RFC 8046 §5.1. */
interface Known {
  readonly address: Address;
  status: LocatorStatus;
  isPreferred: boolean;
  trafficType: number;
  expiresAt: Instant;
  /** A test is under way, or was in vain: no other one until the peer names the address again. */
  isTested: boolean;
  /** What the peer has to echo from there, §5.4. */
  nonce: Uint8Array | undefined;
}

/** What a LOCATOR_SET came to. */
export interface Learned {
  /** A preferred locator of a type that nobody knows, §5.3: its octets for the NOTIFY. */
  readonly unsupported: LocatorSetEntry | undefined;
  readonly isChanged: boolean;
}

/** The addresses of a peer, RFC 8046 §5.1: which of them it has shown to be at. */
export class PeerLocators {
  readonly #most: number;
  readonly #known = new Map<string, Known>();

  /** `first` is where the base exchange took place: ACTIVE from the beginning. */
  constructor(first: Address, most: number) {
    this.#most = most;
    this.#known.set(addressKey(first), { ...fresh(first, 'ACTIVE'), isPreferred: true });
  }

  /** When the next lifetime is over. */
  get deadline(): Instant {
    let first = NEVER;
    for (const { expiresAt, status } of this.#known.values()) {
      if (status !== 'DEPRECATED' && expiresAt < first) first = expiresAt;
    }
    return first;
  }

  list(): PeerHipLocator[] {
    return [...this.#known.values()].map(({ address, status, isPreferred, trafficType }) => ({
      address,
      status,
      isPreferred,
      trafficType,
    }));
  }

  statusOf(address: Address): LocatorStatus | undefined {
    return this.#known.get(addressKey(address))?.status;
  }

  /** §5.3. What is not listed is withdrawn; `keep` only adds to what is there (RFC 8047 §4.2.8: R1, I2 and R2). */
  learn(entries: readonly LocatorSetEntry[], now: Instant, keep: boolean): Learned {
    const before = this.#digest();
    let unsupported: LocatorSetEntry | undefined;
    const listed = new Set<string>();
    for (const entry of entries) {
      if (entry.locator.locatorType === 'unsupported') {
        if (entry.isPreferred) unsupported ??= entry;
        continue;
      }
      if (!canBeLocator(entry.locator.address)) continue;
      const key = addressKey(entry.locator.address);
      if (this.#learnOne(key, entry.locator.address, entry, now)) listed.add(key);
    }
    if (!keep) {
      for (const [key, known] of this.#known) {
        if (listed.has(key)) continue;
        known.status = 'DEPRECATED';
        known.isPreferred = false;
      }
    }
    return { unsupported, isChanged: this.#digest() !== before };
  }

  #learnOne(key: string, address: Address, entry: LocatorSetEntry, now: Instant): boolean {
    let known = this.#known.get(key);
    if (known === undefined) {
      if (!this.#hasRoom()) return false;
      this.#known.set(key, (known = fresh(address, 'UNVERIFIED')));
    } else if (known.status === 'DEPRECATED') {
      known.status = 'UNVERIFIED'; // §5.1: never straight to ACTIVE
      known.isTested = false;
    } else if (known.status === 'UNVERIFIED' && known.nonce === undefined) known.isTested = false;
    known.isPreferred = entry.isPreferred;
    known.trafficType = entry.trafficType;
    const { lifetimeSeconds } = entry;
    known.expiresAt = lifetimeSeconds === UNBOUNDED_LIFETIME ? NEVER : now + 1000 * lifetimeSeconds;
    return true;
  }

  /** RFC 8046 §6.2.2: withdrawn addresses make room for new ones. */
  #hasRoom(): boolean {
    if (this.#known.size < this.#most) return true;
    for (const [key, { status }] of this.#known) {
      if (status === 'DEPRECATED') return this.#known.delete(key);
    }
    return false;
  }

  /** A test that is no echo has shown that the peer is there; whether that is news. */
  confirm(address: Address): boolean {
    const known = this.#known.get(addressKey(address));
    if (known?.status !== 'UNVERIFIED') return false;
    known.status = 'ACTIVE';
    return true;
  }

  /** An address that waits for its test. */
  untested(): Address | undefined {
    for (const { address, status, isTested } of this.#known.values()) {
      if (status === 'UNVERIFIED' && !isTested) return address;
    }
    return undefined;
  }

  isUntested(address: Address): boolean {
    const known = this.#known.get(addressKey(address));
    return known?.status === 'UNVERIFIED' && !known.isTested;
  }

  /** There is no way to test it now. */
  skip(address: Address): void {
    const known = this.#known.get(addressKey(address));
    if (known !== undefined) known.isTested = true;
  }

  /** §5.4: the test begins. */
  test(address: Address, nonce: Uint8Array): void {
    const known = this.#known.get(addressKey(address));
    if (known === undefined) return;
    known.isTested = true;
    known.nonce = nonce;
  }

  /** The test was in vain. */
  giveUp(address: Address): void {
    const known = this.#known.get(addressKey(address));
    if (known !== undefined) known.nonce = undefined;
  }

  /** The peer echoed a nonce: the address that it went to, now ACTIVE, unless it has been withdrawn since. */
  verified(nonce: Uint8Array): Address | undefined {
    for (const known of this.#known.values()) {
      if (known.nonce === undefined || !sameOctets(known.nonce, nonce)) continue;
      known.nonce = undefined;
      if (known.status !== 'UNVERIFIED') return undefined;
      known.status = 'ACTIVE';
      return known.address;
    }
    return undefined;
  }

  /** Lifetimes that are over; whether there were any. */
  expire(now: Instant): boolean {
    let isChanged = false;
    for (const known of this.#known.values()) {
      if (known.status === 'DEPRECATED' || now < known.expiresAt) continue;
      known.status = 'DEPRECATED';
      isChanged = true;
    }
    return isChanged;
  }

  /** Where payload should go, §5.5: preferred and ACTIVE, ACTIVE, preferred, not withdrawn; best first. */
  ranked(): Address[] {
    const rank = ({ status, isPreferred }: Known): number =>
      (status === 'ACTIVE' ? 0 : status === 'UNVERIFIED' ? 2 : 4) + (isPreferred ? 0 : 1);
    return [...this.#known.values()]
      .filter(({ trafficType }) => trafficType !== TRAFFIC_SIGNALLING)
      .sort((a, b) => rank(a) - rank(b))
      .map(({ address }) => address);
  }

  #digest(): string {
    return this.list()
      .map(({ address, status, isPreferred, trafficType }) =>
        [addressKey(address), status, String(isPreferred), String(trafficType)].join(),
      )
      .join();
  }
}

function fresh(address: Address, status: LocatorStatus): Known {
  return {
    address,
    status,
    isPreferred: false,
    trafficType: TRAFFIC_BOTH,
    expiresAt: NEVER,
    isTested: false,
    nonce: undefined,
  };
}

/** RFC 8046 §5.3, RFC 8047 §5.1: unicast, and reachable from where we are. */
export function canBeLocator(address: Address): boolean {
  if (isIpv4Mapped(address)) {
    const first = address[12] ?? 0;
    return first !== 0 && first !== 127 && first < 224;
  }
  return !(isMulticast(address) || isUnspecified(address) || isLoopback(address) || isLinkLocal(address));
}
