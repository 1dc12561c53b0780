import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import { ContextCore, drop } from './context-core.ts';
import type { ContextConfiguration } from './context-core.ts';
import type { ContextEffect, ContextInput, ContextMessage, ContextStateName, PeerLocator } from './context-io.ts';
import { remember, resume } from './context-memory.ts';
import type { ContextMemory } from './context-memory.ts';
import {
  accept,
  establish,
  forget,
  matches,
  receiveI1,
  receiveR1,
  receiveR1bis,
  retry,
  start,
  startToo,
} from './establish.ts';
import { ICMP_HOLDDOWN_TIME } from './exchange.ts';
import { encodeShim6 } from './message-codec.ts';
import type { R1, R1bis, R2 } from './messages.ts';
import type { ProbeReports } from '../reap/probe-codec.ts';
import type { QuotedPacket } from './quoted.ts';
import type { ReceivedPacket } from './received.ts';
import type { ContextTag } from './tag.ts';
import { noteError, receiveTagged } from './tagged.ts';
import { TRANSITIONS } from './transitions.ts';
import type { Action } from './transitions.ts';

export type { ContextConfiguration } from './context-core.ts';

/** One Shim6 context, RFC 5533 §6 to §10: what may happen in which state is in `transitions.ts`. */
export class Context {
  readonly #core: ContextCore;

  constructor(configuration: ContextConfiguration) {
    this.#core = new ContextCore(configuration);
  }

  get ulids(): LocatorPair {
    return this.#core.ulids;
  }

  get forkedInstanceId(): number {
    return this.#core.forkedInstanceId;
  }

  /** CT(local). */
  get tag(): ContextTag {
    return this.#core.tag;
  }

  get state(): ContextStateName {
    return this.#core.state.name;
  }

  /** CT(peer), where it is known (§6.2). */
  get tagPeer(): ContextTag | undefined {
    return this.#core.peer?.contextTag;
  }

  /** The CGA Parameter Data Structure of ULID(peer), once it has shown one. */
  get peerParameters(): Uint8Array | undefined {
    return this.#core.peer?.parameters;
  }

  /** Ls(peer) as far as it may be used as destination. */
  get peerLocators(): readonly PeerLocator[] {
    const { peer } = this.#core;
    return peer === undefined ? [] : this.#core.facts(peer).locators;
  }

  /** The Initiator Nonce that an R1 or R2 for this context carries. */
  get pendingNonce(): number | undefined {
    return this.#core.exchange?.message.initiatorNonce;
  }

  /** When `tick` is next due; `Infinity` when nothing is pending. Calling early is harmless. */
  get deadline(): Instant {
    return this.#core.deadline;
  }

