import { sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import type { AssociationEffect, HipDropReason, HipPath } from './association-io.ts';
import { decryptParameters, isHipCipher } from './hip-cipher.ts';
import type { HipCipherId } from './hip-cipher.ts';
import { parseHostIdentity } from './host-identity.ts';
import type { HostIdentity } from './host-identity.ts';
import { drawHipKeys } from './keymat.ts';
import { offerIn } from './negotiation.ts';
import { ESP_TRANSFORM_FORMAT } from './offers.ts';
import { hitSuiteOf, verifyHit } from './orchid.ts';
import { NOTIFY_TYPES } from './packet.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { EspInfo, HostId } from './parameter.ts';
import { TLV_HEADER_LENGTH, parseDecrypted } from './parameter-list.ts';
import { blameSolution, isFreshSolution, useSolution } from './r1-pool.ts';
import type { R1Entry } from './r1-pool.ts';
import { drop } from './responder.ts';
import { hasGoodMac, hasGoodSignature } from './seal.ts';
import { keymatOf } from './session.ts';
import type { Agreement } from './session.ts';
import { SMALLEST_SPI } from './spi.ts';

/** An I2 that passed, with what R2 needs. */
export interface AcceptedI2 {
  readonly agreement: Agreement;
  readonly espInfo: EspInfo;
  readonly cipher: HipCipherId;
  /** Of the R1: HIP_MAC_2 covers our HOST_ID. */
  readonly entry: R1Entry;
}

export type I2Verdict = { readonly accepted: AcceptedI2 } | { readonly effects: AssociationEffect[] };

/** RFC 7401 §5.2.5: K, Reserved, Opaque. */
const SOLUTION_HEADER_LENGTH = 4;

/** RFC 7401 §6.9, steps 2 to 17: cheap checks first, the puzzle before any key, the signature last. Nothing is kept when one fails. */
export function checkI2(core: AssociationCore, i2: ReceivedPacket, path: HipPath, now: Instant): I2Verdict {
  const { responder, settings } = core;
  const own = responder.identityOf(i2.receiverHit);
  const suite = hitSuiteOf(i2.senderHit);
  if (own === undefined || suite === undefined || !settings.hitSuites.includes(suite)) return refuse('hit'); // 2, 3
  if (!settings.accepts(i2.senderHit)) return refuse('policy');
  const entry = responder.r1Of(i2, now); // 7, 8
  const solution = parameterOf(i2, 'SOLUTION');
  if (entry === 'puzzle' && solution !== undefined) {
    const at = solution.at + TLV_HEADER_LENGTH + SOLUTION_HEADER_LENGTH + solution.i.length;
    return { effects: [...drop('puzzle'), { type: 'parameter-problem', path, at }] }; // §5.4.3
  }
  if (typeof entry === 'string' || solution === undefined) return refuse(entry === 'r1-counter' ? entry : 'parameters');
  if (!isFreshSolution(entry, solution.i)) return refuse('solution-used');
  const checked = checkKeyed(core, i2, entry, solution.j, solution.i);
  if ('accepted' in checked) {
    useSolution(entry, solution.i);
    return checked;
  }
  blameSolution(entry, solution.i);
  const { reason, notify } = checked;
  const told = notify === undefined ? [] : responder.notify(own, i2.senderHit, NOTIFY_TYPES[notify], path, now);
  return { effects: [...drop(reason), ...told] };
}

interface Refusal {
  readonly reason: HipDropReason;
  /** §6.9.1: after a good solution the sender is told. */
  readonly notify?: keyof typeof NOTIFY_TYPES;
}

/** What comes after a good solution. */
function checkKeyed(
  core: AssociationCore,
  i2: ReceivedPacket,
  entry: R1Entry,
  j: Uint8Array,
  i: Uint8Array,
): { readonly accepted: AcceptedI2 } | Refusal {
  const { crypto, settings } = core;
  const espInfo = parameterOf(i2, 'ESP_INFO');
  const dh = parameterOf(i2, 'DIFFIE_HELLMAN');
  const [cipher, ...otherCiphers] = parameterOf(i2, 'HIP_CIPHER')?.ciphers ?? [];
  const formats = parameterOf(i2, 'TRANSPORT_FORMAT_LIST')?.formats ?? [];
  const [suiteId, ...otherSuites] = parameterOf(i2, 'ESP_TRANSFORM')?.suites ?? [];
  if (espInfo === undefined || dh === undefined || cipher === undefined) {
    return { reason: 'parameters', notify: 'INVALID_SYNTAX' };
  }
  if (otherCiphers.length > 0 || !isHipCipher(cipher) || !settings.hipCiphers.includes(cipher)) {
    return { reason: 'parameters', notify: 'INVALID_HIP_CIPHER_CHOSEN' }; // 9
  }
  const suite = settings.espSuites.find(({ id }) => id === suiteId);
  if (formats.length !== 1 || formats[0] !== ESP_TRANSFORM_FORMAT || otherSuites.length > 0 || suite === undefined) {
    return { reason: 'parameters', notify: 'INVALID_ESP_TRANSFORM_CHOSEN' }; // 13, RFC 7402 §6.5
  }
  if (dh.group !== entry.dh.group) return { reason: 'dh' }; // 10: in silence
  const { rhash, own } = entry;
  const hits = { own: own.hit, peer: i2.senderHit };
  const keymat = keymatOf(crypto, rhash, { i, j }, entry.dh, dh.publicValue, [hits.own, hits.peer]);
  if (keymat === undefined) return { reason: 'dh' };
  const hipKeys = drawHipKeys(keymat, cipher, rhash, hits);
  const { oldSpi, newSpi, keymatIndex } = espInfo;
  if (oldSpi !== 0 || newSpi < SMALLEST_SPI || keymatIndex !== hipKeys.nextIndex) return { reason: 'esp-info' };
  const hostId = hostIdIn(core, i2, cipher, hipKeys.incoming.encryption);
  if (hostId === undefined) return { reason: 'decryption' }; // 11: in silence
  const peer = identityOf(core, i2, hostId);
  if (peer === undefined) return { reason: 'hit', notify: 'INVALID_HIT' }; // 12
  if (!hasGoodMac(i2, { crypto, rhash, key: hipKeys.incoming.authentication })) {
    return { reason: 'mac', notify: 'HIP_MAC_FAILED' }; // 14
  }
  if (!hasGoodSignature(i2, crypto, peer)) return { reason: 'signature', notify: 'AUTHENTICATION_FAILED' }; // 15
  const agreement = {
    own,
    peerHit: i2.senderHit,
    peer,
    isAnonymous: i2.isAnonymous,
    rhash,
    i,
    j,
    dh: entry.dh,
    peerPublic: dh.publicValue,
    keymat,
    hipKeys,
    suite,
    offer: offerIn(i2.parameters),
  };
  return { accepted: { agreement, espInfo, cipher, entry } };
}

/** §6.9 step 11: in the open, or inside ENCRYPTED. */
function hostIdIn(core: AssociationCore, i2: ReceivedPacket, cipher: HipCipherId, key: Uint8Array): HostId | undefined {
  const open = parameterOf(i2, 'HOST_ID');
  if (open !== undefined) return open;
  const encrypted = parameterOf(i2, 'ENCRYPTED');
  if (encrypted === undefined) return undefined;
  const plaintext = decryptParameters(core.crypto, cipher, key, encrypted.ivAndCiphertext);
  if (plaintext === undefined) return undefined;
  const inside = parseDecrypted(plaintext);
  return inside.ok ? parameterOf({ parameters: inside.value }, 'HOST_ID') : undefined;
}

/** The Host Identity of a HOST_ID, if the sender's HIT is made from it. */
function identityOf(core: AssociationCore, packet: ReceivedPacket, hostId: HostId): HostIdentity | undefined {
  const parsed = parseHostIdentity(hostId.algorithm, hostId.hostIdentity);
  if (!parsed.ok) return undefined;
  return verifyHit(core.crypto, packet.senderHit, parsed.value) ? parsed.value : undefined;
}

/** Whether this is the I2 that was answered before, sent once more; addresses may differ. */
export function isSameI2(a: ReceivedPacket, b: ReceivedPacket): boolean {
  const one = parameterOf(a, 'HIP_SIGNATURE')?.signature;
  const other = parameterOf(b, 'HIP_SIGNATURE')?.signature;
  const macs = [parameterOf(a, 'HIP_MAC')?.mac, parameterOf(b, 'HIP_MAC')?.mac] as const;
  if (one === undefined || other === undefined || macs[0] === undefined || macs[1] === undefined) return false;
  return sameOctets(one, other) && sameOctets(macs[0], macs[1]);
}

function refuse(reason: HipDropReason): I2Verdict {
  return { effects: drop(reason) };
}
