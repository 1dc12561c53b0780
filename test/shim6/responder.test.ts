import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { admit } from '../../src/shim6/admit.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, I2, I2bis, KnownMessage, R1, R1bis } from '../../src/shim6/messages.ts';
import { TokenBucket } from '../../src/locators/token-bucket.ts';
import { RateLimits } from '../../src/shim6/rate-limit.ts';
import { Responder } from '../../src/shim6/responder.ts';
import type { Answer } from '../../src/shim6/responder.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { A1, A2, B1, B2, hex, ip } from './spec-vectors.ts';
import { seeded } from './world.ts';

const NOW = 5_000_000;

function responder(detectionMs?: number): Responder {
  return new Responder({ crypto: nodeCrypto, random: seeded(9), detectionMs });
}

function packet(message: KnownMessage, source = A1, destination = B1): Parameters<Responder['r1']>[1] {
  return { source, destination, octets: encodeShim6(message) };
}

function sent(answer: Answer): KnownMessage {
  if (answer.type !== 'transmit') throw new Error(`dropped: ${answer.reason}`);
  const parsed = parseShim6(answer.octets);
  if (!parsed.ok || parsed.value.type === 'Unknown') throw new Error('unreadable');
  return parsed.value;
}

const i1 = (options: I1['options'] = {}): I1 => ({
  type: 'I1',
  initiatorContextTag: contextTag(0x1234),
  initiatorNonce: 77,
  options,
});

function r1For(host: Responder, message: I1, now = NOW): R1 {
  const answer = sent(host.r1(message, packet(message), now));
  if (answer.type !== 'R1') throw new Error(answer.type);
  return answer;
}

const i2 = (message: I1, r1: R1): I2 => ({
  type: 'I2',
  initiatorContextTag: message.initiatorContextTag,
  initiatorNonce: 78,
  responderNonce: r1.responderNonce,
  options: { ...message.options, responderValidator: r1.options.responderValidator },
});

describe('R1', () => {
  it('S6-017 S6-018 copies the nonce and carries a validator, back on the same pair', () => {
    const host = responder();
    const answer = host.r1(i1(), packet(i1()), NOW);
    expect(answer).toMatchObject({ type: 'transmit', source: B1, destination: A1 });
    expect(sent(answer)).toMatchObject({
      type: 'R1',
      initiatorNonce: 77,
      options: { responderValidator: expect.any(Uint8Array) },
    });
  });

  it('S6-079 is the same for the same I1 in the same second: it is made from nothing else', () => {
    const host = responder();
    expect(r1For(host, i1())).toEqual(r1For(host, i1()));
    expect(r1For(host, i1(), NOW + 1000)).not.toEqual(r1For(host, i1()));
  });

  it('S6-214 is at most three times as long as the I1, fast detection included', () => {
    for (const options of [{}, { detection: { sendTimeoutMs: 50 } }]) {
      const request = packet(i1(options));
      const answer = responder(100).r1(i1(options), request, NOW);
      if (answer.type !== 'transmit') throw new Error('dropped');
      expect(answer.octets.length).toBeLessThanOrEqual(3 * request.octets.length);
    }
  });

  it('S6-079 grants fast detection only when asked and only when it wants it', () => {
    const asking = i1({ detection: { sendTimeoutMs: 50 } });
    expect(r1For(responder(100), asking).options.detection).toEqual({ sendTimeoutMs: 100 });
    expect(r1For(responder(), asking).options.detection).toBeUndefined();
    expect(r1For(responder(100), i1()).options.detection).toBeUndefined();
  });
});

