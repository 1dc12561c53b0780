import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Preference } from './locator-list.ts';
import type {
  I1,
  I2,
  I2bis,
  Keepalive,
  Probe,
  R1,
  R1bis,
  R2,
  UpdateAcknowledgement,
  UpdateRequest,
} from './messages.ts';
import type { QuotedPacket } from './quoted.ts';
import type { ReceivedPacket } from './received.ts';
import type { ContextTag } from './tag.ts';

/** How a locator is bound to its ULID, RFC 5533 §7.2. */
export type Method = 'hba' | 'cga';

/** One of this host's locators. The order in which they are given is the order of the Locator List. */
export interface OwnLocator extends Preference {
  readonly address: Address;
  readonly method: Method;
}

/** A locator of the peer. Whether the peer was probed there is known to REAP alone. */
export interface PeerLocator extends Preference {
  readonly address: Address;
  readonly method: Method | 'ulid';
}

/** States of a context, RFC 5533 §6. A discarded context is IDLE. */
export type ContextStateName =
  'IDLE' | 'I1-SENT' | 'I2-SENT' | 'I2BIS-SENT' | 'ESTABLISHED' | 'E-FAILED' | 'NO-SUPPORT';

/** Messages that belong to a context. */
export type ContextMessage =
  I1 | R1 | I2 | R2 | R1bis | I2bis | UpdateRequest | UpdateAcknowledgement | Keepalive | Probe;

export type ContextInput =
  /** RFC 5533 §7.7. Without a pair the I1 goes out between the ULIDs; in I1-SENT it goes out over one pair more. */
  | { readonly type: 'start'; readonly pair?: LocatorPair }
  /** A message that passed `admit` and that the host matched to this context. */
  | { readonly type: 'message'; readonly message: ContextMessage; readonly packet: ReceivedPacket }
  /** A payload extension header with CT(local) arrived, RFC 5533 §12.2. Not needed in ESTABLISHED: always delivered. */
  | { readonly type: 'payload-header'; readonly source: Address; readonly destination: Address }
  | { readonly type: 'tick' }
  /** This host's locators or what it thinks of them changed, RFC 5533 §10. */
  | { readonly type: 'own-locators'; readonly locators: readonly OwnLocator[] }
  /** The pair on which this context sends, Lp(local) and Lp(peer); ULIDs until told otherwise. */
  | { readonly type: 'current-pair'; readonly pair: LocatorPair }
  /** An Error message (RFC 5533 §5.14) that quotes a packet of this context. */
  | { readonly type: 'error-message'; readonly code: number; readonly quoted: QuotedPacket }
  /** ICMPv6 Parameter Problem, code 1, RFC 5533 §8. */
  | { readonly type: 'icmp-unknown-next-header'; readonly quoted: QuotedPacket }
  /** Another context has our CT(peer) and a common peer locator (RFC 5533 §7.15): stop, or start again with an I1. */
  | { readonly type: 'confused'; readonly restart: boolean }
  /** Unused, or a ULID became invalid (RFC 5533 §9, §1.5). */
  | { readonly type: 'discard'; readonly reason: DiscardReason };

export type DiscardReason = 'unused' | 'ulid-invalid' | 'confused' | 'hold-down-over' | 'command' | 'unreachable';

/** What the peer told in I2, I2bis or R2. */
export interface PeerFacts {
  readonly contextTag: ContextTag;
  /** Ls(peer) without what can never be a destination (multicast, unspecified, loopback, link-local, own addresses). */
  readonly locators: readonly PeerLocator[];
  /** Send Timeout of the peer when both ends agreed on fast detection. */
  readonly detectionMs: number | undefined;
  /** The peer's Send Timeout (RFC 5534 §5.3): our Keepalive Timeout. */
  readonly keepaliveTimeoutSeconds: number | undefined;
}

/** Send a control message other than Keepalive and Probe: counts as payload sent for REAP. */
export interface Transmit {
  readonly type: 'transmit';
  readonly source: Address;
  readonly destination: Address;
  readonly octets: Uint8Array;
}

/** Effects, to be performed in order. */
export type ContextEffect =
  | Transmit
  | { readonly type: 'state'; readonly from: ContextStateName; readonly to: ContextStateName }
  /**
   * The context became ESTABLISHED; `pair` is the one that the exchange has shown to work. Look for confusion
   * (RFC 5533 §7.15) before performing what follows.
   */
  | { readonly type: 'established'; readonly peer: PeerFacts; readonly pair: LocatorPair }
  /** I2 or I2bis changed what is known of the peer, the state stayed. Look for confusion as above. */
  | { readonly type: 'peer-changed'; readonly peer: PeerFacts }
  /** An Update Request changed Ls(peer) or its preferences. */
  | { readonly type: 'peer-locators'; readonly locators: readonly PeerLocator[] }
  /** The peer's locator in use is now BROKEN or gone: explore (RFC 5533 §10.4). */
  | { readonly type: 'peer-withdrew'; readonly locator: Address }
  | { readonly type: 'keepalive-timeout'; readonly seconds: number }
  /** These addresses may now be used as source (RFC 5533 §10.5). The whole set, ULID included. */
  | { readonly type: 'own-locators-acknowledged'; readonly locators: readonly Address[] }
  | { readonly type: 'keepalive-received' }
  | { readonly type: 'probe-received'; readonly probe: Probe; readonly source: Address; readonly destination: Address }
  /** A valid control message other than Keepalive and Probe: counts as payload received for REAP (RFC 5534 §6.1). */
  | { readonly type: 'control-received' }
  /** Answer to `payload-header`: restore the ULIDs and pass the packet on. */
  | { readonly type: 'deliver' }
  /** No context, and no new attempt until the hold-down is over (RFC 5533 §7.8). */
  | { readonly type: 'failed'; readonly state: 'E-FAILED' | 'NO-SUPPORT' }
  /** The host forgets this context. */
  | { readonly type: 'discarded'; readonly reason: DiscardReason }
  | { readonly type: 'drop'; readonly reason: DropReason };

/** Why something was not acted upon; counted. */
export type DropReason =
  | 'malformed'
  | 'checksum'
  | 'wrong-state'
  | 'no-match' // nonce, tag or pair
  | 'validator' // wrong, missing or out of its window
  | 'replayed' // older than the I2 or I2bis that this context was last made from
  | 'parameters' // CGA parameters that do not belong to ULID(peer)
  | 'source' // source locator not known and not in the list
  | 'locator-list' // a listed locator does not verify
  | 'preferences' // wrong generation or count
  | 'address' // multicast or unspecified, or not Ls(peer) x Ls(local)
  | 'rate' // an answer was due but the limit is reached
  | 'tag-reuse';
