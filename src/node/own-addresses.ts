import type { Address } from '../wire/address.ts';
import { addressKey, prefixOf, sameOctets } from '../wire/address.ts';
import { LociError } from './error.ts';
import type { LocatorChange } from './locators.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  RTM_DELADDR,
  RTM_NEWADDR,
  writeAddressMessage,
} from './netlink/address.ts';
import type { AddressMessage } from './netlink/address.ts';
import { IFF_UP } from './netlink/link.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './netlink/message.ts';
import type { LocalLocator, NetworkPicture } from './network-picture.ts';
import { PROTOCOL } from './own-mark.ts';
import { GONE, perform } from './refusal.ts';
import type { Absence, Identity, OwnAddress } from './own-address.ts';
import { SourcePreference } from './source-preference.ts';

const COLLISIONS = 3; // RFC 3972 §4: collision counts 0, 1, 2
const DRIFT_SECONDS = 2; // the kernel rounds what remains

/** What own addresses need from around them. */
export interface OwnAddressesOptions {
  readonly route: NetlinkExchange;
  readonly picture: NetworkPicture;
  readonly identities: readonly Identity[];
  /** Addresses that this host had until a moment ago: nobody else can have them yet. */
  readonly verified?: readonly Address[];
  /** Something that the operator should know. */
  readonly onProblem: (problem: LociError) => void;
}

interface Lifetimes {
  readonly valid: number;
  readonly preferred: number;
}

interface Wanted extends Lifetimes {
  readonly identity: Identity;
  readonly index: number;
  readonly prefix: Uint8Array;
}

interface Entry {
  readonly identity: Identity;
  readonly index: number;
  /** One for each collision count. */
  readonly candidates: readonly Address[];
  collisionCount: number;
  absence: Absence | undefined;
  /** What was last asked for; the kernel counts it down. */
  lifetimes: Lifetimes;
}

/**
 * Forms one address of each identity for every /64 prefix of its interfaces, and lets it live as long as the prefix: state and lifetimes
 * follow the other addresses of the prefix, as router advertisements or the operator set them.
 */
export class OwnAddresses {
  readonly #options: OwnAddressesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #preference: SourcePreference;
  #locators: readonly LocalLocator[] = [];
  #verified: readonly Address[];
  #closed = false;

  constructor(options: OwnAddressesOptions) {
    this.#options = options;
    this.#verified = options.verified ?? [];
    this.#preference = new SourcePreference(options.route);
  }

