import type { Shim6Options } from './options.ts';
import type { ProbeReports } from '../reap/probe-codec.ts';
import type { ContextTag } from './tag.ts';

interface WithOptions {
  readonly options: Shim6Options;
}

/** RFC 5533 §5.4. */
export interface I1 extends WithOptions {
  readonly type: 'I1';
  readonly initiatorContextTag: ContextTag;
  readonly initiatorNonce: number;
}

/** RFC 5533 §5.5. */
export interface R1 extends WithOptions {
  readonly type: 'R1';
  readonly initiatorNonce: number;
  readonly responderNonce: number;
}

/** RFC 5533 §5.6. */
export interface I2 extends WithOptions {
  readonly type: 'I2';
  readonly initiatorContextTag: ContextTag;
  readonly initiatorNonce: number;
  readonly responderNonce: number;
}

/** RFC 5533 §5.7. */
export interface R2 extends WithOptions {
  readonly type: 'R2';
  readonly responderContextTag: ContextTag;
  readonly initiatorNonce: number;
}

/** RFC 5533 §5.8. */
export interface R1bis extends WithOptions {
  readonly type: 'R1bis';
  readonly packetContextTag: ContextTag;
  readonly responderNonce: number;
}

/** RFC 5533 §5.9. */
export interface I2bis extends WithOptions {
  readonly type: 'I2bis';
  readonly initiatorContextTag: ContextTag;
  readonly initiatorNonce: number;
  readonly responderNonce: number;
  readonly packetContextTag: ContextTag;
}

/** RFC 5533 §5.10. */
export interface UpdateRequest extends WithOptions {
  readonly type: 'UpdateRequest';
  readonly receiverContextTag: ContextTag;
  readonly requestNonce: number;
}

/** RFC 5533 §5.11. */
export interface UpdateAcknowledgement extends WithOptions {
  readonly type: 'UpdateAcknowledgement';
  readonly receiverContextTag: ContextTag;
  readonly requestNonce: number;
}

/** RFC 5534 §5.1. */
export interface Keepalive extends WithOptions {
  readonly type: 'Keepalive';
  readonly receiverContextTag: ContextTag;
}

/** RFC 5534 §5.2. `pathTest` (private option) asks for a report at once. */
export interface Probe extends WithOptions, ProbeReports {
  readonly type: 'Probe';
  readonly receiverContextTag: ContextTag;
  readonly pathTest: boolean;
}

/** RFC 5533 §5.14. `packet` is the packet in error from its IPv6 header on, perhaps cut short, perhaps padded. */
export interface ErrorMessage {
  readonly type: 'Error';
  readonly code: number;
  readonly pointer: number;
  readonly packet: Uint8Array;
}

/** A control message of a type that RFC 5533 and RFC 5534 do not define. */
export interface UnknownMessage {
  readonly type: 'Unknown';
  readonly number: number;
}

/** Messages with options. */
export type OptionedMessage =
  I1 | R1 | I2 | R2 | R1bis | I2bis | UpdateRequest | UpdateAcknowledgement | Keepalive | Probe;

/** What can be sent. */
export type KnownMessage = OptionedMessage | ErrorMessage;

/** Any control message, RFC 5533 §5.3. */
export type Shim6Message = KnownMessage | UnknownMessage;
