import { describe, expect, it } from 'vitest';
import type { ContextEffect } from '../../src/shim6/context-io.ts';
import type { Context } from '../../src/shim6/context.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I2bis, R1bis } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { Address } from '../../src/wire/address.ts';
import { cgaIdentity } from '../shim6/cga-hosts.ts';
import { ip } from '../shim6/spec-vectors.ts';
import { established, twoHosts } from '../shim6/world.ts';
import type { HostOptions, Sent, TestHost } from '../shim6/world.ts';

type Built = ReturnType<typeof twoHosts>;

const isType = (type: string) => (sent: Sent) => sent.message.type === type;

/** Host A with a context in one of the states in which an I2bis can meet one. */
const MEETINGS = {
  IDLE: () => ({ ...twoHosts(), next: 'ESTABLISHED' }),
  'I1-SENT': () => {
    const built = twoHosts();
    built.world.loses = isType('R1');
    built.world.start(built.a, built.ab);
    built.world.run(100);
    return { ...built, next: 'ESTABLISHED' };
  },
  'I2-SENT': () => {
    const built = twoHosts();
    built.world.loses = isType('R2');
    built.world.start(built.a, built.ab);
    built.world.run(100);
    return { ...built, next: 'I2-SENT' };
  },
  'I2BIS-SENT': () => {
    const built = established();
    const { world, a, b } = built;
    const { context } = a;
    b.contexts = [];
    world.loses = isType('R2');
    world.inject({ source: a.address(0), destination: b.address(0), octets: context.keepalive() });
    world.run(100);
    return { ...built, next: 'I2BIS-SENT' };
  },
  ESTABLISHED: () => ({ ...established(), next: 'ESTABLISHED' }),
} as const;

const STATES = Object.keys(MEETINGS) as (keyof typeof MEETINGS)[];

/** States in which the peer is not known yet: only the message itself can speak for its source. */
const STRANGERS = ['IDLE', 'I1-SENT', 'I2-SENT'] as const;

const LOST = contextTag(0x1234_5678_9abc);

interface Circumstances {
  readonly source?: Address;
  readonly options?: I2bis['options'];
}

/** What A does about an I2bis of B, with the validator of an R1bis that A sent to `source` for a packet tagged LOST. */
function i2bisArrives(
  built: Built,
  { source = built.b.address(0), options = {} }: Circumstances = {},
): ContextEffect[] {
  const { a, b, world } = built;
  const destination = a.address(0);
  const { responderNonce, validator } = r1bisOf(a, { source, destination }, world.now);
  const elsewhere = source !== b.address(0);
  const message: I2bis = {
    type: 'I2bis',
    initiatorContextTag: contextTag(0x555),
    initiatorNonce: 77,
    responderNonce,
    packetContextTag: LOST,
    options: {
      responderValidator: validator,
      ulidPair: elsewhere ? { sender: b.address(0), receiver: destination } : undefined,
      ...options,
    },
  };
  return a.receive({ source, destination, octets: encodeShim6(message) }, world.now);
}

function r1bisOf(
  host: TestHost,
  packet: { source: Address; destination: Address },
  now: number,
): { responderNonce: number; validator: Uint8Array } {
  const answer = host.responder.r1bis(LOST, packet, now);
  const parsed = answer.type === 'transmit' ? parseShim6(answer.octets) : undefined;
  if (parsed?.ok !== true || parsed.value.type !== 'R1bis') throw new Error('no R1bis');
  const { responderNonce, options } = parsed.value;
  return { responderNonce, validator: options.responderValidator ?? new Uint8Array() };
}

function answers(effects: readonly ContextEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'transmit') return [];
    const parsed = parseShim6(effect.octets);
    return [parsed.ok ? parsed.value.type : 'unreadable'];
  });
}

const proofOf = (host: TestHost): I2bis['options'] => ({
  parameters: host.parametersOf(host.address(0)),
  locatorList: { generation: 5, locators: host.locators.map(({ address }) => ({ address, method: 1 })) },
});

function snapshot({ a }: Built): unknown[] {
  return a.contexts.map(({ state, tag, tagPeer, peerLocators }: Context) => [state, tag, tagPeer, peerLocators]);
}

/** B has lost its context; the R1bis with which it answers a packet of A, and the I2bis that follows. */
function lost(index: 0 | 1, options: Partial<HostOptions> = {}): Built & { r1bis: Sent; i2bis: Sent; tag: number } {
  const built = established({ a: options });
  const { world, a, b } = built;
  const tag = a.context.tagPeer ?? 0;
  b.contexts = [];
  world.loses = isType('R2');
  world.inject({ source: a.address(index), destination: b.address(index), octets: a.context.keepalive() });
  world.run(100);
  const [r1bis, i2bis] = [world.trace.find(isType('R1bis')), world.trace.find(isType('I2bis'))];
  if (r1bis === undefined || i2bis === undefined) throw new Error('no recovery');
  return { ...built, r1bis, i2bis, tag };
}

