import { random32 } from '../crypto/ports.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import { drop, isFrom } from './context-core.ts';
import type { ContextCore } from './context-core.ts';
import type { ContextEffect, DiscardReason } from './context-io.ts';
import { VERIFICATION_METHOD } from './error-message.ts';
import { NO_R1_HOLDDOWN_TIME, again, begin, transmission, wentOver } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import { METHODS_AT } from './locator-list.ts';
import { encodeShim6, optionsOffset } from './message-codec.ts';
import type { I1, I2, I2bis, R1, R1bis, R2 } from './messages.ts';
import { optionAt } from './options.ts';
import { learn } from './peer.ts';
import type { Peer } from './peer.ts';
import { pairBack } from './received.ts';
import type { ReceivedPacket } from './received.ts';
import type { Action } from './transitions.ts';

/** §7.7, and §7.15 for a context that has to start again: CT(peer) and Ls(peer) are forgotten. */
export function start(core: ContextCore, pair: LocatorPair, now: Instant): ContextEffect[] {
  const i1 = begin(core.composer.i1(pair, random32(core.random)), pair, core.random, now);
  core.pair = pair;
  core.update.restart();
  return [...core.enter({ name: 'I1-SENT', i1 }), transmission(i1)];
}

/** §7.7 once more, over a pair that may work when the first one does not: the R1 that comes first decides. */
export function startToo(core: ContextCore, pair: LocatorPair | undefined, now: Instant): ContextEffect[] {
  const { state } = core;
  if (state.name !== 'I1-SENT' || pair === undefined) return drop('wrong-state');
  const { message, pair: before, others = [] } = state.i1;
  const again = begin(core.composer.i1(pair, message.initiatorNonce), pair, core.random, now);
  core.state = { ...state, i1: { ...again, others: [...others, before] } };
  return [transmission(again)];
}

/** §9, and whenever nothing is left to be known. */
export function forget(core: ContextCore, reason: DiscardReason): ContextEffect[] {
  core.update.forget();
  return [...core.enter({ name: 'IDLE' }), { type: 'discarded', reason }];
}

/** Is this R1, R2 or R1bis for this context (§12.4)? */
export function matches(core: ContextCore, message: R1 | R2 | R1bis, packet: ReceivedPacket): boolean {
  const { peer, exchange } = core;
  if (message.type === 'R1bis') {
    return peer?.contextTag === message.packetContextTag && core.isBetweenUs(peer, packet);
  }
  return exchange?.message.initiatorNonce === message.initiatorNonce && wentOver(exchange, pairBack(packet));
}

/** §7.9. */
export function receiveI1(
  core: ContextCore,
  action: Action,
  i1: I1,
  packet: ReceivedPacket,
  now: Instant,
): ContextEffect[] {
  const { peer } = core;
  if (action === 'answer R1 or R2') {
    const strange = i1.options.ulidPair !== undefined && peer !== undefined && !isFrom(peer, packet.source);
    if (strange || i1.initiatorContextTag !== peer?.contextTag) return [core.responder.r1(i1, packet, now)];
  } else if (action === 'answer R1') return [core.responder.r1(i1, packet, now)];
  if (!core.mayAnswer(now)) return drop('rate');
  const established = core.state.name === 'ESTABLISHED';
  const agreed = !established || peer?.detectionMs !== undefined;
  const r2 = core.r2(i1.initiatorNonce, packet, i1.options.detection !== undefined && agreed);
  if (!established) core.update.offering(r2.offer); // ESTABLISHED: it may be a late I1 whose answer is ignored
  return [transmission({ octets: encodeShim6(r2.message), pair: pairBack(packet) })];
}

/** §7.11. */
export function receiveR1(core: ContextCore, r1: R1, packet: ReceivedPacket, now: Instant): ContextEffect[] {
  const { state } = core;
  if (state.name !== 'I1-SENT' || !matches(core, r1, packet)) return drop('no-match');
  if (r1.options.responderValidator === undefined) return drop('validator');
  const { i1 } = state;
  const pair = pairBack(packet);
  const i2 = core.begin(core.composer.i2(i1.message, r1, pair, core.update.hasToldList), pair, now);
  return [...core.enter({ name: 'I2-SENT', i1, i2, peer: undefined }), transmission(i2)];
}

/** §7.18: CT(peer) stays until the R2. */
export function receiveR1bis(core: ContextCore, r1bis: R1bis, packet: ReceivedPacket, now: Instant): ContextEffect[] {
  const { peer } = core;
  if (peer === undefined || !matches(core, r1bis, packet)) return drop('no-match');
  if (r1bis.options.responderValidator === undefined) return drop('validator');
  const pair = pairBack(packet);
  const nonce = random32(core.random);
  const detection = peer.detectionMs !== undefined;
  const composed = core.composer.i2bis(r1bis, pair, nonce, core.update.hasToldList, detection);
  const i2bis = core.begin(composed, pair, now);
  return [...core.enter({ name: 'I2BIS-SENT', i2bis, peer }), transmission(i2bis)];
}

