import { random32 } from '../crypto/ports.ts';
import type { Random } from '../crypto/ports.ts';
import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Composer } from './compose.ts';
import type { Composed } from './compose.ts';
import type {
  ContextEffect,
  ContextInput,
  ContextMessage,
  ContextStateName,
  DropReason,
  OwnLocator,
  PeerLocator,
} from './context-io.ts';
import { VERIFICATION_METHOD } from './error-message.ts';
import { ICMP_HOLDDOWN_TIME, NO_R1_HOLDDOWN_TIME, again, begin, transmission } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import { METHODS_AT } from './locator-list.ts';
import { LocatorUpdate } from './locator-update.ts';
import { encodeShim6, optionsOffset } from './message-codec.ts';
import type {
  I1,
  I2,
  I2bis,
  OptionedMessage,
  R1,
  R1bis,
  R2,
  UpdateAcknowledgement,
  UpdateRequest,
} from './messages.ts';
import { optionAt } from './options.ts';
import { NO_OFFER, OwnSide } from './own-side.ts';
import type { Offer } from './own-side.ts';
import type { OwnLists } from './own-lists.ts';
import { destinations, factsOf, findLocator, learn } from './peer.ts';
import type { Peer } from './peer.ts';
import { takeUpdate } from './peer-update.ts';
import type { ProbeReports } from './probe.ts';
import type { QuotedPacket } from './quoted.ts';
import { TokenBucket } from './rate-limit.ts';
import { pairBack } from './received.ts';
import type { ReceivedPacket } from './received.ts';
import type { Responder } from './responder.ts';
import type { ContextTag } from './tag.ts';
import { TRANSITIONS } from './transitions.ts';
import type { Action } from './transitions.ts';
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

type State =
  | { readonly name: 'IDLE' }
  | { readonly name: 'I1-SENT'; readonly i1: Exchange<I1> }
  /** The peer is known already when its I2 crossed ours. */
  | { readonly name: 'I2-SENT'; readonly i1: Exchange<I1>; readonly i2: Exchange<I2>; readonly peer: Peer | undefined }
  | { readonly name: 'I2BIS-SENT'; readonly i2bis: Exchange<I2bis>; readonly peer: Peer }
  | { readonly name: 'ESTABLISHED'; readonly peer: Peer }
  | { readonly name: 'E-FAILED' | 'NO-SUPPORT'; readonly until: Instant };

/** Answers to I1 and repetitions provoked by packets: enough for a peer in trouble, useless for amplification. */
const PROVOKED = { perSecond: 2, burst: 8 };

/** One Shim6 context, RFC 5533 §6 to §10. */
export class Context {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
  /** CT(local). */
  readonly tag: ContextTag;
  readonly #random: Random;
  readonly #responder: Responder;
  readonly #verifier: PeerVerifier;
  readonly #detects: boolean;
  readonly #own: OwnSide;
  readonly #update: LocatorUpdate;
  readonly #composer: Composer;
  #state: State = { name: 'IDLE' };
  /** Lp(local) and Lp(peer). */
  #pair: LocatorPair;
  /** What the messages of the exchange under way tell. */
  #offered: Offer = NO_OFFER;
  #provoked: TokenBucket | undefined;

  constructor(configuration: ContextConfiguration) {
    const { ulids, forkedInstanceId = 0, tag, random, responder, verifier } = configuration;
    const { parameters, lists, locators, detectionMs } = configuration;
    this.ulids = ulids;
    this.forkedInstanceId = forkedInstanceId;
    this.tag = tag;
    this.#random = random;
    this.#responder = responder;
    this.#verifier = verifier;
    this.#detects = detectionMs !== undefined;
    this.#pair = ulids;
    this.#own = new OwnSide({ ulid: ulids.local, parameters, lists, locators });
    this.#update = new LocatorUpdate(this.#own, random);
    this.#composer = new Composer({ ...configuration, forkedInstanceId }, this.#own);
  }

  get state(): ContextStateName {
    return this.#state.name;
  }

  /** CT(peer), where it is known (§6.2). */
  get tagPeer(): ContextTag | undefined {
    return this.#peer?.contextTag;
  }

