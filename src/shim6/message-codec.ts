import { internetChecksum } from '../wire/checksum.ts';
import { NO_NEXT_HEADER } from '../wire/ipv6.ts';
import type { Parsed, Reason } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import type { ErrorMessage, KnownMessage, OptionedMessage, Shim6Message } from './messages.ts';
import { optionsLength, parseOptions, writeOptions } from './options.ts';
import type { OptionName, Shim6Options } from './options.ts';
import { parseProbeReports, probeReportsLength, writeProbeReports } from '../reap/probe-codec.ts';
import { tagOfField } from './tag.ts';
import type { ContextTag } from './tag.ts';

/** Type numbers, RFC 5533 §17. */
export const MESSAGE_TYPES = {
  I1: 1,
  R1: 2,
  I2: 3,
  R2: 4,
  R1bis: 5,
  I2bis: 6,
  UpdateRequest: 64,
  UpdateAcknowledgement: 65,
  Keepalive: 66,
  Probe: 67,
  Error: 68,
} as const;

/** §5.3: a header has at most 256 units of 8 octets. */
const MAX_LENGTH = 2048;
const CHECKSUM_AT = 4;

/** Which option may come in which message: §5.4 to §5.13, RFC 5534 §5.3, and the private ones. */
const ESTABLISHING: readonly OptionName[] = [
  'responderValidator',
  'locatorList',
  'locatorPreferences',
  'parameters',
  'signature',
  'ulidPair',
  'forkedInstanceId',
  'keepaliveTimeout',
  'detection',
];
const R2_OPTIONS: readonly OptionName[] = [
  'locatorList',
  'locatorPreferences',
  'parameters',
  'signature',
  'keepaliveTimeout',
];
const ALLOWED: { readonly [Type in OptionedMessage['type']]: ReadonlySet<OptionName> } = {
  I1: new Set<OptionName>(['ulidPair', 'forkedInstanceId', 'detection']),
  R1: new Set<OptionName>(['responderValidator', 'detection']),
  I2: new Set(ESTABLISHING),
  R2: new Set<OptionName>([...R2_OPTIONS, 'detection']),
  R1bis: new Set<OptionName>(['responderValidator']),
  I2bis: new Set(ESTABLISHING),
  UpdateRequest: new Set(R2_OPTIONS),
  UpdateAcknowledgement: new Set(),
  Keepalive: new Set(),
  Probe: new Set<OptionName>(['pathTest']),
};

/**
 * A control message, RFC 5533 §5.3, with the checks of §12.3: `octets` start at the Shim6 header and may go on after it.
 * Offsets in refusals count from the header's first octet.
 */
export function parseShim6(octets: Uint8Array): Parsed<Shim6Message> {
  const length = ((octets[1] ?? 0) + 1) * 8;
  if (octets.length < length) return refused('truncated', 1);
  const header = octets.subarray(0, length);
  const number = header[2] ?? 0;
  if (number >= 0x80) return refused('bad-value', 2); // P: a payload extension header
  if (((header[3] ?? 0) & 1) !== 0) return refused('bad-value', 3); // S: a HIP packet
  if (internetChecksum(header) !== 0) return refused('bad-checksum', CHECKSUM_AT);
  const r = new Reader(header);
  const fixed = readFixedPart(r);
  if (fixed.type === 'Unknown') return { ok: true, value: fixed };
  if (fixed.type === 'Error') return r.finish(fixed);
  const base = r.at;
  const { pathTest = false, ...options } = r.accept(parseOptions(r.rest(), base, ALLOWED[fixed.type])) ?? {};
  return r.finish(fixed.type === 'Probe' ? { ...fixed, pathTest, options } : { ...fixed, options });
}

/**
 * A message up to where its options begin, from a header that may be cut off, or whose checksum may be wrong. What is
 * left to `r` are the options; nothing is left of an Error message, and of an unknown one everything behind the checksum.
 */
