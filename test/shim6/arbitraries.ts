import fc from 'fast-check';
import type { KnownMessage } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const octet = fc.nat(255);
const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const opaque = fc.uint8Array({ maxLength: 40 });
const tag: fc.Arbitrary<ContextTag> = fc.integer({ min: 0, max: 0x7fff_ffff_ffff }).map(contextTag);

const locatorList = fc.record({
  generation: u32,
  locators: fc.array(fc.record({ address, method: octet }), { minLength: 1, maxLength: 12 }),
});
const flags = { broken: fc.boolean(), transient: fc.boolean() };
const none = { priority: fc.constant(0), weight: fc.constant(0) };
const elements = <T>(element: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(element, { maxLength: 12 });
const locatorPreferences = fc.oneof(
  fc.record({
    generation: u32,
    elementLength: fc.constant(1 as const),
    elements: elements(fc.record({ ...flags, ...none })),
  }),
  fc.record({
    generation: u32,
    elementLength: fc.constant(2 as const),
    elements: elements(fc.record({ ...flags, priority: octet, weight: fc.constant(0) })),
  }),
  fc.record({
    generation: u32,
    elementLength: fc.constant(3 as const),
    elements: elements(fc.record({ ...flags, priority: octet, weight: octet })),
  }),
);
const locating = {
  locatorList,
  locatorPreferences,
  parameters: opaque,
  signature: opaque,
  keepaliveTimeout: fc.nat(65_535),
};
const detection = fc.record({ sendTimeoutMs: fc.integer({ min: 1, max: 65_535 }) });
const identity = { ulidPair: fc.record({ sender: address, receiver: address }), forkedInstanceId: u32 };
const options = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<object> =>
  fc.record(shape, { requiredKeys: [] });
const exchange = options({ responderValidator: opaque, ...locating, ...identity, detection });
const report = fc.record({ source: address, destination: address, nonce: u32, data: u32 });

/** Any message that can be sent, without unknown options. */
export const anyMessage: fc.Arbitrary<KnownMessage> = fc.oneof(
  fc.record({
    type: fc.constant('I1' as const),
    initiatorContextTag: tag,
    initiatorNonce: u32,
    options: options({ ...identity, detection }),
  }),
  fc.record({
    type: fc.constant('R1' as const),
    initiatorNonce: u32,
    responderNonce: u32,
    options: options({ responderValidator: opaque, detection }),
  }),
  fc.record({
    type: fc.constant('I2' as const),
    initiatorContextTag: tag,
    initiatorNonce: u32,
    responderNonce: u32,
    options: exchange,
  }),
  fc.record({
    type: fc.constant('R2' as const),
    responderContextTag: tag,
    initiatorNonce: u32,
    options: options({ ...locating, detection }),
  }),
  fc.record({
    type: fc.constant('R1bis' as const),
    packetContextTag: tag,
    responderNonce: u32,
    options: options({ responderValidator: opaque }),
  }),
  fc.record({
    type: fc.constant('I2bis' as const),
    initiatorContextTag: tag,
    initiatorNonce: u32,
    responderNonce: u32,
    packetContextTag: tag,
    options: exchange,
  }),
  fc.record({
    type: fc.constant('UpdateRequest' as const),
    receiverContextTag: tag,
    requestNonce: u32,
    options: options(locating),
  }),
  fc.record({
    type: fc.constant('UpdateAcknowledgement' as const),
    receiverContextTag: tag,
    requestNonce: u32,
    options: fc.constant({}),
  }),
  fc.record({ type: fc.constant('Keepalive' as const), receiverContextTag: tag, options: fc.constant({}) }),
  fc.record({
    type: fc.constant('Probe' as const),
    receiverContextTag: tag,
    state: fc.constantFrom('Operational' as const, 'Exploring' as const, 'InboundOk' as const),
    sent: fc.array(report, { minLength: 1, maxLength: 15 }),
    received: fc.array(report, { maxLength: 15 }),
    pathTest: fc.boolean(),
    options: fc.constant({}),
  }),
  fc.record({
    type: fc.constant('Error' as const),
    code: fc.nat(127),
    pointer: fc.nat(65_535),
    packet: fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 20 }).map((blocks) => {
      const packet = new Uint8Array(8 * blocks.length);
      blocks.forEach((block, i) => {
        packet.set(block, 8 * i);
      });
      return packet;
    }),
  }),
);
