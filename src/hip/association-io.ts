import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostIdentity } from './host-identity.ts';
import type { DirectionKeys } from './keymat.ts';
import type { ReceivedPacket } from './packet.ts';
import type { PuzzleTask } from './puzzle.ts';

/** How HIP and ESP travel: as protocols 139 and 50, or both inside UDP (RFC 9028 §5.1). */
export type Carriage = 'raw' | 'udp';

/** Where packets go to and come from. IPv4 addresses are IPv4-mapped. */
export interface HipPath extends LocatorPair {
  readonly carriage: Carriage;
  /** The peer's UDP port, 10500 unless a translator changed it. */
  readonly peerPort?: number | undefined;
}

/** States of an association, RFC 7401 §4.4.2. */
export type AssociationStateName =
  'UNASSOCIATED' | 'I1-SENT' | 'I2-SENT' | 'R2-SENT' | 'ESTABLISHED' | 'CLOSING' | 'CLOSED' | 'E-FAILED';

/** An address of this host that may be told to the peer; the order is that of LOCATOR_SET. */
export interface OwnHipLocator {
  readonly address: Address;
  readonly isPreferred: boolean;
}

/** RFC 8046 §5.1. */
export type LocatorStatus = 'UNVERIFIED' | 'ACTIVE' | 'DEPRECATED';

/** An address of the peer, RFC 8046 §5.1. */
export interface PeerHipLocator {
  readonly address: Address;
  readonly status: LocatorStatus;
  readonly isPreferred: boolean;
  /** RFC 8046 §4: 0 both, 1 signalling only, 2 data only. */
  readonly trafficType: number;
}

export type AssociationInput =
  /** A packet between the two HITs, `admitHip`-ted by the host; `path.peer` is where it came from. */
  | { readonly type: 'packet'; readonly packet: ReceivedPacket; readonly path: HipPath }
  /** There is payload for the peer (RFC 7401 §6.1): paths to try, best first. In ESTABLISHED and while trying: nothing new. */
  | { readonly type: 'connect'; readonly paths: readonly HipPath[] }
  | { readonly type: 'tick' }
  /** The answer to `solve-puzzle`: the J found for this I, or none in time. */
  | { readonly type: 'solved'; readonly i: Uint8Array; readonly j: Uint8Array }
  | { readonly type: 'unsolvable'; readonly i: Uint8Array }
  /** This host's addresses, all of them, changed (RFC 8046 §5.2). The path in use is left when its own address is gone. */
  | { readonly type: 'own-locators'; readonly locators: readonly OwnHipLocator[] }
  /** Where control and payload are to go from now on: REAP or the administrator has chosen. */
  | { readonly type: 'select'; readonly path: HipPath }
  /** New ESP keys (RFC 7402 §6.8), from a new Diffie-Hellman key if so desired. */
  | { readonly type: 'rekey'; readonly withDh: boolean }
  | { readonly type: 'close' }
  /** A nonce of REAP came back from this address of the peer: as good as an echo (RFC 8046 §5.4, docs/reap-over-hip.md). */
  | { readonly type: 'verified'; readonly address: Address }
  /** ESP that was authentic and no replay arrived on this SPI; `octets` of IP packets since last told. */
  | { readonly type: 'payload-received'; readonly spi: number; readonly octets: number }
  /** Payload went out; `octets` of IP packets since last told. Keeps the association in use, and is charged to the credit. */
  | { readonly type: 'payload-sent'; readonly octets: number }
  /** An octet string of REAP for the peer, over this path (docs/reap-over-hip.md). Only when `established` said `reap`. */
  | { readonly type: 'reap-parameter'; readonly path: HipPath; readonly octets: Uint8Array };

/** One direction of traffic, RFC 7402 §7. Keys appear in no other effect. */
export interface SaHalf {
  readonly direction: 'in' | 'out';
  readonly spi: number;
  /** Suite ID of ESP_TRANSFORM. */
  readonly suite: number;
  readonly keys: DirectionKeys;
  /** Only for tests with a peer that authenticates 32-bit numbers. */
  readonly hasShortNumbers: boolean;
}

/** What an association agreed on. */
export interface PeerAgreement {
  readonly hit: Address;
  readonly identity: HostIdentity;
  /** RFC 7401 §5.1.2: not to be stored for longer than the association. */
  readonly isAnonymous: boolean;
  /** The peer's Send Timeout, when both ends want REAP over HIP in milliseconds. */
  readonly detectionMs: number | undefined;
  /** Both ends exchange REAP in HIP. */
  readonly reap: boolean;
  /** The peer takes HIP and ESP in UDP as well, whatever the exchange went over. */
  readonly udp: boolean;
}

