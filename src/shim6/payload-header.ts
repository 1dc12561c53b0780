import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { TAG_SPACE, tagOfField } from './tag.ts';
import type { ContextTag } from './tag.ts';

/** RFC 5533 §5.2. */
export const PAYLOAD_HEADER_LENGTH = 8;

/**
 * Payload extension header, RFC 5533 §5.2.
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   |NextHdr |   0    |1|  Receiver     |
 *   +--------+--------+--------+--------+
 *   |        Context Tag (47 bits)      |
 */
export interface PayloadHeader {
  /** Protocol of what follows. */
  readonly nextHeader: number;
  readonly contextTag: ContextTag;
}

/** Does the Shim6 header at `at` announce payload (P=1) rather than a control message? */
export function isPayloadHeader(octets: Uint8Array, at = 0): boolean {
  return ((octets[at + 2] ?? 0) & 0x80) !== 0;
}

/** The header at the start of `octets`; a length other than 8 is refused without further ado. */
export function parsePayloadHeader(octets: Uint8Array): Parsed<PayloadHeader> {
  const r = new Reader(octets.subarray(0, PAYLOAD_HEADER_LENGTH));
  const nextHeader = r.u8();
  if (r.u8() !== 0) r.reject('bad-length', 1);
  const field = r.u48();
  if (!r.failed && field < TAG_SPACE) r.reject('bad-value', 2); // P=0
  return r.finish({ nextHeader, contextTag: tagOfField(field) });
}

export function writePayloadHeader(w: Writer, { nextHeader, contextTag }: PayloadHeader): void {
  w.u8(nextHeader);
  w.u8(0);
  w.u48(TAG_SPACE + contextTag);
}