/** §7.13, §7.20: I2 and I2bis, in any state. */
export function accept(core: ContextCore, message: I2 | I2bis, packet: ReceivedPacket, now: Instant): ContextEffect[] {
  if (!core.responder.accepts(message, packet, now)) return drop('validator');
  const known = core.peer;
  const pair = pairBack(packet);
  const detection = message.options.detection !== undefined;
  if (known !== undefined) {
    const same = message.initiatorContextTag === known.contextTag;
    const age = (known.responderNonce - message.responderNonce) | 0; // modulo 2^32
    if (age > 0 && !same) return drop('replayed'); // §5.15.1: it would put back an old CT(peer)
    if (age > 0 || (age === 0 && same && message.initiatorNonce === known.initiatorNonce)) {
      return answerAgain(core, message, packet, now);
    }
  }
  // §7.20: a new context gets a new tag; the host makes one when the I2bis comes again
  const isNew = core.state.name === 'IDLE' || 'until' in core.state;
  if (isNew && message.type === 'I2bis' && message.packetContextTag === core.tag) {
    return [...forget(core, 'hold-down-over'), ...drop('tag-reuse')];
  }
  const lesson = learnFrom(core, message, packet, core.detects && detection, now);
  if ('effects' in lesson) return lesson.effects;
  const r2 = core.r2(message.initiatorNonce, packet, detection);
  // the same peer once more: it may ignore this R2, so what it knows stays what it was
  const isSamePeer = core.state.name === 'ESTABLISHED' && lesson.peer.contextTag === known?.contextTag;
  const effects = meet(core, lesson.peer, pair);
  effects.push(transmission({ octets: encodeShim6(r2.message), pair }), { type: 'control-received' });
  if (isSamePeer) return effects;
  core.update.offering(r2.offer);
  if (core.state.name !== 'ESTABLISHED') return effects;
  core.update.exchanged(); // no acknowledgement of R2 exists; a lost one is asked for again
  return [...effects, core.acknowledged(), ...core.bringUpToDate(now)];
}

/** An I2 or I2bis from which there is nothing to learn any more. */
function answerAgain(core: ContextCore, message: I2 | I2bis, packet: ReceivedPacket, now: Instant): ContextEffect[] {
  if (!core.mayAnswer(now)) return drop('rate');
  const r2 = core.r2(message.initiatorNonce, packet, message.options.detection !== undefined);
  if (core.state.name !== 'ESTABLISHED') core.update.offering(r2.offer);
  const octets = encodeShim6(r2.message);
  return [transmission({ octets, pair: pairBack(packet) }), { type: 'control-received' }];
}

/** §7.16. */
export function establish(core: ContextCore, r2: R2, packet: ReceivedPacket, now: Instant): ContextEffect[] {
  const { exchange } = core;
  if (exchange === undefined || !matches(core, r2, packet)) return drop('no-match');
  const asked = exchange.message.options.detection !== undefined;
  const lesson = learnFrom(core, r2, packet, asked, now);
  if ('effects' in lesson) return lesson.effects;
  const { peer } = lesson;
  const pair = pairBack(packet);
  if (exchange.message.type !== 'I2bis') core.pair = pair; // with I2bis, REAP has chosen the pair before
  core.update.exchanged();
  return [
    ...core.enter({ name: 'ESTABLISHED', peer }),
    { type: 'established', peer: core.facts(peer), pair },
    { type: 'control-received' },
    core.acknowledged(),
    ...core.bringUpToDate(now),
  ];
}

/** §7.8, §7.12, §7.19. */
export function retry(core: ContextCore, now: Instant): ContextEffect[] {
  const { state } = core;
  switch (state.name) {
    case 'I1-SENT':
      return retryI1(core, state.i1, now);
    case 'I2-SENT': {
      const i2 = again(state.i2, core.random, now);
      if (i2 === undefined) return retryI1(core, state.i1, now);
      core.state = { ...state, i2 };
      return [transmission(i2)];
    }
    case 'I2BIS-SENT': {
      const i2bis = again(state.i2bis, core.random, now);
      if (i2bis === undefined) return start(core, state.i2bis.pair, now); // not across the pair that failed
      core.state = { ...state, i2bis };
      return [transmission(i2bis)];
    }
    default:
      return [];
  }
}

/** The I1 of this attempt once more; I2 retries do not start its count again. */
function retryI1(core: ContextCore, before: Exchange<I1>, now: Instant): ContextEffect[] {
  const i1 = again(before, core.random, now);
  if (i1 !== undefined) return [...core.enter({ name: 'I1-SENT', i1 }), transmission(i1)];
  const until = now + NO_R1_HOLDDOWN_TIME;
  return [...core.enter({ name: 'E-FAILED', until }), { type: 'failed', state: 'E-FAILED' }];
}

/** After an I2 or I2bis: ESTABLISHED, unless an exchange of ours is still to be finished. */
function meet(core: ContextCore, peer: Peer, pair: LocatorPair): ContextEffect[] {
  const { state } = core;
  if (state.name === 'I2-SENT' || state.name === 'I2BIS-SENT' || state.name === 'ESTABLISHED') {
    core.state = { ...state, peer };
    return [{ type: 'peer-changed', peer: core.facts(peer) }];
  }
  core.pair = pair;
  return [...core.enter({ name: 'ESTABLISHED', peer }), { type: 'established', peer: core.facts(peer), pair }];
}

function learnFrom(
  core: ContextCore,
  message: I2 | I2bis | R2,
  packet: ReceivedPacket,
  detectionAgreed: boolean,
  now: Instant,
): { readonly peer: Peer } | { readonly effects: ContextEffect[] } {
  const { verifier, peer: known } = core;
  const { source, octets } = packet;
  const responderNonce = core.responder.nonce(now);
  const lesson = learn(message, { ulid: core.ulids.peer, source, known, verifier, detectionAgreed, responderNonce });
  if (lesson.outcome === 'believed') return { peer: lesson.peer };
  if (lesson.outcome === 'dropped') return { effects: drop(lesson.reason) };
  // §7.2: points at the Verification Method of the locator; the message has no other effect
  const at = optionAt(octets, optionsOffset(message), 'locatorList') + 4 + METHODS_AT + lesson.index;
  return { effects: [...drop('locator-list'), core.responder.error(VERIFICATION_METHOD, at, packet, now)] };
}
