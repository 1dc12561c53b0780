import type { Crypto, Random } from '../crypto/ports.ts';
import { isMulticast, isUnspecified } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import type { DropReason, Transmit } from './context-io.ts';
import { errorAbout } from './error-message.ts';
import { encodeShim6 } from './message-codec.ts';
import type { I1, I2, I2bis, KnownMessage } from './messages.ts';
import { RateLimits } from './rate-limit.ts';
import type { Limited } from './rate-limit.ts';
import { ulidsOf } from './received.ts';
import type { ReceivedPacket } from './received.ts';
import type { ContextTag } from './tag.ts';

/** RFC 5533 §14: a validator must hold for 30 s; ours holds for twice that. */
export const VALIDATOR_LIFETIME_SECONDS = 60;

/** §16.2: the secret changes from time to time; the previous one outlives every validator made with it. */
const SECRET_LIFETIME_SECONDS = 600;

const SECRET_LENGTH = 32;
const VALIDATOR_LENGTH = 20;

/** First octet of what is authenticated, so that no R1 validator passes for one of an R1bis. */
const DOMAIN_R1 = 1;
const DOMAIN_R1BIS = 2;

export interface ResponderConfiguration {
  readonly crypto: Crypto;
  readonly random: Random;
  readonly limits?: RateLimits;
  /** Send Timeout that this host grants for fast detection; none: it grants nothing. */
  readonly detectionMs?: number | undefined;
}

/** What a stateless answer comes to. */
export type Answer = Transmit | { readonly type: 'drop'; readonly reason: DropReason };

/**
 * Everything that this host says without a context: R1, R1bis and Error, RFC 5533 §7.10, §7.17, §5.14. It remembers a
 * secret and how much it has answered lately, nothing about who asked. The Responder Nonce is a count of seconds.
 */
export class Responder {
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #limits: RateLimits;
  readonly #detectionMs: number | undefined;
  #secret: { readonly key: Uint8Array; readonly since: number };
  #previous: Uint8Array;

  constructor({ crypto, random, limits = new RateLimits(), detectionMs }: ResponderConfiguration) {
    this.#crypto = crypto;
    this.#random = random;
    this.#limits = limits;
    this.#detectionMs = detectionMs;
    this.#secret = { key: random(SECRET_LENGTH), since: Number.NEGATIVE_INFINITY };
    this.#previous = this.#secret.key;
  }

  /** Somebody with whom this host has to do: answers to strangers leave enough for those to their network. */
  meet(octets: Uint8Array, at = 0): void {
    this.#limits.acquaintances.add(octets, at);
  }

  /** Would every I1 be answered now, whoever sends it? */
  isAtEase(now: Instant): boolean {
    return this.#limits.hasForStrangers('R1', now);
  }

  /** Has this host to do with the network of the address at `at`? */
  knows(octets: Uint8Array, at: number): boolean {
    return this.#limits.acquaintances.has(octets, at);
  }

