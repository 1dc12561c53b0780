import { describe, expect, it } from 'vitest';
import { parameterOf } from '../../src/hip/parameter.ts';
import { toHex } from '../../src/wire/hex.ts';
import { A1, A2, A3, B1, B2, SETTINGS, World } from './association-world.ts';
import type { End, Sent, WorldOptions } from './association-world.ts';

function associated(options: WorldOptions = {}): World {
  const world = new World(options).establish();
  world.payload(world.a);
  world.payload(world.b);
  world.run(world.now + 100);
  world.log.length = 0;
  return world;
}

const say = ({ from, packet }: Sent): string =>
  `${from.name} ${packet.parameters
    .map(({ type }) => type)
    .filter((type) => !['HIP_MAC', 'HIP_SIGNATURE'].includes(type))
    .join(' ')}`;

const statusOf = (end: End, address: Uint8Array): string | undefined =>
  end.association.peerLocators.find((one) => toHex(one.address) === toHex(address))?.status;

/** What an end decrypts and encrypts with, in a form to compare. */
function keysOf(end: End): string {
  return `${toHex(end.out?.keys.encryption ?? new Uint8Array(0))} ${toHex(end.in?.keys.encryption ?? new Uint8Array(0))}`;
}

describe('a rekey (RFC 7402 §4.1.3, §6.8 to §6.10)', () => {
  it.each([false, true])(
    'takes three UPDATEs, both know the new keys (HIP-113, HIP-114, HIP-117, HIP-235, HIP-252, HIP-253, HIP-254, HIP-259, HIP-266, HIP-268, HIP-274; DH: %s)',
    (withDh) => {
      const world = associated();
      const before = [keysOf(world.a), keysOf(world.b)];
      const spis = [world.a.out?.spi, world.b.out?.spi];
      world.handle(world.a, { type: 'rekey', withDh });
      world.run(world.now + 1000);
      const dh = withDh ? ' DIFFIE_HELLMAN' : '';
      expect(world.log.map(say)).toEqual([`a ESP_INFO SEQ${dh}`, `b ESP_INFO SEQ ACK${dh}`, 'a ACK']);
      expect(world.a.out?.spi).not.toBe(spis[0]);
      expect(world.b.out?.spi).not.toBe(spis[1]);
      expect([keysOf(world.a), keysOf(world.b)]).not.toEqual(before);
      expect(world.payload(world.a)).toBe(true);
      expect(world.payload(world.b)).toBe(true);
      const indexes = world.log.map(({ packet }) => parameterOf(packet, 'ESP_INFO')?.keymatIndex);
      if (withDh) expect(indexes).toEqual([0, 0, undefined]);
      else expect(indexes[0]).toBeGreaterThan(128 + 2 * 20 - 1);
      expect(indexes[1]).toBe(indexes[0]);
      for (const end of [world.a, world.b]) expect(end.sas.size).toBe(4);
      world.run(world.now + 20_000);
      for (const end of [world.a, world.b]) expect(end.sas.size).toBe(2);
    },
  );

  it('goes on as one when both start at once, with new Diffie-Hellman keys or without (HIP-273, HIP-275, HIP-426)', () => {
    for (const [aDh, bDh] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const world = associated();
      world.handle(world.a, { type: 'rekey', withDh: aDh });
      world.handle(world.b, { type: 'rekey', withDh: bDh });
      world.run(world.now + 1000);
      expect(world.a.association.isRekeying || world.b.association.isRekeying).toBe(false);
      expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
      world.run(world.now + 20_000);
      for (const end of [world.a, world.b]) expect(end.sas.size).toBe(2);
    }
  });

  it.each([0, 1, 2])('arrives although UPDATE %i is lost; payload flows all the time (HIP-263, HIP-267)', (lost) => {
    let count = 0;
    const world = associated();
    world.filter = ({ packet }) => packet.type !== 'UPDATE' || count++ !== lost;
    world.handle(world.a, { type: 'rekey', withDh: true });
    for (let i = 0; i < 40; i++) {
      world.run(world.now + 25);
      expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    }
    expect(world.a.association.isRekeying || world.b.association.isRekeying).toBe(false);
    world.run(world.now + 20_000);
    for (const end of [world.a, world.b]) expect(end.sas.size).toBe(2);
  });

  it('happens a hundred times, and takes a new Diffie-Hellman key when KEYMAT is used up (HIP-256, HIP-264, HIP-265)', () => {
    const espSuites = SETTINGS.espSuites.filter(({ id }) => id === 9);
    const world = associated({ a: { espSuites }, b: { espSuites } });
    for (let i = 0; i < 120; i++) {
      world.handle(i % 2 === 0 ? world.a : world.b, { type: 'rekey', withDh: false });
      world.run(world.now + 200);
      expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    }
    const withDh = world.log.filter(({ packet }) => parameterOf(packet, 'DIFFIE_HELLMAN') !== undefined);
    expect(withDh.length).toBeGreaterThan(0);
    expect(withDh.length).toBeLessThan(20);
    const keys = withDh.map(({ packet }) => parameterOf(packet, 'DIFFIE_HELLMAN'));
    expect(new Set(keys.map((key) => key?.group)).size).toBe(1);
    expect(new Set(keys.map((key) => toHex(key?.publicValue ?? new Uint8Array(0)))).size).toBe(keys.length);
  });
});

