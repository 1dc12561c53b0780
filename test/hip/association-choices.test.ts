import { describe, expect, it } from 'vitest';
import { Association } from '../../src/hip/association.ts';
import type { AssociationEffect } from '../../src/hip/association-io.ts';
import { append, encodeHip, parseHip } from '../../src/hip/packet-codec.ts';
import { writeChecksum } from '../../src/hip/packet-carriage.ts';
import type { ReceivedPacket } from '../../src/hip/packet.ts';
import { parameterOf, parametersOf } from '../../src/hip/parameter.ts';
import type { HipParameter } from '../../src/hip/parameter.ts';
import { notification } from '../../src/hip/responder.ts';
import { signed2 } from '../../src/hip/seal.ts';
import { HIP_DEFAULTS } from '../../src/hip/settings.ts';
import type { HipSettings } from '../../src/hip/settings.ts';
import { A1, A2, B1, B2, World, small } from './association-world.ts';
import type { Sent, WorldOptions } from './association-world.ts';

const TO_B = { local: B1, peer: A1, carriage: 'raw' } as const;
const TO_A = { local: A1, peer: B1, carriage: 'raw' } as const;

const reasons = (effects: readonly AssociationEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === 'drop' ? [effect.reason] : []));
const types = (effects: readonly AssociationEffect[]): string[] => effects.map(({ type }) => type);

function packetOf(world: World, type: string): Sent {
  const sent = world.log.find(({ packet }) => packet.type === type);
  if (sent === undefined) throw new Error(`no ${type}`);
  return sent;
}

/** A world in which packets of one type do not arrive. */
function held(type: string, options: WorldOptions = {}): { readonly world: World; readonly sent: Sent } {
  const world = new World({ ...options, filter: ({ packet }) => packet.type !== type });
  world.connect();
  world.run(500);
  return { world, sent: packetOf(world, type) };
}

/** An R1 of b with other parameters and a good signature. */
function resigned(
  { world, sent }: { readonly world: World; readonly sent: Sent },
  change: (parameters: readonly HipParameter[]) => readonly HipParameter[],
): Uint8Array {
  const kept = sent.packet.parameters.filter(({ type }) => type !== 'HIP_SIGNATURE_2');
  const octets = signed2(encodeHip({ ...sent.packet, parameters: change(kept) }), world.b.own);
  writeChecksum(octets, B1, A1);
  return octets;
}

/** Whatever octet of it is turned, the checksum is right. */
function turned(sent: Sent, at: number): Uint8Array {
  const octets = sent.octets.slice();
  octets[at] = (octets[at] ?? 0) ^ 0x41;
  writeChecksum(octets, sent.path.local, sent.path.peer);
  return octets;
}