  /** Ls(peer) as far as it may be used as destination. */
  get peerLocators(): readonly PeerLocator[] {
    const peer = this.#peer;
    return peer === undefined ? [] : destinations(peer.locators, (address) => this.#own.has(address));
  }

  /** The Initiator Nonce that an R1 or R2 for this context carries. */
  get pendingNonce(): number | undefined {
    return this.#exchange?.message.initiatorNonce;
  }

  /** When `tick` is next due; `Infinity` when nothing is pending. Calling early is harmless. */
  get deadline(): Instant {
    const state = this.#state;
    switch (state.name) {
      case 'IDLE':
        return NEVER;
      case 'I1-SENT':
        return state.i1.retryAt;
      case 'I2-SENT':
        return state.i2.retryAt;
      case 'I2BIS-SENT':
        return state.i2bis.retryAt;
      case 'ESTABLISHED':
        return this.#update.deadline;
      case 'E-FAILED':
      case 'NO-SUPPORT':
        return state.until;
    }
  }

  /** Is this R1, R2 or R1bis for this context (§12.4)? */
  matches(message: R1 | R2 | R1bis, packet: ReceivedPacket): boolean {
    if (message.type === 'R1bis') {
      const peer = this.#peer;
      return peer?.contextTag === message.packetContextTag && this.#isBetweenUs(peer, packet);
    }
    const exchange = this.#exchange;
    return exchange?.message.initiatorNonce === message.initiatorNonce && samePair(exchange.pair, pairBack(packet));
  }

  /** Did this context send the packet that came back (§12.4)? */
  matchesQuoted(quoted: QuotedPacket): boolean {
    if (quoted.type === 'I1' || quoted.type === 'I2' || quoted.type === 'I2bis') {
      const same = samePair(quoted.ulids, this.ulids) && quoted.forkedInstanceId === this.forkedInstanceId;
      return same && quoted.contextTag === this.tag;
    }
    const peer = this.#peer;
    const { source, destination } = quoted;
    return (
      peer?.contextTag === quoted.contextTag && this.#isBetweenUs(peer, { source: destination, destination: source })
    );
  }

  /** A Keepalive for the current pair. */
  keepalive(): Uint8Array {
    return encodeShim6({ type: 'Keepalive', receiverContextTag: this.#knownPeer().contextTag, options: {} });
  }

  probe(reports: ProbeReports, pathTest = false): Uint8Array {
    const receiverContextTag = this.#knownPeer().contextTag;
    return encodeShim6({ type: 'Probe', receiverContextTag, ...reports, pathTest, options: {} });
  }

  handle(input: ContextInput, now: Instant): ContextEffect[] {
    const row = TRANSITIONS[this.#state.name];
    switch (input.type) {
      case 'message':
        return this.#receive(row[input.message.type].action, input.message, input.packet, now);
      case 'tick':
        return now < this.deadline ? [] : this.#timeout(now);
      case 'start':
        if (row.start.action === 'ignore') return drop('wrong-state');
        return this.#start(input.pair ?? this.ulids, now);
      case 'payload-header':
        return this.#payloadHeader(row['payload-header'].action, input, now);
      case 'own-locators':
        this.#own.replace(input.locators);
        return this.#bringUpToDate(now);
      case 'current-pair':
        return this.#moveTo(input.pair, now);
      case 'error-message':
        return this.#noteError(row['error-message'].action, input.code, input.quoted, now);
      case 'icmp-unknown-next-header':
        return this.#noSupport(input.quoted, now);
      case 'confused':
        if (row.confused.action === 'ignore') return drop('wrong-state');
        return input.restart ? this.#start(this.#pair, now) : this.#forget('confused');
      case 'discard':
        return this.#forget(input.reason);
    }
  }

  get #peer(): Peer | undefined {
    return 'peer' in this.#state ? this.#state.peer : undefined;
  }

  get #exchange(): Exchange | undefined {
    const state = this.#state;
    if (state.name === 'I1-SENT') return state.i1;
    if (state.name === 'I2-SENT') return state.i2;
    return state.name === 'I2BIS-SENT' ? state.i2bis : undefined;
  }

  #receive(action: Action, message: ContextMessage, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    if (action === 'ignore') return drop('wrong-state');
    switch (message.type) {
      case 'I1':
        return this.#receiveI1(action, message, packet, now);
      case 'R1':
        return this.#receiveR1(message, packet, now);
      case 'I2':
      case 'I2bis':
        return this.#accept(message, packet, now);
      case 'R2':
        return this.#establish(message, packet, now);
      case 'R1bis':
        return this.#receiveR1bis(message, packet, now);
      case 'UpdateRequest':
      case 'UpdateAcknowledgement':
      case 'Keepalive':
      case 'Probe':
        break;
    }
    if (action === 'answer R1bis') return [this.#responder.r1bis(message.receiverContextTag, packet, now)];
    const repetition = action === 'detect' || action === 'update' ? [] : this.#repeat(now);
    const peer = this.#peer;
    if (action === 'repeat' || peer === undefined) return repetition; // nothing to check the addresses against yet
    if (!this.#isBetweenUs(peer, packet)) return [this.#responder.r1bis(message.receiverContextTag, packet, now)];
    switch (message.type) {
      case 'Keepalive':
        return [{ type: 'keepalive-received' }];
      case 'Probe':
        return [{ type: 'probe-received', probe: message, source: packet.source, destination: packet.destination }];
      case 'UpdateRequest':
        return [...repetition, ...this.#receiveUpdate(peer, message, packet, now)];
      case 'UpdateAcknowledgement':
        return [...repetition, ...this.#receiveAcknowledgement(message)];
    }
  }

  /** §7.7, and §7.15 for a context that has to start again: CT(peer) and Ls(peer) are forgotten. */
  #start(pair: LocatorPair, now: Instant): ContextEffect[] {
    const i1 = begin(this.#composer.i1(pair, random32(this.#random)), pair, this.#random, now);
    this.#pair = pair;
    this.#update.exchanged(NO_OFFER);
    this.#offered = NO_OFFER;
    return [...this.#enter({ name: 'I1-SENT', i1 }), transmission(i1)];
  }

  /** §7.9. */
  #receiveI1(action: Action, i1: I1, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const peer = this.#peer;
    if (action === 'answer R1 or R2') {
      const strange = i1.options.ulidPair !== undefined && peer !== undefined && !isFrom(peer, packet.source);
      if (strange || i1.initiatorContextTag !== peer?.contextTag) return [this.#responder.r1(i1, packet, now)];
    } else if (action === 'answer R1') return [this.#responder.r1(i1, packet, now)];
    if (!this.#mayAnswer(now)) return drop('rate');
    const established = this.#state.name === 'ESTABLISHED';
    const agreed = !established || peer?.detectionMs !== undefined;
    const r2 = this.#r2(i1.initiatorNonce, packet, i1.options.detection !== undefined && agreed);
    if (!established) this.#offered = r2.offer; // ESTABLISHED: it may be a late I1 whose answer is ignored
    return [transmission({ octets: encodeShim6(r2.message), pair: pairBack(packet) })];
  }

  /** §7.11. */
  #receiveR1(r1: R1, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const state = this.#state;
    if (state.name !== 'I1-SENT' || !this.matches(r1, packet)) return drop('no-match');
    if (r1.options.responderValidator === undefined) return drop('validator');
    const { pair } = state.i1;
    const i2 = this.#begin(this.#composer.i2(state.i1.message, r1, pair, this.#update.hasToldList), pair, now);
    return [...this.#enter({ name: 'I2-SENT', i1: state.i1, i2, peer: undefined }), transmission(i2)];
  }

  /** §7.18. */
  #receiveR1bis(r1bis: R1bis, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const peer = this.#peer;
    if (peer === undefined || !this.matches(r1bis, packet)) return drop('no-match');
    if (r1bis.options.responderValidator === undefined) return drop('validator');
    const pair = pairBack(packet);
    const nonce = random32(this.#random);
    const detection = peer.detectionMs !== undefined;
    const i2bis = this.#begin(this.#composer.i2bis(r1bis, pair, nonce, this.#update.hasToldList, detection), pair, now);
    return [...this.#enter({ name: 'I2BIS-SENT', i2bis, peer }), transmission(i2bis)];
  }

  /** §7.13, §7.20: I2 and I2bis, in any state. */
  #accept(message: I2 | I2bis, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    if (!this.#responder.accepts(message, packet, now)) return drop('validator');
    const known = this.#peer;
    const pair = pairBack(packet);
    const detection = message.options.detection !== undefined;
    const r2 = (): Composed<R2> => this.#r2(message.initiatorNonce, packet, detection);
    if (known?.responderNonce !== undefined) {
      const age = (message.responderNonce - known.responderNonce) | 0; // modulo 2^32
      if (age < 0) return drop('replayed'); // §5.15.1
      if (age === 0 && message.initiatorContextTag === known.contextTag) {
        return [transmission({ octets: encodeShim6(r2().message), pair }), { type: 'control-received' }];
      }
    }
    // §7.20: with a tag of its own choice an old peer of this tag could take over its packets
    if (message.type === 'I2bis' && known === undefined && message.packetContextTag === this.tag)
      return drop('tag-reuse');
    const lesson = this.#learn(message, packet, known, this.#detects && detection, now);
    if ('effects' in lesson) return lesson.effects;
    const { peer } = lesson;
    const { message: answer, offer } = r2();
    const effects = this.#meet(peer, pair);
    effects.push(transmission({ octets: encodeShim6(answer), pair }), { type: 'control-received' });
    this.#offered = offer;
    if (this.#state.name !== 'ESTABLISHED') return effects;
    this.#update.exchanged(offer); // no acknowledgement of R2 exists; a lost one is asked for again
    return [...effects, this.#acknowledged(), ...this.#bringUpToDate(now)];
  }

  /** After an I2 or I2bis: ESTABLISHED, unless an exchange of ours is still to be finished. */
  #meet(peer: Peer, pair: LocatorPair): ContextEffect[] {
    const state = this.#state;
    const facts = factsOf(peer, (address) => this.#own.has(address));
    if (state.name === 'I2-SENT' || state.name === 'I2BIS-SENT' || state.name === 'ESTABLISHED') {
      this.#state = { ...state, peer };
      return [{ type: 'peer-changed', peer: facts }];
    }
    this.#pair = pair;
    return [...this.#enter({ name: 'ESTABLISHED', peer }), { type: 'established', peer: facts, pair }];
  }

  /** §7.16. */
  #establish(r2: R2, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const exchange = this.#exchange;
    if (exchange === undefined || !this.matches(r2, packet)) return drop('no-match');
    const asked = exchange.message.options.detection !== undefined;
    const lesson = this.#learn(r2, packet, this.#peer, asked, now);
    if ('effects' in lesson) return lesson.effects;
    const { peer } = lesson;
    const { pair } = exchange;
    if (exchange.message.type !== 'I2bis') this.#pair = pair; // with I2bis, REAP has chosen the pair before
    this.#update.exchanged(this.#offered);
    return [
      ...this.#enter({ name: 'ESTABLISHED', peer }),
      { type: 'established', peer: factsOf(peer, (address) => this.#own.has(address)), pair },
      { type: 'control-received' },
      this.#acknowledged(),
      ...this.#bringUpToDate(now),
    ];
  }

  #learn(
    message: I2 | I2bis | R2,
    packet: ReceivedPacket,
    known: Peer | undefined,
    detectionAgreed: boolean,
    now: Instant,
  ): { readonly peer: Peer } | { readonly effects: ContextEffect[] } {
    const { source } = packet;
    const verifier = this.#verifier;
    const lesson = learn(message, { ulid: this.ulids.peer, source, known, verifier, detectionAgreed });
    if (lesson.outcome === 'believed') return { peer: lesson.peer };
    if (lesson.outcome === 'dropped') return { effects: drop(lesson.reason) };
    return { effects: this.#unverified(message, lesson.index, packet, now) };
  }

  /** §7.2: Error code 2 points at the Verification Method of the locator; the message has no other effect. */
  #unverified(message: OptionedMessage, index: number, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const at = optionAt(packet.octets, optionsOffset(message), 'locatorList') + 4 + METHODS_AT + index;
    return [...drop('locator-list'), this.#responder.error(VERIFICATION_METHOD, at, packet, now)];
  }

  /** §10.4. */
  #receiveUpdate(peer: Peer, request: UpdateRequest, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const { ulids } = this;
    const update = takeUpdate(peer, request, packet.octets, { ulid: ulids.peer, verifier: this.#verifier });
    if (update.outcome === 'dropped') return drop('parameters');
    const effects: ContextEffect[] = [];
    if (update.peer !== peer) effects.push(...this.#replacePeer(peer, update.peer));
    if (update.outcome === 'refused') {
      effects.push(...drop(update.reason), this.#responder.error(update.code, update.at, packet, now));
      return effects;
    }
    const { keepaliveTimeoutSeconds: seconds } = update.peer;
    if (seconds !== undefined && seconds !== peer.keepaliveTimeoutSeconds) {
      effects.push({ type: 'keepalive-timeout', seconds });
    }
    const receiverContextTag = peer.contextTag;
    const { requestNonce } = request;
    const acknowledgement = { type: 'UpdateAcknowledgement', receiverContextTag, requestNonce, options: {} } as const;
    effects.push(transmission({ octets: encodeShim6(acknowledgement), pair: pairBack(packet) }));
    effects.push({ type: 'control-received' });
    return effects;
  }

  #replacePeer(before: Peer, peer: Peer): ContextEffect[] {
    const state = this.#state;
    if ('peer' in state) this.#state = { ...state, peer };
    if (peer.locators === before.locators) return [];
    const effects: ContextEffect[] = [{ type: 'peer-locators', locators: this.peerLocators }];
    const locator = this.#pair.peer;
    const [was, is] = [before, peer].map(({ locators }) => findLocator(locators, locator));
    if (was?.broken === false && is?.broken !== false) effects.push({ type: 'peer-withdrew', locator });
    return effects;
  }

  /** §10.5. */
  #receiveAcknowledgement({ requestNonce }: UpdateAcknowledgement): ContextEffect[] {
    if (!this.#update.acknowledge(requestNonce)) return drop('no-match');
    return [this.#acknowledged(), { type: 'control-received' }];
  }

  /** §12.2. */
  #payloadHeader(
    action: Action,
    packet: { readonly source: Address; readonly destination: Address },
    now: Instant,
  ): ContextEffect[] {
    if (action === 'answer R1bis') return [this.#responder.r1bis(this.tag, packet, now)];
    if (action === 'ignore') return drop('wrong-state');
    return action === 'deliver' ? [{ type: 'deliver' }] : [{ type: 'deliver' }, ...this.#repeat(now)];
  }

  /** §7.8, §7.12, §7.19, §10.2. */
  #timeout(now: Instant): ContextEffect[] {
    const state = this.#state;
    switch (state.name) {
      case 'IDLE':
        return [];
      case 'I1-SENT':
        return this.#repeatI1(state.i1, now);
      case 'I2-SENT': {
        const i2 = again(state.i2, this.#random, now);
        if (i2 === undefined) return this.#repeatI1(state.i1, now);
        this.#state = { ...state, i2 };
        return [transmission(i2)];
      }
      case 'I2BIS-SENT': {
        const i2bis = again(state.i2bis, this.#random, now);
        if (i2bis === undefined) return this.#start(state.i2bis.pair, now); // not across the pair that failed
        this.#state = { ...state, i2bis };
        return [transmission(i2bis)];
      }
      case 'ESTABLISHED':
        return this.#send(this.#update.tick(state.peer.contextTag, now));
      case 'E-FAILED':
      case 'NO-SUPPORT':
        return this.#forget('hold-down-over');
    }
  }

  /** The I1 of this attempt once more; I2 retries do not start its count again. */
  #repeatI1(before: Exchange<I1>, now: Instant): ContextEffect[] {
    const i1 = again(before, this.#random, now);
    if (i1 !== undefined) return [...this.#enter({ name: 'I1-SENT', i1 }), transmission(i1)];
    const until = now + NO_R1_HOLDDOWN_TIME;
    return [...this.#enter({ name: 'E-FAILED', until }), { type: 'failed', state: 'E-FAILED' }];
  }

  /** §8: only when it quotes the I1 just sent. */
  #noSupport(quoted: QuotedPacket, now: Instant): ContextEffect[] {
    const state = this.#state;
    if (state.name !== 'I1-SENT') return drop('wrong-state');
    const ours = quoted.type === 'I1' && quoted.nonce === state.i1.message.initiatorNonce && this.matchesQuoted(quoted);
    if (!ours) return drop('no-match');
    const until = now + ICMP_HOLDDOWN_TIME;
    return [...this.#enter({ name: 'NO-SUPPORT', until }), { type: 'failed', state: 'NO-SUPPORT' }];
  }

  /** Never changes the state; it may end or renew the outstanding Update Request. */
  #noteError(action: Action, code: number, quoted: QuotedPacket, now: Instant): ContextEffect[] {
    const peer = this.#peer;
    if (action === 'ignore' || peer === undefined || quoted.type !== 'UpdateRequest') return [];
    return this.#send(this.#update.refused(code, quoted.nonce, peer.contextTag, now));
  }

  #forget(reason: Extract<ContextEffect, { readonly type: 'discarded' }>['reason']): ContextEffect[] {
    this.#update.exchanged(NO_OFFER);
    return [...this.#enter({ name: 'IDLE' }), { type: 'discarded', reason }];
  }

  #moveTo(pair: LocatorPair, now: Instant): ContextEffect[] {
    if (samePair(pair, this.#pair)) return [];
    this.#pair = pair;
    const state = this.#state;
    return state.name === 'ESTABLISHED' ? this.#send(this.#update.repeat(state.peer.contextTag, now)) : [];
  }

  /** An Update Request, if there is something that the peer was not told yet. */
  #bringUpToDate(now: Instant): ContextEffect[] {
    const state = this.#state;
    if (state.name !== 'ESTABLISHED') return []; // after I2-SENT, I2BIS-SENT this is looked at again
    return this.#send(this.#update.next(state.peer.contextTag, this.#pair.local, now));
  }

  #send(octets: Uint8Array | undefined): ContextEffect[] {
    return octets === undefined ? [] : [transmission({ octets, pair: this.#pair })];
  }

  /** The I2 or I2bis under way, because the peer seems to have got it. */
  #repeat(now: Instant): ContextEffect[] {
    const exchange = this.#exchange;
    if (exchange === undefined) return [];
    return this.#mayAnswer(now) ? [transmission(exchange)] : drop('rate');
  }

  #mayAnswer(now: Instant): boolean {
    this.#provoked ??= new TokenBucket(PROVOKED, now);
    return this.#provoked.take(now);
  }

  #r2(initiatorNonce: number, packet: ReceivedPacket, detection: boolean): Composed<R2> {
    return this.#composer.r2(initiatorNonce, packet.destination, this.#update.hasToldList, detection);
  }

  #begin<Message extends I2 | I2bis>(composed: Composed<Message>, pair: LocatorPair, now: Instant): Exchange<Message> {
    this.#offered = composed.offer;
    return begin(composed.message, pair, this.#random, now);
  }

  #acknowledged(): ContextEffect {
    const others = this.#update.acknowledged.filter((address) => !sameOctets(address, this.ulids.local));
    return { type: 'own-locators-acknowledged', locators: [this.ulids.local, ...others] };
  }

  /** §12.4: source in Ls(peer), destination in Ls(local). */
  #isBetweenUs(peer: Peer, packet: { readonly source: Address; readonly destination: Address }): boolean {
    const { destination } = packet;
    return isFrom(peer, packet.source) && (this.#own.has(destination) || this.#update.mentions(destination));
  }

  #knownPeer(): Peer {
    const peer = this.#peer;
    if (peer === undefined) throw new TypeError('CT(peer) is not known');
    return peer;
  }

  #enter(state: State): ContextEffect[] {
    const from = this.#state.name;
    this.#state = state;
    return from === state.name ? [] : [{ type: 'state', from, to: state.name }];
  }
}

function isFrom(peer: Peer, source: Address): boolean {
  return findLocator(peer.locators, source) !== undefined;
}

function drop(reason: DropReason): ContextEffect[] {
  return [{ type: 'drop', reason }];
}
