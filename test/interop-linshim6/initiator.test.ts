import { describe, expect, it } from 'vitest';
import { Replay } from './replay.ts';
import type { CaptureName, Sent } from './replay.ts';

/** Our host has the place of A and opens the context, LinShim6's host B is played from the capture. */
function established(name: CaptureName): Replay {
  const replay = new Replay(name, 'A');
  replay.open('A1', 'B1');
  expect(replay.takeText()).toEqual(['I1 A1 B1']);
  replay.play(2);
  expect(replay.takeText()).toEqual(['I2 A1 B1']);
  expect(replay.standing('A1', 'B1').state).toBe('I2-SENT');
  replay.play(4);
  expect(replay.take()).toEqual([]);
  return replay;
}

/** Programs send and hear nothing: RFC 5534 §4.1. Stops when a probe has gone out on the pair. */
function exploreUntil(replay: Replay, pair: string): Sent[] {
  replay.payload('A1', 'B1', { sent: true, heard: false });
  const sent: Sent[] = [];
  for (let i = 0; i < 4_000; i++) {
    replay.run(10);
    sent.push(...replay.take());
    const last = sent.at(-1);
    if (last !== undefined && `${replay.name(last.pair.local)} ${replay.name(last.pair.peer)}` === pair) return sent;
  }
  throw new Error(`no probe on ${pair}`);
}