describe('an UPDATE (RFC 7401 §6.11, §6.12)', () => {
  it('counts from 0 and is repeated with pauses that double (HIP-072, HIP-201)', () => {
    const world = associated({ aLocators: [A1] });
    world.filter = ({ packet }) => packet.type !== 'UPDATE';
    world.move(world.a, [A1, A2]);
    world.run(world.now + 2000);
    const updates = world.log.filter(({ packet }) => packet.type === 'UPDATE');
    expect(new Set(updates.map(({ packet }) => parameterOf(packet, 'SEQ')?.updateId))).toEqual(new Set([0]));
    const pauses = updates.slice(1).map(({ at }, i) => at - (updates[i]?.at ?? 0));
    expect(pauses).toEqual([100, 200, 400, 800]);
  });

  it('that nobody acknowledges closes the association (HIP-202)', () => {
    const world = associated();
    world.filter = ({ packet }) => packet.type !== 'UPDATE';
    world.move(world.a, [A1, A2]);
    world.run(world.now + 60_000);
    expect(world.a.states).toContain('CLOSING');
    expect(world.a.sas.size).toBe(0);
  });

  it('that comes twice is acknowledged twice and done once (HIP-204, HIP-207, HIP-210)', () => {
    const world = associated();
    world.move(world.a, [A1, A2]);
    world.run(world.now + 1000);
    const [first] = world.log;
    if (first === undefined) throw new Error('no UPDATE');
    const before = world.b.all('peer-locators').length;
    const path = { local: B1, peer: A1, carriage: 'raw' } as const;
    const effects = world.deliver(world.b, first.octets, path);
    expect(effects.map(({ type }) => type)).toEqual(['control-received', 'transmit']);
    expect(world.b.all('peer-locators')).toHaveLength(before);
    const acks = Array.from({ length: 60 }, () => world.deliver(world.b, first.octets, path)).flat();
    expect(acks.filter(({ type }) => type === 'transmit').length).toBeLessThan(25);
  });
});

