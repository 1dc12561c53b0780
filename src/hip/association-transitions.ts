import type { AssociationStateName } from './association-io.ts';
import type { PacketType } from './packet.ts';

/** What can happen to an association, RFC 7401 §4.4.3. */
export type AssociationEvent = PacketType | 'connect' | 'close' | 'payload' | 'timeout';

/** What is done then. */
export type AssociationAction =
  | 'ignore'
  | 'send I1'
  | 'send I1 too' // and stay CLOSED
  | 'answer R1'
  | 'answer R1 if larger' // both have sent an I1: the larger HIT answers
  | 'send I2'
  | 'send I2 if waiting' // after a new I1 of our own
  | 'accept' // I2: answer R2
  | 'accept if larger' // both have sent an I2
  | 'accept or repeat' // the same I2 again gets the same R2
  | 'establish' // R2
  | 'confirm' // the peer has our R2: what it sent says so
  | 'update'
  | 'note' // NOTIFY
  | 'use' // payload
  | 'answer CLOSE_ACK'
  | 'send CLOSE'
  | 'end' // CLOSE_ACK
  | 'give up'
  | 'retry';

export interface AssociationTransition {
  readonly action: AssociationAction;
  /** States that can follow; none: the state stays. */
  readonly to: readonly AssociationStateName[];
}

type Row = { readonly [Event in AssociationEvent]: AssociationTransition };

const stay = (action: AssociationAction): AssociationTransition => ({ action, to: [] });
const go = (action: AssociationAction, ...to: AssociationStateName[]): AssociationTransition => ({ action, to });

/** What is not listed is dropped. */
const DEFAULT: Row = {
  I1: stay('answer R1'),
  R1: stay('ignore'),
  I2: go('accept', 'R2-SENT'),
  R2: stay('ignore'),
  UPDATE: stay('ignore'),
  NOTIFY: stay('ignore'),
  CLOSE: stay('ignore'),
  CLOSE_ACK: stay('ignore'),
  connect: stay('ignore'),
  close: stay('ignore'),
  payload: stay('ignore'),
  timeout: stay('ignore'),
};

/** RFC 7401 §4.4.3, Tables 1 to 9. */
export const ASSOCIATION_TRANSITIONS: { readonly [State in AssociationStateName]: Row } = {
  UNASSOCIATED: { ...DEFAULT, connect: go('send I1', 'I1-SENT') },
  'I1-SENT': {
    ...DEFAULT,
    I1: stay('answer R1 if larger'),
    R1: go('send I2', 'I2-SENT'),
    close: go('give up', 'UNASSOCIATED'),
    timeout: go('retry', 'I2-SENT', 'E-FAILED'),
  },
  'I2-SENT': {
    ...DEFAULT,
    // §6.8 step 8 would let one with a larger counter begin anew: whoever has any R1 of the peer could make us leave a good I2
    I2: go('accept if larger', 'R2-SENT'),
    R2: go('establish', 'ESTABLISHED'),
    NOTIFY: stay('note'),
    CLOSE: go('answer CLOSE_ACK', 'CLOSED'),
    close: go('give up', 'UNASSOCIATED'),
    timeout: go('retry', 'E-FAILED'),
  },
  'R2-SENT': {
    ...DEFAULT,
    I2: go('accept or repeat', 'R2-SENT'),
    UPDATE: go('confirm', 'ESTABLISHED'),
    NOTIFY: stay('note'),
    CLOSE: go('answer CLOSE_ACK', 'CLOSED'),
    close: go('send CLOSE', 'CLOSING'),
    payload: go('confirm', 'ESTABLISHED'),
    timeout: go('retry', 'ESTABLISHED', 'CLOSING'),
  },
  ESTABLISHED: {
    ...DEFAULT,
    I2: go('accept or repeat', 'R2-SENT'),
    UPDATE: stay('update'),
    NOTIFY: stay('note'),
    CLOSE: go('answer CLOSE_ACK', 'CLOSED'),
    close: go('send CLOSE', 'CLOSING'),
    payload: stay('use'),
    timeout: go('retry', 'CLOSING'),
  },
  CLOSING: {
    ...DEFAULT,
    connect: go('send I1', 'I1-SENT'),
    CLOSE: go('answer CLOSE_ACK', 'CLOSED'),
    CLOSE_ACK: go('end', 'UNASSOCIATED'),
    timeout: go('retry', 'UNASSOCIATED'),
  },
  CLOSED: {
    ...DEFAULT,
    connect: stay('send I1 too'),
    R1: go('send I2 if waiting', 'I2-SENT'),
    CLOSE: stay('answer CLOSE_ACK'),
    CLOSE_ACK: go('end', 'UNASSOCIATED'),
    timeout: go('retry', 'I2-SENT', 'UNASSOCIATED'),
  },
  /** Only a waiting time in the RFC: what strangers get is given here too, or a failed attempt would lock the peer out. */
  'E-FAILED': { ...DEFAULT, timeout: go('retry', 'UNASSOCIATED') },
};
