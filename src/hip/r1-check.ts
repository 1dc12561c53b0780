import { isDhGroup } from '../crypto/dh-groups.ts';
import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { Instant } from '../wire/time.ts';
import type { AssociationCore } from './association-core.ts';
import type { FailureReason, HipDropReason, HipPath } from './association-io.ts';
import type { GoodR1 } from './association-state.ts';
import { isHipCipher } from './hip-cipher.ts';
import type { HipCipherId } from './hip-cipher.ts';
import { parseHostIdentity } from './host-identity.ts';
import { ESP_TRANSFORM_FORMAT } from './offers.ts';
import { hitSuiteOf, rhashOf, verifyHit } from './orchid.ts';
import type { ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import { hasGoodSignature2 } from './seal.ts';
import type { EspSuite } from './settings.ts';

export type R1Verdict = { readonly r1: GoodR1 } | { readonly reason: HipDropReason; readonly failure?: FailureReason };

/**
 * RFC 7401 §6.8, steps 3 to 15, of an R1 between the right HITs. Whatever is wrong with it, another R1 may still come: `failure` is
 * what the attempt ends with if none does.
 */
export function checkR1(core: AssociationCore, packet: ReceivedPacket, path: HipPath, now: Instant): R1Verdict {
  const { settings, crypto } = core;
  const puzzle = parameterOf(packet, 'PUZZLE');
  const hostId = parameterOf(packet, 'HOST_ID');
  const dh = parameterOf(packet, 'DIFFIE_HELLMAN');
  const groups = parameterOf(packet, 'DH_GROUP_LIST')?.groups;
  const ciphers = parameterOf(packet, 'HIP_CIPHER')?.ciphers;
  const suites = parameterOf(packet, 'HIT_SUITE_LIST')?.suites;
  const peerSuite = hitSuiteOf(packet.senderHit);
  if (puzzle === undefined || hostId === undefined || dh === undefined) return { reason: 'malformed' };
  if (groups === undefined || ciphers === undefined || suites === undefined) return { reason: 'malformed' };
  if (peerSuite === undefined) return { reason: 'hit' };
  const rhash = rhashOf(peerSuite);
  if (puzzle.i.length !== RHASH_LENGTH[rhash]) return { reason: 'malformed' };
  const parsed = parseHostIdentity(hostId.algorithm, hostId.hostIdentity);
  if (!parsed.ok || !verifyHit(crypto, packet.senderHit, parsed.value)) return { reason: 'hit' }; // 10, before its key is used
  if (!hasGoodSignature2(packet, crypto, parsed.value)) return { reason: 'signature' }; // 4
  if (!suites.includes(hitSuiteOf(core.own.hit) ?? 0)) return { reason: 'parameters', failure: 'hit-suite' }; // 6
  // 7: the Responder's first group that we listed. No other one, and none at all only where the lists have nothing in common.
  const best = groups.find((group) => settings.dhGroups.some((mine) => mine === group));
  if (best === undefined) return { reason: 'parameters', failure: 'dh-group' };
  if (best !== dh.group || !isDhGroup(dh.group)) return { reason: 'downgrade', failure: 'dh-group' };
  if (puzzle.k > settings.maxPuzzleK) return { reason: 'puzzle', failure: 'puzzle' };
  const cipher = ciphers.find((id): id is HipCipherId => isHipCipher(id) && settings.hipCiphers.includes(id)); // 14
  if (cipher === undefined) return { reason: 'parameters', failure: 'cipher' };
  const suite = espSuiteOf(core, packet);
  if (suite === undefined) return { reason: 'parameters', failure: 'transport-format' };
  const generation = parameterOf(packet, 'R1_COUNTER')?.generation ?? 0n;
  const peerPublic = dh.publicValue;
  return {
    r1: {
      packet,
      path,
      arrivedAt: now,
      peer: parsed.value,
      hostId: hostId.octets,
      rhash,
      generation,
      puzzle,
      group: dh.group,
      peerPublic,
      cipher,
      suite,
    },
  };
}

/** 15, RFC 7402 §5.1.2: the first of the peer's suites that we take; a format without its parameter counts for nothing. */
function espSuiteOf({ settings }: AssociationCore, packet: ReceivedPacket): EspSuite | undefined {
  const formats = parameterOf(packet, 'TRANSPORT_FORMAT_LIST')?.formats ?? [];
  if (!formats.includes(ESP_TRANSFORM_FORMAT)) return undefined;
  for (const id of parameterOf(packet, 'ESP_TRANSFORM')?.suites ?? []) {
    const suite = settings.espSuites.find((mine) => mine.id === id);
    if (suite !== undefined) return suite;
  }
  return undefined;
}
