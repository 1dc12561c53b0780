import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { MAX_REPORTS } from './probe.ts';
import type { Probe, ProbeReport, ReapState } from './probe.ts';

/** Codes are positions: 0, 1, 2. */
const STATES: readonly ReapState[] = ['Operational', 'Exploring', 'InboundOk'];

/** What a Probe says in the format of RFC 5534 §5.2, which has no Path Test. */
export type ProbeReports = Omit<Probe, 'pathTest'>;

const REPORT_LENGTH = 2 * ADDRESS_LENGTH + 8;

/** Octets 12 of a Shim6 Probe to the end of the reports, RFC 5534 §5.2: Precvd (4), Psent (4), Sta (2), Reserved2 (22), reports. */
export function parseProbeReports(r: Reader): ProbeReports {
  const at = r.at;
  const counts = r.u8();
  const sent = counts & 0x0f;
  const state = STATES[r.u8() >> 6];
  r.skip(2);
  if (state === undefined) r.reject('bad-value', at + 1);
  if (sent === 0) r.reject('bad-value', at);
  return {
    state: state ?? 'Operational',
    sent: r.list(sent, () => parseReport(r)),
    received: r.list(counts >> 4, () => parseReport(r)),
  };
}

export function probeReportsLength({ sent, received }: ProbeReports): number {
  return 4 + REPORT_LENGTH * (sent.length + received.length);
}

export function writeProbeReports(w: Writer, { state, sent, received }: ProbeReports): void {
  if (sent.length < 1 || sent.length > MAX_REPORTS || received.length > MAX_REPORTS) {
    throw new RangeError('a Probe has 1 to 15 sent and 0 to 15 received reports');
  }
  w.u8((received.length << 4) | sent.length);
  w.u8(STATES.indexOf(state) << 6);
  w.zeros(2);
  for (const report of [...sent, ...received]) {
    w.octets(report.source);
    w.octets(report.destination);
    w.u32(report.nonce);
    w.u32(report.data);
  }
}

function parseReport(r: Reader): ProbeReport {
  return { source: r.octets(ADDRESS_LENGTH), destination: r.octets(ADDRESS_LENGTH), nonce: r.u32(), data: r.u32() };
}