describe('a context that we open with LinShim6', () => {
  it.each(['cga', 'hba', 'ka', 'i1-retransmit', 'reap-backoff'] as const)(
    '%s: S6-259 R1 and R2 make it ESTABLISHED over the ULIDs, with its two locators and RFC 5534 detection',
    (name) => {
      const replay = established(name);
      expect(replay.standing('A1', 'B1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'A1 B1' });
      const { peerLocators, profile, tagPeer } = replay.context('A1', 'B1');
      expect(peerLocators.map(({ address }) => replay.name(address))).toEqual(['B1', 'B2']);
      expect(profile).toBe('rfc');
      const { message } = replay.captured(4);
      expect(tagPeer).toBe(message?.type === 'R2' ? message.responderContextTag : undefined);
      expect(replay.context('A1', 'B1').usableLocators.map((address) => replay.name(address))).toEqual(['A1', 'A2']);
    },
  );

  it('ka: S6-064 a second context between the other addresses lives beside the first', () => {
    const replay = established('ka');
    replay.runTo(7);
    replay.open('A2', 'B2');
    replay.play(8, 10);
    expect(replay.takeText()).toEqual(['I1 A2 B2', 'I2 A2 B2']);
    expect(replay.standing('A2', 'B2').state).toBe('ESTABLISHED');
    expect(replay.standing('A1', 'B1').state).toBe('ESTABLISHED');
  });

  it('i1-retransmit: the same', () => {
    const replay = established('i1-retransmit');
    replay.runTo(5);
    replay.open('A2', 'B2');
    replay.play(6, 8);
    expect(replay.standing('A2', 'B2')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'A2 B2' });
  });

  it('S6-166 its Keepalive stops our Send Timer', () => {
    const replay = established('cga');
    replay.payload('A1', 'B1', { sent: true, heard: false });
    replay.play(5);
    replay.run(60_000);
    expect(replay.take()).toEqual([]);
    expect(replay.standing('A1', 'B1').reap).toBe('Operational');
  });

  it.each(['cga', 'hba'] as const)(
    '%s: S6-190 S6-272 its Probe InboundOk moves us to the pair that it reports, and gets a Probe Operational',
    (name) => {
      const replay = established(name);
      replay.blocked = (source, destination) => source === 'A1' && destination === 'B1';
      const sent = exploreUntil(replay, 'A2 B2');
      for (const { message } of sent) expect(message).toMatchObject({ type: 'Probe', state: 'Exploring' });
      replay.deliver(8);
      const [answer, ...more] = replay.take();
      expect(more).toEqual([]);
      expect(answer?.message).toMatchObject({ type: 'Probe', state: 'Operational' });
      expect(replay.standing('A1', 'B1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'A2 B2' });
    },
  );

  it.each([
    { name: 'cga', first: 8, answers: [14] },
    { name: 'hba', first: 8, answers: [13, 15] },
  ] as const)(
    '$name: S6-190 a second failure ends in Operational on the pair that B saw',
    ({ name, first, answers }) => {
      const replay = established(name);
      replay.blocked = (source, destination) => source === 'A1' && destination === 'B1';
      exploreUntil(replay, 'A2 B2');
      replay.deliver(first);
      replay.take();
      replay.run(1_000);
      replay.blocked = (source, destination) => destination !== 'B1' || source !== 'A2';
      exploreUntil(replay, 'A2 B1');
      for (const n of answers) replay.deliver(n);
      expect(replay.standing('A1', 'B1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'A2 B1' });
      const answered = replay.take().map(({ message }) => message);
      expect(answered).toHaveLength(answers.length);
      for (const message of answered) expect(message).toMatchObject({ type: 'Probe', state: 'Operational' });
    },
  );

  it('reap-backoff: S6-170 S6-171 we back off while nothing arrives, and one answer ends it', () => {
    const replay = established('reap-backoff');
    replay.blocked = () => true;
    replay.payload('A1', 'B1', { sent: true, heard: false });
    replay.run(120_000);
    const times = replay.take().map(({ at }) => at);
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(waits.slice(0, 3).every((wait) => wait >= 400 && wait <= 600)).toBe(true);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1.2 * 60_000);
    expect(waits.slice(4).every((wait, i) => wait > (waits[i + 3] ?? 0))).toBe(true);
    replay.blocked = (source) => source !== 'A2';
    replay.deliver(16);
    expect(replay.standing('A1', 'B1')).toMatchObject({ state: 'ESTABLISHED', reap: 'Operational' });
    expect(replay.standing('A1', 'B1').pair.startsWith('A2')).toBe(true);
  });
});

describe('our Update Request to LinShim6', () => {
  it('cga: S6-031 S6-059 a new locator is a source once its acknowledgement is there', () => {
    const replay = established('cga');
    replay.setLocators('A1', 'A2', 'A3');
    expect(replay.takeText()).toEqual(['UpdateRequest A1 B1']);
    const usable = (): string[] => replay.context('A1', 'B1').usableLocators.map((address) => replay.name(address));
    expect(usable()).toEqual(['A1', 'A2']);
    replay.deliver(17);
    expect(usable()).toEqual(['A1', 'A2', 'A3']);
    replay.run(200_000);
    expect(replay.takeText()).toEqual([]); // §10.5: it is not sent again
  });

  it('cga: S6-131 the acknowledgement that comes twice is ignored the second time', () => {
    const replay = established('cga');
    replay.setLocators('A1', 'A2', 'A3');
    replay.deliver(17);
    replay.deliver(26);
    expect(replay.host.drops.get('no-match')).toBe(1);
    expect(replay.standing('A1', 'B1').state).toBe('ESTABLISHED');
  });

  it.each([
    { name: 'cga', ack: 19 },
    { name: 'hba', ack: 18 },
    { name: 'ka', ack: 6 },
  ] as const)('$name: S6-270 the loss of our ULID is told, acknowledged, and explored at once', ({ name, ack }) => {
    const replay = established(name);
    replay.setLocators('A2');
    const sent = replay.take();
    expect(sent.some(({ message }) => message.type === 'Probe')).toBe(true);
    const [update] = sent.filter(({ message }) => message.type === 'UpdateRequest');
    // the list did not change: it always holds the ULID, now as BROKEN
    expect(update?.message).toMatchObject({
      options: { locatorPreferences: { elements: [{ broken: true }, { broken: false }] } },
    });
    replay.deliver(ack);
    expect(replay.standing('A1', 'B1')).toMatchObject({ state: 'ESTABLISHED', reap: 'InboundOk' }); // the answer was heard
    replay.take();
    replay.run(4_000);
    expect(replay.take().every(({ message }) => message.type === 'Probe')).toBe(true);
  });
});

describe('I1s that cross', () => {
  it.each([
    { name: 'cga', i1: 22, r2: 24 },
    { name: 'hba', i1: 22, r2: 25 },
  ] as const)('$name: S6-064 S6-078 an R2 each, ESTABLISHED', ({ name, i1, r2 }) => {
    const replay = established(name);
    replay.open('A2', 'B2');
    replay.deliver(i1);
    expect(replay.takeText()).toEqual(['I1 A2 B2', 'R2 A2 B2']);
    replay.deliver(r2);
    expect(replay.standing('A2', 'B2')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'A2 B2' });
    expect(replay.standing('A1', 'B1').state).toBe('ESTABLISHED');
  });
});

describe('a kernel without Shim6 in the place of LinShim6', () => {
  it.each([
    { name: 'ka', errors: [12] },
    { name: 'i1-retransmit', errors: [10, 12, 14, 16, 18] },
  ] as const)('$name: S6-074 one ICMPv6 error stops our I1s: NO-SUPPORT, no repetition', ({ name, errors }) => {
    const replay = established(name);
    replay.open('A1', 'B2');
    expect(replay.takeText()).toEqual(['I1 A1 B2']);
    for (const n of errors) replay.deliver(n);
    expect(replay.standing('A1', 'B2').state).toBe('NO-SUPPORT');
    replay.run(60_000);
    expect(replay.takeText()).toEqual([]);
    expect(replay.standing('A1', 'B1').state).toBe('ESTABLISHED');
  });
});
