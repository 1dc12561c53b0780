import { describe, expect, it } from 'vitest';
import type { AssociationEffect } from '../../src/hip/association-io.ts';
import { append, encodeHip, parseHip } from '../../src/hip/packet-codec.ts';
import { writeChecksum } from '../../src/hip/packet-carriage.ts';
import { parameterOf } from '../../src/hip/parameter.ts';
import type { HipParameter, PARAMETER_TYPES } from '../../src/hip/parameter.ts';
import { PuzzleLoad } from '../../src/hip/puzzle-load.ts';
import { signed2 } from '../../src/hip/seal.ts';
import { A1, B1, SETTINGS, World, ip, large, small } from './association-world.ts';
import type { End, Sent } from './association-world.ts';

const TO_B = { local: B1, peer: A1, carriage: 'raw' } as const;
const TO_A = { local: A1, peer: B1, carriage: 'raw' } as const;

const transmits = (effects: readonly AssociationEffect[]): number =>
  effects.filter(({ type }) => type === 'transmit').length;
const reasons = (effects: readonly AssociationEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === 'drop' ? [effect.reason] : []));

/** The packets of a whole exchange. */
function exchange(world: World): Sent[] {
  world.establish();
  return world.log.slice(0, 4);
}

/** A packet with one octet of a parameter turned, the checksum right again. */
function tampered(sent: Sent | undefined, name: keyof typeof PARAMETER_TYPES, at = 0): Uint8Array {
  if (sent === undefined) throw new Error('no packet');
  const parameter = parameterOf(sent.packet, name);
  if (parameter === undefined) throw new Error(`no ${name}`);
  const octets = sent.octets.slice();
  const place = parameter.at + 4 + at;
  octets[place] = (octets[place] ?? 0) ^ 0x41;
  writeChecksum(octets, sent.path.local, sent.path.peer);
  return octets;
}

/** A world whose packets of one type do not arrive: to be handed over by the test. */
function held(type: string, options = {}): { readonly world: World; readonly sent: Sent } {
  const world = new World({ ...options, filter: ({ packet }) => packet.type !== type });
  world.connect();
  world.run(500);
  const sent = world.log.find(({ packet }) => packet.type === type);
  if (sent === undefined) throw new Error(`no ${type}`);
  return { world, sent };
}