/** Effects, to be performed in order. */
export type AssociationEffect =
  /** A HIP packet, its Checksum right for the path; for UDP it is 0 and `udpPayload` puts the marker in front. */
  | { readonly type: 'transmit'; readonly path: HipPath; readonly octets: Uint8Array }
  | { readonly type: 'state'; readonly from: AssociationStateName; readonly to: AssociationStateName }
  /** RFC 7401 §6.3, in a worker; after `until` a solution is of no use. Answered by `solved` or `unsolvable`. */
  | { readonly type: 'solve-puzzle'; readonly task: PuzzleTask; readonly until: Instant }
  /** The half of direction `in` is there before the peer may use it; payload goes out on the half of direction `out` installed last. */
  | { readonly type: 'install-sa'; readonly sa: SaHalf }
  | { readonly type: 'retire-sa'; readonly direction: 'in' | 'out'; readonly spi: number }
  /** Payload may flow. Also when a new exchange replaced an old association (RFC 7401 §4.4.3). */
  | {
      readonly type: 'established';
      readonly peer: PeerAgreement;
      readonly path: HipPath;
      readonly rttMs: number | undefined;
    }
  /**
   * Payload goes over this path from now on. With `credit` its destination is not verified yet (RFC 8046 §5.6): no more than
   * so many octets until the next such effect.
   */
  | { readonly type: 'path-selected'; readonly path: HipPath; readonly credit: number | undefined }
  /** All addresses of the peer, whenever one of them changes. */
  | { readonly type: 'peer-locators'; readonly locators: readonly PeerHipLocator[] }
  /** REAP of the peer arrived, authentic and no replay. */
  | { readonly type: 'reap-parameter'; readonly path: HipPath; readonly octets: Uint8Array }
  /** Authentic control of the peer other than `reap-parameter` arrived over this path. */
  | { readonly type: 'control-received'; readonly path: HipPath }
  /** A NOTIFY of the peer with an authentic signature: for the log alone (RFC 7401 §6.13). */
  | { readonly type: 'notified'; readonly notifyType: number }
  /** No association for now; payload that waits is not going to be sent. Another `connect` tries again after E-FAILED. */
  | { readonly type: 'failed'; readonly reason: FailureReason }
  /** UNASSOCIATED again, its SAs gone: the host forgets this association. */
  | { readonly type: 'discarded'; readonly reason: 'closed' | 'timeout' | 'failed' }
  /** RFC 7401 §5.4: the octet of the packet that came which an ICMP Parameter Problem points to; the host limits the rate. */
  | { readonly type: 'parameter-problem'; readonly path: HipPath; readonly at: number }
  | { readonly type: 'drop'; readonly reason: HipDropReason };

export type FailureReason =
  | 'no-answer' // I1 or I2 went unanswered
  | 'puzzle' // harder than is acceptable, or not solved in time
  | 'dh-group' // no group in common, or somebody tampered with the lists (RFC 7401 §4.1.7)
  | 'hit-suite' // the peer does not take our HIT suite
  | 'cipher'
  | 'transport-format'
  | 'policy';

/** Why something was not acted upon; counted. */
export type HipDropReason =
  | 'malformed'
  | 'checksum'
  | 'version'
  | 'unknown-critical' // RFC 7401 §5.2.1
  | 'wrong-state'
  | 'hit' // not ours, of an unknown suite, or not that of the Host Identity
  | 'collision' // both started; this host stays or becomes the other role (RFC 7401 §6.7, §6.9)
  | 'duplicate' // the same I1 a moment ago, the same I2 answered a moment ago
  | 'rate' // an answer was due but the limit is reached
  | 'address' // multicast or unspecified
  | 'r1-counter' // of an R1 that is no longer valid, or older than one seen
  | 'puzzle' // the solution is wrong, or not of our puzzle
  | 'solution-used' // a new association was made with it already, or too many bad I2s came with it
  | 'parameters' // one is missing or not among those offered
  | 'dh' // a public value that is no element of its group
  | 'downgrade' // a better choice was possible (RFC 7401 §4.1.7)
  | 'decryption'
  | 'mac'
  | 'signature'
  | 'policy'
  | 'update-id' // out of the window, or acknowledges nothing
  | 'esp-info'
  | 'echo'
  | 'replayed'; // REAP seen before
