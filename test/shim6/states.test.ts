import { describe, expect, it } from 'vitest';
import type { ContextEffect, ContextMessage, ContextStateName } from '../../src/shim6/context-io.ts';
import type { Context } from '../../src/shim6/context.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, I2, R2 } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { TRANSITIONS } from '../../src/shim6/transitions.ts';
import { cgaIdentity } from './cga-hosts.ts';
import { ip } from './spec-vectors.ts';
import type { Sent, TestHost, World } from './world.ts';
import { established, packetOf, twoHosts } from './world.ts';

type Situation = ReturnType<typeof twoHosts> & { readonly context: Context };

const is = (type: string) => (sent: Sent) => sent.message.type === type;

/** A context of host A in each state, by what happens to its messages. */
const SITUATIONS: { readonly [State in ContextStateName]: () => Situation } = {
  IDLE: () => {
    const built = twoHosts();
    return { ...built, context: built.a.create(built.ab) };
  },
  'I1-SENT': () => {
    const built = twoHosts();
    built.world.loses = is('R1');
    const context = built.world.start(built.a, built.ab);
    built.world.run(100);
    return { ...built, context };
  },
  'I2-SENT': () => {
    const built = twoHosts();
    built.world.loses = is('R2');
    const context = built.world.start(built.a, built.ab);
    built.world.run(100);
    return { ...built, context };
  },
  ESTABLISHED: () => {
    const built = established();
    return { ...built, context: built.a.context };
  },
  'I2BIS-SENT': () => {
    const built = established();
    const { context } = built.a;
    built.b.contexts = [];
    built.world.loses = is('R2');
    built.world.inject({ source: built.a.address(0), destination: built.b.address(0), octets: context.keepalive() });
    built.world.run(100);
    return { ...built, context };
  },
  'E-FAILED': () => {
    const built = twoHosts();
    built.world.loses = () => true;
    const context = built.world.start(built.a, built.ab);
    while (context.state !== 'E-FAILED') built.world.run(500);
    return { ...built, context };
  },
  'NO-SUPPORT': () => {
    const built = twoHosts();
    built.world.loses = () => true;
    const context = built.world.start(built.a, built.ab);
    const [i1] = built.world.trace;
    if (i1?.message.type !== 'I1') throw new Error('no I1');
    built.world.tell(built.a, context, { type: 'icmp-unknown-next-header', quoted: quotedI1(i1, i1.message, built) });
    return { ...built, context };
  },
};

function quotedI1(
  { source, destination }: Sent,
  { initiatorContextTag: contextTag, initiatorNonce: nonce }: I1,
  { ab }: { ab: { local: Uint8Array; peer: Uint8Array } },
): Extract<Parameters<Context['handle']>[0], { type: 'icmp-unknown-next-header' }>['quoted'] {
  return { source, destination, type: 'I1', contextTag, nonce, ulids: ab, forkedInstanceId: 0 };
}

function arrives({ a, b, world, context }: Situation, message: ContextMessage): ContextEffect[] {
  const packet = { source: b.address(0), destination: a.address(0), octets: encodeShim6(message) };
  return a.tell(context, { type: 'message', message, packet }, world.now);
}

function answers(effects: readonly ContextEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'transmit') return [];
    const parsed = parseShim6(effect.octets);
    return [parsed.ok ? parsed.value.type : 'unreadable'];
  });
}

const i1 = (tag = 0x777): I1 => ({
  type: 'I1',
  initiatorContextTag: contextTag(tag),
  initiatorNonce: 1,
  options: {},
});
const keepalive = ({ context }: Situation): ContextMessage => ({
  type: 'Keepalive',
  receiverContextTag: context.tag,
  options: {},
});
const update = ({ context }: Situation): ContextMessage => ({
  type: 'UpdateRequest',
  receiverContextTag: context.tag,
  requestNonce: 5,
  options: {},
});
const acknowledgement = ({ context }: Situation): ContextMessage => ({
  type: 'UpdateAcknowledgement',
  receiverContextTag: context.tag,
  requestNonce: 5,
  options: {},
});
const probe = (situation: Situation): ContextMessage => ({
  type: 'Probe',
  receiverContextTag: situation.context.tag,
  state: 'Exploring',
  sent: [{ source: situation.b.address(0), destination: situation.a.address(0), nonce: 1, data: 0 }],
  received: [],
  pathTest: false,
  options: {},
});