describe('mobility (RFC 8046 §3.2.1)', () => {
  it('is three UPDATEs; the second goes to the new address and is its test (HIP-082, HIP-300, HIP-304, HIP-307, HIP-312, HIP-313, HIP-314, HIP-340)', () => {
    const world = associated();
    const start = world.now;
    world.move(world.a, [A2]);
    expect(world.a.association.path?.local).toEqual(A2);
    world.run(start + 1000);
    expect(world.log.map(say)).toEqual([
      'a ESP_INFO LOCATOR_SET SEQ',
      'b ESP_INFO SEQ ACK ECHO_REQUEST_SIGNED',
      'a ACK ECHO_RESPONSE_SIGNED',
    ]);
    expect(world.log[0]?.path.local).toEqual(A2);
    expect(world.log[0]?.packet.parameters.slice(-2).map(({ type }) => type)).toEqual(['HIP_MAC', 'HIP_SIGNATURE']);
    expect(world.log[1]?.path.peer).toEqual(A2);
    expect(statusOf(world.b, A2)).toBe('ACTIVE');
    expect(statusOf(world.b, A1)).toBe('DEPRECATED');
    const selected = world.b.all('path-selected').at(-1);
    expect(selected).toMatchObject({ path: { peer: A2 }, credit: undefined });
    const set = world.log[0] && parameterOf(world.log[0].packet, 'LOCATOR_SET')?.locators;
    expect(set).toMatchObject([{ isPreferred: true, locator: { spi: world.b.out?.spi, address: A2 } }]);
  });

  it.each([0, 1, 2])('survives the loss of packet %i (MT1)', (lost) => {
    const world = associated();
    let count = 0;
    world.filter = ({ packet }) => packet.type !== 'UPDATE' || count++ !== lost;
    world.move(world.a, [A2]);
    world.run(world.now + 2000);
    expect(statusOf(world.b, A2)).toBe('ACTIVE');
    expect(world.b.association.path?.peer).toEqual(A2);
    expect(world.b.drops).toEqual([]);
  });

  it('lets no more out to an address under test than has come in (HIP-301, HIP-324, HIP-326, HIP-327)', () => {
    const world = associated();
    world.handle(world.b, { type: 'payload-received', spi: world.a.out?.spi ?? 0, octets: 5000 });
    world.filter = ({ from, packet }) =>
      !(from === world.a && parameterOf(packet, 'ECHO_RESPONSE_SIGNED') !== undefined);
    world.move(world.a, [A2]);
    world.run(world.now + 60);
    const selected = world.b.all('path-selected').at(-1);
    expect(selected?.path.peer).toEqual(A2);
    const credit = selected?.credit ?? 0;
    expect(credit).toBeGreaterThanOrEqual(6000);
    world.handle(world.b, { type: 'payload-sent', octets: credit });
    world.move(world.a, [A3]); // what was granted for one address is not granted again for the next
    world.run(world.now + 60);
    const next = world.b.all('path-selected').at(-1);
    expect(next?.path.peer).toEqual(A3);
    expect(next?.credit).toBeLessThan(1000);
    world.filter = undefined;
    world.run(world.now + 2000);
    expect(statusOf(world.b, A3)).toBe('ACTIVE');
    expect(world.b.all('path-selected').at(-1)).toMatchObject({ path: { peer: A3 }, credit: undefined });
  });

  it('make before break: the old address stays ACTIVE beside the new one (HIP-318, HIP-323)', () => {
    const world = associated();
    world.move(world.a, [A1, A2]);
    world.run(world.now + 1000);
    expect([statusOf(world.b, A1), statusOf(world.b, A2)]).toEqual(['ACTIVE', 'ACTIVE']);
    expect(world.b.association.path?.peer).toEqual(A1);
    world.move(world.a, [A2, A1]); // another one preferred
    world.run(world.now + 1000);
    expect(world.b.association.path?.peer).toEqual(A2);
    world.move(world.a, [A2]);
    world.run(world.now + 1000);
    expect(statusOf(world.b, A1)).toBe('DEPRECATED');
  });

  it('of an address that came back begins with a test (HIP-309, HIP-321)', () => {
    const world = associated();
    for (const locators of [[A1, A2], [A1]]) {
      world.move(world.a, locators);
      world.run(world.now + 1000);
    }
    expect(statusOf(world.b, A2)).toBe('DEPRECATED');
    world.filter = ({ path }) => path.peer !== A2;
    world.dead.add(String.fromCharCode(...A2));
    world.move(world.a, [A1, A2]);
    world.run(world.now + 200);
    expect(statusOf(world.b, A2)).toBe('UNVERIFIED');
  });

  it('of both hosts at once works where they keep a common path (double jump)', () => {
    const world = associated({ aLocators: [A1, A2], bLocators: [B1, B2] });
    world.run(world.now + 1000);
    expect([statusOf(world.b, A2), statusOf(world.a, B2)]).toEqual(['ACTIVE', 'ACTIVE']);
    world.move(world.a, [A3, A2]);
    world.move(world.b, [B2]);
    world.run(world.now + 5000);
    expect(statusOf(world.b, A3)).toBe('ACTIVE');
    expect(world.a.association.path?.peer).toEqual(B2);
    expect(world.a.association.state).toBe('ESTABLISHED');
    expect(world.b.association.state).toBe('ESTABLISHED');
  });

  it('of both hosts at once without one ends in CLOSING (MT11)', () => {
    const world = associated();
    world.move(world.a, [A2]);
    world.move(world.b, [B2]);
    world.run(world.now + 60_000);
    expect(world.a.states).toContain('CLOSING');
  });

  it('over a network that loses and doubles, from any seed, ends where the mover is', () => {
    for (let seed = 1; seed <= 15; seed++) {
      const world = new World({ seed, lossPercent: 15 });
      world.connect();
      for (let i = 0; i < 10 && world.b.association.state !== 'ESTABLISHED'; i++) {
        world.run(world.now + 2000);
        world.payload(world.a);
        world.connect();
      }
      world.move(world.a, [A1, A2]);
      world.run(world.now + 300);
      world.handle(world.b, { type: 'rekey', withDh: seed % 2 === 0 });
      world.move(world.a, [A2]);
      world.run(world.now + 9000);
      expect(world.b.association.path?.peer).toEqual(A2);
      expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    }
  });
});