describe('the validator', () => {
  const accepts = (change: (message: I2) => I2, at = NOW, source = A1, destination = B1): boolean => {
    const host = responder();
    const forked = i1({ forkedInstanceId: 3, ulidPair: { sender: A1, receiver: B1 } });
    const message = change(i2(forked, r1For(host, forked)));
    return host.accepts(message, packet(message, source, destination), at);
  };
  const same = (message: I2): I2 => message;

  it('S6-088 is accepted for at least 30 s, and S6-089 not for ever', () => {
    expect(accepts(same)).toBe(true);
    expect(accepts(same, NOW + 30_000)).toBe(true);
    expect(accepts(same, NOW + 60_000)).toBe(true);
    expect(accepts(same, NOW + 61_000)).toBe(false);
    expect(accepts(same, NOW - 1000)).toBe(false);
  });

  it('S6-042 S6-089 S6-274 holds for the tag, the ULIDs, the addresses and the instance it was made for', () => {
    expect(accepts((m) => ({ ...m, initiatorContextTag: contextTag(0x1235) }))).toBe(false);
    expect(accepts((m) => ({ ...m, responderNonce: m.responderNonce - 1 }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, forkedInstanceId: 4 } }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, forkedInstanceId: undefined } }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, ulidPair: { sender: A2, receiver: B1 } } }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, ulidPair: { sender: A1, receiver: B2 } } }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, responderValidator: undefined } }))).toBe(false);
    expect(accepts((m) => ({ ...m, options: { ...m.options, responderValidator: new Uint8Array(20) } }))).toBe(false);
    expect(accepts(same, NOW, A2)).toBe(false);
    expect(accepts(same, NOW, A1, B2)).toBe(false);
    expect(accepts((m) => ({ ...m, initiatorNonce: 1 }))).toBe(true);
  });

  it('S6-063 survives one change of the secret, and the secret does change', () => {
    const host = responder();
    const before = r1For(host, i1());
    expect(r1For(host, i1(), NOW + 599_000)).not.toEqual(before);
    const late = r1For(host, i1(), NOW + 599_500);
    r1For(host, i1(), NOW + 600_000); // the secret changes here
    const message = i2(i1(), late);
    expect(host.accepts(message, packet(message), NOW + 620_000)).toBe(true);
    const other = responder();
    r1For(other, i1(), NOW); // same first secret, changed at another time
    const unchanged = r1For(other, i1(), NOW + 599_000);
    expect(unchanged.options.responderValidator).toEqual(r1For(host, i1(), NOW + 599_000).options.responderValidator);
    r1For(host, i1(), NOW + 1_300_000);
    expect(host.accepts(message, packet(message), NOW + 620_000)).toBe(false);
  });

  it('S6-088 works across the wrap of the 32-bit nonce', () => {
    const host = responder();
    const wrap = 0x1_0000_0000 * 1000;
    const message = i2(i1(), r1For(host, i1(), wrap - 5000));
    expect(message.responderNonce).toBe(0xffff_fffb);
    expect(host.accepts(message, packet(message), wrap + 5000)).toBe(true);
    expect(host.accepts(message, packet(message), wrap + 60_000)).toBe(false);
  });

  it('S6-116 S6-260 of an R1bis holds for its tag and addresses, and not for an I2', () => {
    const host = responder();
    const tag = contextTag(0x4242);
    const r1bis = sent(host.r1bis(tag, { source: A1, destination: B1 }, NOW)) as R1bis;
    expect(r1bis.packetContextTag).toBe(tag);
    const message = (packetContextTag = tag): I2bis => ({
      type: 'I2bis',
      initiatorContextTag: contextTag(1),
      initiatorNonce: 2,
      responderNonce: r1bis.responderNonce,
      packetContextTag,
      options: { responderValidator: r1bis.options.responderValidator },
    });
    expect(host.accepts(message(), packet(message()), NOW + 30_000)).toBe(true);
    expect(host.accepts(message(contextTag(1)), packet(message()), NOW)).toBe(false);
    expect(host.accepts(message(), packet(message(), A2), NOW)).toBe(false);
    expect(host.accepts(message(), packet(message()), NOW + 61_000)).toBe(false);
    const { responderNonce, options } = message();
    const crossover: I2 = { type: 'I2', initiatorContextTag: tag, initiatorNonce: 2, responderNonce, options };
    expect(host.accepts(crossover, packet(crossover), NOW)).toBe(false);
  });
});

