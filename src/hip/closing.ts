import { sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import { transmission } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { HipParameter } from './parameter.ts';
import { drop } from './responder.ts';
import { hasGoodMac, hasGoodSignature, sealed } from './seal.ts';
import type { Session } from './session.ts';

const NONCE_LENGTH = 16;
/** A CLOSE is sent again after a second, and then ever more rarely. */
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** RFC 7401 §4.4.3: ESTABLISHED, R2-SENT → CLOSING. SAs go at once. */
export function sendClose(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  const nonce = core.random(NONCE_LENGTH);
  const { ualMs, mslMs } = core.settings;
  const retired = core.retireAll();
  const entered = core.enter({ name: 'CLOSING', session, nonce, until: now + ualMs + mslMs });
  core.timers.set('close', now + FIRST_MS);
  return [...retired, ...entered, closeOf(core, session, nonce)];
}

/** The CLOSE once more; each pause doubles the time since the first. */
export function retryClose(
  core: AssociationCore,
  state: { readonly session: Session; readonly nonce: Uint8Array; readonly until: Instant },
  now: Instant,
): AssociationEffect[] {
  const { ualMs, mslMs } = core.settings;
  const sinceFirst = now - (state.until - ualMs - mslMs);
  core.timers.set('close', now + Math.min(Math.max(sinceFirst, FIRST_MS), LONGEST_MS));
  return [closeOf(core, state.session, state.nonce)];
}

function closeOf(core: AssociationCore, session: Session, nonce: Uint8Array): AssociationEffect {
  const octets = compose(core, session, 'CLOSE', { type: 'ECHO_REQUEST_SIGNED', opaque: nonce });
  return transmission(octets, session.path);
}

/** §6.14. Keys stay until UNASSOCIATED, for a CLOSE that comes again. */
export function receiveClose(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const echo = parameterOf(packet, 'ECHO_REQUEST_SIGNED');
  if (echo === undefined) return drop('parameters');
  const refusal = refusalOf(core, session, packet);
  if (refusal !== undefined) return refusal;
  if (core.state.name === 'CLOSED' && !core.mayAnswer(now)) return drop('rate');
  const octets = compose(core, session, 'CLOSE_ACK', { type: 'ECHO_RESPONSE_SIGNED', opaque: echo.opaque });
  const answer = transmission(octets, path);
  if (core.state.name === 'CLOSED') return [answer];
  const nonce = core.state.name === 'CLOSING' ? core.state.nonce : undefined;
  const { ualMs, mslMs } = core.settings;
  const until = now + ualMs + 2 * mslMs;
  const retired = core.retireAll();
  const entered = core.enter({ name: 'CLOSED', session, nonce, until, attempt: undefined });
  return [...retired, ...entered, answer];
}

/** §6.15: the answer to our own CLOSE. */
export function receiveCloseAck(
  core: AssociationCore,
  session: Session,
  nonce: Uint8Array | undefined,
  packet: ReceivedPacket,
): AssociationEffect[] {
  const echo = parameterOf(packet, 'ECHO_RESPONSE_SIGNED');
  if (nonce === undefined || echo === undefined || !sameOctets(echo.opaque, nonce)) return drop('echo');
  return refusalOf(core, session, packet) ?? core.discard('closed');
}

function refusalOf(core: AssociationCore, session: Session, packet: ReceivedPacket): AssociationEffect[] | undefined {
  if (!hasGoodMac(packet, session.peerMacKey(core.crypto))) return drop('mac');
  return hasGoodSignature(packet, core.crypto, session.agreement.peer) ? undefined : drop('signature');
}

function compose(core: AssociationCore, session: Session, type: 'CLOSE' | 'CLOSE_ACK', echo: HipParameter): Uint8Array {
  const { own, peerHit } = session.agreement;
  return sealed(
    { type, isAnonymous: false, senderHit: own.hit, receiverHit: peerHit, parameters: [echo] },
    session.macKey(core.crypto),
    own,
  );
}