  get all(): OwnAddress[] {
    return [...this.#entries.values()].map((entry) => {
      const address = addressOf(entry);
      const present = this.#present(entry, address);
      return {
        identity: entry.identity.name,
        address,
        interface: this.#options.picture.link(entry.index)?.name ?? '',
        index: entry.index,
        collisionCount: entry.collisionCount,
        state: entry.absence ?? present?.state ?? 'tentative',
      };
    });
  }

  /** Follow a change. The first call adopts or removes what a former run left behind. */
  update({ locators, departed }: LocatorChange): void {
    if (this.#closed) return;
    this.#locators = locators;
    for (const address of departed) this.#departed(address);
    const wanted = this.#wanted();
    this.#dropUnwanted(wanted);
    for (const [key, want] of wanted) {
      const entry = this.#entries.get(key);
      if (entry === undefined) this.#begin(key, want);
      else this.#follow(entry, want);
    }
    this.#verified = []; // from now on, others may have taken what we lose
    this.#removeStrays();
    this.#preference.update(this.#locators, this.all);
  }

  /** Take all of them away. */
  close(): void {
    this.#closed = true;
    this.#preference.close();
    const requests = [...this.#entries.values()].map((entry) => this.#deletion(entry.index, addressOf(entry)));
    this.#entries.clear();
    perform(this.#options.route, requests, GONE);
  }

  #wanted(): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    for (const locator of this.#locators) {
      if (locator.prefixLength !== 64 || locator.dadFailed || locator.validLifetimeSeconds < 1) continue;
      const prefix = prefixOf(locator.address);
      if (this.#isOurs(locator, prefix)) continue;
      for (const identity of this.#options.identities) {
        if (!identity.isOn(locator.interface) || this.#candidates(identity, locator.index, prefix).length === 0)
          continue;
        const key = entryKey(identity, locator.index, prefix);
        const other = wanted.get(key);
        wanted.set(key, {
          identity,
          index: locator.index,
          prefix,
          valid: Math.max(locator.validLifetimeSeconds, other?.valid ?? 0),
          preferred: Math.max(locator.preferredLifetimeSeconds, other?.preferred ?? 0),
        });
      }
    }
    return wanted;
  }

  /** Kernels before 5.18 do not keep our mark: there it is known by its octets. */
  #isOurs(locator: LocalLocator, prefix: Uint8Array): boolean {
    const isOf = (identity: Identity): boolean =>
      this.#candidates(identity, locator.index, prefix).some((own) => sameOctets(own, locator.address));
    return locator.ours || this.#options.identities.some(isOf);
  }

  #candidates(identity: Identity, index: number, prefix: Uint8Array): readonly Address[] {
    const entry = this.#entries.get(entryKey(identity, index, prefix));
    if (entry !== undefined) return entry.candidates;
    const counts = Array.from({ length: COLLISIONS }, (_, count) => count);
    return counts.flatMap((count) => identity.formAddress(prefix, count) ?? []);
  }

  #begin(key: string, want: Wanted): void {
    const { identity } = want;
    const candidates = this.#candidates(identity, want.index, want.prefix);
    const left = candidates.findIndex((own) =>
      this.#locators.some((l) => l.index === want.index && sameOctets(l.address, own)),
    );
    const verified = candidates.findIndex((own) => this.#isVerified(own));
    const entry: Entry = {
      identity,
      index: want.index,
      candidates,
      collisionCount: Math.max(0, left >= 0 ? left : verified),
      absence: undefined,
      lifetimes: want,
    };
    this.#entries.set(key, entry);
    if (left >= 0) this.#follow(entry, want);
    else this.#add(entry, want);
  }

  #follow(entry: Entry, want: Wanted): void {
    const present = this.#present(entry, addressOf(entry));
    if (present?.dadFailed === true) this.#collide(entry, want);
    else if (present !== undefined && differ(present, want)) this.#set(entry, want, NLM_F_REPLACE);
    entry.lifetimes = want;
  }

  #departed(gone: AddressMessage): void {
    const entry = this.#entryOf(gone.index, gone.address);
    if (entry === undefined || entry.absence !== undefined) return;
    if ((gone.flags & IFA_F_DADFAILED) !== 0) this.#collide(entry, entry.lifetimes);
    else if (this.#present(entry, gone.address) !== undefined)
      return; // it is back already
    else if (((this.#options.picture.link(gone.index)?.flags ?? 0) & IFF_UP) !== 0) entry.absence = 'deleted';
    else this.#entries.delete(entryKey(entry.identity, gone.index, prefixOf(gone.address))); // the link took it along: begin anew
  }

  #entryOf(index: number, address: Address): Entry | undefined {
    const prefix = prefixOf(address);
    return this.#options.identities
      .map((identity) => this.#entries.get(entryKey(identity, index, prefix)))
      .find((entry) => entry !== undefined && sameOctets(addressOf(entry), address));
  }

  /** RFC 3972 §4 step 9: another address is in use by someone else. */
  #collide(entry: Entry, lifetimes: Lifetimes): void {
    const collided = addressOf(entry);
    perform(this.#options.route, [this.#deletion(entry.index, collided)], GONE);
    if (entry.collisionCount + 1 < entry.candidates.length) {
      entry.collisionCount++;
      this.#add(entry, lifetimes);
      return;
    }
    entry.absence = 'collided';
    this.#options.onProblem(
      new LociError('dad-failed', `every own address for a prefix is in use by another host on the link`),
    );
  }

  #add(entry: Entry, lifetimes: Lifetimes): void {
    this.#set(entry, lifetimes, NLM_F_CREATE | NLM_F_EXCL);
  }

  #set(entry: Entry, lifetimes: Lifetimes, flags: number): void {
    const request = writeAddressMessage(RTM_NEWADDR, flags, {
      index: entry.index,
      address: addressOf(entry),
      prefixLength: 64,
      // the route to the prefix belongs to whoever announced it
      flags: IFA_F_NOPREFIXROUTE | (this.#isVerified(addressOf(entry)) ? IFA_F_NODAD : 0),
      validLifetimeSeconds: lifetimes.valid,
      preferredLifetimeSeconds: Math.min(lifetimes.preferred, lifetimes.valid),
      protocol: PROTOCOL,
    });
    try {
      perform(this.#options.route, [request], ['EEXIST', ...GONE]);
    } catch (error) {
      if (!(error instanceof LociError)) throw error;
      entry.absence = 'refused';
      this.#options.onProblem(error);
    }
  }

  #isVerified(own: Address): boolean {
    return this.#verified.some((address) => sameOctets(address, own));
  }

  #dropUnwanted(wanted: ReadonlyMap<string, Wanted>): void {
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key)) continue;
      this.#entries.delete(key);
      perform(this.#options.route, [this.#deletion(entry.index, addressOf(entry))], GONE);
    }
  }

  /** Addresses with our mark that nobody follows: left by a former run, under another key or for a prefix that has gone. */
  #removeStrays(): void {
    const strays = this.#locators.filter(
      (locator) => locator.ours && this.#entryOf(locator.index, locator.address) === undefined,
    );
    perform(
      this.#options.route,
      strays.map((stray) => this.#deletion(stray.index, stray.address, stray.prefixLength)),
      GONE,
    );
  }

  #present(entry: Entry, address: Address): LocalLocator | undefined {
    return this.#locators.find((locator) => locator.index === entry.index && sameOctets(locator.address, address));
  }

  #deletion(index: number, address: Address, prefixLength = 64): Uint8Array {
    return writeAddressMessage(RTM_DELADDR, 0, {
      index,
      address,
      prefixLength,
      flags: 0,
      validLifetimeSeconds: 0,
      preferredLifetimeSeconds: 0,
      protocol: PROTOCOL,
    });
  }
}

function entryKey({ name = '' }: Identity, index: number, prefix: Uint8Array): string {
  return `${String(index)} ${addressKey(prefix)} ${name}`;
}

function addressOf(entry: Entry): Address {
  const address = entry.candidates[entry.collisionCount];
  if (address === undefined) throw new RangeError('collision count out of range');
  return address;
}

function differ(present: LocalLocator, want: Lifetimes): boolean {
  return (
    drifted(present.validLifetimeSeconds, want.valid) ||
    drifted(present.preferredLifetimeSeconds, Math.min(want.preferred, want.valid))
  );
}

function drifted(a: number, b: number): boolean {
  if (a === b) return false;
  return (a === 0) !== (b === 0) || !(Math.abs(a - b) <= DRIFT_SECONDS);
}
