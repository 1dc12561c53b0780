import type { ReapState } from './probe.ts';

export type ReapEvent =
  | 'payload sent'
  | 'payload received'
  | 'Keepalive received'
  | 'Probe Exploring'
  | 'Probe InboundOk'
  | 'Probe Operational'
  | 'Send Timer expires';

/** What RFC 5534 §6 does on an event. START leaves a running timer alone, RESTART does not. */
export interface Reaction {
  readonly send?: 'START' | 'RESTART' | 'STOP';
  readonly keepalive?: 'START' | 'STOP';
  /** Send a Probe with this state. */
  readonly probe?: ReapState;
  /** Take the current pair from the received reports: §6.8, and for `Probe Operational` the example runs of Appendix A. */
  readonly select?: true;
  readonly next?: ReapState;
}

const NOTHING: Reaction = {};
const HEARD: Reaction = { probe: 'InboundOk', send: 'START', next: 'InboundOk' };
const MISSED: Reaction = { probe: 'Exploring', next: 'Exploring', keepalive: 'STOP' };
const CONFIRMED: Reaction = {
  probe: 'Operational',
  send: 'RESTART',
  keepalive: 'STOP',
  select: true,
  next: 'Operational',
};
const SETTLED: Reaction = { send: 'STOP', keepalive: 'START', select: true, next: 'Operational' };

/** The state machine of RFC 5534 §6.1-§6.9; probe retransmission and the keepalive interval are clocks within a state. */
export const TRANSITIONS: Readonly<Record<ReapEvent, Readonly<Record<ReapState, Reaction>>>> = {
  'payload received': {
    Operational: { send: 'STOP', keepalive: 'START' },
    Exploring: HEARD,
    InboundOk: { send: 'STOP' },
  },
  'payload sent': {
    Operational: { send: 'START', keepalive: 'STOP' },
    Exploring: NOTHING,
    InboundOk: { send: 'START' },
  },
  'Keepalive received': {
    Operational: { send: 'STOP' },
    Exploring: HEARD,
    InboundOk: { send: 'STOP' },
  },
  'Probe Exploring': {
    Operational: { probe: 'InboundOk', send: 'RESTART', keepalive: 'STOP', next: 'InboundOk' },
    Exploring: HEARD,
    InboundOk: { probe: 'InboundOk', send: 'RESTART' },
  },
  'Probe InboundOk': {
    Operational: { probe: 'Operational', send: 'RESTART', keepalive: 'STOP', select: true },
    Exploring: CONFIRMED,
    InboundOk: CONFIRMED,
  },
  'Probe Operational': {
    Operational: { send: 'STOP', keepalive: 'START' },
    Exploring: SETTLED,
    InboundOk: SETTLED,
  },
  'Send Timer expires': {
    Operational: MISSED,
    Exploring: NOTHING, // §6: it does not run here
    InboundOk: MISSED,
  },
};
