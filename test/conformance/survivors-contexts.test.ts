import { describe, expect, it } from 'vitest';
import { Host } from '../../src/host/host.ts';
import type { HostEffect } from '../../src/host/host-io.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { RFC } from '../../src/reap/profile.ts';
import { Reap } from '../../src/reap/reap.ts';
import { seededRandom } from '../../src/sim/random.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I2, I2bis, KnownMessage } from '../../src/shim6/messages.ts';
import { writePayloadHeader } from '../../src/shim6/payload-header.ts';
import type { Answer } from '../../src/shim6/responder.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { Writer } from '../../src/wire/writer.ts';
import { signers, twoHosts as simulatedHosts } from '../host/two-hosts.ts';
import { pairOf, seeded } from '../reap/link.ts';
import { ip } from '../shim6/spec-vectors.ts';
import { established } from '../shim6/world.ts';

// What `npm run conformance -- --mutate` broke once without a citing test that noticed.

const NEW_TAG = contextTag(0x777);

/** The message in a packet that is sent; an error when there is none of this type. */
function sent<Type extends KnownMessage['type']>(
  answer: Answer | HostEffect | undefined,
  type: Type,
): Extract<KnownMessage, { type: Type }> {
  const parsed = answer?.type === 'transmit' ? parseShim6(answer.octets) : undefined;
  const isWanted = (message: KnownMessage): message is Extract<KnownMessage, { type: Type }> => message.type === type;
  if (parsed?.ok !== true || parsed.value.type === 'Unknown' || !isWanted(parsed.value)) throw new Error(`no ${type}`);
  return parsed.value;
}

describe('RFC 5533 §7.13 an I2 made from an R1 of the same second as the one before', () => {
  /** What B, which has a context with A, does about another I2 of A. */
  function another(changes: Partial<I2>): { types: string[]; tag: number | undefined } {
    const { world, a, b } = established();
    world.run(2000);
    const way = { source: a.address(0), destination: b.address(0) };
    const arrives = (message: Partial<I2>): { types: string[]; tag: number | undefined } => {
      const tag = message.initiatorContextTag ?? a.context.tag;
      const i1 = { type: 'I1', initiatorContextTag: tag, initiatorNonce: 5, options: {} } as const;
      const r1 = sent(b.responder.r1(i1, { ...way, octets: encodeShim6(i1) }, world.now), 'R1');
      const { responderNonce } = r1;
      const options = { responderValidator: r1.options.responderValidator };
      const i2: I2 = { type: 'I2', initiatorContextTag: tag, initiatorNonce: 5, responderNonce, options, ...message };
      b.log = [];
      b.receive({ ...way, octets: encodeShim6(i2) }, world.now);
      return { types: b.log.map(({ type }) => type), tag: b.context.tagPeer };
    };
    arrives({});
    return arrives(changes);
  }

  it('S6-094 is taken when it has another tag', () => {
    expect(another({ initiatorContextTag: NEW_TAG })).toEqual({
      types: ['peer-changed', 'transmit', 'control-received', 'own-locators-acknowledged'],
      tag: NEW_TAG,
    });
  });

  it('S6-094 is taken when it has another nonce, and answered only when it is the same once more', () => {
    expect(another({ initiatorNonce: 6 }).types).toEqual(['peer-changed', 'transmit', 'control-received']);
    expect(another({}).types).toEqual(['transmit', 'control-received']);
  });
});