describe('locators in the base exchange (RFC 8047 §4.2.8)', () => {
  it('come in R1, I2 and R2, and are tested afterwards (HIP-321, HIP-331, HIP-332, HIP-334, HIP-341)', () => {
    const world = new World({ aLocators: [A1, A2], bLocators: [B1, B2] });
    world.b.responder.announce(world.b.locators, 0);
    world.establish();
    world.payload(world.a);
    world.run(world.now + 1000);
    const has = world.log.map(({ packet }) => [packet.type, parameterOf(packet, 'LOCATOR_SET') !== undefined]);
    expect(has.slice(0, 4)).toEqual([
      ['I1', false],
      ['R1', true],
      ['I2', true],
      ['R2', true],
    ]);
    expect(world.log[3]?.path.peer).toEqual(A1);
    expect([statusOf(world.b, A2), statusOf(world.a, B2)]).toEqual(['ACTIVE', 'ACTIVE']);
    expect([statusOf(world.b, A1), statusOf(world.a, B1)]).toEqual(['ACTIVE', 'ACTIVE']);
  });
});

describe('what two Loci hosts agree on', () => {
  it('is offered in R1, answered in I2 and confirmed in R2; REAP then flows, each piece once', () => {
    const world = associated({ a: { detectionMs: 30 }, b: { detectionMs: 100 } });
    expect(world.a.association.peer).toMatchObject({ detectionMs: 100, reap: true, udp: true });
    expect(world.b.association.peer).toMatchObject({ detectionMs: 30, reap: true, udp: true });
    const octets = Uint8Array.of(1, 2, 3);
    world.handle(world.a, { type: 'reap-parameter', path: world.path(world.a), octets });
    world.run(world.now + 100);
    expect(world.b.all('reap-parameter')).toEqual([{ type: 'reap-parameter', path: world.path(world.b), octets }]);
    const [sent] = world.log;
    if (sent === undefined) throw new Error('nothing sent');
    expect(world.deliver(world.b, sent.octets, world.path(world.b))).toEqual([{ type: 'drop', reason: 'replayed' }]);
    const forged = sent.octets.slice();
    forged[forged.length - 1] = 1;
    expect(world.deliver(world.b, forged, world.path(world.b))).not.toContainEqual(
      expect.objectContaining({ type: 'reap-parameter' }),
    );
  });

  it('is nothing unless both want it', () => {
    const world = associated({ a: { detectionMs: 30 }, b: { offersUdp: false } });
    expect(world.a.association.peer).toMatchObject({ detectionMs: undefined, reap: false, udp: false });
    expect(world.b.association.peer).toMatchObject({ detectionMs: undefined, reap: false, udp: false });
    const octets = Uint8Array.of(1);
    const effects = world.handle(world.a, { type: 'reap-parameter', path: world.path(world.a), octets });
    expect(effects).toEqual([{ type: 'drop', reason: 'policy' }]);
  });
});