describe('the common checks', () => {
  const keepalive: KnownMessage = { type: 'Keepalive', receiverContextTag: contextTag(7), options: {} };

  it('S6-147 drop packets with multicast or unspecified addresses', () => {
    const host = responder();
    for (const [source, destination] of [
      [ip('ff02::1'), B1],
      [A1, ip('ff02::1')],
      [ip('::'), B1],
      [A1, ip('::')],
    ] as const) {
      expect(admit(packet(keepalive, source, destination), host, NOW)).toEqual({ type: 'drop', reason: 'address' });
      expect(host.r1bis(contextTag(7), { source, destination }, NOW)).toEqual({ type: 'drop', reason: 'address' });
    }
  });

  it('S6-147 drop bad checksums and messages that run past the packet', () => {
    const { octets } = packet(keepalive);
    const damaged = octets.slice();
    damaged[8] = (damaged[8] ?? 0) ^ 1;
    const drop = (bad: Uint8Array): unknown => admit({ source: A1, destination: B1, octets: bad }, responder(), NOW);
    expect(drop(damaged)).toEqual({ type: 'drop', reason: 'checksum' });
    expect(drop(octets.subarray(0, 8))).toEqual({ type: 'drop', reason: 'malformed' });
    expect(drop(new Uint8Array(0))).toEqual({ type: 'drop', reason: 'malformed' });
  });

  it('S6-039 S6-041 answer an unknown critical option with Error 1, octet for octet as in the vector', () => {
    const octets = hex('3b024000 ca167edc ba987654 00000001 46510004 61626364');
    const answer = admit({ source: A1, destination: B1, octets }, responder(), NOW);
    expect(answer).toMatchObject({ type: 'transmit', source: B1, destination: A1 });
    if (answer.type !== 'transmit') return;
    expect(answer.octets).toEqual(
      hex(`3b084402 38d90038 60000000 00188c40 20010db8 000a0001 00000000 00000001 20010db8 000b0001 00000000 00000001
        3b024000 ca167edc ba987654 00000001 46510004 61626364`),
    );
  });

  it('S6-040 pass no message with an unknown critical option, S6-038 but one that is not critical', () => {
    const option = { type: 0x2328, body: new Uint8Array(4), at: 16 };
    const message = (critical: boolean): KnownMessage =>
      ({ ...keepalive, type: 'Keepalive', options: { unknown: [{ ...option, critical }] } }) as KnownMessage;
    expect(admit(packet(message(false)), responder(), NOW)).toMatchObject({ type: 'message' });
    expect(admit(packet(message(true)), responder(), NOW)).toMatchObject({ type: 'transmit' });
  });

  it('S6-148 answer an unknown type with Error 0 that points at the type', () => {
    const octets = hex('3b014500 00000000 00000000 00000000');
    octets.set(hex('7f9a'), 4);
    const sum = 0xffff - ((0x3b01 + 0x4500) & 0xffff);
    octets.set([sum >> 8, sum & 0xff], 4);
    const answer = admit({ source: A1, destination: B1, octets }, responder(), NOW);
    if (answer.type === 'message') throw new Error('passed');
    expect(sent(answer)).toMatchObject({ type: 'Error', code: 0, pointer: 42 });
  });

  it('S6-033 quote as much as fits in 1280 octets', () => {
    const body = new Uint8Array(1400);
    const message: KnownMessage = {
      ...keepalive,
      type: 'Keepalive',
      options: { unknown: [{ type: 9, critical: true, body, at: 16 }] },
    } as KnownMessage;
    const answer = admit(packet(message), responder(), NOW);
    if (answer.type !== 'transmit') throw new Error('no answer');
    expect(40 + answer.octets.length).toBe(1280);
  });
});

describe('rate limits', () => {
  const rate = (perSecond: number, burst: number): { perSecond: number; burst: number } => ({ perSecond, burst });

  it('a bucket gives its burst, then its rate', () => {
    const bucket = new TokenBucket(rate(10, 5), NOW);
    const taken = (now: number): number => {
      let count = 0;
      while (bucket.take(now)) count++;
      return count;
    };
    expect(taken(NOW)).toBe(5);
    expect(taken(NOW + 100)).toBe(1);
    expect(taken(NOW + 50)).toBe(0);
    expect(taken(NOW + 10_000)).toBe(5);
  });

  it('hold per /64 and in total, in bounded memory', () => {
    const limits = new RateLimits({ Error: { total: rate(100, 20), perPrefix: rate(1, 2) } });
    const take = (text: string): boolean => limits.take('Error', ip(text), NOW);
    expect([take('2001:db8:1::1'), take('2001:db8:1::2'), take('2001:db8:1::3')]).toEqual([true, true, false]);
    expect(take('2001:db8:2::1')).toBe(true);
    let more = 0;
    for (let i = 0; i < 10_000; i++) if (take(`2001:db8:${(i + 16).toString(16)}::1`)) more++;
    expect(more).toBe(20 - 3);
    const wide = new RateLimits();
    for (let i = 0; i < 20_000; i++) wide.take('R1', ip(`2001:db8:${i.toString(16)}::1`), NOW + i);
    expect(wide.size).toBeLessThanOrEqual(4096);
  });

  it('apply to Errors, so that a flood is not echoed', () => {
    const host = responder();
    const octets = hex('3b024000 ca167edc ba987654 00000001 46510004 61626364');
    let answers = 0;
    for (let i = 0; i < 1000; i++)
      if (admit({ source: A1, destination: B1, octets }, host, NOW).type === 'transmit') answers++;
    expect(answers).toBe(10);
  });
});