function i1From(dhGroups?: readonly number[]): ReceivedPacket {
  const parameters: HipParameter[] = dhGroups === undefined ? [] : [{ type: 'DH_GROUP_LIST', groups: dhGroups }];
  const world = new World();
  const octets = encodeHip({
    type: 'I1',
    isAnonymous: false,
    senderHit: small.hit,
    receiverHit: world.b.own.hit,
    parameters,
  });
  const parsed = parseHip(octets);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

describe('what an exchange chooses', () => {
  it('is one of each that was offered, and a SPI that replaces none (HIP-057, HIP-058, HIP-109, HIP-261, HIP-262)', () => {
    const world = new World().establish();
    const [r1, i2, r2] = ['R1', 'I2', 'R2'].map((type) => packetOf(world, type).packet);
    if (r1 === undefined || i2 === undefined || r2 === undefined) throw new Error('no exchange');
    const offered = parameterOf(r1, 'HIP_CIPHER')?.ciphers;
    expect(offered).toContain(2); // AES-128-CBC
    expect(offered).not.toContain(1); // NULL-ENCRYPT
    const [cipher, ...others] = parameterOf(i2, 'HIP_CIPHER')?.ciphers ?? [];
    expect(offered).toContain(cipher);
    expect(others).toEqual([]);
    const suites = parameterOf(i2, 'ESP_TRANSFORM')?.suites ?? [];
    expect(suites).toHaveLength(1);
    expect(parameterOf(r1, 'ESP_TRANSFORM')?.suites).toContain(suites[0]);
    expect(parameterOf(i2, 'TRANSPORT_FORMAT_LIST')).toMatchObject({ formats: [4095] });
    for (const packet of [i2, r2]) expect(parameterOf(packet, 'ESP_INFO')?.oldSpi).toBe(0);
  });

  it('has MACs as long as the hash of the Responder (HIP-071)', () => {
    const world = new World().establish();
    expect(parameterOf(packetOf(world, 'I2').packet, 'HIP_MAC')?.mac).toHaveLength(48);
    expect(parameterOf(packetOf(world, 'R2').packet, 'HIP_MAC_2')?.mac).toHaveLength(48);
  });

  it('is never NULL-ENCRYPT where nobody asked for it (HIP-060)', () => {
    expect(HIP_DEFAULTS.hipCiphers).not.toContain(1);
    const world = new World({ b: { hipCiphers: [1] } });
    world.connect();
    world.run(60_000);
    expect(world.a.all('failed').map(({ reason }) => reason)).toEqual(['cipher']);
  });

  it('tells by the A bit that an identity is anonymous, which is no reason to refuse it (HIP-098, HIP-170)', () => {
    const isAnonymous = (): boolean => true;
    const world = new World({ a: { isAnonymous }, b: { isAnonymous } }).establish();
    expect(world.log.map(({ packet }) => packet.isAnonymous)).toEqual([false, true, true, false]);
    expect([world.a.association.peer?.isAnonymous, world.b.association.peer?.isAnonymous]).toEqual([true, true]);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
  });
});

describe('an R1 (RFC 7401 §6.8)', () => {
  it('without a parameter that it must have is dropped in silence (HIP-178)', () => {
    const { world, sent } = held('R1');
    for (const name of ['PUZZLE', 'DIFFIE_HELLMAN', 'HOST_ID', 'DH_GROUP_LIST', 'HIP_CIPHER', 'HIT_SUITE_LIST']) {
      const octets = resigned({ world, sent }, (parameters) => parameters.filter(({ type }) => type !== name));
      expect(world.deliver(world.a, octets, TO_A), name).toEqual([{ type: 'drop', reason: 'malformed' }]);
    }
    expect(world.a.association.state).toBe('I1-SENT');
  });

  it('may name transport formats that it does not have (HIP-066)', () => {
    const { world, sent } = held('R1');
    const naming = (formats: readonly number[]): Uint8Array =>
      resigned({ world, sent }, (parameters) =>
        parameters.map((one) => (one.type === 'TRANSPORT_FORMAT_LIST' ? { ...one, formats } : one)),
      );
    expect(reasons(world.deliver(world.a, naming([2050]), TO_A))).toEqual(['parameters']);
    world.filter = undefined;
    world.deliver(world.a, naming([2050, 4095]), TO_A);
    world.run(world.now + 1000);
    expect(world.a.association.state).toBe('ESTABLISHED');
  });

  it('is known by its HITs, wherever it comes from; the I2 goes there (HIP-149, HIP-165)', () => {
    const { world, sent } = held('R1');
    const octets = sent.octets.slice();
    writeChecksum(octets, B2, A1);
    world.deliver(world.a, octets, { ...TO_A, peer: B2 });
    expect(packetOf(world, 'I2').path.peer).toEqual(B2);
  });

  it('that wants something back without a signature gets it (HIP-083)', () => {
    const { world, sent } = held('R1');
    const opaque = Uint8Array.of(1, 2, 3, 4, 5);
    const octets = append(sent.octets, { type: 'ECHO_REQUEST_UNSIGNED', opaque });
    writeChecksum(octets, B1, A1);
    world.filter = undefined;
    world.deliver(world.a, octets, TO_A);
    const echoes = parametersOf(packetOf(world, 'I2').packet, 'ECHO_RESPONSE_UNSIGNED');
    expect(echoes.map((echo) => echo.opaque)).toEqual([opaque]);
    world.run(world.now + 1000);
    expect(world.a.association.state).toBe('ESTABLISHED');
  });

  it.each(['R1', 'I2', 'R2'] as const)(
    'and I2 and R2 are for nobody when a HIT is another one (HIP-167, HIP-180, HIP-192): %s',
    (type) => {
      const { world, sent } = held(type);
      const to = type === 'I2' ? world.b : world.a;
      const path = type === 'I2' ? TO_B : TO_A;
      const before = to.association.state;
      for (const at of [23, 39]) {
        expect(world.deliver(to, turned(sent, at), path)).toEqual([{ type: 'drop', reason: 'hit' }]);
      }
      expect(to.association.state).toBe(before);
    },
  );
});

describe('a responder', () => {
  it('tells nobody what is wrong with an I1 (HIP-163)', () => {
    expect(new World().b.responder.answer(i1From(), TO_B, 0)).toEqual([{ type: 'drop', reason: 'malformed' }]);
  });

  it('makes R1s anew every two minutes, and counts them upwards from where it is told (HIP-040, HIP-043, HIP-044, HIP-094)', () => {
    const { responder } = new World({ seed: 5 }).b;
    const generationAt = (now: number): bigint => {
      const [effect] = responder.answer(i1From([7]), TO_B, now);
      const parsed = effect?.type === 'transmit' ? parseHip(effect.octets) : undefined;
      if (parsed?.ok !== true) throw new Error('no R1');
      return parameterOf(parsed.value, 'R1_COUNTER')?.generation ?? 0n;
    };
    const seen = [0, 119_000, 121_000, 242_000].map(generationAt);
    expect(seen).toEqual([12_001n, 12_001n, 12_002n, 12_003n]);
  });

  it('goes by the settings of now when an I2 comes (HIP-181, HIP-185)', () => {
    const { world, sent } = held('I2');
    const answerWith = (settings: Partial<HipSettings>): AssociationEffect[] => {
      const { own, crypto, random, responder } = world.b;
      const configuration = { own, peerHit: small.hit, crypto, random, responder, locators: [], newSpi: () => 4096 };
      const association = new Association({ ...configuration, settings: { ...world.b.settings, ...settings } });
      return association.handle({ type: 'packet', packet: sent.packet, path: TO_B }, world.now);
    };
    expect(answerWith({ hitSuites: [1] })).toEqual([{ type: 'drop', reason: 'hit' }]);
    expect(types(answerWith({ hipCiphers: [4] }))).toEqual(['drop', 'transmit']);
    expect(reasons(answerWith({ hipCiphers: [4] }))).toEqual(['parameters']);
    expect(types(answerWith({}))).toContain('established');
  });
});

describe('an association', () => {
  function established(): World {
    const world = new World().establish();
    world.payload(world.a);
    world.payload(world.b);
    world.log.length = 0;
    return world;
  }

  it('does not change by what a NOTIFY says, of whatever type (HIP-077, HIP-078, HIP-119, HIP-213)', () => {
    const world = established();
    const keys = [...world.a.sas.keys()];
    for (const type of [7, 28, 44, 9999, 16_384, 60_000]) {
      const octets = notification(world.b.own, world.a.own.hit, type, Uint8Array.of(1, 2, 3));
      writeChecksum(octets, B1, A1);
      expect(world.deliver(world.a, octets, TO_A)).toEqual([{ type: 'notified', notifyType: type }]);
      octets[octets.length - 9] = (octets[octets.length - 9] ?? 0) ^ 1;
      writeChecksum(octets, B1, A1);
      expect(reasons(world.deliver(world.a, octets, TO_A))).toEqual(['signature']);
    }
    expect(world.a.association.state).toBe('ESTABLISHED');
    expect([...world.a.sas.keys()]).toEqual(keys);
  });

  it('drops an UPDATE without SEQ and ACK (HIP-115)', () => {
    const world = established();
    const octets = encodeHip({
      type: 'UPDATE',
      isAnonymous: false,
      senderHit: world.b.own.hit,
      receiverHit: world.a.own.hit,
      parameters: [{ type: 'ESP_INFO', keymatIndex: 0, oldSpi: 1, newSpi: 1 }],
    });
    writeChecksum(octets, B1, A1);
    expect(world.deliver(world.a, octets, TO_A)).toEqual([{ type: 'drop', reason: 'malformed' }]);
  });

  it('believes no UPDATE by its number: MAC and signature count each time (HIP-206, HIP-208, HIP-209, HIP-211)', () => {
    const world = established();
    world.move(world.a, [A2]);
    world.run(world.now + 1000);
    const [first, , last] = world.log;
    if (first === undefined || last === undefined) throw new Error('no UPDATE');
    for (const [name, reason] of [
      ['HIP_MAC', 'mac'],
      ['HIP_SIGNATURE', 'signature'],
    ] as const) {
      const octets = turned(first, (parameterOf(first.packet, name)?.at ?? 0) + 12);
      expect(world.deliver(world.b, octets, { ...TO_B, peer: A2 })).toEqual([{ type: 'drop', reason }]);
    }
    const acknowledgement = world.deliver(world.b, last.octets, { ...TO_B, peer: A2 });
    expect(acknowledgement).toEqual([{ type: 'drop', reason: 'update-id' }]);
  });

  it('says one thing after the other: addresses, then new keys (HIP-200, HIP-271)', () => {
    const world = established();
    const said = (): string[] =>
      world.log.flatMap(({ from, packet }) => {
        const has = (name: 'LOCATOR_SET' | 'ESP_INFO'): boolean => parameterOf(packet, name) !== undefined;
        if (from !== world.a || !has('ESP_INFO')) return [];
        return [has('LOCATOR_SET') ? 'locators' : 'rekey'];
      });
    world.filter = () => false;
    world.move(world.a, [A1, A2]);
    world.handle(world.a, { type: 'rekey', withDh: false });
    world.run(world.now + 250);
    expect(new Set(said())).toEqual(new Set(['locators']));
    world.filter = undefined;
    world.run(world.now + 2000);
    expect(said().slice(-1)).toEqual(['rekey']);
    world.log.length = 0;
    world.filter = () => false;
    world.handle(world.a, { type: 'rekey', withDh: false });
    world.move(world.a, [A1]);
    world.run(world.now + 250);
    expect(new Set(said())).toEqual(new Set(['rekey']));
    world.filter = undefined;
    world.run(world.now + 2000);
    expect(said().slice(-1)).toEqual(['locators']);
  });

  it('does not wait for a rekey for ever (HIP-270)', () => {
    const world = established();
    world.filter = () => false;
    world.handle(world.a, { type: 'rekey', withDh: true });
    expect(world.a.association.isRekeying).toBe(true);
    world.run(world.now + 60_000);
    expect(world.a.states).toContain('CLOSING');
  });

  it('ends by the answer to its own CLOSE alone (HIP-123)', () => {
    const world = established();
    world.filter = ({ packet }) => packet.type !== 'CLOSE_ACK';
    world.handle(world.a, { type: 'close' });
    world.run(world.now + 100);
    const sent = packetOf(world, 'CLOSE_ACK');
    for (const [name, reason] of [
      ['ECHO_RESPONSE_SIGNED', 'echo'],
      ['HIP_MAC', 'mac'],
      ['HIP_SIGNATURE', 'signature'],
    ] as const) {
      const octets = turned(sent, (parameterOf(sent.packet, name)?.at ?? 0) + 12);
      expect(world.deliver(world.a, octets, TO_A)).toEqual([{ type: 'drop', reason }]);
      expect(world.a.association.state).toBe('CLOSING');
    }
    world.deliver(world.a, sent.octets, TO_A);
    expect(world.a.association.state).toBe('UNASSOCIATED');
  });
});
