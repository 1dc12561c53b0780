import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import type { AssociationCore } from './association-core.ts';
import { transmission } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import { toldKey } from './told.ts';
import { unsignedEchoes } from './initiator.ts';
import { allPaths, mended, pathSelected, pathTo, peerLocators, reconsider } from './mobility.ts';
import { locatorSet } from './offers.ts';
import { NOTIFY_TYPES } from './packet.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { EspInfo, HipParameter } from './parameter.ts';
import { locatorSetEntryLength, writeLocatorSetEntry } from './locator-set.ts';
import type { LocatorSetEntry } from './locator-set.ts';
import { beginRekey, drawRekey, finishRekey, peerPart } from './rekey.ts';
import { checked, drop, notification } from './responder.ts';
import { hasGoodMac, hasGoodSignature, sealed } from './seal.ts';
import type { Session } from './session.ts';
import type { Outstanding, UpdatePurpose } from './update-queue.ts';

/** RFC 8046 §5.4: what the peer has to echo. */
const NONCE_LENGTH = 16;
/** A round trip counts this much in the smoothed one. */
const RTT_GAIN = 1 / 4;

/** RFC 7401 §6.12: an UPDATE, the cheapest checks first. */
export function receiveUpdate(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { updates, agreement } = session;
  const updateId = parameterOf(packet, 'SEQ')?.updateId;
  const acknowledged = parameterOf(packet, 'ACK')?.peerUpdateIds ?? [];
  if (updateId === undefined && parameterOf(packet, 'ACK') === undefined) return drop('malformed'); // §5.3.5
  const isAgain = updateId !== undefined && updates.received.has(updateId);
  if (updateId === undefined) {
    if (!acknowledged.some((id) => updates.isOutstanding(id))) return drop('update-id'); // §6.12.2 step 1
  } else if (!isAgain && !updates.received.isNew(updateId)) return drop('update-id'); // §6.12.1 step 1
  if (!hasGoodMac(packet, session.peerMacKey(core.crypto))) return drop('mac');
  if (!hasGoodSignature(packet, core.crypto, agreement.peer)) return drop('signature');
  const hostId = parameterOf(packet, 'HOST_ID');
  if (hostId !== undefined && !sameOctets(hostId.hostIdentity, agreement.peer.hostIdentity)) return drop('hit'); // RFC 8046 §4.3
  const espInfo = parameterOf(packet, 'ESP_INFO');
  if (updateId !== undefined && !isAgain && !makesSense(session, packet, espInfo)) return drop('esp-info');
  core.used(now);
  const out: AssociationEffect[] = [{ type: 'control-received', path }];
  for (const id of acknowledged) {
    const update = updates.acknowledge(id);
    if (update !== undefined) out.push(...wasAcknowledged(core, session, update, path, now));
  }
  out.push(...receiveEcho(core, session, packet, now));
  if (updateId !== undefined) {
    if (isAgain && !core.mayAnswer(now)) return [...out, ...drop('rate')]; // §6.12.1 step 2
    updates.received.add(updateId);
    out.push(...answer(core, session, packet, { updateId, isAgain, espInfo }, path, now));
  }
  return [...out, ...pump(core, session, now)];
}

/** RFC 8046 §5.3 case analysis of ESP_INFO, RFC 7402 §6.9 step 1: whatever contradicts what we know stops the UPDATE. */
function makesSense(session: Session, packet: ReceivedPacket, espInfo: EspInfo | undefined): boolean {
  if (espInfo === undefined) return parameterOf(packet, 'DIFFIE_HELLMAN') === undefined;
  const { oldSpi, newSpi } = espInfo;
  if (newSpi === oldSpi) return session.knowsOut(oldSpi); // also one that a rekey has just replaced
  return oldSpi === session.spiOut && peerPart(session, packet, espInfo) !== undefined;
}

/** §6.12.2 step 4. */
function wasAcknowledged(
  core: AssociationCore,
  session: Session,
  update: Outstanding,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  if (update.tries === 1) {
    const rttMs = now - update.sentAt;
    session.rttMs = session.rttMs === undefined ? rttMs : session.rttMs + RTT_GAIN * (rttMs - session.rttMs);
  }
  if (update.purpose === 'rekey') return finishRekey(core, session, now);
  if (update.purpose !== 'locators' || update.tries === 1 || !core.hasAddress(path)) return [];
  session.path = path; // what did not arrive over the first path did arrive here
  return [pathSelected(session, now)];
}