  /** Is this R1, R2 or R1bis for this context (§12.4)? */
  matches(message: R1 | R2 | R1bis, packet: ReceivedPacket): boolean {
    return matches(this.#core, message, packet);
  }

  /** Did this context send the packet that came back (§12.4)? */
  matchesQuoted(quoted: QuotedPacket): boolean {
    const { ulids, forkedInstanceId, tag, peer } = this.#core;
    if (quoted.type === 'I1' || quoted.type === 'I2' || quoted.type === 'I2bis') {
      const same = samePair(quoted.ulids, ulids) && quoted.forkedInstanceId === forkedInstanceId;
      return same && quoted.contextTag === tag;
    }
    const { source, destination } = quoted;
    const reversed = { source: destination, destination: source };
    return peer?.contextTag === quoted.contextTag && this.#core.isBetweenUs(peer, reversed);
  }

  /** A Keepalive for the current pair. */
  keepalive(): Uint8Array {
    return encodeShim6({ type: 'Keepalive', receiverContextTag: this.#knownTagPeer(), options: {} });
  }

  probe(reports: ProbeReports, pathTest = false): Uint8Array {
    const { state, sent, received } = reports;
    const receiverContextTag = this.#knownTagPeer();
    return encodeShim6({ type: 'Probe', receiverContextTag, state, sent, received, pathTest, options: {} });
  }

  /** What another process needs to go on with this context; nothing unless it is ESTABLISHED. */
  remember(): ContextMemory | undefined {
    return remember(this.#core);
  }

  /** Go on as remembered; only for a context that has done nothing yet. */
  resume(memory: ContextMemory, now: Instant): ContextEffect[] {
    return resume(this.#core, memory, now);
  }

  handle(input: ContextInput, now: Instant): ContextEffect[] {
    const core = this.#core;
    const row = TRANSITIONS[core.state.name];
    switch (input.type) {
      case 'message':
        return this.#receive(row[input.message.type].action, input.message, input.packet, now);
      case 'tick':
        return now < this.deadline ? [] : this.#timeout(row.timeout.action, now);
      case 'start':
        if (row.start.action === 'ignore') return drop('wrong-state');
        return row.start.action === 'send I1'
          ? start(core, input.pair ?? core.ulids, now)
          : startToo(core, input.pair, now);
      case 'payload-header':
        return this.#payloadHeader(row['payload-header'].action, input, now);
      case 'own-locators':
        core.own.replace(input.locators);
        return core.bringUpToDate(now);
      case 'current-pair':
        return this.#moveTo(input.pair, now);
      case 'error-message':
        return row['error-message'].action === 'ignore' ? [] : noteError(core, input.code, input.quoted, now);
      case 'icmp-unknown-next-header':
        return this.#noSupport(row['icmp-unknown-next-header'].action, input.quoted, now);
      case 'confused':
        if (row.confused.action === 'ignore') return drop('wrong-state');
        return input.restart ? start(core, core.pair, now) : forget(core, 'confused');
      case 'discard':
        return forget(core, input.reason);
    }
  }

  #receive(action: Action, message: ContextMessage, packet: ReceivedPacket, now: Instant): ContextEffect[] {
    const core = this.#core;
    if (action === 'ignore') return drop('wrong-state');
    switch (message.type) {
      case 'I1':
        return receiveI1(core, action, message, packet, now);
      case 'R1':
        return receiveR1(core, message, packet, now);
      case 'I2':
      case 'I2bis':
        return accept(core, message, packet, now);
      case 'R2':
        return establish(core, message, packet, now);
      case 'R1bis':
        return receiveR1bis(core, message, packet, now);
      case 'UpdateRequest':
      case 'UpdateAcknowledgement':
      case 'Keepalive':
      case 'Probe':
        return receiveTagged(core, action, message, packet, now);
    }
  }

  /** §12.2. */
  #payloadHeader(
    action: Action,
    packet: Extract<ContextInput, { readonly type: 'payload-header' }>,
    now: Instant,
  ): ContextEffect[] {
    if (action === 'answer R1bis') return [this.#core.responder.r1bis(this.tag, packet, now)];
    if (action === 'ignore') return drop('wrong-state');
    return action === 'deliver' ? [{ type: 'deliver' }] : [{ type: 'deliver' }, ...this.#core.repeat(now)];
  }

  #timeout(action: Action, now: Instant): ContextEffect[] {
    const core = this.#core;
    if (action === 'end hold-down') return forget(core, 'hold-down-over');
    if (core.state.name !== 'ESTABLISHED') return retry(core, now);
    return core.sendUpdate(core.update.tick(core.state.peer.contextTag, now)); // §10.2
  }

  /** §8: only when it quotes the I1 just sent. */
  #noSupport(action: Action, quoted: QuotedPacket, now: Instant): ContextEffect[] {
    if (action === 'ignore') return drop('wrong-state');
    const ours = quoted.type === 'I1' && quoted.nonce === this.pendingNonce && this.matchesQuoted(quoted);
    if (!ours) return drop('no-match');
    const until = now + ICMP_HOLDDOWN_TIME;
    return [...this.#core.enter({ name: 'NO-SUPPORT', until }), { type: 'failed', state: 'NO-SUPPORT' }];
  }

  /** An Update Request that got no answer yet is repeated where it may arrive. */
  #moveTo(pair: LocatorPair, now: Instant): ContextEffect[] {
    const core = this.#core;
    if (samePair(pair, core.pair)) return [];
    core.pair = pair;
    const { state } = core;
    return state.name === 'ESTABLISHED' ? core.sendUpdate(core.update.repeat(state.peer.contextTag, now)) : [];
  }

  #knownTagPeer(): ContextTag {
    const { peer } = this.#core;
    if (peer === undefined) throw new TypeError('CT(peer) is not known');
    return peer.contextTag;
  }
}
