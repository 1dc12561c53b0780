import { describe, expect, it } from 'vitest';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, I2, I2bis, OptionedMessage, R1, R1bis, R2 } from '../../src/shim6/messages.ts';
import type { UlidPair } from '../../src/shim6/options.ts';
import { PeerVerifier } from '../../src/shim6/verification.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { sameOctets } from '../../src/wire/address.ts';
import { cgaIdentity } from '../shim6/cga-hosts.ts';
import { ip } from '../shim6/spec-vectors.ts';
import { established, packetOf, texts, twoHosts } from '../shim6/world.ts';
import type { Sent, TestHost, World } from '../shim6/world.ts';

type Built = ReturnType<typeof twoHosts>;
type Establishing = I1 | R1 | I2 | R2 | R1bis | I2bis;

/** The last message of this type that anybody sent. */
function last<Type extends Establishing['type']>(
  { trace }: World,
  type: Type,
): Sent & { readonly message: Extract<OptionedMessage, { type: Type }> } {
  const found = trace.findLast(
    (sent): sent is Sent & { readonly message: Extract<OptionedMessage, { type: Type }> } => {
      return sent.message.type === type;
    },
  );
  if (found === undefined) throw new Error(`no ${type} was sent`);
  return found;
}

/** Establishment between locators `index` of each host, then a packet for which B has no context any more. */
function exchanges(index: 0 | 1, options: Parameters<typeof twoHosts>[0] = {}): Built {
  const built = twoHosts(options);
  const { world, a, b, ab } = built;
  const pair = { local: a.address(index), peer: b.address(index) };
  const context = world.start(a, ab, pair);
  world.run(1000);
  b.contexts = [];
  world.inject({ source: pair.local, destination: pair.peer, octets: context.keepalive() });
  world.run(1000);
  if (context.state !== 'ESTABLISHED' || context.tagPeer !== b.context.tag) throw new Error('not established again');
  return built;
}

const cga = { a: { identity: cgaIdentity(3, ['2001:db8:a:2::77']) } };

const pairOf = ({ ab }: Built): UlidPair => ({ sender: ab.local, receiver: ab.peer });

describe('RFC 5533 §5.15.6 which ULIDs are meant', () => {
  it.each([
    { type: 'I1', ids: 'S6-015 S6-070' },
    { type: 'I2', ids: 'S6-020 S6-083' },
    { type: 'I2bis', ids: 'S6-028 S6-111' },
  ] as const)('an $type between other locators carries the ULID Pair option ($ids)', ({ type }) => {
    const built = exchanges(1);
    const sent = last(built.world, type);
    expect([sent.source, sent.destination]).toEqual([built.a.address(1), built.b.address(1)]);
    expect(sent.message.options.ulidPair).toEqual(pairOf(built));
  });

  it.each(['I1', 'I2', 'I2bis'] as const)('S6-052 an %s between the ULIDs identifies them by its addresses', (type) => {
    const built = exchanges(0);
    const sent = last(built.world, type);
    expect({ sender: sent.source, receiver: sent.destination }).toEqual(pairOf(built));
    expect(sent.message.options.ulidPair).toBeUndefined();
  });

  it('S6-052 S6-053 the receiver takes them from the option, whatever its reserved octets hold', () => {
    for (const reserved of [0, 0xff]) {
      const { world, a, b, ab, ba } = twoHosts();
      world.start(a, ab, { local: a.address(1), peer: b.address(1) });
      world.run(100);
      b.contexts = [];
      const i2 = last(world, 'I2');
      const octets = withReserved(i2, reserved);
      b.receive({ ...packetOf(i2), octets }, world.now);
      expect(b.context.ulids).toEqual(ba);
      expect(b.context.state).toBe('ESTABLISHED');
    }
  });

  it('S6-053 one of the two addresses being another is enough for the option', () => {
    for (const [local, peer] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const { world, a, b, ab } = twoHosts();
      world.start(a, ab, { local: a.address(local), peer: b.address(peer) });
      expect(last(world, 'I1').message.options.ulidPair).toEqual({ sender: ab.local, receiver: ab.peer });
    }
  });
});

