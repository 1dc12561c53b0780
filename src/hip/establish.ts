import { addressKey } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import { transmission } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import type { I2Sent } from './association-state.ts';
import { checkI2, isSameI2 } from './i2-check.ts';
import type { AcceptedI2 } from './i2-check.ts';
import { unsignedEchoes } from './initiator.ts';
import { learnFrom, pathSelected } from './mobility.ts';
import { offerIn } from './negotiation.ts';
import { hostIdOf, locatorSet, loci } from './offers.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { HipParameter } from './parameter.ts';
import { encodeParameters } from './parameter-list.ts';
import { drop } from './responder.ts';
import { hasGoodMac2, hasGoodSignature, sealedR2 } from './seal.ts';
import { Session, drawEspKeys, saHalf } from './session.ts';
import { SMALLEST_SPI } from './spi.ts';
import { toldKey } from './told.ts';
import { pump } from './update.ts';

/** RFC 7401 §6.9: an I2. */
export function accept(
  core: AssociationCore,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { state } = core;
  const answered = 'answered' in state ? state.answered : undefined;
  if (answered !== undefined && isSameI2(answered.i2, packet)) {
    if (!core.mayAnswer(now)) return drop('rate');
    if (state.name === 'R2-SENT') startExchangeComplete(core, now); // step 4
    return [transmission(answered.r2, path)];
  }
  const verdict = checkI2(core, packet, path, now);
  return 'effects' in verdict ? verdict.effects : answerR2(core, verdict.accepted, packet, path, now);
}

/** §6.9 steps 18 to 21, also when it replaces an association; all that there was goes. */
function answerR2(
  core: AssociationCore,
  { agreement, espInfo, entry }: AcceptedI2,
  i2: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { suite, hipKeys, keymat, peerHit } = agreement;
  const espKeys = drawEspKeys(keymat, hipKeys.nextIndex, suite, { own: agreement.own.hit, peer: peerHit });
  if (espKeys === undefined) return drop('esp-info');
  const retired = core.retireAll();
  const spiIn = core.newSpi();
  const spis = { in: spiIn, out: espInfo.newSpi };
  const session = new Session(agreement, spis, espKeys.nextIndex, path, core.settings, now);
  session.told = initiallyTold(core, path);
  const r2 = composeR2(core, session, i2, encodeParameters([hostIdOf(entry.own)]));
  const learned = learnFrom(session, i2, now);
  const entered = core.enter({ name: 'R2-SENT', session, answered: { i2, r2 } });
  startExchangeComplete(core, now);
  core.used(now);
  const isShort = core.settings.hasShortNumbers(peerHit);
  return [
    ...retired,
    ...entered,
    { type: 'install-sa', sa: saHalf('in', spis.in, suite, espKeys, isShort) },
    { type: 'install-sa', sa: saHalf('out', spis.out, suite, espKeys, isShort) },
    transmission(r2, path), // RFC 8047 §4.2.8: to where the I2 came from, whatever it listed
    { type: 'established', peer: session.describe(core.settings), path, rttMs: undefined },
    ...learned,
    pathSelected(session, now),
  ];
}

function startExchangeComplete(core: AssociationCore, now: Instant): void {
  const { i2RetriesMax, i2TimeoutMs } = core.settings;
  core.timers.set('exchange-complete', now + i2RetriesMax * i2TimeoutMs); // §4.4.2
}

/** §5.3.4. */
function composeR2(core: AssociationCore, session: Session, i2: ReceivedPacket, hostId: Uint8Array): Uint8Array {
  const { own, peerHit, hipKeys, offer } = session.agreement;
  const { settings, locators, crypto } = core;
  const parameters: HipParameter[] = [
    { type: 'ESP_INFO', keymatIndex: hipKeys.nextIndex, oldSpi: 0, newSpi: session.spiIn },
    ...(locators.length < 2 ? [] : [locatorSet(locators, session.spiIn)]),
    ...(offer === undefined ? [] : loci(settings)),
  ];
  const packet = { type: 'R2', isAnonymous: false, senderHit: own.hit, receiverHit: peerHit, parameters } as const;
  return sealedR2(packet, session.macKey(crypto), own, hostId, unsignedEchoes(i2));
}

/** §6.10: an R2 in I2-SENT. */
export function establish(
  core: AssociationCore,
  i2: I2Sent,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { agreement, espKeys, r1 } = i2;
  const { peer, rhash, hipKeys, suite } = agreement;
  const espInfo = parameterOf(packet, 'ESP_INFO');
  if (espInfo === undefined) return drop('parameters');
  const key = { crypto: core.crypto, rhash, key: hipKeys.incoming.authentication };
  if (!hasGoodMac2(packet, key, r1.hostId)) return drop('mac');
  if (!hasGoodSignature(packet, core.crypto, peer)) return drop('signature');
  const { oldSpi, newSpi, keymatIndex } = espInfo;
  if (oldSpi !== 0 || newSpi < SMALLEST_SPI || keymatIndex !== hipKeys.nextIndex) return drop('esp-info');
  const confirmed = { ...agreement, offer: offerIn(packet.parameters) };
  const spis = { in: i2.spiIn, out: newSpi };
  const session = new Session(confirmed, spis, espKeys.nextIndex, path, core.settings, now);
  session.told = initiallyTold(core, path);
  session.rttMs = i2.tries === 1 ? now - i2.sentAt : i2.rttMs;
  const learned = [...learnFrom(session, r1.packet, now), ...learnFrom(session, packet, now)];
  const entered = core.enter({ name: 'ESTABLISHED', session, answered: undefined });
  core.used(now);
  return [
    ...entered,
    {
      type: 'install-sa',
      sa: saHalf('out', newSpi, suite, espKeys, core.settings.hasShortNumbers(agreement.peerHit)),
    },
    { type: 'established', peer: session.describe(core.settings), path, rttMs: session.rttMs },
    ...learned.slice(-1),
    pathSelected(session, now),
    ...pump(core, session, now),
  ];
}

/** What I2 or R2 has told the peer; a single address that it sees anyhow need not be told. */
function initiallyTold({ locators }: AssociationCore, path: HipPath): string {
  const [only] = locators;
  if (locators.length > 1 || only === undefined) return toldKey(locators);
  return addressKey(only.address) === addressKey(path.local) ? toldKey(locators) : '';
}

/** R2-SENT → ESTABLISHED: payload, an UPDATE, or time enough without either. */
export function confirm(core: AssociationCore, now: Instant): AssociationEffect[] {
  const { state } = core;
  if (state.name !== 'R2-SENT') return [];
  const { session, answered } = state;
  const entered = core.enter({ name: 'ESTABLISHED', session, answered });
  core.used(now);
  return [...entered, ...pump(core, session, now)];
}
