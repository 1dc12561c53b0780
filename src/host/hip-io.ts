import type { HipHost as KnownPeer } from '../hip/hosts-file.ts';
import type { HipPath, SaHalf } from '../hip/association-io.ts';
import type { PuzzleTask } from '../hip/puzzle.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEvent } from './events.ts';
import type { HostLocator } from './host-io.ts';

export type HipHostInput =
  /** A HIP packet, from its header on; `path.peer` is where it came from. */
  | { readonly type: 'control'; readonly path: HipPath; readonly octets: Uint8Array }
  /** Everything there is: what is missing has gone. */
  | { readonly type: 'locators'; readonly locators: readonly HostLocator[] }
  /** Peers of the hosts file, all of them. */
  | { readonly type: 'peers'; readonly peers: readonly KnownPeer[] }
  /** A packet of a program to a peer with which there is no association yet. */
  | { readonly type: 'held'; readonly octets: Uint8Array }
  | { readonly type: 'solved'; readonly peer: Address; readonly i: Uint8Array; readonly j: Uint8Array | undefined }
  | { readonly type: 'rekey'; readonly peer: Address; readonly withDh: boolean }
  | { readonly type: 'close'; readonly peer: Address }
  /** This host was late by so much: what looks like silence may be its own. */
  | { readonly type: 'lag'; readonly ms: number }
  | { readonly type: 'tick' };

export type HipHostEffect =
  /** A HIP packet; what is in front of it is the shell's. */
  | { readonly type: 'transmit'; readonly path: HipPath; readonly octets: Uint8Array }
  /** In a worker; answered by `solved`, without J after `until`. */
  | { readonly type: 'solve'; readonly peer: Address; readonly task: PuzzleTask; readonly until: Instant }
  /** A packet that was held: send it as if it had come through the TUN device now. */
  | { readonly type: 'forward'; readonly octets: Uint8Array }
  /** An IPv6 packet for a program of this host. */
  | { readonly type: 'deliver'; readonly octets: Uint8Array }
  /** Keys of one direction, for whoever is allowed to see them. */
  | {
      readonly type: 'keys';
      readonly own: Address;
      readonly peer: Address;
      readonly path: HipPath | undefined;
      readonly sa: SaHalf;
    }
  | { readonly type: 'event'; readonly event: HostEvent };
