import { RHASH_LENGTH } from '../crypto/ports.ts';
import { addressKey, sameOctets } from '../wire/address.ts';
import { isIpv4Mapped } from '../wire/ipv4.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import { transmission } from './association-core.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import type { Attempt, GoodR1, I2Sent } from './association-state.ts';
import { HIP_CIPHERS, encryptParameters } from './hip-cipher.ts';
import { drawHipKeys } from './keymat.ts';
import { LOCATOR_ADDRESS } from './locator-set.ts';
import { offerIn } from './negotiation.ts';
import { ESP_TRANSFORM_FORMAT, hostIdOf, locatorSet, loci } from './offers.ts';
import { encodeHip } from './packet-codec.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf, parametersOf } from './parameter.ts';
import type { HipParameter } from './parameter.ts';
import { encodeParameters } from './parameter-list.ts';
import { canBeLocator } from './peer-locators.ts';
import { puzzleLifetimeSeconds } from './puzzle.ts';
import { checkR1 } from './r1-check.ts';
import { drop } from './responder.ts';
import { sealed } from './seal.ts';
import { drawEspKeys, keymatOf, saHalf } from './session.ts';
import type { Agreement } from './session.ts';

/** RFC 7401 §6.6.1: I1s go to no more addresses at once. */
const MAX_PARALLEL = 3;
/** §6.8: after several I1s, how long further R1s may take, at least and at most. */
const COLLECT_MS = [5, 100] as const;

/** §6.6: the first I1 of an attempt; UNASSOCIATED, CLOSING → I1-SENT, CLOSED stays. */
export function connect(core: AssociationCore, paths: readonly HipPath[], now: Instant): AssociationEffect[] {
  if (paths.length === 0) return drop('address');
  const i1 = encodeHip({
    type: 'I1',
    isAnonymous: false,
    senderHit: core.own.hit,
    receiverHit: core.peerHit,
    parameters: [{ type: 'DH_GROUP_LIST', groups: core.settings.dhGroups }],
  });
  const idle = { sent: 0, retries: 0, sentAt: now, failure: 'no-answer', chosen: undefined, task: undefined } as const;
  const attempt: Attempt = { paths, i1, ...idle };
  const { state } = core;
  if (state.name === 'CLOSED') {
    core.state = { ...state, attempt };
    return sendI1(core, attempt, now);
  }
  const entered = core.enter({ name: 'I1-SENT', attempt });
  return [...entered, ...sendI1(core, attempt, now)];
}

function sendI1(core: AssociationCore, attempt: Attempt, now: Instant): AssociationEffect[] {
  const path = attempt.paths[attempt.sent % attempt.paths.length];
  if (path === undefined) return [];
  attempt.sent++;
  attempt.sentAt = now;
  const { i1TimeoutMs, maxTimeoutMs, staggerMs } = core.settings;
  core.timers.set('i1', now + Math.min(i1TimeoutMs * 2 ** attempt.retries, maxTimeoutMs));
  // §6.6.1: in parallel at first only; after a timeout one at a time
  const isRace = attempt.retries === 0 && attempt.sent < Math.min(attempt.paths.length, MAX_PARALLEL);
  if (isRace) core.timers.set('stagger', now + staggerMs);
  else core.timers.stop('stagger');
  return [transmission(attempt.i1, path)];
}

/** The timers of an attempt. */
export function pursue(core: AssociationCore, attempt: Attempt, now: Instant): AssociationEffect[] {
  const { timers } = core;
  switch (timers.take(now)) {
    case 'stagger':
      return sendI1(core, attempt, now);
    case 'collect':
      return answerR1(core, attempt, now);
    case 'i1':
      return again(core, attempt, now);
    case 'puzzle':
      attempt.failure = 'puzzle'; // §6.8 step 12
      return again(core, attempt, now);
    default:
      return [];
  }
}

/** §6.6 step 5: one I1 more, or none any more. */
function again(core: AssociationCore, attempt: Attempt, now: Instant): AssociationEffect[] {
  attempt.chosen = undefined;
  attempt.task = undefined;
  attempt.retries++;
  if (attempt.retries <= core.settings.i1RetriesMax) return sendI1(core, attempt, now);
  const { state } = core;
  if (state.name !== 'CLOSED') return core.fail(attempt.failure, now);
  core.state = { ...state, attempt: undefined };
  return [{ type: 'failed', reason: attempt.failure }];
}

