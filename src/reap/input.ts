import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import type { Probe, ReapState } from './probe.ts';
import type { Purpose } from './sent-probes.ts';

/** Why the current pair is doubted. */
export type Cause =
  | 'send-timeout' // RFC 5534 §4.1: payload went out, nothing came back
  | 'address-lost' // the local address vanished or its link went down
  | 'peer-broken' // the peer withdrew or flagged the locator in use
  | 'address-deprecated' // the local address is about to go
  | 'peer-exploring' // a Probe says that the peer misses our packets
  | 'send-error'
  | 'icmp'
  | 'application'; // negative feedback from above

/** Pairs are ours in both directions: a packet from the peer "on" a pair came from `peer` to `local`. */
export type ReapInput =
  /** Payload, or a control message other than Keepalive and Probe, went out (§4.1); `at`: when, if not just now. */
  | { readonly type: 'payload-sent'; readonly at?: Instant }
  | { readonly type: 'payload-received'; readonly pair: LocatorPair }
  | { readonly type: 'keepalive-received'; readonly pair: LocatorPair }
  | { readonly type: 'probe-received'; readonly pair: LocatorPair; readonly probe: Probe }
  | { readonly type: 'tick' }
  /** All usable pairs, best first (`rankPairs`). A pair on the list is no longer ruled out. */
  | {
      readonly type: 'candidates';
      readonly pairs: readonly LocatorPair[];
      /** Those of them that are left alone while there are others to try. */
      readonly reserve?: readonly LocatorPair[];
    }
  /** Known dead, without doubt. No pair: the current one. `address-lost` rules out its local, `peer-broken` its peer locator. */
  | { readonly type: 'pair-dead'; readonly cause: 'address-lost' | 'peer-broken'; readonly pair?: LocatorPair }
  /** §8: something hints at a failure of the current pair; it is tested, not believed. */
  | { readonly type: 'hint'; readonly cause: 'icmp' | 'send-error' | 'application' }
  /** This pair will go soon: find another one while it still works. */
  | {
      readonly type: 'deprecate';
      readonly pair: LocatorPair;
      readonly cause?: 'address-deprecated' | 'application';
    }
  /** Payload is to go to this pair as soon as it is known to work. */
  | { readonly type: 'move'; readonly pair: LocatorPair }
  /** The pair to be kept ready for a failure of the current one; needs a profile with `pathTest`. */
  | { readonly type: 'standby'; readonly pair: LocatorPair | undefined }
  /** The pair to go back to once it works again; needs a profile with `pathTest`. */
  | { readonly type: 'prefer'; readonly pair: LocatorPair | undefined }
  /** A round trip measured elsewhere, for instance in the handshake. */
  | { readonly type: 'rtt'; readonly pair: LocatorPair; readonly ms: number }
  /** This host itself was late by `ms`: that much of the silence is not the peer's. */
  | { readonly type: 'lag'; readonly ms: number }
  /** §5.3: the Keepalive Timeout option of the peer. */
  | { readonly type: 'peer-timeout'; readonly keepaliveTimeoutMs: number }
  /** Another context explores the same way: no rounds of our own until told otherwise. */
  | { readonly type: 'wait' }
  /** A round of our own now. */
  | { readonly type: 'explore' }
  /** Other contexts have proven that this pair works; the current one when their alarm was false. */
  | { readonly type: 'follow'; readonly pair: LocatorPair }
  /** Other contexts hear the peer on the same way, and it hears them. */
  | { readonly type: 'vouched' }
  /** Others are back on the preferred pair, after they tested it. */
  | { readonly type: 'return' }
  /** One Path Test. */
  | { readonly type: 'test'; readonly pair: LocatorPair }
  /** The context is not ESTABLISHED for a while; timers stand still. */
  | { readonly type: 'freeze' }
  | { readonly type: 'thaw' }
  | { readonly type: 'stop' };

export type ReapEffect =
  | { readonly type: 'send-keepalive'; readonly pair: LocatorPair }
  | {
      readonly type: 'send-probe';
      readonly pair: LocatorPair;
      readonly probe: Probe;
      readonly purpose: Purpose | 'answer';
    }
  /** Payload goes to another pair from now on. */
  | { readonly type: 'selected'; readonly from: LocatorPair; readonly to: LocatorPair; readonly why: string }
  /** A probe of ours on this pair arrived (nonce matched): its destination is reachable, RFC 5533 §7.2. */
  | { readonly type: 'confirmed'; readonly pair: LocatorPair; readonly rttMs: number }
  | { readonly type: 'state'; readonly state: ReapState }
  | { readonly type: 'suspect'; readonly cause: Cause; readonly pair: LocatorPair }
  /** An exploration of ours is over: `to` works in both directions, or better than `from`; the same when the alarm was false. */
  | { readonly type: 'concluded'; readonly from: LocatorPair; readonly to: LocatorPair }
  /** The suspected pair turned out to work in both directions. */
  | { readonly type: 'false-alarm'; readonly pair: LocatorPair };
