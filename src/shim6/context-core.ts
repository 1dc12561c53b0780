import type { Random } from '../crypto/ports.ts';
import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Composer } from './compose.ts';
import type { Composed } from './compose.ts';
import type { ContextEffect, DropReason, OwnLocator, PeerFacts } from './context-io.ts';
import { begin, transmission } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import { LocatorUpdate } from './locator-update.ts';
import type { I1, I2, I2bis, R2 } from './messages.ts';
import type { OwnLists } from './own-lists.ts';
import { OwnSide } from './own-side.ts';
import { destinations, findLocator } from './peer.ts';
import type { Peer } from './peer.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import type { ReceivedPacket } from './received.ts';
import type { Responder } from './responder.ts';
import type { ContextTag } from './tag.ts';
import type { PeerVerifier } from './verification.ts';

export interface ContextConfiguration {
  readonly ulids: LocatorPair;
  /** 0: the default context of the ULID pair (RFC 5533 §4.2). */
  readonly forkedInstanceId?: number;
  /** CT(local), not in use by any other context of this host (§7.1). */
  readonly tag: ContextTag;
  readonly random: Random;
  /** The three that all contexts of a host share. */
  readonly responder: Responder;
  readonly verifier: PeerVerifier;
  readonly lists: OwnLists;
  /** CGA Parameter Data Structure of ULID(local); without it no locator but the ULID is told. */
  readonly parameters: Uint8Array | undefined;
  readonly locators: readonly OwnLocator[];
  /** Own Send Timeout to offer for fast detection. */
  readonly detectionMs?: number | undefined;
  /** Own Send Timeout by RFC 5534, announced unless it is 15 s. */
  readonly sendTimeoutSeconds?: number | undefined;
}

/** What is known in which state, RFC 5533 §6.2. */
export type State =
  | { readonly name: 'IDLE' }
  | { readonly name: 'I1-SENT'; readonly i1: Exchange<I1> }
  /** The peer is known already when its I2 crossed ours. */
  | { readonly name: 'I2-SENT'; readonly i1: Exchange<I1>; readonly i2: Exchange<I2>; readonly peer: Peer | undefined }
  | { readonly name: 'I2BIS-SENT'; readonly i2bis: Exchange<I2bis>; readonly peer: Peer }
  | { readonly name: 'ESTABLISHED'; readonly peer: Peer }
  | { readonly name: 'E-FAILED' | 'NO-SUPPORT'; readonly until: Instant };

/** Answers to I1 and repetitions provoked by packets: enough for a peer in trouble, useless for amplification. */
const PROVOKED = { perSecond: 2, burst: 8 };

/** Memory of one context and the few things that are done with it everywhere. The rules are in the files that use it. */
export class ContextCore {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
  readonly tag: ContextTag;
  readonly random: Random;
  readonly responder: Responder;
  readonly verifier: PeerVerifier;
  readonly detectionMs: number | undefined;
  readonly sendTimeoutSeconds: number | undefined;
  readonly own: OwnSide;
  readonly update: LocatorUpdate;
  state: State = { name: 'IDLE' };
  #pair: LocatorPair;
  #provoked: TokenBucket | undefined;

  constructor(configuration: ContextConfiguration) {
    const { ulids, forkedInstanceId = 0, parameters, lists, locators } = configuration;
    this.ulids = ulids;
    this.forkedInstanceId = forkedInstanceId;
    this.tag = configuration.tag;
    this.random = configuration.random;
    this.responder = configuration.responder;
    this.verifier = configuration.verifier;
    this.detectionMs = configuration.detectionMs;
    this.sendTimeoutSeconds = configuration.sendTimeoutSeconds;
    this.#pair = ulids;
    this.own = new OwnSide({ ulid: ulids.local, parameters, lists, locators });
    this.update = new LocatorUpdate(this.own, this.random);
  }

  /** Does this host want fast detection? */
  get detects(): boolean {
    return this.detectionMs !== undefined;
  }

  get composer(): Composer {
    return new Composer(this, this.own);
  }

  /** Lp(local) and Lp(peer). */
  get pair(): LocatorPair {
    return this.#pair;
  }

  set pair(pair: LocatorPair) {
    this.#pair = samePair(pair, this.ulids) ? this.ulids : pair;
  }

  get peer(): Peer | undefined {
    return 'peer' in this.state ? this.state.peer : undefined;
  }

  get exchange(): Exchange | undefined {
    const { state } = this;
    if (state.name === 'I1-SENT') return state.i1;
    if (state.name === 'I2-SENT') return state.i2;
    return state.name === 'I2BIS-SENT' ? state.i2bis : undefined;
  }

  get deadline(): Instant {
    const { state } = this;
    if ('until' in state) return state.until;
    return state.name === 'ESTABLISHED' ? this.update.deadline : (this.exchange?.retryAt ?? NEVER);
  }

  /** What the host may know of the peer. */
  facts(peer: Peer): PeerFacts {
    const { contextTag, detectionMs, keepaliveTimeoutSeconds } = peer;
    const locators = destinations(peer.locators, (address) => this.own.has(address));
    return { contextTag, locators, detectionMs, keepaliveTimeoutSeconds };
  }

  enter(state: State): ContextEffect[] {
    const from = this.state.name;
    this.state = state;
    return from === state.name ? [] : [{ type: 'state', from, to: state.name }];
  }

  /** An I2 or I2bis, which is repeated until it is answered. */
  begin<Message extends I2 | I2bis>(composed: Composed<Message>, pair: LocatorPair, now: Instant): Exchange<Message> {
    this.update.offering(composed.offer);
    return begin(composed.message, pair, this.random, now);
  }

  r2(initiatorNonce: number, packet: ReceivedPacket, detection: boolean): Composed<R2> {
    return this.composer.r2(initiatorNonce, packet.destination, this.update.hasToldList, detection);
  }

  /** The I2 or I2bis under way once more, because the peer seems to have got it. */
  repeat(now: Instant): ContextEffect[] {
    const { exchange } = this;
    if (exchange === undefined) return [];
    return this.mayAnswer(now) ? [transmission(exchange)] : drop('rate');
  }

  mayAnswer(now: Instant): boolean {
    this.#provoked ??= new TokenBucket(PROVOKED, now);
    return this.#provoked.take(now);
  }

  /** An Update Request, if there is something that the peer was not told yet. */
  bringUpToDate(now: Instant): ContextEffect[] {
    const { state } = this;
    if (state.name !== 'ESTABLISHED') return []; // after I2-SENT, I2BIS-SENT this is looked at again
    return this.sendUpdate(this.update.next(state.peer.contextTag, this.pair.local, now));
  }

  sendUpdate(octets: Uint8Array | undefined): ContextEffect[] {
    return octets === undefined ? [] : [transmission({ octets, pair: this.pair })];
  }

  acknowledged(): ContextEffect {
    const others = this.update.acknowledged.filter((address) => !sameOctets(address, this.ulids.local));
    return { type: 'own-locators-acknowledged', locators: [this.ulids.local, ...others] };
  }

  /** §12.4: source in Ls(peer), destination in Ls(local). */
  isBetweenUs(peer: Peer, packet: { readonly source: Address; readonly destination: Address }): boolean {
    const { destination } = packet;
    return isFrom(peer, packet.source) && (this.own.has(destination) || this.update.mentions(destination));
  }
}

/** Is `source` in Ls(peer)? */
export function isFrom(peer: Peer, source: Address): boolean {
  return findLocator(peer.locators, source) !== undefined;
}

export function drop(reason: DropReason): ContextEffect[] {
  return [{ type: 'drop', reason }];
}
