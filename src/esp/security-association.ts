import type { Random } from '../crypto/ports.ts';
import type { Address } from '../wire/address.ts';
import { NO_NEXT_HEADER } from '../wire/ipv6.ts';
import { Reader } from '../wire/reader.ts';
import { DEFAULT_WINDOW, ReplayWindow } from './replay-window.ts';
import { espLength, padded, SUITES, TRAILER_LENGTH } from './suites.ts';
import type { Suite, SuiteId } from './suites.ts';
import { protect, unprotect } from './transform.ts';
import type { SaKeys } from './transform.ts';

/** Numbers below are reserved, and 0 marks HIP packets inside UDP (RFC 4303 §2.1, RFC 5770 §5.1). */
export const SMALLEST_SPI = 256;
const LAST_NUMBER = 0xffff_ffff_ffff_ffffn;
const LAST_SHORT_NUMBER = 0xffff_ffffn;

/** One direction of traffic between two hosts, RFC 4303 §4.4.2 with the inner addresses of BEET (RFC 7402 Appendix B). */
export interface SecurityAssociation {
  readonly spi: number;
  readonly suite: SuiteId;
  readonly keys: SaKeys;
  /** HITs: of the host that sends, of the host that receives. */
  readonly source: Address;
  readonly destination: Address;
  /** The last number sent, or the highest received; nothing up to it is used or accepted again. */
  readonly sequence?: bigint;
  /** Only for tests with peers that authenticate 32-bit numbers, against RFC 7402 §3.3.6. */
  readonly hasShortNumbers?: boolean;
  /** Numbers that the replay window of the receiver covers: a power of two. */
  readonly window?: number;
}

/** Throws when an SA cannot be: a caller's mistake. */
export function checkAssociation({ spi, suite: id, keys, source, destination }: SecurityAssociation): Suite {
  const suite = SUITES[id];
  if (!Number.isInteger(spi) || spi < SMALLEST_SPI || spi > 0xffff_ffff) throw new RangeError('not an SPI');
  if (
    keys.encryption.length !== suite.encryptionKeyLength ||
    keys.authentication.length !== suite.authenticationKeyLength
  ) {
    throw new RangeError(`not the keys of ${suite.name}`);
  }
  if (source.length !== 16 || destination.length !== 16) throw new RangeError('not the addresses of an SA');
  return suite;
}

/** Protects packets one by one, in portable code: slow, and the measure of what is fast. */
export class OutboundAssociation {
  readonly #suite: Suite;
  readonly #sa: SecurityAssociation;
  readonly #keys: SaKeys;
  readonly #random: Random;
  #sequence: bigint;

  constructor(sa: SecurityAssociation, random: Random) {
    this.#suite = checkAssociation(sa);
    this.#sa = sa;
    this.#keys = copied(sa.keys);
    this.#random = random;
    this.#sequence = sa.sequence ?? 0n;
  }

