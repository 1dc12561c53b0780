import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEvent } from './events.ts';
import type { Wish } from './wish.ts';
import type { Aside } from './fast-path.ts';

/** An address of this host that may serve as locator, and as identifier of new contexts when `parameters` bind it to our key. */
export interface HostLocator {
  readonly address: Address;
  readonly state: 'tentative' | 'preferred' | 'deprecated';
  /** Link up, carrier, a first hop (RFC 5534 §3.2). */
  readonly operational: boolean;
  readonly interface: string;
  /** CGA Parameters data structure of the address (RFC 3972 §3); `undefined` for addresses that are not ours. */
  readonly parameters: Uint8Array | undefined;
  /** How `parameters` bind the address; CGA when left out. */
  readonly method?: 'cga' | 'hba';
  /** Locators of one identity are told to peers together; all belong to the same one when left out. */
  readonly identity?: string;
  readonly cost?: number;
  readonly backup?: boolean;
}

export type HostInput =
  /** A Shim6 packet that the fast path put aside; `octets` start at the Shim6 header. */
  | { readonly type: 'control'; readonly packet: Aside }
  /** Packets on the kernel's own path between two ULIDs since the last report, at `since`. */
  | {
      readonly type: 'traffic';
      readonly ulids: LocatorPair;
      readonly sent: boolean;
      readonly heard: boolean;
      readonly since?: Instant;
    }
  /** Everything there is: what is missing has gone. */
  | { readonly type: 'locators'; readonly locators: readonly HostLocator[] }
  /** A context is wanted (RFC 5533 §7.7), also a forked one (§4.2), which can begin on any pair. */
  | {
      readonly type: 'open';
      readonly ulids: LocatorPair;
      readonly forkedInstanceId?: number;
      readonly pair?: LocatorPair;
    }
  | { readonly type: 'close'; readonly ulids: LocatorPair; readonly forkedInstanceId?: number }
  /** What somebody above wants of a context. */
  | { readonly type: 'wish'; readonly ulids: LocatorPair; readonly forkedInstanceId?: number; readonly wish: Wish }
  /** A packet that the fast path put aside, as the program sent it; or one that nothing was done with yet. */
  | { readonly type: 'held'; readonly octets: Uint8Array }
  /** Packets between addresses without a context found no answer for some time; the peer is known from before. */
  | { readonly type: 'unanswered'; readonly ulids: LocatorPair }
  /** An ICMPv6 error as it came in from `source`, from its type octet on. */
  | { readonly type: 'icmp'; readonly source: Address; readonly octets: Uint8Array }
  /** The kernel refused to send on this pair. */
  | { readonly type: 'send-error'; readonly pair: LocatorPair; readonly error: string }
  /** This host was late by so much: what looks like silence may be its own. */
  | { readonly type: 'lag'; readonly ms: number }
  | { readonly type: 'tick' };

export type Input<Type extends HostInput['type']> = Extract<HostInput, { readonly type: Type }>;

export type HostEffect =
  /** A Shim6 control message; the IPv6 header is the shell's. */
  | { readonly type: 'transmit'; readonly source: Address; readonly destination: Address; readonly octets: Uint8Array }
  /** Report packets on the kernel's path between these ULIDs from now on, or no longer. */
  | { readonly type: 'watch' | 'unwatch'; readonly ulids: LocatorPair }
  /** Packets between these ULIDs go through the TUN device, or on the kernel's path again. */
  | { readonly type: 'divert' | 'restore'; readonly ulids: LocatorPair }
  /** Diverted packets take another path now: what the kernel knows of its MTU holds no longer (RFC 5533 §15.4). */
  | { readonly type: 'forget-mtu'; readonly ulids: LocatorPair }
  /** A packet of a program that was held: send it as if it had come through the TUN device now. */
  | { readonly type: 'forward'; readonly octets: Uint8Array }
  /** An IPv6 packet for a program of this host. */
  | { readonly type: 'deliver'; readonly octets: Uint8Array }
  /** Locators of a peer with an established context, for routes with a short minimum RTO; empty: forget the peer. */
  | { readonly type: 'peer'; readonly ulids: LocatorPair; readonly locators: readonly Address[] }
  | { readonly type: 'event'; readonly event: HostEvent };

export type Profile = 'fast' | 'balanced' | 'rfc';

/** When nothing says otherwise. */
export interface HostSettings {
  readonly profile: Profile;
  /** Contexts without a packet for so long are forgotten, RFC 5533 §9. */
  readonly idleMs: number;
  /** A preferred pair must answer for so long before traffic goes back. */
  readonly returnAfterMs: number;
  /** Overrides of the Send Timeout of each profile. */
  readonly sendTimeoutMs?: { readonly [Name in Profile]?: number };
  /** Probes per second of the whole host. */
  readonly probeBudget: number;
  /** Programs get every ICMPv6 error, also those on which Shim6 acts (RFC 5533 §8). */
  readonly deliverAllErrors?: boolean;
}

/** How long the TUN device stays in use after the last reason for it has gone. */
export const LINGER_MS: Instant = 1000;
