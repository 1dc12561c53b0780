import type { ContextStateName } from './context-io.ts';

/** What can happen to a context, RFC 5533 §6 and Appendix B. */
export type ContextEvent =
  | 'start'
  | 'I1'
  | 'R1'
  | 'I2'
  | 'R2'
  | 'R1bis'
  | 'I2bis'
  | 'payload-header'
  | 'UpdateRequest'
  | 'UpdateAcknowledgement'
  | 'Keepalive'
  | 'Probe'
  | 'error-message'
  | 'timeout'
  | 'icmp-unknown-next-header'
  | 'confused'
  | 'discard';

/** What is done then. Everything that answers or repeats leaves the state alone. */
export type Action =
  | 'ignore'
  | 'send I1'
  | 'send I1 too' // over one pair more
  | 'send I2'
  | 'send I2bis'
  | 'answer R1'
  | 'answer R2'
  | 'answer R1 or R2' // by the tag in the I1
  | 'answer R1bis'
  | 'accept' // I2, I2bis: learn, answer R2
  | 'establish' // R2
  | 'deliver'
  | 'repeat, deliver'
  | 'repeat' // the I2 or I2bis of the exchange under way
  | 'repeat, update' // and take the Update when the peer is known already
  | 'update'
  | 'detect' // Keepalive, Probe: REAP
  | 'note' // Error message
  | 'retry'
  | 'end hold-down'
  | 'give up' // NO-SUPPORT
  | 'resolve' // confusion
  | 'forget';

export interface Transition {
  readonly action: Action;
  /** States that can follow; none: the state stays. */
  readonly to: readonly ContextStateName[];
}

const stay = (action: Action): Transition => ({ action, to: [] });
const go = (action: Action, ...to: ContextStateName[]): Transition => ({ action, to });

type Row = { readonly [Event in ContextEvent]: Transition };

/** Without a context, also while one is held down (§6.2: received packets are handled as in IDLE). */
const IDLE: Row = {
  start: go('send I1', 'I1-SENT'),
  I1: stay('answer R1'),
  R1: stay('ignore'),
  I2: go('accept', 'ESTABLISHED'),
  R2: stay('ignore'),
  R1bis: stay('ignore'),
  I2bis: go('accept', 'ESTABLISHED'),
  'payload-header': stay('answer R1bis'),
  UpdateRequest: stay('answer R1bis'),
  UpdateAcknowledgement: stay('answer R1bis'),
  Keepalive: stay('answer R1bis'),
  Probe: stay('answer R1bis'),
  'error-message': stay('ignore'),
  timeout: stay('ignore'),
  'icmp-unknown-next-header': stay('ignore'),
  confused: stay('ignore'),
  discard: stay('forget'),
};

const HELD_DOWN: Row = {
  ...IDLE,
  start: stay('ignore'), // §7.8
  timeout: go('end hold-down', 'IDLE'),
  discard: go('forget', 'IDLE'),
};

/** RFC 5533 §6, Appendix B. */
export const TRANSITIONS: { readonly [State in ContextStateName]: Row } = {
  IDLE,
  'E-FAILED': HELD_DOWN,
  'NO-SUPPORT': HELD_DOWN,
  'I1-SENT': {
    start: stay('send I1 too'),
    I1: stay('answer R2'),
    R1: go('send I2', 'I2-SENT'),
    I2: go('accept', 'ESTABLISHED'),
    R2: go('establish', 'ESTABLISHED'),
    R1bis: stay('ignore'),
    I2bis: go('accept', 'ESTABLISHED'),
    'payload-header': stay('ignore'),
    UpdateRequest: stay('ignore'),
    UpdateAcknowledgement: stay('ignore'),
    Keepalive: stay('ignore'),
    Probe: stay('ignore'),
    'error-message': stay('note'),
    timeout: go('retry', 'I1-SENT', 'E-FAILED'),
    'icmp-unknown-next-header': go('give up', 'NO-SUPPORT'),
    confused: stay('ignore'),
    discard: go('forget', 'IDLE'),
  },
  'I2-SENT': {
    start: stay('ignore'),
    I1: stay('answer R2'),
    R1: stay('ignore'),
    I2: stay('accept'),
    R2: go('establish', 'ESTABLISHED'),
    R1bis: stay('ignore'),
    I2bis: stay('accept'),
    'payload-header': stay('repeat, deliver'),
    UpdateRequest: stay('repeat, update'),
    UpdateAcknowledgement: stay('repeat, update'),
    Keepalive: stay('repeat'),
    Probe: stay('repeat'),
    'error-message': stay('note'),
    timeout: go('retry', 'I2-SENT', 'I1-SENT', 'E-FAILED'),
    'icmp-unknown-next-header': stay('ignore'),
    confused: stay('ignore'),
    discard: go('forget', 'IDLE'),
  },
  'I2BIS-SENT': {
    start: stay('ignore'),
    I1: stay('answer R2'),
    R1: stay('ignore'),
    I2: stay('accept'),
    R2: go('establish', 'ESTABLISHED'),
    R1bis: stay('ignore'),
    I2bis: stay('accept'),
    'payload-header': stay('repeat, deliver'),
    UpdateRequest: stay('repeat, update'),
    UpdateAcknowledgement: stay('repeat, update'),
    Keepalive: stay('repeat'),
    Probe: stay('repeat'),
    'error-message': stay('note'),
    timeout: go('retry', 'I2BIS-SENT', 'I1-SENT'),
    'icmp-unknown-next-header': stay('ignore'),
    confused: go('resolve', 'IDLE', 'I1-SENT'),
    discard: go('forget', 'IDLE'),
  },
  ESTABLISHED: {
    start: stay('ignore'),
    I1: stay('answer R1 or R2'),
    R1: stay('ignore'),
    I2: stay('accept'),
    R2: stay('ignore'),
    R1bis: go('send I2bis', 'I2BIS-SENT'),
    I2bis: stay('accept'),
    'payload-header': stay('deliver'),
    UpdateRequest: stay('update'),
    UpdateAcknowledgement: stay('update'),
    Keepalive: stay('detect'),
    Probe: stay('detect'),
    'error-message': stay('note'),
    timeout: stay('retry'),
    'icmp-unknown-next-header': stay('ignore'),
    confused: go('resolve', 'IDLE', 'I1-SENT'),
    discard: go('forget', 'IDLE'),
  },
};
