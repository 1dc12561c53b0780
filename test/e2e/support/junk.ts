import { CRITICAL_OPTION, UNKNOWN_MESSAGE_TYPE } from '../../../src/shim6/error-message.ts';
import { METHOD_CGA } from '../../../src/shim6/locator-list.ts';
import { encodeShim6 } from '../../../src/shim6/message-codec.ts';
import type { KnownMessage, OptionedMessage } from '../../../src/shim6/messages.ts';
import type { Shim6Options } from '../../../src/shim6/options.ts';
import { contextTag, randomTag } from '../../../src/shim6/tag.ts';
import type { ContextTag } from '../../../src/shim6/tag.ts';
import { random32 } from '../../../src/crypto/ports.ts';
import type { Random } from '../../../src/crypto/ports.ts';
import { UDP } from '../../../src/wire/ipv6.ts';
import { fromHex } from '../../../src/wire/hex.ts';
import { address, summed } from './packets.ts';

/** What forged messages are made of. */
export interface Forger {
  readonly random: Random;
  readonly client: string;
  readonly server: string;
}

export function i1(random: Random, options: Shim6Options = {}): Uint8Array {
  return encodeShim6({ type: 'I1', initiatorContextTag: randomTag(random), initiatorNonce: random32(random), options });
}

/** One well-formed message of each kind that has options, with tags and nonces that mean nothing to anybody. */
export function optioned({ random, client, server }: Forger, tag: ContextTag = randomTag(random)): OptionedMessage[] {
  const initiatorNonce = random32(random);
  const responderNonce = random32(random);
  const responderValidator = random(20);
  const ulidPair = { sender: address(client), receiver: address(server) };
  const locators = [client, '2001:db8:bad::66'].map((text) => ({ address: address(text), method: METHOD_CGA }));
  const claim = { locatorList: { generation: 7, locators }, parameters: random(200), signature: random(256) };
  const report = { source: address(client), destination: address(server), nonce: random32(random), data: 0 };
  const own = randomTag(random);
  return [
    { type: 'I1', initiatorContextTag: own, initiatorNonce, options: { ulidPair } },
    { type: 'R1', initiatorNonce, responderNonce, options: { responderValidator } },
    { type: 'I2', initiatorContextTag: own, initiatorNonce, responderNonce, options: { responderValidator, ulidPair } },
    {
      type: 'I2',
      initiatorContextTag: own,
      initiatorNonce,
      responderNonce,
      options: { responderValidator, ulidPair, ...claim },
    },
    { type: 'R2', responderContextTag: own, initiatorNonce, options: claim },
    { type: 'R1bis', packetContextTag: tag, responderNonce, options: { responderValidator } },
    {
      type: 'I2bis',
      initiatorContextTag: own,
      initiatorNonce,
      responderNonce,
      packetContextTag: tag,
      options: { responderValidator, ulidPair, ...claim },
    },
    { type: 'UpdateRequest', receiverContextTag: tag, requestNonce: random32(random), options: claim },
    { type: 'UpdateAcknowledgement', receiverContextTag: tag, requestNonce: random32(random), options: {} },
    { type: 'Keepalive', receiverContextTag: tag, options: {} },
    {
      type: 'Probe',
      receiverContextTag: tag,
      state: 'Exploring',
      sent: [report],
      received: [report],
      pathTest: false,
      options: {},
    },
  ];
}

/** Error messages about packets that were never sent: each quotes `quoted`. */
export function errors(quoted: readonly Uint8Array[]): Uint8Array[] {
  return quoted.flatMap((packet) =>
    [UNKNOWN_MESSAGE_TYPE, CRITICAL_OPTION, 2, 3, 4, 127].map((code) =>
      encodeShim6({ type: 'Error', code, pointer: 42, packet } satisfies KnownMessage),
    ),
  );
}

/** The same message with one more option of an unknown type. */
export function withUnknownOption(message: Uint8Array, critical: boolean): Uint8Array {
  const octets = new Uint8Array(message.length + 8);
  octets.set(message);
  octets.set(fromHex(critical ? '7abd000401020304' : '7abc000401020304') ?? new Uint8Array(8), message.length);
  octets[1] = (message[1] ?? 0) + 1;
  return summed(octets);
}

/** A message of a type that nobody defined. */
export function ofType(type: number, random: Random, length = 16): Uint8Array {
  const octets = random(length);
  octets[0] = 59;
  octets[1] = length / 8 - 1;
  octets[2] = type & 0x7f;
  octets[3] = 0;
  return summed(octets);
}

/** A datagram behind a payload extension header. */
export function tagged(tag: ContextTag, random: Random, length = 40): Uint8Array {
  const octets = random(8 + length);
  const view = new DataView(octets.buffer);
  view.setUint16(0, UDP * 256);
  view.setUint16(2, 0x8000 + Math.floor(tag / 2 ** 32));
  view.setUint32(4, tag % 2 ** 32);
  return octets;
}

/** Shim6 octets of every sort that should do nothing, for as long as they are asked for. */
export function* junk(forger: Forger): Generator<Uint8Array, never> {
  const { random } = forger;
  const length = (most: number): number => (random32(random) % most) + 1;
  for (;;) {
    yield random(length(1_400));
    const messages = optioned(forger).map((message) => encodeShim6(message));
    for (const message of messages) {
      yield message;
      yield summed(message, true);
      yield summed(message.slice(0, length(message.length)));
      yield withUnknownOption(message, true);
      yield withUnknownOption(message, false);
      const bent = message.slice();
      bent[length(message.length) - 1] = length(256) - 1;
      yield summed(bent);
    }
    yield ofType(length(128) - 1, random, 8 * length(20));
    yield tagged(randomTag(random), random);
    yield tagged(contextTag(0), random, 0);
    yield* errors([random(80)]);
  }
}