  /** The last number used. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /** An ESP packet; `undefined` when all numbers are used up (RFC 4303 §3.3.3). A Next Header of 59 makes a dummy. */
  seal(nextHeader: number, payload: Uint8Array): Uint8Array | undefined {
    const isExtended = this.#sa.hasShortNumbers !== true;
    if (this.#sequence >= (isExtended ? LAST_NUMBER : LAST_SHORT_NUMBER)) return undefined;
    const sequence = ++this.#sequence;
    const plaintext = new Uint8Array(padded(this.#suite, payload.length));
    plaintext.set(payload);
    const padding = plaintext.length - payload.length - TRAILER_LENGTH;
    for (let i = 1; i <= padding; i++) plaintext[payload.length + i - 1] = i; // §2.4
    plaintext[plaintext.length - 2] = padding;
    plaintext[plaintext.length - 1] = nextHeader;
    return protect(this.#suite, this.#keys, { spi: this.#sa.spi, sequence, isExtended }, this.#iv(sequence), plaintext);
  }

  /** Forget the keys. */
  close(): void {
    wipe(this.#keys);
  }

  /** Unpredictable for CBC (RFC 3602 §3); for GCM and CCM the number itself, which never repeats (RFC 4106 §3.1). */
  #iv(sequence: bigint): Uint8Array {
    const iv = new Uint8Array(this.#suite.ivLength);
    if (iv.length === 16) iv.set(this.#random(16));
    else if (iv.length === 8) new DataView(iv.buffer).setBigUint64(0, sequence);
    return iv;
  }
}

/** Why a packet was dropped. */
export type EspRefusal =
  | 'malformed' // shorter than its suite allows, or not aligned
  | 'replay'
  | 'integrity'
  | 'padding' // authentic, but not padded as RFC 4303 §2.4 says
  | 'dummy'; // RFC 4303 §2.6: to be discarded in silence

export type Opened =
  | { readonly ok: true; readonly sequence: bigint; readonly nextHeader: number; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: EspRefusal };

/** After so many packets with a wrong ICV in a row the high half of the number may be what is wrong (Appendix A3). */
export const RESYNC_AFTER = 1024;
/** Then one packet in so many is tried with other high halves, … */
export const RESYNC_EVERY = 64;
/** … so many. */
export const RESYNC_REACH = 4n;

/** Opens packets one by one, in portable code. */
export class InboundAssociation {
  readonly #suite: Suite;
  readonly #sa: SecurityAssociation;
  readonly #keys: SaKeys;
  readonly #window: ReplayWindow;
  #failures = 0;

  constructor(sa: SecurityAssociation) {
    this.#suite = checkAssociation(sa);
    this.#sa = sa;
    this.#keys = copied(sa.keys);
    this.#window = new ReplayWindow(sa.window ?? DEFAULT_WINDOW, sa.sequence ?? 0n, sa.hasShortNumbers !== true);
  }

  /** The highest number authenticated. */
  get sequence(): bigint {
    return this.#window.highest;
  }

  /** A packet from its SPI on, which is this SA's (RFC 4303 §3.4). */
  open(packet: Uint8Array): Opened {
    if (!this.#isWellFormed(packet.length)) return { ok: false, reason: 'malformed' };
    const low = new Reader(packet.subarray(4, 8)).u32();
    const guess = this.#window.recover(low);
    if (guess === undefined || !this.#window.isFresh(guess)) return { ok: false, reason: 'replay' };
    for (const sequence of this.#candidates(guess)) {
      const isExtended = this.#sa.hasShortNumbers !== true;
      const plaintext = unprotect(this.#suite, this.#keys, { spi: this.#sa.spi, sequence, isExtended }, packet);
      if (plaintext === undefined) continue;
      this.#failures = 0;
      this.#window.accept(sequence);
      return unpadded(plaintext, sequence);
    }
    this.#failures++;
    return { ok: false, reason: 'integrity' };
  }

  /** Forget the keys. */
  close(): void {
    wipe(this.#keys);
  }

  #isWellFormed(length: number): boolean {
    const rest = length - espLength(this.#suite, 0);
    return rest >= 0 && rest % this.#suite.alignment === 0;
  }

  #candidates(guess: bigint): bigint[] {
    const resyncs = this.#sa.hasShortNumbers !== true && this.#failures >= RESYNC_AFTER;
    const candidates = [guess];
    if (!resyncs || this.#failures % RESYNC_EVERY !== 0) return candidates;
    for (let ahead = 1n; ahead <= RESYNC_REACH; ahead++) candidates.push(guess + (ahead << 32n));
    return candidates.filter((candidate) => candidate <= LAST_NUMBER);
  }
}

function unpadded(plaintext: Uint8Array, sequence: bigint): Opened {
  const nextHeader = plaintext.at(-1) ?? 0;
  const padding = plaintext.at(-2) ?? 0;
  const length = plaintext.length - TRAILER_LENGTH - padding;
  if (nextHeader === NO_NEXT_HEADER) return { ok: false, reason: 'dummy' };
  if (length < 0) return { ok: false, reason: 'padding' };
  for (let i = 1; i <= padding; i++) if (plaintext[length + i - 1] !== i) return { ok: false, reason: 'padding' };
  return { ok: true, sequence, nextHeader, payload: plaintext.subarray(0, length) };
}

function copied({ encryption, authentication }: SaKeys): SaKeys {
  return { encryption: encryption.slice(), authentication: authentication.slice() };
}

function wipe({ encryption, authentication }: SaKeys): void {
  encryption.fill(0);
  authentication.fill(0);
}
