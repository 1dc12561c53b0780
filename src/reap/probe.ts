import type { Address } from '../wire/address.ts';

/** RFC 5534 §6: what a host knows of the two directions of a context. */
export type ReapState = 'Operational' | 'Exploring' | 'InboundOk';

/** One probe as it was seen, RFC 5534 §5.2; `data` is copied back unchanged. */
export interface ProbeReport {
  readonly source: Address;
  readonly destination: Address;
  readonly nonce: number;
  readonly data: number;
}

/**
 * What a Probe says, RFC 5534 §5.2, whichever message carries it. The first sent report describes the probe itself.
 *
 * `pathTest` is private to hosts that agreed on it: with no received reports the probe asks for an answer at once;
 * the answer has it too, with the report. Neither changes a state.
 */
export interface Probe {
  readonly state: ReapState;
  readonly sent: readonly ProbeReport[];
  readonly received: readonly ProbeReport[];
  readonly pathTest: boolean;
}

/** §5.2: Precvd and Psent have four bits. */
export const MAX_REPORTS = 15;
