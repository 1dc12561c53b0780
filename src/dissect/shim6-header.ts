import { parseShim6, readFixedPart } from '../shim6/message-codec.ts';
import type { Shim6Message } from '../shim6/messages.ts';
import { isPayloadHeader, parsePayloadHeader } from '../shim6/payload-header.ts';
import type { PayloadHeader } from '../shim6/payload-header.ts';
import type { ProbeReport } from '../reap/probe.ts';
import { formatTag } from '../shim6/tag.ts';
import { formatAddress } from '../wire/address.ts';
import { internetChecksum } from '../wire/checksum.ts';
import { toHex } from '../wire/hex.ts';
import { Reader } from '../wire/reader.ts';
import type { DissectedMessage, DissectedOption, Fields, Flaw, Json } from './entry.ts';
import { dissectOptions } from './shim6-options.ts';

/** A Shim6 header by itself. */
export interface Shim6Header extends Pick<
  DissectedMessage,
  'message' | 'length' | 'checksum' | 'fields' | 'options' | 'error'
> {
  /** What the codec makes of it, when it has no fault but perhaps its checksum. */
  readonly parsed?: Shim6Message;
  readonly payload?: PayloadHeader;
}

/** Up to the octet with P and the type, RFC 5533 §5.1. */
const KIND_LENGTH = 3;
const CHECKSUM_AT = 4;

/** Any Shim6 header, RFC 5533 §5: whatever can be told of it, and where it stops to make sense. */
export function dissectShim6(octets: Uint8Array): Shim6Header {
  const length = octets.length < 2 ? octets.length : ((octets[1] ?? 0) + 1) * 8;
  if (octets.length < KIND_LENGTH) {
    const error: Flaw = { reason: 'truncated', at: octets.length };
    return { message: 'Unknown', length, checksum: 'none', fields: {}, options: [], error };
  }
  return isPayloadHeader(octets) ? payloadHeader(octets, length) : controlHeader(octets, length);
}

function payloadHeader(octets: Uint8Array, length: number): Shim6Header {
  const parsed = parsePayloadHeader(octets);
  const plain = { message: 'Payload', length, checksum: 'none' } as const;
  if (!parsed.ok) return { ...plain, fields: {}, options: [], error: { reason: parsed.reason, at: parsed.at } };
  const { nextHeader, contextTag } = parsed.value;
  const fields = { receiverContextTag: formatTag(contextTag), nextHeader };
  return { ...plain, fields, options: [], payload: parsed.value };
}

function controlHeader(octets: Uint8Array, length: number): Shim6Header {
  const header = octets.subarray(0, length);
  const isWhole = header.length === length;
  const isGenuine = internetChecksum(header) === 0;
  const parsed = parseShim6(isGenuine || !isWhole ? header : withRightChecksum(header));
  const r = new Reader(header);
  const fixed = readFixedPart(r);
  const fields = r.failed ? {} : fieldsOf(fixed, r);
  const options: readonly DissectedOption[] = dissectOptions(r);
  const checksum = !isWhole ? 'none' : isGenuine ? 'good' : 'bad';
  const known = { message: fixed.type, length, checksum, fields, options } as const;
  return parsed.ok ? { ...known, parsed: parsed.value } : { ...known, error: { reason: parsed.reason, at: parsed.at } };
}

/** A copy whose checksum is right, so that the codec tells what else is wrong. */
function withRightChecksum(header: Uint8Array): Uint8Array {
  const copy = header.slice();
  const view = new DataView(copy.buffer);
  view.setUint16(CHECKSUM_AT, 0);
  view.setUint16(CHECKSUM_AT, internetChecksum(copy));
  return copy;
}

/** The fixed part of a message by the RFC's names. Of a type that no RFC defines, `r` yields the contents. */
function fieldsOf(message: Shim6Message, r: Reader): Fields {
  switch (message.type) {
    case 'I1':
    case 'I2':
    case 'I2bis': {
      const { initiatorContextTag, initiatorNonce } = message;
      const first = { initiatorContextTag: formatTag(initiatorContextTag), initiatorNonce };
      if (message.type === 'I1') return first;
      const { responderNonce } = message;
      if (message.type === 'I2') return { ...first, responderNonce };
      return { ...first, responderNonce, packetContextTag: formatTag(message.packetContextTag) };
    }
    case 'R1':
      return { initiatorNonce: message.initiatorNonce, responderNonce: message.responderNonce };
    case 'R2':
      return {
        responderContextTag: formatTag(message.responderContextTag),
        initiatorNonce: message.initiatorNonce,
      };
    case 'R1bis':
      return { packetContextTag: formatTag(message.packetContextTag), responderNonce: message.responderNonce };
    case 'UpdateRequest':
    case 'UpdateAcknowledgement':
      return { receiverContextTag: formatTag(message.receiverContextTag), requestNonce: message.requestNonce };
    case 'Keepalive':
      return { receiverContextTag: formatTag(message.receiverContextTag) };
    case 'Probe': {
      const { receiverContextTag, state, sent, received } = message;
      return {
        receiverContextTag: formatTag(receiverContextTag),
        state,
        sent: sent.map(reportFields),
        received: received.map(reportFields),
      };
    }
    case 'Error': {
      const { code, pointer, packet } = message;
      return { code, pointer, packet: toHex(packet) };
    }
    case 'Unknown':
      return { type: message.number, contents: toHex(r.rest()) };
  }
}

function reportFields({ source, destination, nonce, data }: ProbeReport): Json {
  return { src: formatAddress(source), dst: formatAddress(destination), nonce, data };
}