describe('a responder without state (RFC 7401 §6.7, §6.9)', () => {
  it('answers 10,000 I1s of strangers within its limits, and remembers none (HIP-154, HIP-155, HIP-228)', () => {
    const world = new World();
    const [i1] = exchange(world);
    if (i1 === undefined) throw new Error('no I1');
    const before = world.b.responder.pool.size;
    let answers = 0;
    for (let i = 0; i < 10_000; i++) {
      const peer = ip(`2001:db8:${(i % 977).toString(16)}:${(i >> 4).toString(16)}::1`);
      const senderHit = small.hit.slice();
      senderHit.set([i >> 8, i & 0xff], 10);
      const packet = { ...i1.packet, senderHit };
      answers += transmits(world.b.responder.answer(packet, { ...TO_B, peer }, world.now));
    }
    expect(answers).toBeGreaterThan(1000);
    expect(answers).toBeLessThanOrEqual(2 * SETTINGS.r1sInAll);
    expect(world.b.responder.pool.size).toBeLessThanOrEqual(before + 1);
    expect(world.b.association.state).toBe('R2-SENT');
  });

  it('limits one network, and does not answer the same I1 twice in a moment (HIP-097)', () => {
    const world = new World();
    const [i1] = exchange(world);
    if (i1 === undefined) throw new Error('no I1');
    const { responder } = new World({ seed: 9 }).b;
    expect(transmits(responder.answer(i1.packet, TO_B, 0))).toBe(1);
    expect(reasons(responder.answer(i1.packet, TO_B, 50))).toEqual(['duplicate']);
    expect(transmits(responder.answer(i1.packet, TO_B, 200))).toBe(1);
  });

  it('makes puzzles harder by the load, and easy again (HIP-088, HIP-089)', () => {
    const load = new PuzzleLoad({ ...SETTINGS, calmI1sPerSecond: 100, loadedK: [6, 9] });
    for (let i = 0; i < 100; i++) load.note(0);
    expect(load.k(0)).toBe(0);
    load.note(1);
    expect(load.k(1)).toBe(6);
    for (let i = 0; i < 400; i++) load.note(2);
    expect(load.k(500)).toBe(8);
    for (let i = 0; i < 100_000; i++) load.note(900);
    expect(load.k(1500)).toBe(9);
    expect(load.k(4000)).toBe(0);
  });

  it('gives no I twice, and a new R1 after a valid I2 (HIP-096, HIP-101, HIP-102, HIP-103, HIP-161)', () => {
    const world = new World();
    world.connect();
    const i1 = world.log[0];
    if (i1 === undefined) throw new Error('no I1');
    const r1At = (now: number): ReturnType<typeof parseHip> => {
      const [effect] = world.b.responder.answer(i1.packet, TO_B, now);
      if (effect?.type !== 'transmit') throw new Error('no R1');
      return parseHip(effect.octets);
    };
    const facts = (parsed: ReturnType<typeof parseHip>): (string | undefined)[] =>
      parsed.ok
        ? [
            String(parameterOf(parsed.value, 'PUZZLE')?.i),
            String(parameterOf(parsed.value, 'DIFFIE_HELLMAN')?.publicValue),
          ]
        : [];
    const [one, same] = [facts(r1At(0)), facts(r1At(200))];
    expect(one[0]).not.toBe(same[0]);
    expect(one[1]).toBe(same[1]);
    world.run(3000);
    world.payload(world.a);
    expect(facts(r1At(3200))[1]).not.toBe(one[1]);
  });

  it('takes I2s of an R1 for a while after it is no longer offered, and then none (HIP-045, HIP-095, HIP-162, HIP-183)', () => {
    const { world, sent } = held('I2');
    const late = (at: number): string[] => {
      world.now = at;
      return reasons(world.deliver(world.b, sent.octets, TO_B));
    };
    world.b.responder.announce([], 400); // the R1 ceases to be offered
    expect(late(400 + 65_000)).toEqual(['r1-counter']);
    expect(world.b.association.state).toBe('UNASSOCIATED');
    const again = held('I2');
    again.world.b.responder.announce([], 400);
    again.world.now = 400 + 33_000;
    expect(reasons(again.world.deliver(again.world.b, again.sent.octets, TO_B))).toEqual([]);
    expect(again.world.b.association.state).toBe('R2-SENT');
  });

  it.each([
    ['R1_COUNTER', 11, 'r1-counter'],
    ['SOLUTION', 0, 'puzzle'], // K
    ['SOLUTION', 2, 'puzzle'], // Opaque
    ['SOLUTION', 4, 'puzzle'], // I
    ['DIFFIE_HELLMAN', 0, 'dh'],
    ['DIFFIE_HELLMAN', 5, 'dh'], // a point that is not on the curve
    ['HIP_CIPHER', 1, 'parameters'],
    ['TRANSPORT_FORMAT_LIST', 0, 'parameters'],
    ['ESP_TRANSFORM', 3, 'parameters'],
    ['ESP_INFO', 3, 'esp-info'],
    ['ESP_INFO', 7, 'esp-info'], // OLD SPI
    ['ENCRYPTED', 22, 'decryption'],
    ['ENCRYPTED', 60, 'hit'],
    ['HIP_MAC', 3, 'mac'],
    ['HIP_SIGNATURE', 9, 'signature'],
  ] as const)(
    'keeps nothing of an I2 with another %s at %i (HIP-092, HIP-105, HIP-110, HIP-111, HIP-184, HIP-186, HIP-188, HIP-189)',
    (name, at, reason) => {
      const { world, sent } = held('I2');
      const effects = world.deliver(world.b, tampered(sent, name, at), TO_B);
      expect(reasons(effects)[0]).toBe(reason);
      expect(world.b.association.state).toBe('UNASSOCIATED');
      expect(world.b.association.deadline).toBe(Number.POSITIVE_INFINITY);
      expect(world.b.sas.size).toBe(0);
      // the good one still counts
      world.deliver(world.b, sent.octets, TO_B);
      expect(world.b.association.state).toBe('R2-SENT');
    },
  );

  it('points to J where a solution is wrong, and tells nothing before the puzzle is solved (HIP-075, HIP-225)', () => {
    const { world, sent } = held('I2', { b: { calmI1sPerSecond: 0, loadedK: [8, 8] } });
    const solution = parameterOf(sent.packet, 'SOLUTION');
    if (solution === undefined) throw new Error('no SOLUTION');
    const effects = world.deliver(world.b, tampered(sent, 'SOLUTION', 4 + 48 + 47), TO_B);
    expect(effects).toEqual([
      { type: 'drop', reason: 'puzzle' },
      { type: 'parameter-problem', path: TO_B, at: solution.at + 4 + 4 + 48 },
    ]);
  });

  it('tells by NOTIFY what is wrong behind a good solution, a few times only (HIP-190, HIP-229)', () => {
    const { world, sent } = held('I2');
    const bad = tampered(sent, 'HIP_MAC', 3);
    const all = Array.from({ length: 6 }, () => world.deliver(world.b, bad, TO_B));
    expect(all.map(transmits)).toEqual([1, 1, 1, 1, 0, 0]);
    expect(reasons(all[5] ?? [])).toEqual(['solution-used']);
  });

  it('makes no second association from one I2, once the first one is gone', () => {
    const world = new World();
    const i2 = exchange(world)[2];
    if (i2 === undefined) throw new Error('no I2');
    world.b.association = world.b.fresh();
    world.b.sas.clear();
    expect(reasons(world.deliver(world.b, i2.octets, TO_B))).toEqual(['solution-used']);
    expect(world.b.association.state).toBe('UNASSOCIATED');
  });

  it('answers the NULL HIT with its own, and drops I1s for others (HIP-133, HIP-156)', () => {
    const world = new World();
    const i1 = (receiverHit: Uint8Array): AssociationEffect[] => {
      const parsed = parseHip(
        encodeHip({
          type: 'I1',
          isAnonymous: false,
          senderHit: small.hit,
          receiverHit,
          parameters: [{ type: 'DH_GROUP_LIST', groups: [8] }],
        }),
      );
      return parsed.ok ? world.b.responder.answer(parsed.value, TO_B, 0) : [];
    };
    const [effect] = i1(new Uint8Array(16));
    const r1 = effect?.type === 'transmit' ? parseHip(effect.octets) : undefined;
    expect(r1).toMatchObject({ ok: true, value: { type: 'R1', senderHit: large.hit } });
    expect(reasons(i1(small.hit))).toEqual(['hit']);
  });

  it('takes the first of its own groups that the initiator has, or any (HIP-048, HIP-049)', () => {
    const groupFor = (groups: readonly number[]): number | undefined => {
      const world = new World({ b: { dhGroups: [8, 7, 3] } });
      const parsed = parseHip(
        encodeHip({
          type: 'I1',
          isAnonymous: false,
          senderHit: small.hit,
          receiverHit: large.hit,
          parameters: [{ type: 'DH_GROUP_LIST', groups }],
        }),
      );
      const [effect] = parsed.ok ? world.b.responder.answer(parsed.value, TO_B, 0) : [];
      const r1 = effect?.type === 'transmit' ? parseHip(effect.octets) : undefined;
      return r1?.ok === true ? parameterOf(r1.value, 'DIFFIE_HELLMAN')?.group : undefined;
    };
    expect(groupFor([3, 7, 8])).toBe(8);
    expect(groupFor([3, 7])).toBe(7);
    expect(groupFor([9])).toBe(8);
  });
});

