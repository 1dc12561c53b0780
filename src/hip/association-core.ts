import type { HipCrypto, Random } from '../crypto/ports.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import { Timers } from '../reap/timers.ts';
import { addressKey } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationEffect, FailureReason, HipPath, OwnHipLocator } from './association-io.ts';
import type { AssociationState, Attempt } from './association-state.ts';
import type { OwnIdentity } from './orchid.ts';
import type { Hit } from './parameter.ts';
import { checked } from './responder.ts';
import type { HipResponder } from './responder.ts';
import type { Session } from './session.ts';
import type { HipSettings } from './settings.ts';

export interface AssociationConfiguration {
  readonly own: OwnIdentity;
  readonly peerHit: Hit;
  readonly crypto: HipCrypto;
  readonly random: Random;
  readonly settings: HipSettings;
  /** The one of this host. */
  readonly responder: HipResponder;
  /** An SPI that no security association of this host has: random, above 255 (RFC 7402 §3.2.1). */
  readonly newSpi: () => number;
  readonly locators: readonly OwnHipLocator[];
}

const TIMERS = [
  'i1', // retransmission of I1
  'stagger', // I1 over the next path
  'collect', // R1s that may still come
  'puzzle', // its lifetime is over
  'i2', // retransmission of I2
  'exchange-complete',
  'unused',
  'close', // retransmission of CLOSE
] as const;
type TimerName = (typeof TIMERS)[number];

/** Answers that packets provoke, and that a replay could provoke: enough for a peer in trouble. */
const PROVOKED = { perSecond: 10, burst: 20 };

/** Memory of one association and what is done with it everywhere. The rules are in the files that use it. */
export class AssociationCore {
  readonly own: OwnIdentity;
  readonly peerHit: Hit;
  readonly crypto: HipCrypto;
  readonly random: Random;
  readonly settings: HipSettings;
  readonly responder: HipResponder;
  readonly newSpi: () => number;
  readonly timers: Timers<TimerName> = new Timers<TimerName>(TIMERS);
  locators: readonly OwnHipLocator[];
  state: AssociationState = { name: 'UNASSOCIATED' };
  #provoked: TokenBucket | undefined;

  constructor(configuration: AssociationConfiguration) {
    this.own = configuration.own;
    this.peerHit = configuration.peerHit;
    this.crypto = configuration.crypto;
    this.random = configuration.random;
    this.settings = configuration.settings;
    this.responder = configuration.responder;
    this.newSpi = configuration.newSpi;
    this.locators = configuration.locators;
  }

  get session(): Session | undefined {
    return 'session' in this.state ? this.state.session : undefined;
  }

  /** An attempt of this host to associate, if there is one. */
  get attempt(): Attempt | undefined {
    return 'attempt' in this.state ? this.state.attempt : undefined;
  }

  /** Where keys are in use. */
  get isAssociated(): boolean {
    return this.state.name === 'R2-SENT' || this.state.name === 'ESTABLISHED';
  }

  get deadline(): Instant {
    const { state, timers } = this;
    let deadline = timers.deadline;
    if ('until' in state) deadline = Math.min(deadline, state.until);
    const { session } = this;
    if (session === undefined || !this.isAssociated) return deadline;
    for (const { until } of session.old) deadline = Math.min(deadline, until);
    const { updates, peers, rekey } = session;
    return Math.min(deadline, updates.deadline, peers.deadline, rekey?.until ?? NEVER);
  }

  /** Every way into a state: its timers are set by whoever enters it. */
  enter(state: AssociationState): AssociationEffect[] {
    const from = this.state.name;
    this.state = state;
    this.timers.clear();
    return from === state.name ? [] : [{ type: 'state', from, to: state.name }];
  }

  /** E-FAILED, until another attempt may be made. */
  fail(reason: FailureReason, now: Instant): AssociationEffect[] {
    const until = now + this.settings.failedMs;
    return [...this.retireAll(), ...this.enter({ name: 'E-FAILED', until }), { type: 'failed', reason }];
  }

  discard(reason: 'closed' | 'timeout' | 'failed'): AssociationEffect[] {
    return [...this.retireAll(), ...this.enter({ name: 'UNASSOCIATED' }), { type: 'discarded', reason }];
  }

  /** RFC 7402 §6.7: SAs go with the association. */
  retireAll(): AssociationEffect[] {
    const { state, session } = this;
    if (state.name === 'I2-SENT') return [retire('in', state.i2.spiIn)];
    if (session === undefined || !this.isAssociated) return [];
    const pending = session.rekey?.installed === true ? [retire('in', session.rekey.ours.spi)] : [];
    const old = session.old.map(({ direction, spi }) => retire(direction, spi));
    session.old.length = 0;
    return [...pending, ...old, retire('out', session.spiOut), retire('in', session.spiIn)];
  }

  /** Whether an answer may be given that anybody could have provoked by a replay. */
  mayAnswer(now: Instant): boolean {
    this.#provoked ??= new TokenBucket(PROVOKED, now);
    return this.#provoked.take(now);
  }

  /** The association is in use, RFC 7401 §4.4.3. */
  used(now: Instant): void {
    this.timers.set('unused', now + this.settings.ualMs);
  }

  hasAddress(path: HipPath): boolean {
    return this.locators.some(({ address }) => addressKey(address) === addressKey(path.local));
  }
}

export function retire(direction: 'in' | 'out', spi: number): AssociationEffect {
  return { type: 'retire-sa', direction, spi };
}

/** With the Checksum of the path; `octets` are not touched. */
export function transmission(octets: Uint8Array, path: HipPath): AssociationEffect {
  return { type: 'transmit', path, octets: checked(octets.slice(), path) };
}
