import type { DhGroup, Rhash } from '../crypto/ports.ts';
import type { Instant } from '../wire/time.ts';
import type { FailureReason, HipPath } from './association-io.ts';
import type { HipCipherId } from './hip-cipher.ts';
import type { HostIdentity } from './host-identity.ts';
import type { DrawnKeys } from './keymat.ts';
import type { ReceivedPacket } from './packet.ts';
import type { Puzzle } from './parameter.ts';
import type { PuzzleTask } from './puzzle.ts';
import type { Agreement, Session } from './session.ts';
import type { EspSuite } from './settings.ts';

/** An R1 that can be answered. */
export interface GoodR1 {
  readonly packet: ReceivedPacket;
  readonly path: HipPath;
  readonly arrivedAt: Instant;
  readonly peer: HostIdentity;
  /** Its HOST_ID as it came: HIP_MAC_2 of the R2 covers it (RFC 7401 §5.2.13). */
  readonly hostId: Uint8Array;
  readonly rhash: Rhash;
  /** 0 where there is no R1_COUNTER. */
  readonly generation: bigint;
  readonly puzzle: Puzzle;
  readonly group: DhGroup;
  readonly peerPublic: Uint8Array;
  readonly cipher: HipCipherId;
  readonly suite: EspSuite;
}

/** An attempt of this host to associate, RFC 7401 §6.6. */
export interface Attempt {
  readonly paths: readonly HipPath[];
  /** The I1 without Checksum: always the same, its DH_GROUP_LIST too (HIP-129). */
  readonly i1: Uint8Array;
  /** I1s sent so far. */
  sent: number;
  /** Timeouts of I1 so far. */
  retries: number;
  sentAt: Instant;
  /** What it ends with if nothing better comes. */
  failure: FailureReason;
  /** The R1 to answer: waits for better ones, or for its puzzle to be solved. */
  chosen: GoodR1 | undefined;
  task: PuzzleTask | undefined;
}

/** An I2 on its way, with all that R2 is checked against. */
export interface I2Sent {
  readonly agreement: Agreement;
  readonly r1: GoodR1;
  readonly spiIn: number;
  readonly espKeys: DrawnKeys;
  /** Without Checksum. */
  readonly octets: Uint8Array;
  readonly path: HipPath;
  readonly rttMs: number;
  sentAt: Instant;
  tries: number;
}

/** The I2 that an association was made from, and what answered it. */
export interface AnsweredI2 {
  readonly i2: ReceivedPacket;
  /** Without Checksum. */
  readonly r2: Uint8Array;
}

/** What is known in which state, RFC 7401 §4.4.2. */
export type AssociationState =
  | { readonly name: 'UNASSOCIATED' }
  | { readonly name: 'I1-SENT'; readonly attempt: Attempt }
  | { readonly name: 'I2-SENT'; readonly attempt: Attempt; readonly i2: I2Sent }
  | { readonly name: 'R2-SENT'; readonly session: Session; readonly answered: AnsweredI2 }
  | { readonly name: 'ESTABLISHED'; readonly session: Session; readonly answered: AnsweredI2 | undefined }
  | { readonly name: 'CLOSING'; readonly session: Session; readonly nonce: Uint8Array; readonly until: Instant }
  | {
      readonly name: 'CLOSED';
      readonly session: Session;
      /** Of our own CLOSE, if both sent one. */
      readonly nonce: Uint8Array | undefined;
      readonly until: Instant;
      readonly attempt: Attempt | undefined;
    }
  | { readonly name: 'E-FAILED'; readonly until: Instant };
