import type { Instant } from '../wire/time.ts';
import { drop } from './context-core.ts';
import type { ContextCore } from './context-core.ts';
import type { ContextEffect } from './context-io.ts';
import { transmission } from './exchange.ts';
import { encodeShim6 } from './message-codec.ts';
import type { Keepalive, Probe, UpdateAcknowledgement, UpdateRequest } from './messages.ts';
import { findLocator } from './peer.ts';
import type { Peer } from './peer.ts';
import { takeUpdate } from './peer-update.ts';
import type { QuotedPacket } from './quoted.ts';
import { pairBack } from './received.ts';
import type { ReceivedPacket } from './received.ts';
import type { Action } from './transitions.ts';

/** Messages that carry CT(local), RFC 5533 §12.4. */
export function receiveTagged(
  core: ContextCore,
  action: Action,
  message: UpdateRequest | UpdateAcknowledgement | Keepalive | Probe,
  packet: ReceivedPacket,
  now: Instant,
): ContextEffect[] {
  const { receiverContextTag } = message;
  if (action === 'answer R1bis') return [core.responder.r1bis(receiverContextTag, packet, now)];
  const repetition = action === 'detect' || action === 'update' ? [] : core.repeat(now);
  const { peer } = core;
  if (action === 'repeat' || peer === undefined) return repetition; // nothing to check the addresses against yet
  if (!core.isBetweenUs(peer, packet)) return [core.responder.r1bis(receiverContextTag, packet, now)];
  switch (message.type) {
    case 'Keepalive':
      return [{ type: 'keepalive-received' }];
    case 'Probe':
      return [{ type: 'probe-received', probe: message, source: packet.source, destination: packet.destination }];
    case 'UpdateRequest':
      return [...repetition, ...receiveUpdate(core, peer, message, packet, now)];
    case 'UpdateAcknowledgement':
      if (!core.update.acknowledge(message.requestNonce)) return [...repetition, ...drop('no-match')]; // §10.5
      return [...repetition, core.acknowledged(), { type: 'control-received' }];
  }
}

/** Never changes the state; it may end or renew the outstanding Update Request. */
export function noteError(core: ContextCore, code: number, quoted: QuotedPacket, now: Instant): ContextEffect[] {
  const { peer } = core;
  if (peer === undefined || quoted.type !== 'UpdateRequest') return [];
  return core.sendUpdate(core.update.refused(code, quoted.nonce, peer.contextTag, now));
}

/** §10.4. */
function receiveUpdate(
  core: ContextCore,
  peer: Peer,
  request: UpdateRequest,
  packet: ReceivedPacket,
  now: Instant,
): ContextEffect[] {
  const update = takeUpdate(peer, request, packet.octets, { ulid: core.ulids.peer, verifier: core.verifier });
  if (update.outcome === 'dropped') return drop(update.reason);
  const effects = replacePeer(core, peer, update.peer);
  if (update.outcome === 'refused') {
    return [...effects, ...drop(update.reason), core.responder.error(update.code, update.at, packet, now)];
  }
  const { keepaliveTimeoutSeconds: seconds } = update.peer;
  if (seconds !== undefined && seconds !== peer.keepaliveTimeoutSeconds) {
    effects.push({ type: 'keepalive-timeout', seconds });
  }
  const octets = encodeShim6({
    type: 'UpdateAcknowledgement',
    receiverContextTag: peer.contextTag,
    requestNonce: request.requestNonce,
    options: {},
  });
  effects.push(transmission({ octets, pair: pairBack(packet) }), { type: 'control-received' });
  return effects;
}

function replacePeer(core: ContextCore, before: Peer, peer: Peer): ContextEffect[] {
  const { state } = core;
  if ('peer' in state) core.state = { ...state, peer };
  if (peer.locators === before.locators) return [];
  const effects: ContextEffect[] = [{ type: 'peer-locators', locators: core.facts(peer).locators }];
  const locator = core.pair.peer;
  const was = findLocator(before.locators, locator);
  const is = findLocator(peer.locators, locator);
  if (was?.broken === false && is?.broken !== false) effects.push({ type: 'peer-withdrew', locator });
  return effects;
}