export function readFixedPart(r: Reader): Shim6Message {
  r.skip(2);
  const number = r.u8() & 0x7f;
  const code = r.u8() >> 1;
  r.u16();
  const options = {};
  switch (number) {
    case MESSAGE_TYPES.I1:
      return { type: 'I1', initiatorContextTag: tag(r), initiatorNonce: r.u32(), options };
    case MESSAGE_TYPES.R1:
      r.u16();
      return { type: 'R1', initiatorNonce: r.u32(), responderNonce: r.u32(), options };
    case MESSAGE_TYPES.I2: {
      const fields = { initiatorContextTag: tag(r), initiatorNonce: r.u32(), responderNonce: r.u32() };
      r.u32();
      return { type: 'I2', ...fields, options };
    }
    case MESSAGE_TYPES.R2:
      return { type: 'R2', responderContextTag: tag(r), initiatorNonce: r.u32(), options };
    case MESSAGE_TYPES.R1bis:
      return { type: 'R1bis', packetContextTag: tag(r), responderNonce: r.u32(), options };
    case MESSAGE_TYPES.I2bis: {
      const fields = { initiatorContextTag: tag(r), initiatorNonce: r.u32(), responderNonce: r.u32() };
      r.skip(6);
      return { type: 'I2bis', ...fields, packetContextTag: tag(r), options };
    }
    case MESSAGE_TYPES.UpdateRequest:
      return { type: 'UpdateRequest', receiverContextTag: tag(r), requestNonce: r.u32(), options };
    case MESSAGE_TYPES.UpdateAcknowledgement:
      return { type: 'UpdateAcknowledgement', receiverContextTag: tag(r), requestNonce: r.u32(), options };
    case MESSAGE_TYPES.Keepalive: {
      const receiverContextTag = tag(r);
      r.u32();
      return { type: 'Keepalive', receiverContextTag, options };
    }
    case MESSAGE_TYPES.Probe:
      return { type: 'Probe', receiverContextTag: tag(r), ...parseProbeReports(r), pathTest: false, options };
    case MESSAGE_TYPES.Error: {
      const pointer = r.u16();
      if (r.left === 0) r.reject('truncated', r.at); // §5.14: Hdr Ext Len 0 leaves no packet in error
      return { type: 'Error', code, pointer, packet: r.rest() };
    }
    default:
      return { type: 'Unknown', number };
  }
}

/** Octets of the message on the wire, a multiple of 8. */
export function shim6Length(message: KnownMessage): number {
  if (message.type === 'Error') return 8 * Math.ceil((8 + message.packet.length) / 8);
  return optionsOffset(message) + optionsLength(wireOptions(message));
}

/** Where the options of a message begin, from the start of the Shim6 header. */
export function optionsOffset(message: OptionedMessage): number {
  switch (message.type) {
    case 'I2':
      return 24;
    case 'I2bis':
      return 32;
    case 'Probe':
      return 12 + probeReportsLength(message);
    default:
      return 16;
  }
}

/** The whole message, checksum included. */
export function encodeShim6(message: KnownMessage): Uint8Array {
  const w = new Writer(shim6Length(message));
  writeShim6(w, message);
  return w.finish();
}

export function writeShim6(w: Writer, message: KnownMessage): void {
  const start = w.at;
  const length = shim6Length(message);
  if (length > MAX_LENGTH) throw new RangeError('longer than a Shim6 header can be');
  w.u8(NO_NEXT_HEADER);
  w.u8(length / 8 - 1);
  w.u8(MESSAGE_TYPES[message.type]);
  w.u8(message.type === 'Error' ? message.code << 1 : 0);
  w.u16(0);
  if (message.type === 'Error') writeError(w, message);
  else {
    writeFixedPart(w, message);
    writeOptions(w, wireOptions(message));
  }
  const header = w.bytes.subarray(start, w.at);
  const checksum = internetChecksum(header);
  header[CHECKSUM_AT] = checksum >> 8;
  header[CHECKSUM_AT + 1] = checksum & 0xff;
}

function writeFixedPart(w: Writer, message: OptionedMessage): void {
  switch (message.type) {
    case 'I1':
      w.u48(message.initiatorContextTag);
      w.u32(message.initiatorNonce);
      return;
    case 'R1':
      w.u16(0);
      w.u32(message.initiatorNonce);
      w.u32(message.responderNonce);
      return;
    case 'I2':
      w.u48(message.initiatorContextTag);
      w.u32(message.initiatorNonce);
      w.u32(message.responderNonce);
      w.u32(0);
      return;
    case 'R2':
      w.u48(message.responderContextTag);
      w.u32(message.initiatorNonce);
      return;
    case 'R1bis':
      w.u48(message.packetContextTag);
      w.u32(message.responderNonce);
      return;
    case 'I2bis':
      w.u48(message.initiatorContextTag);
      w.u32(message.initiatorNonce);
      w.u32(message.responderNonce);
      w.zeros(6);
      w.u48(message.packetContextTag);
      return;
    case 'UpdateRequest':
    case 'UpdateAcknowledgement':
      w.u48(message.receiverContextTag);
      w.u32(message.requestNonce);
      return;
    case 'Keepalive':
      w.u48(message.receiverContextTag);
      w.u32(0);
      return;
    case 'Probe':
      w.u48(message.receiverContextTag);
      writeProbeReports(w, message);
  }
}

function writeError(w: Writer, { pointer, packet }: ErrorMessage): void {
  w.u16(pointer);
  w.octets(packet);
  w.zeros((8 - (packet.length % 8)) % 8);
}

/** Options as they are sent: the Path Test option stands for a flag of the Probe. */
function wireOptions(message: OptionedMessage): Shim6Options {
  return message.type === 'Probe' && message.pathTest ? { ...message.options, pathTest: true } : message.options;
}

function tag(r: Reader): ContextTag {
  return tagOfField(r.u48());
}

function refused(reason: Reason, at: number): { readonly ok: false; readonly reason: Reason; readonly at: number } {
  return { ok: false, reason, at };
}