/** §6.8: in I1-SENT, or CLOSED after an I1. */
export function receiveR1(
  core: AssociationCore,
  packet: ReceivedPacket,
  path: HipPath,
  now: Instant,
): AssociationEffect[] {
  const { attempt } = core;
  if (attempt === undefined) return drop('wrong-state');
  if (attempt.task !== undefined) return drop('duplicate'); // a puzzle is being solved
  const generation = parameterOf(packet, 'R1_COUNTER')?.generation ?? 0n;
  if (attempt.chosen !== undefined && generation <= attempt.chosen.generation) return drop('r1-counter'); // 5
  const verdict = checkR1(core, packet, path, now);
  if ('reason' in verdict) {
    attempt.failure = verdict.failure ?? attempt.failure;
    return drop(verdict.reason);
  }
  const isFirst = attempt.chosen === undefined;
  attempt.chosen = verdict.r1;
  if (!isFirst) return [];
  core.timers.stop('stagger', 'i1');
  if (attempt.sent === 1) return answerR1(core, attempt, now);
  const [least, most] = COLLECT_MS; // 5, HIP-169
  core.timers.set('collect', now + Math.min(most, Math.max(least, now - attempt.sentAt)));
  return [];
}

/** §6.8 step 12: the puzzle first. */
function answerR1(core: AssociationCore, attempt: Attempt, now: Instant): AssociationEffect[] {
  const r1 = attempt.chosen;
  if (r1 === undefined) return [];
  core.timers.stop('collect', 'stagger', 'i1');
  const { puzzle, rhash } = r1;
  const j = core.random(RHASH_LENGTH[rhash]);
  if (puzzle.k === 0) return sendI2(core, attempt, r1, j, now);
  const until = r1.arrivedAt + 1000 * puzzleLifetimeSeconds(puzzle.lifetime);
  const task = { rhash, k: puzzle.k, i: puzzle.i, initiator: core.own.hit, responder: core.peerHit, j };
  attempt.task = task;
  core.timers.set('puzzle', until);
  return [{ type: 'solve-puzzle', task, until }];
}

/** J was found. */
export function solved(core: AssociationCore, i: Uint8Array, j: Uint8Array, now: Instant): AssociationEffect[] {
  const { attempt } = core;
  const r1 = attempt?.chosen;
  const isAsked = attempt?.task !== undefined && sameOctets(attempt.task.i, i);
  if (!isAsked || r1 === undefined || j.length !== RHASH_LENGTH[r1.rhash]) return drop('puzzle');
  attempt.task = undefined;
  core.timers.stop('puzzle');
  return sendI2(core, attempt, r1, j, now);
}

/** It was not found in time. */
export function unsolvable(core: AssociationCore, i: Uint8Array, now: Instant): AssociationEffect[] {
  const { attempt } = core;
  if (attempt?.task === undefined || !sameOctets(attempt.task.i, i)) return drop('puzzle');
  attempt.failure = 'puzzle';
  core.timers.stop('puzzle');
  return again(core, attempt, now);
}

/** §6.8 steps 13 to 19. */
function sendI2(core: AssociationCore, attempt: Attempt, r1: GoodR1, j: Uint8Array, now: Instant): AssociationEffect[] {
  const { crypto, own, peerHit } = core;
  const { i } = r1.puzzle;
  const hits = { own: own.hit, peer: peerHit };
  const dh = crypto.dhKeyPair(r1.group);
  const keymat = keymatOf(crypto, r1.rhash, { i, j }, dh, r1.peerPublic, [own.hit, peerHit]);
  if (keymat === undefined) return [...drop('dh'), ...again(core, attempt, now)];
  const hipKeys = drawHipKeys(keymat, r1.cipher, r1.rhash, hits);
  const espKeys = drawEspKeys(keymat, hipKeys.nextIndex, r1.suite, hits);
  if (espKeys === undefined) throw new RangeError('the ESP keys are longer than all keying material');
  const agreement: Agreement = {
    own,
    peerHit,
    peer: r1.peer,
    isAnonymous: r1.packet.isAnonymous,
    rhash: r1.rhash,
    i,
    j,
    dh,
    peerPublic: r1.peerPublic,
    keymat,
    hipKeys,
    suite: r1.suite,
    offer: offerIn(r1.packet.parameters),
  };
  const spiIn = core.newSpi();
  const path = preferredPath(r1);
  const octets = composeI2(core, r1, agreement, spiIn);
  const rttMs = r1.arrivedAt - attempt.sentAt;
  const i2 = { agreement, r1, spiIn, espKeys, octets, path, rttMs, sentAt: now, tries: 1 };
  attempt.chosen = undefined;
  const entered = core.enter({ name: 'I2-SENT', attempt, i2 });
  core.timers.set('i2', now + core.settings.i2TimeoutMs);
  const sa = saHalf('in', spiIn, r1.suite, espKeys, core.settings.hasShortNumbers(peerHit));
  return [...entered, { type: 'install-sa', sa }, transmission(octets, path)];
}

