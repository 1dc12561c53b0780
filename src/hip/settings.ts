import type { DhGroup } from '../crypto/ports.ts';
import type { Address } from '../wire/address.ts';
import type { HipCipherId } from './hip-cipher.ts';
import type { HitSuite } from './orchid.ts';

/** A suite of ESP_TRANSFORM and the octets that it draws from KEYMAT, RFC 7402 §5.1.2: the host takes them from `SUITES`. */
export interface EspSuite {
  readonly id: number;
  readonly encryptionKeyLength: number;
  readonly authenticationKeyLength: number;
}

/** What all associations of a host share. RFC 7401 names the constants but gives no values for most. Times in milliseconds. */
export interface HipSettings {
  /** In order of preference. */
  readonly dhGroups: readonly DhGroup[];
  /** In order of preference; at most six. */
  readonly hipCiphers: readonly HipCipherId[];
  /** In order of preference; at most six. */
  readonly espSuites: readonly EspSuite[];
  /** HIT suites that peers may have, in order of preference. */
  readonly hitSuites: readonly HitSuite[];
  /** Whether a peer is welcome (RFC 7401 §7). */
  readonly accepts: (peer: Address) => boolean;
  /** Whether an own HIT is not to be remembered by peers (§5.1.2). */
  readonly isAnonymous: (own: Address) => boolean;
  /** Harder puzzles are refused. */
  readonly maxPuzzleK: number;
  /** I1s per second up to which K is 0 (§7); above it K grows by one with each doubling. */
  readonly calmI1sPerSecond: number;
  /** K of the first step above, and where it ends. */
  readonly loadedK: readonly [number, number];
  /** Lifetime of our puzzles: 2^(n - 32) seconds (§5.2.4). */
  readonly puzzleLifetime: number;
  /** An R1 with its Diffie-Hellman key is offered for so long. */
  readonly r1LifetimeMs: number;
  /** R1s per second to one /64, and to all. */
  readonly r1sPerPrefix: number;
  readonly r1sInAll: number;
  /** Time between I1s to the first paths. */
  readonly staggerMs: number;
  /** First retransmission of I1 and I2; doubled every time. */
  readonly i1TimeoutMs: number;
  readonly i2TimeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly i1RetriesMax: number;
  readonly i2RetriesMax: number;
  /** After two round trips, but not before this (§6.11). */
  readonly updateTimeoutMs: number;
  readonly updateRetryMax: number;
  /** E-FAILED ends after this. */
  readonly failedMs: number;
  /** Unused Association Lifetime. */
  readonly ualMs: number;
  /** Maximum Segment Lifetime. */
  readonly mslMs: number;
  /** Old SAs are kept so long after a rekey, for packets that are late. */
  readonly rekeyGraceMs: number;
  /** Addresses of a peer that are remembered (RFC 8046 §6.2.2). */
  readonly maxPeerLocators: number;
  /** Our own Send Timeout to offer for detection in milliseconds; with it, REAP over HIP. */
  readonly detectionMs: number | undefined;
  /** HIP and ESP in UDP are offered too. */
  readonly offersUdp: boolean;
  /** Against RFC 7402 §3.3.6, only for tests with peers that authenticate 32-bit numbers. */
  readonly hasShortNumbers: (peer: Address) => boolean;
}

/** What a host does unless told otherwise; the ESP suites come from the layer that knows them. */
export const HIP_DEFAULTS: Omit<HipSettings, 'espSuites'> = {
  dhGroups: [7, 8, 4, 3, 9, 10],
  hipCiphers: [2, 4],
  hitSuites: [2, 1, 3],
  accepts: () => true,
  isAnonymous: () => false,
  maxPuzzleK: 20,
  calmI1sPerSecond: 200,
  loadedK: [6, 14],
  puzzleLifetime: 37, // 32 s
  r1LifetimeMs: 120_000,
  r1sPerPrefix: 200,
  r1sInAll: 2000,
  staggerMs: 250,
  i1TimeoutMs: 1000,
  i2TimeoutMs: 1000,
  maxTimeoutMs: 8000,
  i1RetriesMax: 4,
  i2RetriesMax: 4,
  updateTimeoutMs: 100,
  updateRetryMax: 6,
  failedMs: 5000,
  ualMs: 900_000,
  mslMs: 120_000, // §4.4.2
  rekeyGraceMs: 10_000,
  maxPeerLocators: 16,
  detectionMs: undefined,
  offersUdp: true,
  hasShortNumbers: () => false,
};
