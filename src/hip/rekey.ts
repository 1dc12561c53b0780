import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import { retire } from './association-core.ts';
import type { AssociationEffect } from './association-io.ts';
import { parameterOf } from './parameter.ts';
import type { EspInfo, HipParameter } from './parameter.ts';
import type { ReceivedPacket } from './packet.ts';
import type { OwnPart, PeerPart } from './rekey-state.ts';
import { drawEspKeys, hasRoom, keymatOf, saHalf } from './session.ts';
import type { Session } from './session.ts';
import { SMALLEST_SPI } from './spi.ts';

/** How long a peer may take, of its own part and of ours. */
const REKEY_MS = 30_000;

/** Begin, as the one who asks or the one who answers (§6.8, §6.9.1); returns what its UPDATE says. */
export function beginRekey(
  core: AssociationCore,
  session: Session,
  withDh: boolean,
  theirs: PeerPart | undefined,
  now: Instant,
): HipParameter[] {
  const { suite } = session.agreement;
  const start = Math.max(session.nextIndex, theirs?.publicValue === undefined ? (theirs?.index ?? 0) : 0);
  const needsDh = withDh || theirs?.publicValue !== undefined || !hasRoom(session.keymat, start, suite); // §5.1.1
  const dh = needsDh ? core.crypto.dhKeyPair(session.dh.group) : undefined; // step 2: of the same group
  const ours: OwnPart = { spi: core.newSpi(), index: dh === undefined ? start : 0, dh };
  session.rekey = { ours, theirs, keys: undefined, installed: false, until: now + REKEY_MS };
  const espInfo = { type: 'ESP_INFO', keymatIndex: ours.index, oldSpi: session.spiIn, newSpi: ours.spi } as const;
  if (dh === undefined) return [espInfo];
  return [espInfo, { type: 'DIFFIE_HELLMAN', group: dh.group, publicValue: dh.publicValue }];
}

/** §6.9 step 1: whether the peer's part makes sense. */
export function peerPart(session: Session, packet: ReceivedPacket, espInfo: EspInfo): PeerPart | undefined {
  const dh = parameterOf(packet, 'DIFFIE_HELLMAN');
  const { newSpi, keymatIndex } = espInfo;
  if (newSpi < SMALLEST_SPI || newSpi === session.spiOut) return undefined;
  if (dh !== undefined && (dh.group !== session.dh.group || keymatIndex !== 0)) return undefined;
  return { spi: newSpi, index: keymatIndex, publicValue: dh?.publicValue };
}

/** Both parts are there: draw keys, and be ready for what the peer sends with them (§6.10). */
export function drawRekey(core: AssociationCore, session: Session): AssociationEffect[] {
  const { rekey } = session;
  const theirs = rekey?.theirs;
  if (rekey === undefined || theirs === undefined || rekey.installed) return [];
  const { agreement } = session;
  const { suite, rhash, own, peerHit } = agreement;
  const isFresh = rekey.ours.dh !== undefined || theirs.publicValue !== undefined;
  const dh = rekey.ours.dh ?? session.dh; // of the other side the old one, where there is no new one
  const peerPublic = theirs.publicValue ?? session.peerPublic;
  const keymat = isFresh ? keymatOf(core.crypto, rhash, agreement, dh, peerPublic, [own.hit, peerHit]) : session.keymat;
  const index = isFresh ? 0 : Math.max(rekey.ours.index, theirs.index, session.nextIndex);
  const keys = keymat === undefined ? undefined : drawEspKeys(keymat, index, suite, session.hits);
  if (keymat === undefined || keys === undefined) {
    session.rekey = undefined;
    return [{ type: 'drop', reason: keymat === undefined ? 'dh' : 'esp-info' }];
  }
  rekey.keys = { keymat: keys, fresh: keymat };
  rekey.installed = true;
  const isShort = core.settings.hasShortNumbers(peerHit);
  return [{ type: 'install-sa', sa: saHalf('in', rekey.ours.spi, suite, keys, isShort) }];
}

/** The peer is ready too, by its ACK or because it uses the new SA: payload goes out with the new keys (§6.10). */
export function finishRekey(core: AssociationCore, session: Session, now: Instant): AssociationEffect[] {
  const { rekey } = session;
  if (rekey?.keys === undefined || rekey.theirs === undefined) return [];
  const { suite, peerHit } = session.agreement;
  const { keymat, fresh } = rekey.keys;
  const until = now + core.settings.rekeyGraceMs;
  session.old.push({ direction: 'in', spi: session.spiIn, until }, { direction: 'out', spi: session.spiOut, until });
  session.dh = rekey.ours.dh ?? session.dh;
  session.peerPublic = rekey.theirs.publicValue ?? session.peerPublic;
  session.keymat = fresh;
  session.nextIndex = keymat.nextIndex;
  session.spiIn = rekey.ours.spi;
  session.spiOut = rekey.theirs.spi;
  session.rekey = undefined;
  session.updates.forget('rekey');
  if (session.updates.has('locators')) {
    session.updates.forget('locators');
    session.told = ''; // it named the old SPI: to be said once more
  }
  const isShort = core.settings.hasShortNumbers(peerHit);
  return [{ type: 'install-sa', sa: saHalf('out', session.spiOut, suite, keymat, isShort) }];
}

/** It took too long: everything stays as it was. */
export function abandonRekey(session: Session): AssociationEffect[] {
  const { rekey } = session;
  session.rekey = undefined;
  session.updates.forget('rekey');
  return rekey?.installed === true ? [retire('in', rekey.ours.spi)] : [];
}

/** SAs whose time of grace is over. */
export function retireOld(session: Session, now: Instant): AssociationEffect[] {
  const over = session.old.filter(({ until }) => until <= now);
  const left = session.old.filter(({ until }) => until > now);
  session.old.splice(0, session.old.length, ...left);
  return over.map(({ direction, spi }) => retire(direction, spi));
}