/** RFC 8046 §5.4: an echo says that the peer is where the nonce was sent to. */
function receiveEcho(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  now: Instant,
): AssociationEffect[] {
  const echo = parameterOf(packet, 'ECHO_RESPONSE_SIGNED') ?? parameterOf(packet, 'ECHO_RESPONSE_UNSIGNED');
  if (echo === undefined) return [];
  const address = session.peers.verified(echo.opaque);
  if (address === undefined) return drop('echo');
  const isCurrent = sameOctets(address, session.path.peer);
  const moved = isCurrent ? [pathSelected(session, now)] : reconsider(core, session, now);
  return [peerLocators(session), ...moved];
}

/** §6.12.1 steps 5 and 6; once more what it says itself, if it has come before. */
function answer(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  facts: { readonly updateId: number; readonly isAgain: boolean; readonly espInfo: EspInfo | undefined },
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { updateId, isAgain, espInfo } = facts;
  const echo = parameterOf(packet, 'ECHO_REQUEST_SIGNED');
  const behind = unsignedEchoes(packet);
  const parameters: HipParameter[] = [{ type: 'ACK', peerUpdateIds: [updateId] }];
  if (echo !== undefined) parameters.push({ type: 'ECHO_RESPONSE_SIGNED', opaque: echo.opaque });
  if (isAgain) return [acknowledgement(core, session, parameters, path, behind)];
  const rekeyed = receiveRekey(core, session, packet, espInfo, now);
  const learned = receiveLocators(core, session, packet, path, now);
  const effects = [...rekeyed.effects, ...learned];
  if (rekeyed.answer !== undefined) {
    parameters.push(...rekeyed.answer);
    return [...effects, ...sendUpdate(core, session, parameters, 'rekey', [path, ...allPaths(core, session)], now)];
  }
  const isTestable = session.rekey === undefined && session.peers.isUntested(path.peer);
  if (!isTestable) return [...effects, acknowledgement(core, session, parameters, path, behind)];
  // RFC 8046 §3.2.1: the second packet goes to the new address, and is its test
  const { spiIn, nextIndex } = session;
  parameters.push({ type: 'ESP_INFO', keymatIndex: nextIndex, oldSpi: spiIn, newSpi: spiIn });
  return [...effects, ...test(core, session, path, parameters, now)];
}

/** RFC 7402 §6.9. */
function receiveRekey(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  espInfo: EspInfo | undefined,
  now: Instant,
): { readonly effects: AssociationEffect[]; readonly answer?: HipParameter[] } {
  const part =
    espInfo === undefined || espInfo.newSpi === espInfo.oldSpi ? undefined : peerPart(session, packet, espInfo);
  if (part === undefined) return { effects: [] };
  const { rekey } = session;
  if (rekey?.theirs !== undefined) return { effects: [] }; // one is under way already
  if (rekey !== undefined) {
    rekey.theirs = part; // step 3: it answers ours, or crossed it
    const drawn = drawRekey(core, session);
    return { effects: session.updates.has('rekey') ? drawn : [...drawn, ...finishRekey(core, session, now)] };
  }
  const parameters = beginRekey(core, session, part.publicValue !== undefined, part, now);
  const drawn = drawRekey(core, session);
  return session.rekey === undefined ? { effects: drawn } : { effects: drawn, answer: parameters };
}

/** RFC 8046 §5.3. */
function receiveLocators(
  core: AssociationCore,
  session: Session,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const locators = parameterOf(packet, 'LOCATOR_SET')?.locators;
  if (locators === undefined) return [];
  const { unsupported, isChanged } = session.peers.learn(locators, now, false);
  const out: AssociationEffect[] = [];
  if (unsupported !== undefined && core.mayAnswer(now)) {
    const { own, peerHit } = session.agreement;
    const octets = notification(own, peerHit, NOTIFY_TYPES.LOCATOR_TYPE_UNSUPPORTED, encoded(unsupported));
    out.push({ type: 'transmit', path, octets: checked(octets, path) });
  }
  if (!isChanged) return out;
  // where the packet came to, this host can be reached: a path for the time being, if the peer moved away from the one in use
  if (session.peers.statusOf(session.path.peer) !== 'ACTIVE' && core.hasAddress(path)) {
    session.path = { ...session.path, local: path.local };
  }
  return [...out, peerLocators(session), ...reconsider(core, session, now)];
}

