import { describe, expect, it } from 'vitest';
import { AssociationCore } from '../../src/hip/association-core.ts';
import { parseHip } from '../../src/hip/packet-codec.ts';
import type { ReceivedPacket } from '../../src/hip/packet.ts';
import { checkR1 } from '../../src/hip/r1-check.ts';
import { HIP_DEFAULTS } from '../../src/hip/settings.ts';
import { A1, B1, SETTINGS, World, small } from './association-world.ts';
import { hipPacketsOf } from './wire-capture.ts';

const [, r1] = hipPacketsOf('cutehip-rfcpatched-rsa.pcap').map(({ octets }): ReceivedPacket => {
  const parsed = parseHip(octets);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
});
if (r1 === undefined) throw new Error('no R1');

describe('the R1 of another implementation', () => {
  it('is good in every step of RFC 7401 §6.8, RSA signature included (HIP-061, HIP-070, HIP-171)', () => {
    const { a } = new World();
    const core = new AssociationCore({
      own: { ...small, hit: r1.receiverHit },
      peerHit: r1.senderHit,
      crypto: a.crypto,
      random: a.random,
      settings: { ...SETTINGS, dhGroups: HIP_DEFAULTS.dhGroups },
      responder: a.responder,
      newSpi: () => 256,
      locators: [],
    });
    const path = { local: A1, peer: B1, carriage: 'raw' } as const;
    const verdict = checkR1(core, r1, path, 0);
    expect(verdict).toMatchObject({
      r1: { rhash: 'sha256', group: 8, cipher: 4, suite: { id: 8 }, puzzle: { k: 16 } },
    });
    const octets = r1.octets.slice();
    octets[octets.length - 20] = (octets[octets.length - 20] ?? 0) ^ 1;
    const forged = parseHip(octets);
    if (!forged.ok) throw new Error(forged.reason);
    expect(checkR1(core, forged.value, path, 0)).toEqual({ reason: 'signature' });
  });
});