const STATES = Object.keys(SITUATIONS) as ContextStateName[];

describe('the situations', () => {
  it.each(STATES)('really are in %s', (state) => {
    expect(SITUATIONS[state]().context.state).toBe(state);
  });
});

describe('I1', () => {
  it.each([
    ['IDLE', ['R1']],
    ['E-FAILED', ['R1']],
    ['NO-SUPPORT', ['R1']],
    ['I1-SENT', ['R2']],
    ['I2-SENT', ['R2']],
    ['I2BIS-SENT', ['R2']],
    ['ESTABLISHED', ['R1']], // another tag
  ] as const)('S6-076 S6-077 S6-078 in %s is answered by %s and changes nothing', (state, expected) => {
    const situation = SITUATIONS[state]();
    const before = [situation.context.state, situation.context.tagPeer];
    expect(answers(arrives(situation, i1()))).toEqual(expected);
    expect([situation.context.state, situation.context.tagPeer]).toEqual(before);
  });

  it('S6-077 in ESTABLISHED with the known tag is answered by R2, on another pair only from a known locator', () => {
    const situation = SITUATIONS.ESTABLISHED();
    const { a, b, world, context } = situation;
    const tag = context.tagPeer ?? 0;
    expect(answers(arrives(situation, i1(tag)))).toEqual(['R2']);
    const moved: I1 = { ...i1(tag), options: { ulidPair: { sender: b.address(0), receiver: a.address(0) } } };
    const from = (source: Uint8Array): string[] => {
      const packet = { source, destination: a.address(0), octets: encodeShim6(moved) };
      return answers(a.tell(context, { type: 'message', message: moved, packet }, world.now));
    };
    expect(from(b.address(1))).toEqual(['R2']);
    expect(from(ip('2001:db8:bad::1'))).toEqual(['R1']);
  });

  it('S6-078 a flood of I1s is not turned into a flood of R2s', () => {
    const situation = SITUATIONS['I1-SENT']();
    let count = 0;
    for (let i = 0; i < 1000; i++) count += answers(arrives(situation, i1())).length;
    expect(count).toBe(8);
  });
});

describe('messages with CT(local)', () => {
  it.each(['IDLE', 'E-FAILED', 'NO-SUPPORT'] as const)('S6-107 in %s get R1bis', (state) => {
    for (const message of [keepalive, update, acknowledgement, probe]) {
      const situation = SITUATIONS[state]();
      expect(answers(arrives(situation, message(situation)))).toEqual(['R1bis']);
      expect(situation.context.state).toBe(state);
    }
  });

  it('S6-254 in I1-SENT are discarded', () => {
    for (const message of [keepalive, update, acknowledgement, probe]) {
      const situation = SITUATIONS['I1-SENT']();
      expect(arrives(situation, message(situation))).toEqual([{ type: 'drop', reason: 'wrong-state' }]);
    }
  });

  it('S6-254 S6-175 in I2-SENT provoke the I2 again and are not processed', () => {
    for (const message of [keepalive, update, acknowledgement, probe]) {
      const situation = SITUATIONS['I2-SENT']();
      const effects = arrives(situation, message(situation));
      expect(answers(effects)).toEqual(['I2']);
      expect(effects).toHaveLength(1);
    }
  });

  it('S6-254 in I2BIS-SENT provoke the I2bis; Updates are processed, Keepalives and Probes are not', () => {
    const expected = [
      [keepalive, ['I2bis']],
      [probe, ['I2bis']],
      [update, ['I2bis', 'UpdateAcknowledgement']],
      [acknowledgement, ['I2bis']],
    ] as const;
    for (const [message, types] of expected) {
      const situation = SITUATIONS['I2BIS-SENT']();
      expect(answers(arrives(situation, message(situation)))).toEqual(types);
    }
  });

  it('S6-175 in ESTABLISHED go to REAP', () => {
    const situation = SITUATIONS.ESTABLISHED();
    const { a, b } = situation;
    expect(arrives(situation, keepalive(situation))).toEqual([{ type: 'keepalive-received' }]);
    expect(arrives(situation, probe(situation))).toEqual([
      { type: 'probe-received', probe: probe(situation), source: b.address(0), destination: a.address(0) },
    ]);
    expect(arrives(situation, update(situation)).map(({ type }) => type)).toEqual(['transmit', 'control-received']);
  });
});