describe('RFC 5533 §7.17 R1bis', () => {
  it('S6-027 says which tag found no context, with a validator, back to where the packet came from', () => {
    const { a, b, r1bis, tag } = lost(1);
    expect([r1bis.source, r1bis.destination]).toEqual([b.address(1), a.address(1)]);
    if (r1bis.message.type !== 'R1bis') throw new Error('no R1bis');
    expect(r1bis.message.packetContextTag).toBe(tag);
    expect(r1bis.message.options.responderValidator?.length).toBeGreaterThanOrEqual(16);
    expect(b.contexts).toHaveLength(1); // made by the I2bis, not by the packet
  });

  it('S6-027 says so for a payload header as well', () => {
    const { a, b, world } = established();
    const tag = b.context.tag;
    b.contexts = [];
    const effects = b.receiveTagged(tag, a.address(1), b.address(0), world.now);
    const [answer] = effects;
    const parsed = answer?.type === 'transmit' ? parseShim6(answer.octets) : undefined;
    expect(parsed?.ok === true && parsed.value).toMatchObject({ type: 'R1bis', packetContextTag: tag });
    expect(b.contexts).toEqual([]);
  });
});

describe('RFC 5533 §7.18 the I2bis that answers it', () => {
  it.each([0, 1] as const)(
    'S6-030 copies tag, nonce and validator, on the pair of the R1bis (locators %i)',
    (index) => {
      const { a, b, r1bis, i2bis, tag } = lost(index);
      if (r1bis.message.type !== 'R1bis' || i2bis.message.type !== 'I2bis') throw new Error('no recovery');
      expect([i2bis.source, i2bis.destination]).toEqual([a.address(index), b.address(index)]);
      expect(i2bis.message.packetContextTag).toBe(tag);
      expect(i2bis.message.responderNonce).toBe(r1bis.message.responderNonce);
      expect(i2bis.message.options.responderValidator).toEqual(r1bis.message.options.responderValidator);
      expect(i2bis.message.initiatorContextTag).toBe(a.context.tag);
    },
  );

  it('S6-030 whatever the validator of the peer looks like', () => {
    const { world, a, b } = established();
    const message: R1bis = {
      type: 'R1bis',
      packetContextTag: b.context.tag,
      responderNonce: 0xffff_fffe,
      options: { responderValidator: Uint8Array.from({ length: 61 }, (_, i) => i * 3) },
    };
    const packet = { source: b.address(1), destination: a.address(1), octets: encodeShim6(message) };
    world.perform(a, a.receive(packet, world.now));
    expect(world.trace.at(-1)?.message).toMatchObject({
      type: 'I2bis',
      responderNonce: 0xffff_fffe,
      packetContextTag: b.context.tag,
      options: { responderValidator: message.options.responderValidator },
    });
  });
});