function encoded(entry: LocatorSetEntry): Uint8Array {
  const w = new Writer(locatorSetEntryLength(entry));
  writeLocatorSetEntry(w, entry);
  return w.finish();
}

/** An UPDATE that is not acknowledged itself (§5.3.5). */
function acknowledgement(
  core: AssociationCore,
  session: Session,
  parameters: readonly HipParameter[],
  path: HipPath,
  behind: readonly HipParameter[],
): AssociationEffect {
  return transmission(compose(core, session, parameters, behind), mended(core, session, path));
}

function compose(
  core: AssociationCore,
  session: Session,
  parameters: readonly HipParameter[],
  behind: readonly HipParameter[] = [],
): Uint8Array {
  const { own, peerHit } = session.agreement;
  return sealed(
    { type: 'UPDATE', isAnonymous: false, senderHit: own.hit, receiverHit: peerHit, parameters },
    session.macKey(core.crypto),
    own,
    behind,
  );
}

/** §6.11: with a SEQ, to be acknowledged. */
function sendUpdate(
  core: AssociationCore,
  session: Session,
  parameters: readonly HipParameter[],
  purpose: UpdatePurpose,
  paths: readonly HipPath[],
  now: Instant,
): AssociationEffect[] {
  const [first] = paths;
  if (first === undefined) return [];
  const updateId = session.updates.take();
  const octets = compose(core, session, [...parameters, { type: 'SEQ', updateId }]);
  session.updates.sent({ updateId, purpose, octets, paths }, session.rttMs, now);
  return [transmission(octets, mended(core, session, first))];
}

/** RFC 8046 §5.4: a nonce to an address, which has to come back. */
function test(
  core: AssociationCore,
  session: Session,
  path: HipPath,
  parameters: readonly HipParameter[],
  now: Instant,
): AssociationEffect[] {
  const nonce = core.random(NONCE_LENGTH);
  session.peers.test(path.peer, nonce);
  const all = [...parameters, { type: 'ECHO_REQUEST_SIGNED', opaque: nonce } as const];
  return sendUpdate(core, session, all, 'verify', [path], now);
}

/** Whatever waits to be said in UPDATEs and may be said now. */
export function pump(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  if (core.state.name !== 'ESTABLISHED' || session.rekey !== undefined) return []; // RFC 7402 §6.8: nothing else meanwhile
  const out: AssociationEffect[] = [];
  const told = toldKey(core.locators);
  if (told !== session.told && core.locators.length > 0) {
    session.told = told;
    session.updates.forget('locators'); // the new list replaces it
    out.push(...sendUpdate(core, session, ownLocators(core, session), 'locators', allPaths(core, session), now));
  }
  if (session.wantsRekey !== undefined && !session.updates.has('locators')) {
    const parameters = beginRekey(core, session, session.wantsRekey.withDh, undefined, now);
    session.wantsRekey = undefined;
    return [...out, ...sendUpdate(core, session, parameters, 'rekey', allPaths(core, session), now)];
  }
  return [...out, ...testAll(core, session, now)];
}

/** RFC 8046 §3.2.1: OLD SPI and NEW SPI are the same where keys stay. */
function ownLocators(core: AssociationCore, session: Session): HipParameter[] {
  const { spiIn, nextIndex } = session;
  return [{ type: 'ESP_INFO', keymatIndex: nextIndex, oldSpi: spiIn, newSpi: spiIn }, locatorSet(core.locators, spiIn)];
}

function testAll(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  const out: AssociationEffect[] = [];
  let address: Address | undefined;
  while ((address = session.peers.untested()) !== undefined) {
    const path = pathTo(core, session, address);
    if (path === undefined) session.peers.skip(address);
    else out.push(...test(core, session, path, [], now));
  }
  return out;
}

/** UPDATEs that are due; `undefined` when one that the association depends on was never acknowledged (§6.11 step 4). */
export function repeatUpdates(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] | undefined {
  const { again, lost } = session.updates.due(now);
  for (const { purpose, paths } of lost) {
    if (purpose !== 'verify') return undefined;
    const [path] = paths;
    if (path !== undefined) session.peers.giveUp(path.peer);
  }
  return again.map(([{ octets }, path]) => transmission(octets, mended(core, session, path)));
}