describe('a payload header', () => {
  it.each([
    ['IDLE', [], ['R1bis']],
    ['E-FAILED', [], ['R1bis']],
    ['NO-SUPPORT', [], ['R1bis']],
    ['I1-SENT', ['drop'], []],
    ['I2-SENT', ['deliver'], ['I2']],
    ['I2BIS-SENT', ['deliver'], ['I2bis']],
    ['ESTABLISHED', ['deliver'], []],
  ] as const)('S6-146 in %s: %s, answer %s', (state, others, sent) => {
    const { a, b, world, context } = SITUATIONS[state]();
    const input = { type: 'payload-header', source: b.address(1), destination: a.address(1) } as const;
    const effects = a.tell(context, input, world.now);
    expect(effects.map(({ type }) => type).filter((type) => type !== 'transmit')).toEqual(others);
    expect(answers(effects)).toEqual(sent);
    expect(context.state).toBe(state);
  });

  it('S6-146 repeats the I2 only as often as is sensible', () => {
    const { a, b, world, context } = SITUATIONS['I2-SENT']();
    const input = { type: 'payload-header', source: b.address(1), destination: a.address(1) } as const;
    let delivered = 0;
    let repeated = 0;
    for (let i = 0; i < 500; i++) {
      const effects = a.tell(context, input, world.now);
      delivered += effects.filter(({ type }) => type === 'deliver').length;
      repeated += answers(effects).length;
    }
    expect([delivered, repeated]).toEqual([500, 8]);
  });
});

