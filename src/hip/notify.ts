import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import { transmission } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import type { HostIdentity } from './host-identity.ts';
import { reapIn, reapParameter } from './negotiation.ts';
import type { ReceivedPacket } from './packet.ts';
import { parametersOf } from './parameter.ts';
import { drop } from './responder.ts';
import { hasGoodMac, hasGoodSignature, sealedByMac } from './seal.ts';
import type { Session } from './session.ts';

/** No number comes twice, nor any that a receiver could take for one ahead. */
const LAST_COUNTER = 0x7fff_fffe;

/** RFC 7401 §6.13: for the log alone. REAP over HIP comes in NOTIFY packets too (docs/reap-over-hip.md). */
export function receiveNotify(
  core: AssociationCore,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { session, state } = core;
  const reap = reapIn(packet.parameters);
  if (session !== undefined && reap !== undefined) return receiveReap(core, session, packet, reap, path, now);
  const peer: HostIdentity | undefined =
    session?.agreement.peer ?? (state.name === 'I2-SENT' ? state.i2.agreement.peer : undefined);
  if (peer === undefined || !hasGoodSignature(packet, core.crypto, peer)) return drop('signature');
  return parametersOf(packet, 'NOTIFICATION').map(({ notifyType }) => ({ type: 'notified', notifyType }));
}

function receiveReap(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  { counter, octets }: { readonly counter: number; readonly octets: Uint8Array },
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  if (!session.describe(core.settings).reap) return drop('policy');
  if (!session.reapSeen.isNew(counter)) return drop('replayed');
  if (!hasGoodMac(packet, session.peerMacKey(core.crypto))) return drop('mac');
  session.reapSeen.add(counter);
  session.credit.earn(packet.octets.length, now);
  return [{ type: 'reap-parameter', path, octets }];
}

/** MAC and counter, no signature: REAP is sent often, and both ends agreed on it. */
export function sendReap(
  core: AssociationCore,
  session: Session,
  path: HipPath,
  octets: Uint8Array,
): AssociationEffect[] {
  if (!session.describe(core.settings).reap) return drop('policy');
  const counter = session.reapCounter;
  if (counter > LAST_COUNTER) return drop('policy');
  session.reapCounter = counter + 1;
  const { own, peerHit } = session.agreement;
  const parameters = [reapParameter({ counter, octets })];
  const packet = { type: 'NOTIFY', isAnonymous: false, senderHit: own.hit, receiverHit: peerHit, parameters } as const;
  return [transmission(sealedByMac(packet, session.macKey(core.crypto)), path)];
}
