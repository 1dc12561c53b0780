import { describe, expect, it } from 'vitest';
import { encodeHip } from '../../src/hip/packet-codec.ts';
import { writeChecksum } from '../../src/hip/packet-carriage.ts';
import { parameterOf } from '../../src/hip/parameter.ts';
import { signed2 } from '../../src/hip/seal.ts';
import { toHex } from '../../src/wire/hex.ts';
import { A1, B1, B2, B3, World, large, small } from './association-world.ts';
import type { End } from './association-world.ts';

function expectAssociated(world: World): void {
  expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
  expect([world.a.association.state, world.b.association.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
}

describe('a base exchange (RFC 7401 §4.1)', () => {
  it('takes I1, R1, I2, R2 and gives both the same keys (HIP-112, HIP-152, HIP-160, HIP-177, HIP-196, HIP-255)', () => {
    const world = new World();
    world.connect();
    world.run(1000);
    expect(world.types).toEqual(['a I1', 'b R1', 'a I2', 'b R2']);
    expect(world.a.states).toEqual(['I1-SENT', 'I2-SENT', 'ESTABLISHED']);
    expect(world.b.states).toEqual(['R2-SENT']);
    expect(world.a.drops.concat(world.b.drops)).toEqual([]);
    expectAssociated(world);
    expect(toHex(world.a.out?.keys.encryption ?? new Uint8Array(0))).toHaveLength(40);
  });

  it('names the HITs of the I1 in every packet, whichever is larger (HIP-099, HIP-100, HIP-108)', () => {
    for (const isALarge of [false, true]) {
      const world = new World({ isALarge }).establish();
      for (const { from, packet } of world.log) {
        expect(packet.senderHit).toEqual(from.own.hit);
        expect(packet.receiverHit).toEqual(world.other(from).own.hit);
      }
      expectAssociated(world);
    }
  });

  it('moves the responder on by the timer alone when no payload comes', () => {
    const world = new World().establish();
    expect(world.b.association.state).toBe('R2-SENT');
    world.run(world.now + 10_000);
    expect(world.b.association.state).toBe('ESTABLISHED');
  });

  it('has every parameter that the RFC wants, in the order of types (HIP-027, HIP-038, HIP-039, HIP-065, HIP-159)', () => {
    const world = new World().establish();
    const numbers = world.log.map(({ packet }) => packet.parameters.map(({ type }) => type));
    expect(numbers).toEqual([
      ['DH_GROUP_LIST'],
      [
        ...['R1_COUNTER', 'PUZZLE', 'DH_GROUP_LIST', 'DIFFIE_HELLMAN', 'HIP_CIPHER', 'HOST_ID', 'HIT_SUITE_LIST'],
        ...['TRANSPORT_FORMAT_LIST', 'ESP_TRANSFORM', 'UNKNOWN', 'HIP_SIGNATURE_2'],
      ],
      [
        ...['ESP_INFO', 'R1_COUNTER', 'SOLUTION', 'DIFFIE_HELLMAN', 'HIP_CIPHER', 'ENCRYPTED', 'TRANSPORT_FORMAT_LIST'],
        ...['ESP_TRANSFORM', 'UNKNOWN', 'HIP_MAC', 'HIP_SIGNATURE'],
      ],
      ['ESP_INFO', 'UNKNOWN', 'HIP_MAC_2', 'HIP_SIGNATURE'],
    ]);
    const [, r1, i2] = world.log.map(({ packet }) => packet);
    const counter = (packet: typeof r1): bigint | undefined =>
      packet === undefined ? undefined : parameterOf(packet, 'R1_COUNTER')?.generation;
    expect(counter(i2)).toBe(counter(r1));
  });

  it('goes over UDP when the I1 did, without checksums (HIP-406, HIP-408)', () => {
    const world = new World();
    world.connect(world.a, [world.path(world.a, 'udp')]);
    world.run(1000);
    expect(world.log.map(({ path, octets }) => [path.carriage, octets[4], octets[5]])).toEqual(
      Array.from({ length: 4 }, () => ['udp', 0, 0]),
    );
    expectAssociated(world);
  });

  it.each(['I1', 'R1', 'I2', 'R2'] as const)('is repeated where the first %s is lost (HIP-146, HIP-176)', (type) => {
    let isLost = false;
    const world = new World({
      filter: ({ packet }) => isLost || packet.type !== type || !(isLost = true),
    });
    world.connect();
    world.run(5000);
    expect(isLost).toBe(true);
    expectAssociated(world);
    expect(world.b.all('established')).toHaveLength(1);
  });

  it('ends in E-FAILED without an answer, and may be tried again later (HIP-145)', () => {
    const world = new World({ filter: () => false });
    world.connect();
    world.run(60_000);
    expect(world.types).toEqual(Array.from({ length: 5 }, () => 'a I1'));
    expect(world.a.states).toEqual(['I1-SENT', 'E-FAILED', 'UNASSOCIATED']);
    expect(world.a.all('failed').map(({ reason }) => reason)).toEqual(['no-answer']);
    world.filter = undefined;
    world.connect();
    world.run(61_000);
    expectAssociated(world);
  });

  it('gives up after the last I2 and leaves no SA behind (HIP-174, HIP-175)', () => {
    const world = new World({ filter: ({ packet }) => packet.type !== 'R2' });
    world.connect();
    world.run(60_000);
    expect(world.a.states).toContain('E-FAILED');
    const i2s = world.log.filter(({ packet }) => packet.type === 'I2');
    expect(i2s.slice(1).map(({ at }, i) => at - (i2s[i]?.at ?? 0))).toEqual([1000, 2000, 4000, 8000]);
    expect(world.a.sas.size).toBe(0);
  });

  it('solves a puzzle elsewhere, and stops at its lifetime (HIP-090, HIP-173)', () => {
    const b = { calmI1sPerSecond: 0, loadedK: [5, 5] as const };
    const world = new World({ b });
    world.connect();
    world.run(1000);
    expect(world.a.all('solve-puzzle').map(({ task }) => task.k)).toEqual([5]);
    expectAssociated(world);
    const never = new World({ b, solving: Number.POSITIVE_INFINITY });
    never.connect();
    never.run(31_000);
    expect(never.types).toEqual(['a I1', 'b R1']);
    never.run(33_000);
    expect(never.types.slice(2)).toEqual(['a I1', 'b R1']);
  });

  it('refuses puzzles above the configured K', () => {
    const world = new World({ a: { maxPuzzleK: 4 }, b: { calmI1sPerSecond: 0, loadedK: [5, 5] } });
    world.connect();
    world.run(60_000);
    expect(world.a.all('solve-puzzle')).toEqual([]);
    expect(world.a.all('failed').map(({ reason }) => reason)).toEqual(['puzzle']);
  });
});

describe('two exchanges at once (RFC 7401 §4.4.3)', () => {
  it.each([false, true])(
    'meet as one: the larger HIT answers (HIP-157, HIP-158, HIP-182; a larger: %s)',
    (isALarge) => {
      const world = new World({ isALarge });
      world.connect(world.a);
      world.connect(world.b);
      world.run(3000);
      const [winner, loser] = isALarge ? [world.a, world.b] : [world.b, world.a];
      expect(winner.own.hit).toEqual(large.hit);
      expect(loser.own.hit).toEqual(small.hit);
      expect(winner.drops).toEqual([]);
      expect(loser.drops).toEqual(['collision']);
      expect(world.types.filter((type) => type.endsWith('I2'))).toEqual([`${loser.name} I2`]);
      expectAssociated(world);
    },
  );

  it('also when the I2s cross', () => {
    const world = new World();
    // the I1 of the larger one arrives late: both get an R1
    let held = 0;
    world.filter = ({ from, packet }) => !(packet.type === 'I1' && from === world.b && held++ === 0);
    world.connect(world.a);
    world.run(5);
    world.connect(world.b);
    world.run(4000);
    expectAssociated(world);
    for (const end of [world.a, world.b]) expect(end.sas.size).toBe(2);
  });

  it('come together over a network that loses, doubles and delays, from any seed', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const world = new World({ seed, lossPercent: 20, isALarge: seed % 2 === 0 });
      world.connect(world.a);
      if (seed % 3 !== 0) world.connect(world.b);
      const ends: End[] = [world.a, world.b];
      for (let i = 0; i < 20 && ends.some(({ association }) => association.state !== 'ESTABLISHED'); i++) {
        world.run(world.now + 2000);
        for (const end of ends) world.connect(end);
        for (const end of ends) world.payload(end);
      }
      expectAssociated(world);
      for (const end of ends) expect(end.sas.size).toBe(2);
    }
  });
});

