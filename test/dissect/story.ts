import type * as messages from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { A1, A2, B1, B2, cgaParameters, hex } from '../shim6/spec-vectors.ts';
import { captureOf, control, tagged } from './captures.ts';

export const CT_A = 0x123456789abc;
export const CT_B = 0x7edcba987654;
const CT_NEW = 0x0000_1111_2222_3333;
const initiatorContextTag = contextTag(CT_A);
const receiverContextTag = contextTag(CT_B);
const responderValidator = hex('a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3');
const locatorList = {
  generation: 7,
  locators: [
    { address: A1, method: 2 },
    { address: A2, method: 2 },
  ],
};
const none = { broken: false, transient: false, priority: 0, weight: 0 };
export const I1: messages.I1 = { type: 'I1', initiatorContextTag, initiatorNonce: 1, options: {} };
export const I2: messages.I2 = {
  type: 'I2',
  initiatorContextTag,
  initiatorNonce: 1,
  responderNonce: 42,
  options: { responderValidator, locatorList, parameters: cgaParameters, keepaliveTimeout: 15 },
};
export const R2: messages.R2 = {
  type: 'R2',
  responderContextTag: receiverContextTag,
  initiatorNonce: 1,
  options: { detection: { sendTimeoutMs: 60 } },
};

/** One of each message, as two hosts A and B would send them; B has forgotten the context before its R1bis. */
export const STORY_PACKETS: readonly Uint8Array[] = [
  control(A1, B1, I1),
  control(B1, A1, { type: 'R1', initiatorNonce: 1, responderNonce: 42, options: { responderValidator } }),
  control(A1, B1, I2),
  control(B1, A1, R2),
  control(A1, B1, {
    type: 'UpdateRequest',
    receiverContextTag,
    requestNonce: 99,
    options: {
      locatorPreferences: {
        generation: 7,
        elementLength: 3,
        elements: [
          { ...none, broken: true },
          { ...none, priority: 10, weight: 5 },
        ],
      },
    },
  }),
  control(B1, A1, {
    type: 'UpdateAcknowledgement',
    receiverContextTag: initiatorContextTag,
    requestNonce: 99,
    options: {},
  }),
  control(B1, A1, { type: 'Keepalive', receiverContextTag: initiatorContextTag, options: {} }),
  control(A2, B2, {
    type: 'Probe',
    receiverContextTag,
    state: 'InboundOk',
    sent: [{ source: A2, destination: B2, nonce: 5, data: 0 }],
    received: [{ source: B1, destination: A1, nonce: 6, data: 0 }],
    pathTest: true,
    options: {},
  }),
  tagged(A2, B2, CT_B, hex('d4310035 000c0000 68656c6c')),
  control(B2, A2, {
    type: 'R1bis',
    packetContextTag: receiverContextTag,
    responderNonce: 43,
    options: { responderValidator },
  }),
  control(A2, B2, {
    type: 'I2bis',
    initiatorContextTag,
    initiatorNonce: 2,
    responderNonce: 43,
    packetContextTag: receiverContextTag,
    options: { responderValidator, ulidPair: { sender: A1, receiver: B1 }, forkedInstanceId: 5 },
  }),
  control(B2, A2, { type: 'R2', responderContextTag: contextTag(CT_NEW), initiatorNonce: 2, options: {} }),
  control(B1, A1, {
    type: 'Error',
    code: 1,
    pointer: 56,
    packet: hex(`60000000 00188c40 20010db8 000a0001 00000000 00000001 20010db8 000b0001 00000000 00000001
      3b024000 ca167edc ba987654 00000001 46510004 61626364`),
  }),
];

export const STORY: Uint8Array = captureOf(...STORY_PACKETS);