/** An R1 of b as an attacker who has b's key would make it: parameters changed, the signature right. */
function resigned(sent: Sent, end: End, change: (parameters: readonly HipParameter[]) => HipParameter[]): Uint8Array {
  const kept = sent.packet.parameters.filter(({ type }) => type !== 'HIP_SIGNATURE_2');
  const octets = signed2(encodeHip({ ...sent.packet, parameters: change(kept) }), end.own);
  writeChecksum(octets, sent.path.local, sent.path.peer);
  return octets;
}

describe('an initiator (RFC 7401 §6.8)', () => {
  it.each([
    ['DH_GROUP_LIST', 0, 'signature'],
    ['HIT_SUITE_LIST', 0, 'signature'],
    ['HIP_CIPHER', 1, 'signature'],
    ['PUZZLE', 0, 'signature'], // K
    ['DIFFIE_HELLMAN', 5, 'signature'],
    ['R1_COUNTER', 11, 'signature'],
    ['HOST_ID', 20, 'hit'],
    ['HIP_SIGNATURE_2', 9, 'signature'],
  ] as const)(
    'ignores an R1 with another %s, and takes the good one after it (HIP-106, HIP-107, HIP-127, HIP-171, HIP-179)',
    (name, at, reason) => {
      const { world, sent } = held('R1');
      const octets = name === 'HIT_SUITE_LIST' ? tampered(sent, 'ESP_TRANSFORM', 3) : tampered(sent, name, at);
      expect(reasons(world.deliver(world.a, octets, TO_A))).toEqual([reason]);
      expect(world.a.association.state).toBe('I1-SENT');
      world.filter = undefined;
      world.deliver(world.a, sent.octets, TO_A);
      world.run(world.now + 1000);
      expect(world.a.association.state).toBe('ESTABLISHED');
    },
  );

  it('does not let itself be talked down to another group (HIP-125, HIP-126, HIP-128, HIP-129, HIP-130)', () => {
    const { world, sent } = held('R1', { a: { dhGroups: [7, 8] }, b: { dhGroups: [7, 8] } });
    const octets = resigned(sent, world.b, (parameters) =>
      parameters.map((one) => (one.type === 'DH_GROUP_LIST' ? { ...one, groups: [8, 7] } : one)),
    );
    expect(reasons(world.deliver(world.a, octets, TO_A))).toEqual(['downgrade']);
    world.run(60_000);
    const lists = world.log.filter(({ packet }) => packet.type === 'I1');
    for (const { packet } of lists) expect(parameterOf(packet, 'DH_GROUP_LIST')?.groups).toEqual([7, 8]);
    expect(world.a.all('failed').map(({ reason }) => reason)).toEqual(['dh-group']);
  });

  it('gives up where no group is common, where its HIT suite, cipher or ESP suite is not taken (HIP-131, HIP-132)', () => {
    const failureWith = (b: Partial<typeof SETTINGS>): (string | undefined)[] => {
      const world = new World({ b, a: { espSuites: SETTINGS.espSuites.slice(0, 1), hipCiphers: [2], dhGroups: [7] } });
      world.connect();
      world.run(60_000);
      return world.a.all('failed').map(({ reason }) => reason);
    };
    expect(failureWith({ dhGroups: [8] })).toEqual(['dh-group']);
    expect(failureWith({ hitSuites: [1] })).toEqual(['hit-suite']);
    expect(failureWith({ hipCiphers: [4] })).toEqual(['cipher']);
    expect(failureWith({ espSuites: SETTINGS.espSuites.slice(1) })).toEqual(['transport-format']);
  });

  it('does not leave its I2 for another R1 (HIP-166)', () => {
    const { world, sent } = held('R2');
    const r1 = world.log.find(({ packet }) => packet.type === 'R1');
    if (r1 === undefined) throw new Error('no R1');
    expect(world.a.association.state).toBe('I2-SENT');
    expect(reasons(world.deliver(world.a, r1.octets, TO_A))).toEqual(['wrong-state']);
    const other = resigned(r1, world.b, (parameters) =>
      parameters.map((one) => (one.type === 'R1_COUNTER' ? { ...one, generation: one.generation + 1n } : one)),
    );
    expect(reasons(world.deliver(world.a, other, TO_A))).toEqual(['wrong-state']);
    world.deliver(world.a, sent.octets, TO_A);
    expect(world.a.association.state).toBe('ESTABLISHED');
  });

  it.each([
    ['ESP_INFO', 8, 'mac'],
    ['HIP_MAC_2', 0, 'mac'],
    ['HIP_SIGNATURE', 9, 'signature'],
  ] as const)('stays in I2-SENT after an R2 with another %s (HIP-193, HIP-194)', (name, at, reason) => {
    const { world, sent } = held('R2');
    expect(reasons(world.deliver(world.a, tampered(sent, name, at), TO_A))).toEqual([reason]);
    expect(world.a.association.state).toBe('I2-SENT');
    world.deliver(world.a, sent.octets, TO_A);
    expect(world.a.association.state).toBe('ESTABLISHED');
  });
});