describe('several paths (RFC 7401 §6.6.1)', () => {
  const to = (peer: Uint8Array) => ({ local: A1, peer, carriage: 'raw' }) as const;

  it('are tried one after the other, and one only after a timeout (HIP-147, HIP-148, HIP-149)', () => {
    const world = new World({ bLocators: [B3] });
    const B4 = new Uint8Array(B3).with(7, 4);
    world.connect(world.a, [to(B1), to(B2), to(B3), to(B4)]);
    world.run(600);
    const i1s = world.log.filter(({ packet }) => packet.type === 'I1');
    expect(i1s.map(({ at }) => at)).toEqual([0, 250, 500]);
    expect(i1s.map(({ path }) => path.peer)).toEqual([B1, B2, B3]);
    expectAssociated(world);
    expect(world.a.association.path?.peer).toEqual(B3);
  });

  it('never more than three at once', () => {
    const world = new World({ filter: () => false });
    const B4 = new Uint8Array(B3).with(7, 4);
    world.connect(world.a, [to(B1), to(B2), to(B3), to(B4)]);
    world.run(1400);
    expect(world.log).toHaveLength(3);
    world.run(1600);
    expect(world.log).toHaveLength(4);
  });

  it('raw without an answer gives way to UDP', () => {
    const world = new World({ filter: ({ path }) => path.carriage === 'udp' });
    world.connect(world.a, [world.path(world.a), world.path(world.a, 'udp')]);
    world.run(2000);
    expect(world.a.association.path?.carriage).toBe('udp');
    expectAssociated(world);
  });

  it('of several R1s the one with the largest counter is answered (HIP-168, HIP-169, HIP-172)', () => {
    const world = new World({ bLocators: [B1, B2], delay: 130 });
    world.b.responder.announce([], 0);
    world.connect(world.a, [to(B1), to(B2)]); // a second I1 after 250 ms, when the R1 to the first is on its way
    world.filter = ({ packet }) => {
      if (packet.type === 'R1') world.b.responder.announce([], world.now); // the next R1 is of a new generation
      return true;
    };
    world.run(249);
    world.delay = 5;
    world.run(2000);
    const generations = world.log.flatMap(({ packet }) => {
      const counter = parameterOf(packet, 'R1_COUNTER');
      return counter === undefined ? [] : [`${packet.type} ${String(counter.generation)}`];
    });
    const [first, second] = generations;
    expect(generations).toHaveLength(3);
    expect(first).not.toBe(second);
    expect(generations[2]).toBe(second?.replace('R1', 'I2'));
    expectAssociated(world);
  });

  it('the preferred locator of an R1 gets the I2 (HIP-333)', () => {
    const world = new World({ bLocators: [B1, B2], filter: ({ packet }) => packet.type !== 'R1' });
    world.connect();
    world.run(500);
    const r1 = world.log.find(({ packet }) => packet.type === 'R1');
    if (r1 === undefined) throw new Error('no R1');
    const locator = { locatorType: 0, address: B2 } as const;
    const entry = { trafficType: 0, isPreferred: true, lifetimeSeconds: 0xffff_ffff, locator };
    const parameters = r1.packet.parameters.filter(({ type }) => type !== 'HIP_SIGNATURE_2');
    const set = { type: 'LOCATOR_SET', locators: [entry] } as const;
    const octets = signed2(encodeHip({ ...r1.packet, parameters: [...parameters, set] }), world.b.own);
    writeChecksum(octets, B1, A1);
    world.filter = undefined;
    world.deliver(world.a, octets, to(B1));
    const i2 = world.log.at(-1);
    expect(i2?.packet.type).toBe('I2');
    expect(i2?.path.peer).toEqual(B2);
    world.run(2000);
    expectAssociated(world);
    expect(world.a.association.peerLocators).toContainEqual(expect.objectContaining({ address: B2, status: 'ACTIVE' }));
  });
});