describe('RFC 5533 §7.20 an I2bis', () => {
  it('S6-120 S6-121 about the very tag of a context that is there is answered by R2: addresses were the reason', () => {
    const { world, a, b } = established();
    const way = { source: a.address(0), destination: b.address(0) };
    const { tag } = b.context;
    const r1bis = sent(b.responder.r1bis(tag, way, world.now), 'R1bis');
    const message: I2bis = {
      type: 'I2bis',
      initiatorContextTag: NEW_TAG,
      initiatorNonce: 9,
      responderNonce: r1bis.responderNonce,
      packetContextTag: tag,
      options: { responderValidator: r1bis.options.responderValidator },
    };
    b.receive({ ...way, octets: encodeShim6(message) }, world.now);
    expect([b.context.state, b.context.tag, b.context.tagPeer]).toEqual(['ESTABLISHED', tag, NEW_TAG]);
  });

  it('S6-118 gets a new tag from a host, also when its generator says the old one again; an I2 may get any', () => {
    const lost = contextTag(9);
    const others = seededRandom(3);
    const stubborn = (length: number): Uint8Array =>
      length === 6 && left-- > 0 ? Uint8Array.of(0, 0, 0, 0, 0, 9) : others(length);
    let left = 2;
    const settings = { profile: 'rfc', idleMs: 300_000, returnAfterMs: 5_000, probeBudget: 200 } as const;
    const host = new Host({ crypto: nodeCrypto, random: stubborn, signer: signers.a, settings }, 0);
    const { locators } = simulatedHosts(1).a;
    host.handle({ type: 'locators', locators }, 0);
    const way = { source: ip('2001:db8:b1::1'), destination: locators[0]?.address ?? ip('::') };
    const arrives = (octets: Uint8Array): HostEffect[] =>
      host.handle({ type: 'control', packet: { ...way, hopLimit: 64, octets } }, 0);
    const payload = new Writer(8);
    writePayloadHeader(payload, { nextHeader: 17, contextTag: lost });
    const r1bis = sent(arrives(payload.finish())[0], 'R1bis');
    const message: I2bis = {
      type: 'I2bis',
      initiatorContextTag: NEW_TAG,
      initiatorNonce: 9,
      responderNonce: r1bis.responderNonce,
      packetContextTag: lost,
      options: { responderValidator: r1bis.options.responderValidator },
    };
    arrives(encodeShim6(message));
    expect(left).toBe(-1);
    const [context, ...more] = [...host.contexts];
    expect([context?.context.state, more]).toEqual(['ESTABLISHED', []]);
    expect(context?.tag).not.toBe(lost);
  });
});

describe('RFC 5533 §7.18 an R1bis', () => {
  it('S6-109 about another tag than that of the peer, or from elsewhere, is dropped by the context itself', () => {
    const { world, a, b } = established();
    const back = { source: b.address(0), destination: a.address(0), octets: new Uint8Array(0) };
    const tag = b.context.tag;
    const about = (lost: typeof tag, source = back.source): unknown => {
      const message = sent(
        b.responder.r1bis(lost, { source: back.destination, destination: source }, world.now),
        'R1bis',
      );
      return a.context
        .handle({ type: 'message', message, packet: { ...back, source } }, world.now)
        .map(({ type }) => type);
    };
    expect(about(NEW_TAG)).toEqual(['drop']);
    expect(about(tag, ip('2001:db8:bad::1'))).toEqual(['drop']);
    expect(a.context.state).toBe('ESTABLISHED');
    expect(about(tag)).toEqual(['state', 'transmit']);
  });
});

describe('RFC 5533 §12.4 a message to an address of ours that has gone', () => {
  it('S6-149 S6-133 counts as long as the peer may not know that it has, and gets R1bis from then on', () => {
    const { world, a, b } = established();
    const [first] = a.locators;
    if (first === undefined) throw new Error('no locator');
    const arrives = (): string[] => {
      a.log = [];
      const octets = b.context.keepalive();
      a.receive({ source: b.address(0), destination: a.address(1), octets }, world.now);
      return a.log.map(({ type }) => type);
    };
    world.loses = () => true;
    world.tell(a, a.context, { type: 'own-locators', locators: [first] });
    expect(arrives()).toEqual(['keepalive-received']);
    world.loses = () => false;
    world.run(10_000); // the Update Request comes again, and is acknowledged
    expect(arrives()).toEqual(['transmit']);
  });
});

describe('RFC 5534 §4.3 the back-off of probes', () => {
  it('S6-171 goes on when the peer was heard meanwhile, and starts again only with a new failure', () => {
    const machine = new Reap({ profile: RFC, random: seeded(7), pair: pairOf('A', '11') });
    machine.handle({ type: 'candidates', pairs: ['11', '22'].map((key) => pairOf('A', key)) }, 0);
    machine.handle({ type: 'payload-sent' }, 0);
    const probedAt: number[] = [];
    const until = (end: number, state?: string): number => {
      let now = machine.deadline;
      for (; now <= end && machine.state !== state; now = machine.deadline) {
        const effects = machine.handle({ type: 'tick' }, now);
        if (effects.some(({ type }) => type === 'send-probe')) probedAt.push(now);
      }
      return now;
    };
    until(200_000);
    expect(machine.state).toBe('Exploring');
    machine.handle({ type: 'payload-received', pair: pairOf('A', '11') }, 200_000);
    expect(machine.state).toBe('InboundOk');
    const again = until(400_000, 'Exploring');
    probedAt.length = 0;
    until(again + 200_000);
    const waits = probedAt.slice(1).map((at, i) => at - (probedAt[i] ?? 0));
    expect(waits.length).toBeGreaterThan(1);
    expect(Math.min(...waits)).toBeGreaterThan(30_000);
  });
});
