import type { Instant } from '../wire/time.ts';

/** Source and destination as text (RFC 5952), in the direction in which this host sends. */
export type PairText = readonly [source: string, destination: string];

/** Why a host began to doubt the current pair of a context. */
export type Suspicion =
  | 'send-timeout' // payload went out, nothing came back (RFC 5534 §4.1)
  | 'address-lost' // the local address vanished or its link went down
  | 'send-error' // the kernel refused to send
  | 'icmp' // an ICMPv6 error for the current pair
  | 'peer-exploring' // a Probe says that the peer misses our packets
  | 'peer-broken' // the peer withdrew or flagged the locator in use
  | 'address-deprecated' // the local address is about to go
  | 'application'; // negative feedback from above

interface OfContext {
  readonly ulids: PairText;
  /** Of a forked context (RFC 5533 §4.2). */
  readonly forkedInstanceId?: number;
}

/** What a host tells the people who watch it. `at` is on the monotonic clock of the machine, in milliseconds. */
export type HostEvent = { readonly at: Instant } & (
  | {
      readonly event: 'locator';
      readonly address: string;
      readonly change: 'added' | 'deprecated' | 'preferred' | 'up' | 'down' | 'removed';
    }
  | ({ readonly event: 'state'; readonly state: string; readonly reason?: string } & OfContext)
  | ({ readonly event: 'reap'; readonly state: 'Operational' | 'Exploring' | 'InboundOk' } & OfContext)
  | ({ readonly event: 'suspect'; readonly cause: Suspicion; readonly pair: PairText } & OfContext)
  | ({ readonly event: 'false-alarm'; readonly pair: PairText } & OfContext)
  | ({ readonly event: 'confirmed'; readonly pair: PairText; readonly rttMs: number } & OfContext)
  | ({ readonly event: 'selected'; readonly from: PairText; readonly to: PairText; readonly why: string } & OfContext)
  | ({ readonly event: 'arrived'; readonly pair: PairText } & OfContext) // first payload of the peer on another pair than before
  | ({ readonly event: 'diverted' | 'returned' } & OfContext) // into the TUN device, back to the kernel's path
  | { readonly event: 'warning'; readonly message: string }
);