describe('R1, R2 and R1bis', () => {
  const kept = (host: TestHost, world: World, type: string): Sent => {
    const found = world.trace.findLast((sent) => sent.from === host.name && sent.message.type === type);
    if (found === undefined) throw new Error(`no ${type}`);
    return found;
  };

  it('S6-082 an R1 counts only in I1-SENT', () => {
    const { a, b, world, context } = SITUATIONS['I2-SENT']();
    expect(a.receive(packetOf(kept(b, world, 'R1')), world.now)).toEqual([{ type: 'drop', reason: 'wrong-state' }]);
    expect(context.state).toBe('I2-SENT');
  });

  it('S6-081 S6-102 an R1 or R2 with another nonce or from another address belongs to no context', () => {
    const { a, b, world, context } = SITUATIONS['I1-SENT']();
    const r1 = kept(b, world, 'R1');
    expect(a.receive({ ...packetOf(r1), source: b.address(1) }, world.now)).toEqual([
      { type: 'drop', reason: 'no-match' },
    ]);
    if (r1.message.type !== 'R1') throw new Error('no R1');
    const octets = encodeShim6({ ...r1.message, initiatorNonce: r1.message.initiatorNonce ^ 1 });
    expect(a.receive({ ...packetOf(r1), octets }, world.now)).toEqual([{ type: 'drop', reason: 'no-match' }]);
    a.receive(packetOf(r1), world.now);
    expect(context.state).toBe('I2-SENT');
  });

  it('S6-017 an R1 without a validator is of no use', () => {
    const { a, b, world, context } = SITUATIONS['I1-SENT']();
    const r1 = kept(b, world, 'R1');
    if (r1.message.type !== 'R1') throw new Error('no R1');
    const octets = encodeShim6({ ...r1.message, options: {} });
    expect(a.receive({ ...packetOf(r1), octets }, world.now)).toEqual([{ type: 'drop', reason: 'validator' }]);
    expect(context.state).toBe('I1-SENT');
  });

  it.each(['I1-SENT', 'I2-SENT', 'I2BIS-SENT'] as const)('S6-259 an R2 in %s establishes', (state) => {
    const situation = SITUATIONS[state]();
    const { a, b, context } = situation;
    const r2: R2 = {
      type: 'R2',
      responderContextTag: contextTag(0x999),
      initiatorNonce: context.pendingNonce ?? 0,
      options: {},
    };
    const effects = arrives(situation, r2);
    expect(context.state).toBe('ESTABLISHED');
    expect(context.tagPeer).toBe(0x999);
    expect(effects.map(({ type }) => type).slice(0, 4)).toEqual([
      'state',
      'established',
      'control-received',
      'own-locators-acknowledged',
    ]);
    // a list that is left out leaves Ls(peer) alone where there is one
    expect(context.peerLocators).toHaveLength(state === 'I2BIS-SENT' ? 2 : 1);
    expect(effects.find(({ type }) => type === 'established')).toMatchObject({
      pair: { local: a.address(0), peer: b.address(0) },
    });
  });

  it('S6-103 an R2 with parameters of somebody else is dropped, S6-104 one with a wrong list refused', () => {
    const situation = SITUATIONS['I2-SENT']();
    const { a, b, context } = situation;
    const r2: R2 = {
      type: 'R2',
      responderContextTag: contextTag(0x999),
      initiatorNonce: context.pendingNonce ?? 0,
      options: {},
    };
    const parameters = a.parametersOf(a.address(0));
    expect(arrives(situation, { ...r2, options: { parameters } })).toEqual([{ type: 'drop', reason: 'parameters' }]);
    const locatorList = { generation: 1, locators: [{ address: ip('2001:db8:bad::1'), method: 1 }] };
    const options = { parameters: b.parametersOf(b.address(0)), locatorList };
    expect(answers(arrives(situation, { ...r2, options }))).toEqual(['Error']);
    expect(context.state).toBe('I2-SENT');
  });
});

