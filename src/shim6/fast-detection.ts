import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

/** Experimental option types (RFC 5533 §17: 16384-32767). Both are never critical. */
export const LOCI_DETECTION = 0x4c6f;
export const PATH_TEST = 0x4c70;

/**
 * Contents of the private Loci Detection option: failure detection in milliseconds between two hosts that both know it.
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   | Version|  Flags |  Send Timeout   |
 *
 * Offered in I1, granted in R1 only when the I1 asked, confirmed in I2 and R2 only when granted, so that a peer that
 * does not know it never sees it where unknown options might disturb. Send Timeout is what the sender will use as its
 * own (RFC 5534 §4.1), hence the receiver's Keepalive Timeout.
 */
export interface Detection {
  readonly sendTimeoutMs: number;
}

const VERSION = 1;

/** Length of the contents. */
export const DETECTION_LENGTH = 4;

export function parseDetection(body: Uint8Array, base = 0): Parsed<Detection> {
  const r = new Reader(body, base);
  if (r.u8() !== VERSION) r.reject('bad-value', base);
  r.u8(); // flags: none defined, ignored
  const sendTimeoutMs = r.u16();
  if (sendTimeoutMs === 0) r.reject('bad-value', base + 2);
  return r.finish({ sendTimeoutMs });
}

export function writeDetection(w: Writer, { sendTimeoutMs }: Detection): void {
  w.u8(VERSION);
  w.u8(0);
  w.u16(sendTimeoutMs);
}

/** The private Path Test option has no contents; some are tolerated. */
export function parsePathTest(): Parsed<true> {
  return { ok: true, value: true };
}

export function writePathTest(): void {
  // nothing to write
}
