import { PrefixBuckets } from '../locators/prefix-buckets.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { isIpv4Mapped } from '../wire/ipv4.ts';
import type { Instant } from '../wire/time.ts';
import type { HipDropReason, HipPath } from './association-io.ts';
import type { Hit } from './parameter.ts';
import type { HipSettings } from './settings.ts';

/** The same I1 again within this time is not answered (RFC 7401 §5.3.1): a retransmission comes later. */
const DUPLICATE_MS = 100;
const PLACES = 4096;

/** Which I1s are answered: RFC 7401 §6.7 wants duplicates dropped and R1s limited per address. Memory does not grow. */
export class I1Doorkeeper {
  readonly #prefixes: PrefixBuckets;
  readonly #settings: HipSettings;
  readonly #seen = new Uint32Array(PLACES);
  readonly #seenAt = new Float64Array(PLACES).fill(Number.NEGATIVE_INFINITY);
  #total: TokenBucket | undefined;

  constructor(settings: HipSettings) {
    this.#settings = settings;
    this.#prefixes = new PrefixBuckets({ perSecond: settings.r1sPerPrefix, burst: 2 * settings.r1sPerPrefix });
  }

  /** Why an I1 of this sender gets no R1 now; if it gets one, that is counted. */
  refuses(sender: Hit, { local, peer }: HipPath, now: Instant): HipDropReason | undefined {
    const mark = hashOf(sender, local, peer);
    const place = mark % PLACES;
    const isAgain = this.#seen[place] === mark && now - (this.#seenAt[place] ?? 0) < DUPLICATE_MS;
    if (isAgain) return 'duplicate';
    const { r1sInAll } = this.#settings;
    this.#total ??= new TokenBucket({ perSecond: r1sInAll, burst: 2 * r1sInAll }, now);
    if (!this.#total.has(now) || !this.#prefixes.take(networkOf(peer), now) || !this.#total.take(now)) return 'rate';
    this.#seen[place] = mark;
    this.#seenAt[place] = now;
    return undefined;
  }
}

/** What an address shares with its neighbours, in front: an IPv4 address without the prefix that makes it an IPv6 one. */
function networkOf(address: Address): Address {
  if (!isIpv4Mapped(address)) return address;
  const network = new Uint8Array(ADDRESS_LENGTH);
  network.set(address.subarray(ADDRESS_LENGTH - 4));
  return network;
}

/** FNV-1a; whoever makes two I1s meet loses one of them for a tenth of a second. */
function hashOf(...parts: readonly Uint8Array[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts) for (const octet of part) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0;
}