describe('a packet that comes again, in every state', () => {
  /** Both ends of an association that lived: every packet type there is. */
  function history(): { readonly world: World; readonly packets: readonly Sent[] } {
    const world = new World().establish();
    world.payload(world.a);
    world.handle(world.a, { type: 'rekey', withDh: true });
    world.run(world.now + 500);
    world.payload(world.a);
    const packets = [...world.log];
    return { world, packets };
  }

  it('changes no keys, no state and no path of an association (HIP-124, HIP-166, HIP-191)', () => {
    const { world, packets } = history();
    expect(new Set(packets.map(({ packet }) => packet.type))).toEqual(new Set(['I1', 'R1', 'I2', 'R2', 'UPDATE']));
    const keys = (): unknown => [world.a.sas, world.b.sas].map((sas) => [...sas.keys()]);
    const before = keys();
    for (const { from, octets, path } of packets) {
      const to = world.other(from);
      world.deliver(to, octets, { local: path.peer, peer: path.local, carriage: 'raw' });
      // and to the wrong one: a reflection
      world.deliver(from, octets, { local: path.peer, peer: path.local, carriage: 'raw' });
    }
    expect(keys()).toEqual(before);
    expect([world.a.association.state, world.b.association.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
  });

  it('begins nothing at a host that has forgotten, or never knew (HIP-164)', () => {
    const { world, packets } = history();
    world.a.association = world.a.fresh();
    world.b.association = world.b.fresh();
    for (const { octets, path } of packets) {
      for (const to of [world.a, world.b]) {
        world.deliver(to, octets, { local: path.peer, peer: path.local, carriage: 'raw' });
        expect(to.association.state).toBe('UNASSOCIATED');
        expect(to.association.deadline).toBe(Number.POSITIVE_INFINITY);
      }
    }
  });

  it('does not end another association: a CLOSE is for the keys that it was made with', () => {
    const world = new World().establish();
    world.payload(world.a);
    world.filter = ({ packet }) => packet.type !== 'CLOSE_ACK';
    world.handle(world.a, { type: 'close' });
    world.run(world.now + 50);
    const close = world.log.find(({ packet }) => packet.type === 'CLOSE');
    if (close === undefined) throw new Error('no CLOSE');
    world.filter = undefined;
    world.connect();
    world.run(world.now + 1000);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    expect(reasons(world.deliver(world.b, close.octets, TO_B))).toEqual(['mac']);
    expect(world.b.association.state).toBe('ESTABLISHED');
  });
});

describe('admission', () => {
  it('drops bad checksums in silence, and packets with unknown critical parameters (HIP-034, HIP-223, HIP-224)', () => {
    const { world, sent } = held('I2');
    const octets = sent.octets.slice();
    octets[5] = (octets[5] ?? 0) ^ 1;
    expect(world.deliver(world.b, octets, TO_B)).toEqual([{ type: 'drop', reason: 'checksum' }]);
    const version = sent.octets.slice();
    version[3] = 0x31;
    expect(world.deliver(world.b, version, TO_B).map(({ type }) => type)).toEqual(['drop', 'parameter-problem']);
    const critical = append(sent.octets, { type: 'UNKNOWN', number: 63_425 + 400, contents: new Uint8Array(4) });
    writeChecksum(critical, A1, B1);
    expect(reasons(world.deliver(world.b, critical, TO_B))).toEqual(['unknown-critical']);
  });
});