describe('the end of an association (RFC 7401 §6.14, §6.15)', () => {
  it('is CLOSE and CLOSE_ACK; keys stay for a CLOSE that comes again (HIP-120, HIP-121, HIP-122, HIP-124, HIP-236, HIP-435)', () => {
    const world = associated();
    world.handle(world.a, { type: 'close' });
    world.run(world.now + 100);
    expect(world.log.map(say)).toEqual(['a ECHO_REQUEST_SIGNED', 'b ECHO_RESPONSE_SIGNED']);
    expect(world.a.association.state).toBe('UNASSOCIATED');
    expect(world.b.association.state).toBe('CLOSED');
    expect([world.a.sas.size, world.b.sas.size]).toEqual([0, 0]);
    const [close] = world.log;
    if (close === undefined) throw new Error('no CLOSE');
    expect(world.deliver(world.b, close.octets, world.path(world.b)).map(({ type }) => type)).toEqual(['transmit']);
    world.run(world.now + 900_000 + 240_000);
    expect(world.b.association.state).toBe('UNASSOCIATED');
  });

  it('is one, when both close at once (HIP-214, HIP-215)', () => {
    const world = associated();
    world.handle(world.a, { type: 'close' });
    world.handle(world.b, { type: 'close' });
    world.run(world.now + 1000);
    expect([world.a.association.state, world.b.association.state]).toEqual(['UNASSOCIATED', 'UNASSOCIATED']);
  });

  it('comes by itself when nothing is sent or received for the UAL (HIP-237)', () => {
    const world = associated({ a: { ualMs: 5000 } });
    world.run(world.now + 4000);
    expect(world.a.association.state).toBe('ESTABLISHED');
    world.payload(world.b);
    world.run(world.now + 4000);
    expect(world.a.association.state).toBe('ESTABLISHED');
    world.run(world.now + 2000);
    expect(world.a.association.state).toBe('UNASSOCIATED');
  });

  it('is no obstacle to a new beginning, in CLOSING and in CLOSED', () => {
    const world = associated();
    world.handle(world.a, { type: 'close' });
    world.run(world.now + 100);
    expect(world.b.association.state).toBe('CLOSED');
    world.connect(world.b);
    expect(world.b.association.state).toBe('CLOSED');
    world.run(world.now + 1000);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    world.filter = ({ packet }) => packet.type !== 'CLOSE';
    world.handle(world.a, { type: 'close' });
    world.run(world.now + 1000);
    expect(world.a.association.state).toBe('CLOSING');
    world.connect(world.a);
    world.run(world.now + 1000);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    expect(world.b.sas.size).toBe(2);
  });

  it('does not wait for a peer that has lost everything: its new exchange replaces the old association', () => {
    const world = associated();
    world.a.association = world.a.fresh();
    world.a.sas.clear();
    world.connect();
    world.run(world.now + 1000);
    expect([world.payload(world.a), world.payload(world.b)]).toEqual([true, true]);
    expect(world.b.sas.size).toBe(2);
  });
});