describe('I2', () => {
  /** An I2 of B as A would get it, validator and all. */
  const i2From = (
    situation: Situation,
    change: (message: I2) => I2 = (message) => message,
    pair = [0, 0],
  ): ContextEffect[] => {
    const { a, b, world } = situation;
    const source = b.address(pair[0] ?? 0);
    const destination = a.address(pair[1] ?? 0);
    const ulids = source === b.address(0) ? {} : { ulidPair: { sender: b.address(0), receiver: a.address(0) } };
    const request: I1 = { ...i1(0x555), options: ulids };
    const answer = a.responder.r1(request, { source, destination, octets: encodeShim6(request) }, world.now);
    const parsed = answer.type === 'transmit' ? parseShim6(answer.octets) : undefined;
    if (parsed?.ok !== true || parsed.value.type !== 'R1') throw new Error('no R1');
    const { responderNonce, options } = parsed.value;
    const message = change({
      type: 'I2',
      initiatorContextTag: contextTag(0x555),
      initiatorNonce: 66,
      responderNonce,
      options: { ...ulids, responderValidator: options.responderValidator },
    });
    return a.receive({ source, destination, octets: encodeShim6(message) }, world.now);
  };
  const withList = (host: TestHost): I2['options'] => ({
    parameters: host.parametersOf(host.address(0)),
    locatorList: { generation: 5, locators: host.locators.map(({ address }) => ({ address, method: 1 })) },
  });

  it.each([
    ['IDLE', 'ESTABLISHED'],
    ['E-FAILED', 'ESTABLISHED'],
    ['NO-SUPPORT', 'ESTABLISHED'],
    ['I1-SENT', 'ESTABLISHED'],
    ['I2-SENT', 'I2-SENT'],
    ['I2BIS-SENT', 'I2BIS-SENT'],
    ['ESTABLISHED', 'ESTABLISHED'],
  ] as const)('S6-091 S6-094 in %s updates the peer, is answered by R2 and leads to %s', (state, next) => {
    const situation = SITUATIONS[state]();
    const effects = i2From(situation);
    expect(answers(effects)).toEqual(['R2']);
    expect([situation.context.state, situation.context.tagPeer]).toEqual([next, 0x555]);
    const known = effects.findIndex(({ type }) => type === 'established' || type === 'peer-changed');
    const sent = effects.findIndex(({ type }) => type === 'transmit');
    expect(known).toBeGreaterThanOrEqual(0);
    expect(known).toBeLessThan(sent); // S6-095 S6-105: time to look for confusion before the R2
  });

  it('S6-093 from another locator needs that locator in the list or known', () => {
    expect(i2From(SITUATIONS['I1-SENT'](), undefined, [1, 0])).toEqual([{ type: 'drop', reason: 'source' }]);
    const known = SITUATIONS.ESTABLISHED();
    expect(answers(i2From(known, undefined, [1, 0]))).toEqual(['R2']);
    for (const state of ['IDLE', 'I1-SENT', 'I2-SENT'] as const) {
      const situation = SITUATIONS[state]();
      const effects = i2From(situation, (m) => ({ ...m, options: { ...m.options, ...withList(situation.b) } }), [1, 0]);
      expect(answers(effects)).toEqual(['R2']);
      expect(situation.context.peerLocators).toHaveLength(2);
    }
  });

  it('S6-090 with parameters of somebody else is dropped; S6-092 S6-274 with a bad list it changes nothing', () => {
    for (const state of ['IDLE', 'I1-SENT', 'ESTABLISHED'] as const) {
      const situation = SITUATIONS[state]();
      const before = [situation.context.state, situation.context.tagPeer];
      const { a, b } = situation;
      const alien = i2From(situation, (m) => ({
        ...m,
        options: { ...m.options, parameters: a.parametersOf(a.address(0)) },
      }));
      expect(alien).toEqual([{ type: 'drop', reason: 'parameters' }]);
      const locators = [b.address(0), ip('2001:db8:bad::1')].map((address) => ({ address, method: 1 }));
      const options = { ...withList(b), locatorList: { generation: 1, locators } };
      expect(answers(i2From(situation, (m) => ({ ...m, options: { ...m.options, ...options } })))).toEqual(['Error']);
      expect([situation.context.state, situation.context.tagPeer]).toEqual(before);
    }
  });

  it('S6-089 with a wrong validator does nothing, in any state', () => {
    for (const state of STATES) {
      const situation = SITUATIONS[state]();
      const effects = i2From(situation, (m) => ({ ...m, responderNonce: m.responderNonce + 1 }));
      expect(effects).toEqual([{ type: 'drop', reason: 'validator' }]);
      expect(situation.context.state).toBe(state);
    }
  });

  it('S6-042 an old one replayed does not put back an old tag; the last one repeated just gets R2 again', () => {
    const { world, a, b, ab } = established();
    const first = world.trace.find(is('I2'));
    world.run(3000);
    a.contexts = [];
    world.start(a, ab);
    world.run(1000);
    const second = world.trace.findLast(is('I2'));
    if (first === undefined || second === undefined) throw new Error('no I2');
    const before = b.context.tagPeer;
    expect(b.receive(packetOf(first), world.now)).toEqual([{ type: 'drop', reason: 'replayed' }]);
    expect(b.context.tagPeer).toBe(before);
    b.log = [];
    expect(answers(b.receive(packetOf(second), world.now))).toEqual(['R2']);
    expect(b.log.map(({ type }) => type)).toEqual(['transmit', 'control-received']);
  });

  it('S6-057 our own addresses in a proven list are no destinations', () => {
    const { b, context, ...rest } = SITUATIONS['I1-SENT']();
    const parameters = b.parametersOf(b.address(0));
    i2From({ b, context, ...rest }, (m) => ({ ...m, options: { ...m.options, ...withList(b), parameters } }));
    expect(context.peerLocators).toHaveLength(2);
    context.handle({ type: 'own-locators', locators: [...rest.a.locators, ...b.locators.slice(1)] }, rest.world.now);
    expect(context.peerLocators).toHaveLength(1);
  });

  it('S6-057 multicast, unspecified, loopback and link-local addresses are none either, whoever signed for them', () => {
    const odd = ['ff0e::1', '::', '::1', 'fe80::1', 'fec0::1'];
    const { world, b, a, ab } = twoHosts({ a: { identity: cgaIdentity(4, [...odd, '2001:db8:c::1']) } });
    world.start(a, ab);
    world.run(1000);
    expect(b.context.peerLocators.map(({ address }) => address)).toEqual([ab.local, ip('2001:db8:c::1')]);
  });
});

