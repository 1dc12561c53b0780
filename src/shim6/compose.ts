import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import { IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU } from '../wire/ipv6.ts';
import type { Detection } from './fast-detection.ts';
import { shim6Length } from './message-codec.ts';
import type { I1, I2, I2bis, R1, R1bis, R2 } from './messages.ts';
import type { Shim6Options } from './options.ts';
import { NO_OFFER } from './own-side.ts';
import type { Offer, OwnSide } from './own-side.ts';
import type { ContextTag } from './tag.ts';

/** RFC 5533 §5.1: Shim6 octets in the smallest MTU. */
const MAX_OCTETS = IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH;

/** RFC 5534 §7: a Send Timeout that need not be announced. */
const DEFAULT_SEND_TIMEOUT_SECONDS = 15;

export interface ComposerConfiguration {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
  readonly tag: ContextTag;
  readonly detectionMs?: number | undefined;
  readonly sendTimeoutSeconds?: number | undefined;
}

/** A message that tells about locators, and what it tells. */
export interface Composed<Message> {
  readonly message: Message;
  readonly offer: Offer;
}

/** Makes the messages that set up one context. */
export class Composer {
  readonly #configuration: ComposerConfiguration;
  readonly #own: OwnSide;

  constructor(configuration: ComposerConfiguration, own: OwnSide) {
    this.#configuration = configuration;
    this.#own = own;
  }

  /** The fast detection option, where it is `due` and this host wants it. */
  detection(due: boolean): Detection | undefined {
    const { detectionMs } = this.#configuration;
    return due && detectionMs !== undefined ? { sendTimeoutMs: detectionMs } : undefined;
  }

  /** §7.7. */
  i1(pair: LocatorPair, initiatorNonce: number): I1 {
    const options = { ...this.#identity(pair), detection: this.detection(true) };
    return { type: 'I1', initiatorContextTag: this.#configuration.tag, initiatorNonce, options };
  }

  /** §7.11. The Initiator Nonce stays that of the I1, so that an R2 to either of them is recognised. */
  i2(i1: I1, r1: R1, pair: LocatorPair, mustList: boolean): Composed<I2> {
    const { responderValidator, detection } = r1.options;
    const { initiatorNonce, initiatorContextTag } = i1;
    const options = {
      ...this.#identity(pair),
      responderValidator,
      keepaliveTimeout: this.#keepaliveTimeout(),
      detection: this.detection(detection !== undefined),
    };
    const { responderNonce } = r1;
    return this.#telling(
      { type: 'I2', initiatorContextTag, initiatorNonce, responderNonce, options },
      pair.local,
      mustList,
    );
  }

  /** §7.18. */
  i2bis(
    r1bis: R1bis,
    pair: LocatorPair,
    initiatorNonce: number,
    mustList: boolean,
    detection: boolean,
  ): Composed<I2bis> {
    const { responderNonce, packetContextTag } = r1bis;
    const options = {
      ...this.#identity(pair),
      responderValidator: r1bis.options.responderValidator,
      keepaliveTimeout: this.#keepaliveTimeout(),
      detection: this.detection(detection),
    };
    const initiatorContextTag = this.#configuration.tag;
    return this.#telling(
      { type: 'I2bis', initiatorContextTag, initiatorNonce, responderNonce, packetContextTag, options },
      pair.local,
      mustList,
    );
  }

  /** §7.14. */
  r2(initiatorNonce: number, source: Address, mustList: boolean, detection: boolean): Composed<R2> {
    const options = { keepaliveTimeout: this.#keepaliveTimeout(), detection: this.detection(detection) };
    return this.#telling(
      { type: 'R2', responderContextTag: this.#configuration.tag, initiatorNonce, options },
      source,
      mustList,
    );
  }

  /** The locators go in as far as there is room (§5.1); a later Update Request tells the rest. */
  #telling<Message extends I2 | I2bis | R2>(message: Message, source: Address, mustList: boolean): Composed<Message> {
    const offer = this.#own.offer(MAX_OCTETS - shim6Length(message), true, source, mustList);
    return {
      message: { ...message, options: { ...message.options, ...this.#own.options(offer, NO_OFFER, true) } },
      offer,
    };
  }

  /** §5.15.6, §5.15.7: options that say which context is meant where the addresses do not. */
  #identity(pair: LocatorPair): Shim6Options {
    const { ulids, forkedInstanceId } = this.#configuration;
    return {
      ulidPair: samePair(pair, ulids) ? undefined : { sender: ulids.local, receiver: ulids.peer },
      forkedInstanceId: forkedInstanceId === 0 ? undefined : forkedInstanceId,
    };
  }

  /** RFC 5534 §5.3. */
  #keepaliveTimeout(): number | undefined {
    const { sendTimeoutSeconds = DEFAULT_SEND_TIMEOUT_SECONDS } = this.#configuration;
    return sendTimeoutSeconds === DEFAULT_SEND_TIMEOUT_SECONDS ? undefined : sendTimeoutSeconds;
  }
}
