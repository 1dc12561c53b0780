import { parseProbeReports, probeReportsLength, writeProbeReports } from '../reap/probe-codec.ts';
import type { Probe } from '../reap/probe.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';

/** Message types, RFC 5533 §16: those that they have in Shim6. */
const KEEPALIVE = 66;
const PROBE = 67;

/** Flags of a Probe. */
const PATH_TEST = 0x80;

const HEADER_LENGTH = 4;

/**
 * What REAP says over HIP, docs/reap-over-hip.md: the octets of REAP_CARRIER behind its counter.
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   |  Type  |T| Rsvd |     Reserved    |   T: Path Test
 *   +--------+--------+--------+--------+
 *   | Probe: the octets from Precvd on, RFC 5534 §5.2
 */
export type ReapMessage = { readonly type: 'Keepalive' } | { readonly type: 'Probe'; readonly probe: Probe };

export function parseReapMessage(bytes: Uint8Array): Parsed<ReapMessage> {
  const r = new Reader(bytes);
  const type = r.u8();
  const flags = r.u8();
  r.skip(2);
  if (type === KEEPALIVE) return r.finish({ type: 'Keepalive' });
  if (type !== PROBE) r.reject('bad-value', 0);
  return r.finish({ type: 'Probe', probe: { ...parseProbeReports(r), pathTest: (flags & PATH_TEST) !== 0 } });
}

export function encodeReapMessage(message: ReapMessage): Uint8Array {
  const reports = message.type === 'Probe' ? probeReportsLength(message.probe) : 0;
  const w = new Writer(HEADER_LENGTH + reports);
  w.u8(message.type === 'Probe' ? PROBE : KEEPALIVE);
  w.u8(message.type === 'Probe' && message.probe.pathTest ? PATH_TEST : 0);
  w.zeros(2);
  if (message.type === 'Probe') writeProbeReports(w, message.probe);
  return w.finish();
}