describe('ICMPv6 Parameter Problem', () => {
  it('S6-074 leads to NO-SUPPORT for ten minutes when it quotes our I1, and to nothing otherwise', () => {
    const situation = SITUATIONS['I1-SENT']();
    const { a, world, context } = situation;
    const [sent] = world.trace;
    if (sent?.message.type !== 'I1') throw new Error('no I1');
    const quoted = quotedI1(sent, sent.message, situation);
    for (const wrong of [
      { ...quoted, nonce: 1 },
      { ...quoted, contextTag: contextTag(1) },
      { ...quoted, forkedInstanceId: 1 },
      { ...quoted, ulids: { local: quoted.source, peer: ip('2001:db8:bad::1') } },
      { ...quoted, type: 'I2' as const },
    ]) {
      a.tell(context, { type: 'icmp-unknown-next-header', quoted: wrong }, world.now);
      expect(context.state).toBe('I1-SENT');
    }
    a.tell(context, { type: 'icmp-unknown-next-header', quoted }, world.now);
    expect(context.state).toBe('NO-SUPPORT');
    world.run(599_000);
    expect(context.state).toBe('NO-SUPPORT');
    world.run(2000);
    expect(context.state).toBe('IDLE');
  });

  it.each(['I2-SENT', 'ESTABLISHED', 'I2BIS-SENT'] as const)('S6-074 is ignored in %s', (state) => {
    const situation = SITUATIONS[state]();
    const [sent] = situation.world.trace;
    if (sent?.message.type !== 'I1') throw new Error('no I1');
    const quoted = quotedI1(sent, sent.message, situation);
    situation.a.tell(situation.context, { type: 'icmp-unknown-next-header', quoted }, situation.world.now);
    expect(situation.context.state).toBe(state);
  });
});

describe('the end', () => {
  it.each(STATES)('S6-001 a context in %s is forgotten on command', (state) => {
    const { a, world, context } = SITUATIONS[state]();
    const effects = a.tell(context, { type: 'discard', reason: 'ulid-invalid' }, world.now);
    expect(effects.at(-1)).toEqual({ type: 'discarded', reason: 'ulid-invalid' });
    expect([context.state, context.deadline]).toEqual(['IDLE', Number.POSITIVE_INFINITY]);
    expect(a.contexts).toEqual([]);
  });
});

describe('the table', () => {
  it('S6-143 knows every state and names only states that exist', () => {
    for (const row of Object.values(TRANSITIONS)) {
      for (const { to } of Object.values(row)) for (const state of to) expect(STATES).toContain(state);
    }
    expect(Object.keys(TRANSITIONS).sort()).toEqual([...STATES].sort());
  });
});