/** The same message with Reserved2 of its ULID Pair option filled, and the checksum made right. */
function withReserved({ octets }: Sent, value: number): Uint8Array {
  const changed = octets.slice();
  const at = changed.findIndex((octet, i) => i >= 24 && i % 8 === 0 && octet === 0 && changed[i + 1] === 0x0c);
  changed.fill(value, at + 4, at + 8);
  changed.fill(0, 4, 6);
  let sum = 0;
  for (let i = 0; i < changed.length; i += 2) sum += (changed[i] ?? 0) * 256 + (changed[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  changed.set([(~sum >> 8) & 0xff, ~sum & 0xff], 4);
  return changed;
}

describe('RFC 5533 §5.6 what an I2 copies', () => {
  it('S6-019 the validator and the nonce of the R1, octet for octet', () => {
    const { world, a, ab } = twoHosts();
    world.start(a, ab);
    world.run(15);
    const { message: r1 } = last(world, 'R1');
    const validator = Uint8Array.from({ length: 37 }, (_, i) => 255 - i); // whatever a responder thinks of
    const octets = encodeShim6({ ...r1, responderNonce: 0xfedc_ba98, options: { responderValidator: validator } });
    world.perform(a, a.receive({ ...packetOf(last(world, 'R1')), octets }, world.now));
    const { message: i2 } = last(world, 'I2');
    expect(i2.options.responderValidator).toEqual(validator);
    expect(i2.responderNonce).toBe(0xfedc_ba98);
  });

  it('S6-026 an R2 copies the nonce of the I2, I2bis or I1 that it answers', () => {
    const { world, a, b, ab } = exchanges(0);
    const answers = (type: 'I2' | 'I2bis'): unknown[] =>
      world.trace.flatMap(({ message }, i) => {
        const next = world.trace[i + 1]?.message;
        return message.type === type && next?.type === 'R2' ? [[message.initiatorNonce, next.initiatorNonce]] : [];
      });
    for (const type of ['I2', 'I2bis'] as const) {
      const [pair] = answers(type);
      expect(pair).toEqual([last(world, type).message.initiatorNonce, last(world, type).message.initiatorNonce]);
    }
    b.context.handle({ type: 'confused', restart: true }, world.now); // B is in I1-SENT: it answers an I1 with R2
    a.contexts = [];
    world.start(a, ab);
    world.run(15);
    const i1 = world.trace.findLast((sent) => sent.from === 'A' && sent.message.type === 'I1');
    expect(last(world, 'R2').from).toBe('B');
    expect(i1?.message).toMatchObject({ initiatorNonce: last(world, 'R2').message.initiatorNonce });
  });
});

/** Whatever carries a list must let the peer verify it, with nothing else known. */
const TELLERS = [
  { type: 'I2', ids: 'S6-022 S6-023 S6-065' },
  { type: 'R2', ids: 'S6-025 S6-065' },
  { type: 'I2bis', ids: 'S6-029 S6-065' },
] as const;

describe('RFC 5533 §5.6, §5.7, §5.9 a list comes with its proof', () => {
  it.each(TELLERS)('an $type of an HBA host has its parameters and all its locators ($ids)', ({ type }) => {
    const { world, a, b, ab } = exchanges(0);
    const sender = type === 'R2' ? b : a;
    const { options } = last(world, type).message;
    const ulid = type === 'R2' ? ab.peer : ab.local;
    expect(options.parameters).toEqual(sender.parametersOf(ulid));
    expect(options.locatorList?.locators).toEqual(sender.locators.map(({ address }) => ({ address, method: 1 })));
    expect(options.signature).toBeUndefined();
    expect(proves(last(world, type), ulid)).toEqual({ valid: true });
  });

  it.each([
    { type: 'I2', ids: 'S6-024' },
    { type: 'I2bis', ids: 'S6-029' },
  ] as const)('an $type of a CGA host is signed as well ($ids)', ({ type }) => {
    const { world, a, ab } = exchanges(0, cga);
    const { options } = last(world, type).message;
    expect(options.parameters).toEqual(a.parametersOf(ab.local));
    expect(options.locatorList?.locators).toEqual(a.locators.map(({ address }) => ({ address, method: 2 })));
    expect(options.signature).toHaveLength(128);
    expect(proves(last(world, type), ab.local)).toEqual({ valid: true });
  });

  it('S6-025 an R2 of a CGA host is signed as well', () => {
    const { world, a, b, ba } = twoHosts(cga);
    world.start(b, ba);
    world.run(1000);
    const r2 = last(world, 'R2');
    expect(r2.from).toBe('A');
    expect(r2.message.options.signature).toHaveLength(128);
    expect(proves(r2, a.address(0))).toEqual({ valid: true });
  });

  it('S6-003 a host with one address tells no list, and needs no parameters', () => {
    const only = ip('2001:db8:b:9::1');
    const alone = { parametersOf: () => undefined, locators: [locator(only)] };
    const { world, a, b } = established({ b: { identity: alone } });
    expect(last(world, 'R2').message.options).toEqual({});
    expect(a.context.peerLocators).toMatchObject([{ address: only, method: 'ulid' }]);
    expect(b.context.peerLocators).toHaveLength(2);
  });
});

function proves(sent: Sent & { readonly message: I2 | R2 | I2bis }, ulid: Uint8Array): unknown {
  const { parameters, locatorList: list, signature } = sent.message.options;
  if (list === undefined) throw new Error('no list');
  return new PeerVerifier(nodeCrypto).verify({ ulid, parameters, list, signature });
}

function locator(address: Uint8Array): TestHost['locators'][number] {
  return { address, method: 'hba', broken: false, transient: false, priority: 0, weight: 0 };
}

describe('RFC 5533 §5.15.2 the Locator List', () => {
  it('S6-044 lists every locator in the order of its host, also those that follow from the parameters', () => {
    const prefixes = ['2001:db8:a:1::', '2001:db8:a:2::', '2001:db8:a:3::', '2001:db8:a:4::'];
    const { world, a, b } = established({ a: { prefixes } });
    const listed = last(world, 'I2').message.options.locatorList?.locators ?? [];
    expect(texts(listed.map(({ address }) => address))).toEqual(texts(a.locators.map(({ address }) => address)));
    const reversed = [...a.locators].reverse().map((own, i) => ({ ...own, priority: i }));
    world.tell(a, a.context, { type: 'own-locators', locators: reversed });
    world.run(100);
    const known = b.context.peerLocators.map(({ address, priority }) => [texts([address])[0], priority]);
    expect(known).toEqual(reversed.map(({ address, priority }) => [texts([address])[0], priority]));
  });

  it('S6-045 names method 1 for HBA and 2 for CGA, and no other', () => {
    const methods = (built: Built): number[] => [...methodOctets(last(built.world, 'I2').octets)];
    expect(methods(established())).toEqual([1, 1]);
    expect(methods(established(cga))).toEqual([2, 2]);
  });

  it.each([0, 3, 255])('S6-045 does not believe method %i', (method) => {
    const { world, a, b, ab } = twoHosts();
    world.start(a, ab);
    world.run(15);
    world.loses = (sent) => sent.from === 'A';
    world.run(10);
    const i2 = last(world, 'I2');
    const { locatorList } = i2.message.options;
    if (locatorList === undefined) throw new Error('no list');
    const locators = locatorList.locators.map(({ address }, i) => ({ address, method: i === 1 ? method : 1 }));
    const options = { ...i2.message.options, locatorList: { ...locatorList, locators } };
    const effects = b.receive({ ...packetOf(i2), octets: encodeShim6({ ...i2.message, options }) }, world.now);
    const answer = effects.find((effect) => effect.type === 'transmit');
    const parsed = answer && parseShim6(answer.octets);
    expect(parsed?.ok === true && parsed.value).toMatchObject({ type: 'Error', code: 2 });
    expect(b.contexts).toEqual([]);
  });
});

/** The Verification Methods as they are in the octets of an I2 whose first two options are validator and list. */
function methodOctets(octets: Uint8Array): Uint8Array {
  const at = 24 + 24;
  expect([octets[at], octets[at + 1]]).toEqual([0, 4]);
  return octets.slice(at + 9, at + 9 + (octets[at + 8] ?? 0));
}

describe('RFC 5533 §5.15.7 forked contexts', () => {
  it.each([
    { type: 'I1', ids: 'S6-016' },
    { type: 'I2', ids: 'S6-021' },
    { type: 'I2bis', ids: 'S6-112' },
  ] as const)(
    'an $type of another instance carries its identifier, one of the default context does not ($ids)',
    ({ type }) => {
      const { world, a, b, ab } = established();
      const fork = a.create(ab, 0x0102_0304);
      world.tell(a, fork, { type: 'start' });
      world.run(1000);
      b.contexts = [];
      for (const context of a.contexts) {
        world.inject({ source: ab.local, destination: ab.peer, octets: context.keepalive() });
      }
      world.run(1000);
      const told = world.trace.flatMap(({ message }) =>
        message.type === type ? [[message.initiatorContextTag, message.options.forkedInstanceId]] : [],
      );
      const [original] = a.contexts;
      expect(told).toEqual([
        [original?.tag, undefined],
        [fork.tag, 0x0102_0304],
      ]);
      expect(b.contexts.map(({ forkedInstanceId }) => forkedInstanceId)).toEqual([0, 0x0102_0304]);
    },
  );

  it('S6-005 each instance has tags and a pair of its own, and outlives the others', () => {
    const { world, a, b, ab } = established();
    const [original] = a.contexts;
    const forks = [1, 0xffff_ffff].map((instance) => a.create(ab, instance));
    for (const fork of forks) world.tell(a, fork, { type: 'start' });
    world.run(1000);
    expect(new Set(a.contexts.map(({ tag }) => tag)).size).toBe(3);
    expect(new Set(b.contexts.map(({ tag }) => tag)).size).toBe(3);
    const [first, second] = forks;
    if (original === undefined || first === undefined || second === undefined) throw new Error('no fork');
    world.tell(a, first, { type: 'current-pair', pair: { local: a.address(1), peer: b.address(1) } });
    world.tell(a, original, { type: 'discard', reason: 'unused' });
    expect(a.contexts).toEqual([first, second]);
    for (const fork of a.contexts) {
      expect(fork.tagPeer).toBe(b.contexts.find((one) => one.forkedInstanceId === fork.forkedInstanceId)?.tag);
    }
    const broken = a.locators.map((own, i) => ({ ...own, broken: i === 1 }));
    for (const fork of a.contexts) world.tell(a, fork, { type: 'own-locators', locators: broken });
    const updates = world.trace.filter(({ message }) => message.type === 'UpdateRequest');
    expect(updates.map(({ source }) => sameOctets(source, a.address(1)))).toEqual([true, false]);
  });
});
