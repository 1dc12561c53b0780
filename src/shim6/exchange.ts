import { uniform } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import type { Transmit } from './context-io.ts';
import { encodeShim6 } from './message-codec.ts';
import type { I1, I2, I2bis } from './messages.ts';

/** RFC 5533 §14. */
export const I1_TIMEOUT = 4_000;
export const I1_RETRIES_MAX = 4;
export const I2_TIMEOUT = 4_000;
export const I2_RETRIES_MAX = 2;
export const I2BIS_TIMEOUT = 4_000;
export const I2BIS_RETRIES_MAX = 2;
export const UPDATE_TIMEOUT = 4_000;
export const MAX_UPDATE_TIMEOUT = 120_000;
export const NO_R1_HOLDDOWN_TIME = 60_000;
export const ICMP_HOLDDOWN_TIME = 600_000;

const RETRIES = { I1: I1_RETRIES_MAX, I2: I2_RETRIES_MAX, I2bis: I2BIS_RETRIES_MAX } as const;
const TIMEOUTS = { I1: I1_TIMEOUT, I2: I2_TIMEOUT, I2bis: I2BIS_TIMEOUT } as const;

/** A message that is repeated unchanged until it is answered: I1, I2 or I2bis. */
export interface Exchange<Message extends I1 | I2 | I2bis = I1 | I2 | I2bis> {
  readonly message: Message;
  readonly octets: Uint8Array;
  readonly pair: LocatorPair;
  /** Over which it went out as well. */
  readonly others?: readonly LocatorPair[];
  /** Transmissions so far. */
  readonly sent: number;
  readonly retryAt: Instant;
}

/** Did this go out over `pair`? */
export function wentOver({ pair, others = [] }: Exchange, wanted: LocatorPair): boolean {
  return samePair(pair, wanted) || others.some((other) => samePair(other, wanted));
}

/** §14: the random factor applies to the wait after doubling. */
export function backoff(random: Random, timeout: number, sent: number, cap: number = Number.POSITIVE_INFINITY): number {
  return Math.min(timeout * 2 ** (sent - 1), cap) * (0.5 + uniform(random));
}

export function begin<Message extends I1 | I2 | I2bis>(
  message: Message,
  pair: LocatorPair,
  random: Random,
  now: Instant,
): Exchange<Message> {
  const octets = encodeShim6(message);
  return { message, octets, pair, sent: 1, retryAt: now + backoff(random, TIMEOUTS[message.type], 1) };
}

/** One transmission more, or `undefined` when that would be too many. */
export function again<Message extends I1 | I2 | I2bis>(
  exchange: Exchange<Message>,
  random: Random,
  now: Instant,
): Exchange<Message> | undefined {
  const { type } = exchange.message;
  if (exchange.sent > RETRIES[type]) return undefined;
  const sent = exchange.sent + 1;
  return { ...exchange, sent, retryAt: now + backoff(random, TIMEOUTS[type], sent) };
}

export function transmission({ octets, pair }: { readonly octets: Uint8Array; readonly pair: LocatorPair }): Transmit {
  return { type: 'transmit', source: pair.local, destination: pair.peer, octets };
}