  /** §7.10: R1 made from the I1 and the secret alone. At most three times as long as the I1. */
  r1(i1: I1, packet: ReceivedPacket, now: Instant): Answer {
    const responderNonce = this.#counter(now);
    const granted = i1.options.detection !== undefined && this.#detectionMs !== undefined;
    return this.#answer('R1', packet, now, () => ({
      type: 'R1',
      initiatorNonce: i1.initiatorNonce,
      responderNonce: responderNonce >>> 0,
      options: {
        responderValidator: this.#validator(responderNonce, initiatorFields(i1, packet)),
        detection: granted ? { sendTimeoutMs: this.#detectionMs ?? 0 } : undefined,
      },
    }));
  }

  /** §7.17: for a packet with a tag that belongs to no context, or that came from somewhere else. */
  r1bis(
    packetContextTag: ContextTag,
    packet: { readonly source: Address; readonly destination: Address },
    now: Instant,
  ): Answer {
    const responderNonce = this.#counter(now);
    return this.#answer('R1bis', packet, now, () => ({
      type: 'R1bis',
      packetContextTag,
      responderNonce: responderNonce >>> 0,
      options: { responderValidator: this.#validator(responderNonce, packetFields(packetContextTag, packet)) },
    }));
  }

  /** §5.14: `at` is the offset of the problem from the Shim6 header. */
  error(code: number, at: number, packet: ReceivedPacket, now: Instant): Answer {
    return this.#answer('Error', packet, now, () => errorAbout(packet, code, at));
  }

  /** The Responder Nonce of an R1 or R1bis made now. */
  nonce(now: Instant): number {
    return this.#counter(now) >>> 0;
  }

  /** §5.15.1, §7.13, §7.20: is the validator ours, recent, and made for this very message? */
  accepts(message: I2 | I2bis, packet: ReceivedPacket, now: Instant): boolean {
    const validator = message.options.responderValidator;
    if (validator === undefined) return false;
    const current = this.#counter(now);
    const age = (current - message.responderNonce) | 0; // modulo 2^32
    if (age < 0 || age > VALIDATOR_LIFETIME_SECONDS) return false;
    const fields =
      message.type === 'I2' ? initiatorFields(message, packet) : packetFields(message.packetContextTag, packet);
    return this.#crypto.equal(validator, this.#validator(current - age, fields));
  }

  /** Seconds since the clock's origin, before reduction to 32 bits. Changes the secret when it is due. */
  #counter(now: Instant): number {
    const counter = Math.floor(now / 1000);
    if (this.#secret.since === Number.NEGATIVE_INFINITY) this.#secret = { key: this.#secret.key, since: counter };
    else if (counter - this.#secret.since >= SECRET_LIFETIME_SECONDS) {
      this.#previous = this.#secret.key;
      this.#secret = { key: this.#random(SECRET_LENGTH), since: counter };
    }
    return counter;
  }

  #validator(counter: number, fields: Uint8Array): Uint8Array {
    const key = counter >= this.#secret.since ? this.#secret.key : this.#previous;
    const w = new Writer(4 + fields.length);
    w.u32(counter >>> 0);
    w.octets(fields);
    return this.#crypto.hmacSha256(key, w.finish()).slice(0, VALIDATOR_LENGTH);
  }

  #answer(
    kind: Limited,
    packet: { readonly source: Address; readonly destination: Address },
    now: Instant,
    message: () => KnownMessage,
  ): Answer {
    const { source, destination } = packet;
    for (const address of [source, destination]) {
      if (isMulticast(address) || isUnspecified(address)) return { type: 'drop', reason: 'address' };
    }
    if (!this.#limits.take(kind, source, now)) return { type: 'drop', reason: 'rate' };
    return { type: 'transmit', source: destination, destination: source, octets: encodeShim6(message()) };
  }
}

/** §7.10.1: what binds an R1 to the I2 that follows it. */
function initiatorFields(message: I1 | I2, packet: ReceivedPacket): Uint8Array {
  const ulids = ulidsOf(message, packet);
  const w = new Writer(1 + 6 + 4 * 16 + 4);
  w.u8(DOMAIN_R1);
  w.u48(message.initiatorContextTag);
  w.octets(ulids.peer);
  w.octets(ulids.local);
  w.octets(packet.source);
  w.octets(packet.destination);
  w.u32(message.options.forkedInstanceId ?? 0);
  return w.finish();
}

/** §7.17.1: what binds an R1bis to the I2bis that follows it. */
function packetFields(
  tag: ContextTag,
  packet: { readonly source: Address; readonly destination: Address },
): Uint8Array {
  const w = new Writer(1 + 6 + 2 * 16);
  w.u8(DOMAIN_R1BIS);
  w.u48(tag);
  w.octets(packet.source);
  w.octets(packet.destination);
  return w.finish();
}