/** RFC 8047 §4.2.8: to the preferred locator of the R1, if there is one in the family of our address. */
function preferredPath({ packet, path }: GoodR1): HipPath {
  const entries = parameterOf(packet, 'LOCATOR_SET')?.locators ?? [];
  for (const { isPreferred, locator } of entries) {
    if (!isPreferred || locator.locatorType !== LOCATOR_ADDRESS || !canBeLocator(locator.address)) continue;
    if (isIpv4Mapped(locator.address) !== isIpv4Mapped(path.local)) continue;
    return addressKey(locator.address) === addressKey(path.peer) ? path : { ...path, peer: locator.address };
  }
  return path;
}

/** §5.3.3. */
function composeI2(core: AssociationCore, r1: GoodR1, agreement: Agreement, spi: number): Uint8Array {
  const { crypto, own, settings } = core;
  const { packet, puzzle, cipher, suite } = r1;
  const { hipKeys, dh } = agreement;
  const counter = parameterOf(packet, 'R1_COUNTER');
  const echo = parameterOf(packet, 'ECHO_REQUEST_SIGNED');
  const iv = core.random(HIP_CIPHERS[cipher].ivLength);
  const hostId = encodeParameters([hostIdOf(own)]);
  const encrypted = encryptParameters(crypto, cipher, hipKeys.outgoing.encryption, iv, hostId);
  const { k, opaque, i } = puzzle;
  const parameters: HipParameter[] = [
    { type: 'ESP_INFO', keymatIndex: hipKeys.nextIndex, oldSpi: 0, newSpi: spi },
    ...(counter === undefined ? [] : [counter]),
    ...(core.locators.length < 2 ? [] : [locatorSet(core.locators, spi)]),
    { type: 'SOLUTION', k, opaque, i, j: agreement.j },
    { type: 'DIFFIE_HELLMAN', group: dh.group, publicValue: dh.publicValue },
    { type: 'HIP_CIPHER', ciphers: [cipher] },
    { type: 'ENCRYPTED', ivAndCiphertext: encrypted },
    ...(echo === undefined ? [] : [{ type: 'ECHO_RESPONSE_SIGNED', opaque: echo.opaque } as const]),
    { type: 'TRANSPORT_FORMAT_LIST', formats: [ESP_TRANSFORM_FORMAT] },
    { type: 'ESP_TRANSFORM', suites: [suite.id] },
    ...loci(settings),
  ];
  const isAnonymous = settings.isAnonymous(own.hit);
  return sealed(
    { type: 'I2', isAnonymous, senderHit: own.hit, receiverHit: core.peerHit, parameters },
    { crypto, rhash: r1.rhash, key: hipKeys.outgoing.authentication },
    own,
    unsignedEchoes(packet),
  );
}

/** §5.2.21: what middleboxes or the peer want to have back. */
export function unsignedEchoes(packet: ReceivedPacket): HipParameter[] {
  return parametersOf(packet, 'ECHO_REQUEST_UNSIGNED').map(({ opaque }) => ({
    type: 'ECHO_RESPONSE_UNSIGNED',
    opaque,
  }));
}

/** §6.8 step 18: the same I2 once more, or none any more. */
export function retryI2(core: AssociationCore, i2: I2Sent, now: Instant): AssociationEffect[] {
  core.timers.stop('i2');
  const { i2RetriesMax, i2TimeoutMs, maxTimeoutMs } = core.settings;
  if (i2.tries > i2RetriesMax) return core.fail('no-answer', now);
  core.timers.set('i2', now + Math.min(i2TimeoutMs * 2 ** i2.tries, maxTimeoutMs));
  i2.tries++;
  i2.sentAt = now;
  return [transmission(i2.octets, i2.path)];
}