describe('RFC 5533 §7.20 an I2bis arrives', () => {
  it.each(STATES)('S6-120 in %s it is answered by R2, and the peer is known by its new tag', (state) => {
    const built = MEETINGS[state]();
    const effects = i2bisArrives(built);
    expect(answers(effects)).toEqual(['R2']);
    expect([built.a.context.state, built.a.context.tagPeer]).toEqual([built.next, 0x555]);
  });

  it.each(STATES)('S6-117 in %s parameters of somebody else end it in silence', (state) => {
    const built = MEETINGS[state]();
    const before = snapshot(built);
    const parameters = built.a.parametersOf(built.a.address(0));
    expect(i2bisArrives(built, { options: { parameters } })).toEqual([{ type: 'drop', reason: 'parameters' }]);
    expect(snapshot(built)).toEqual(before);
  });

  it.each(STATES)('S6-119 in %s a list that does not verify changes nothing', (state) => {
    const built = MEETINGS[state]();
    const before = snapshot(built);
    const { b } = built;
    const locators = [b.address(0), ip('2001:db8:bad::1')].map((address) => ({ address, method: 1 }));
    const options = { ...proofOf(b), locatorList: { generation: 1, locators } };
    expect(answers(i2bisArrives(built, { options }))).toEqual(['Error']);
    expect(snapshot(built)).toEqual(before);
    expect(answers(i2bisArrives(built, { options: proofOf(b) }))).toEqual(['R2']);
    expect(built.a.context.peerLocators).toHaveLength(2);
  });

  it.each(STRANGERS)('S6-262 S6-121 in %s another source than the ULID has to be in the list, verified', (state) => {
    const built = MEETINGS[state]();
    const before = snapshot(built);
    const { b } = built;
    const source = b.address(1);
    expect(i2bisArrives(built, { source })).toEqual([{ type: 'drop', reason: 'source' }]);
    const [first] = b.locators;
    if (first === undefined) throw new Error('no locator');
    const without = { generation: 1, locators: [{ address: first.address, method: 1 }] };
    const shorter = { ...proofOf(b), locatorList: without };
    expect(i2bisArrives(built, { source, options: shorter })).toEqual([{ type: 'drop', reason: 'source' }]);
    const unproven = { locatorList: proofOf(b).locatorList };
    expect(answers(i2bisArrives(built, { source, options: unproven }))).toEqual(['Error']);
    expect(snapshot(built)).toEqual(before);
    expect(answers(i2bisArrives(built, { source, options: proofOf(b) }))).toEqual(['R2']);
    expect([built.a.context.state, built.a.context.tagPeer]).toEqual([built.next, 0x555]);
  });

  it.each(['ESTABLISHED', 'I2BIS-SENT'] as const)(
    'S6-121 in %s a source known from before needs no list, an unknown one is dropped in silence',
    (state) => {
      const built = MEETINGS[state]();
      const before = snapshot(built);
      const { b } = built;
      const source = ip('2001:db8:bad::1');
      expect(i2bisArrives(built, { source })).toEqual([{ type: 'drop', reason: 'source' }]);
      expect(i2bisArrives(built, { source, options: proofOf(b) })).toEqual([{ type: 'drop', reason: 'source' }]);
      expect(snapshot(built)).toEqual(before);
      expect(answers(i2bisArrives(built, { source: b.address(1) }))).toEqual(['R2']);
      expect(built.a.context.tagPeer).toBe(0x555);
    },
  );

  it('S6-121 a source in the list of a CGA host, new since, is enough with its signature', () => {
    const built = established({ b: { identity: cgaIdentity(5, ['2001:db8:b:2::77']) } });
    const { b, world } = built;
    const source = ip('2001:db8:b:3::88');
    const address = (one: Address): { address: Address; method: number } => ({ address: one, method: 2 });
    const list = b.lists.listOf([...b.locators.map((own) => address(own.address)), address(source)]);
    const { signature, ...locatorList } = list;
    expect(answers(i2bisArrives(built, { source, options: { locatorList } }))).toEqual(['Error']);
    world.run(2000);
    expect(answers(i2bisArrives(built, { source, options: { locatorList, signature } }))).toEqual(['R2']);
    expect(built.a.context.peerLocators.map((one) => one.address)).toContainEqual(source);
  });

  it('S6-118 the tag that found no context is not given out again', () => {
    const { world, a, b } = established({ b: { tagSpace: 2 } });
    const old = b.context.tag;
    for (let i = 0; i < 8; i++) {
      const tag = a.context.tagPeer;
      b.contexts = [];
      world.inject({ source: a.address(0), destination: b.address(0), octets: a.context.keepalive() });
      world.run(1000);
      expect(b.context.tag).not.toBe(tag);
      expect(a.context.tagPeer).toBe(b.context.tag);
    }
    expect([0, 1]).toContain(old);
  });

  it('S6-118 not even when a failed attempt of this host has it by chance', () => {
    const { world, a, b, ab } = twoHosts();
    world.loses = () => true;
    const attempt = world.start(a, ab);
    while (attempt.state !== 'E-FAILED') world.run(500);
    const { tag } = attempt;
    const packet = { source: b.address(0), destination: a.address(0) };
    const answer = a.responder.r1bis(tag, packet, world.now);
    const parsed = answer.type === 'transmit' ? parseShim6(answer.octets) : undefined;
    if (parsed?.ok !== true || parsed.value.type !== 'R1bis') throw new Error('no R1bis');
    const { responderNonce, options } = parsed.value;
    const message: I2bis = {
      type: 'I2bis',
      initiatorContextTag: contextTag(0x555),
      initiatorNonce: 77,
      responderNonce,
      packetContextTag: tag,
      options,
    };
    const arrives = (): string[] => answers(a.receive({ ...packet, octets: encodeShim6(message) }, world.now));
    arrives();
    arrives(); // the peer repeats it
    expect(a.context.state).toBe('ESTABLISHED');
    expect(a.context.tag).not.toBe(tag);
  });
});
