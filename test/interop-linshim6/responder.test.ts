import { describe, expect, it } from 'vitest';
import { formatTag } from '../../src/shim6/tag.ts';
import { Replay } from './replay.ts';
import type { CaptureName } from './replay.ts';

/** LinShim6's host A is played from the capture, our host has the place of B. */
function established(name: CaptureName): Replay {
  const replay = new Replay(name, 'B');
  replay.play(1);
  expect(replay.takeText()).toEqual(['R1 B1 A1']);
  expect(replay.host.contexts.size).toBe(0);
  replay.play(3);
  expect(replay.takeText()).toEqual(['R2 B1 A1']);
  return replay;
}

function peerLocators(replay: Replay, local: string, peer: string): string[] {
  return replay.context(local, peer).peerLocators.map(({ address, method }) => `${replay.name(address)} ${method}`);
}

describe('a context that LinShim6 opens', () => {
  it.each(['cga', 'hba', 'ka', 'i1-retransmit', 'reap-backoff'] as const)(
    '%s: S6-091 I1 and I2 make it ESTABLISHED over the ULIDs, with both locators verified and CT(peer) from the I2',
    (name) => {
      const replay = established(name);
      expect(replay.standing('B1', 'A1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B1 A1' });
      const method = name === 'hba' || name === 'reap-backoff' ? 'hba' : 'cga';
      expect(peerLocators(replay, 'B1', 'A1')).toEqual([`A1 ${method}`, `A2 ${method}`]);
      const { message } = replay.captured(3);
      const { tagPeer } = replay.context('B1', 'A1');
      expect(tagPeer).toBe(message?.type === 'I2' ? message.initiatorContextTag : undefined);
      expect(replay.host.drops.size).toBe(0);
    },
  );

  it('keeps the timers of RFC 5534: detection in milliseconds is granted to nobody who did not ask', () => {
    const replay = established('cga');
    expect(replay.context('B1', 'A1').profile).toBe('rfc');
    replay.payload('B1', 'A1', { sent: true, heard: false });
    replay.run(14_900);
    expect(replay.take()).toEqual([]);
    replay.run(2_000);
    expect(replay.takeText()[0]).toBe('Probe B1 A1');
    expect(replay.standing('B1', 'A1').reap).toBe('Exploring');
  });

  it('S6-166 a Keepalive of LinShim6 stops the Send Timer', () => {
    const replay = established('hba');
    replay.payload('B1', 'A1', { sent: true, heard: false });
    replay.play(6);
    replay.run(60_000);
    expect(replay.take()).toEqual([]);
    expect(replay.standing('B1', 'A1').reap).toBe('Operational');
  });

  it.each(['cga', 'hba'] as const)(
    '%s: S6-190 S6-196 an exploration with all paths up moves us to the pair on which our answer arrived',
    (name) => {
      const replay = established(name);
      replay.play(6, 7);
      expect(replay.takeText()).toEqual(['Probe B2 A2']);
      expect(replay.standing('B1', 'A1').reap).toBe('InboundOk');
      replay.play(9);
      expect(replay.standing('B1', 'A1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B2 A2' });
      replay.run(2_000);
      expect(replay.take()).toEqual([]);
    },
  );

  it.each([
    { name: 'cga', lost: 10, probes: [11, 13], last: 15 },
    { name: 'hba', lost: 10, probes: [11, 14], last: 16 },
  ] as const)(
    '$name: S6-179 S6-190 with A1-B1 blocked, probes on other pairs end in Operational on a pair that works',
    ({ name, probes, last }) => {
      const replay = established(name);
      replay.blocked = (source, destination) => source === 'B1' && destination === 'A1';
      replay.play(6, 7, 9);
      replay.take();
      for (const n of probes) {
        replay.play(n);
        const sent = replay.take().map(({ message }) => message);
        expect(sent.length).toBeGreaterThan(0);
        for (const message of sent) {
          expect(message).toMatchObject({ type: 'Probe', state: 'InboundOk' });
          if (message.type === 'Probe') expect(message.received.length).toBeGreaterThan(0);
        }
      }
      replay.play(last);
      const { state, reap, pair } = replay.standing('B1', 'A1');
      expect([state, reap]).toEqual(['ESTABLISHED', 'Operational']);
      expect(pair).not.toBe('B1 A1');
      replay.take();
      replay.run(6_000);
      expect(replay.takeText()).toEqual([]);
    },
  );

  it('S6-171 S6-190 a peer that explored for two minutes without a way is answered at once, and settles', () => {
    const replay = established('reap-backoff');
    replay.play(15); // the ten before were lost
    expect(replay.takeText()).toEqual(['Probe B1 A2']);
    expect(replay.standing('B1', 'A1')).toMatchObject({ reap: 'InboundOk', pair: 'B1 A1' });
    replay.play(17);
    expect(replay.standing('B1', 'A1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B1 A2' });
  });
});

describe('an Update Request of LinShim6', () => {
  it('S6-032 S6-139 with a further locator and no parameter structure is verified with the one of the I2', () => {
    const replay = established('cga');
    replay.play(16);
    const ack = replay.take().at(-1);
    const { message } = replay.captured(16);
    expect(ack?.message).toMatchObject({
      type: 'UpdateAcknowledgement',
      requestNonce: message?.type === 'UpdateRequest' ? message.requestNonce : undefined,
      receiverContextTag: replay.context('B1', 'A1').tagPeer,
    });
    expect(peerLocators(replay, 'B1', 'A1')).toEqual(['A1 cga', 'A2 cga', 'A3 cga']);
    expect(replay.standing('B1', 'A1')).toMatchObject({ state: 'ESTABLISHED', pair: 'B1 A1' });
  });

  it('S6-140 S6-266 that withdraws the ULID leaves it in the set as the last choice, and we explore at once', () => {
    const replay = established('cga');
    replay.play(16, 18);
    const sent = replay.takeText();
    expect(sent.filter((text) => text.startsWith('Update'))).toHaveLength(2);
    expect(sent).toContain('Probe B2 A2');
    expect(peerLocators(replay, 'B1', 'A1')).toEqual(['A2 cga', 'A3 cga', 'A1 ulid']);
    expect(replay.standing('B1', 'A1')).toMatchObject({ state: 'ESTABLISHED', reap: 'InboundOk', pair: 'B1 A1' });
  });

  it('S6-188 with a Keepalive Timeout sets ours: the Keepalives come at its pace and end with it', () => {
    const replay = established('ka');
    replay.play(5);
    expect(replay.takeText()).toEqual(['UpdateAcknowledgement B1 A1']);
    const { message } = replay.captured(5);
    const seconds = message?.options.keepaliveTimeout ?? 0;
    expect(seconds).toBeGreaterThan(0);
    replay.run(2 * seconds * 1_000); // what the update itself is owed
    replay.take();
    replay.payload('B1', 'A1', { sent: false, heard: true });
    const heardAt = replay.now;
    replay.run(3 * seconds * 1_000);
    const keepalives = replay.take().filter(({ message: { type } }) => type === 'Keepalive');
    expect(keepalives.length).toBeGreaterThanOrEqual(2);
    const [first, last] = [keepalives[0], keepalives.at(-1)].map((one) => (one?.at ?? 0) - heardAt);
    expect(first).toBeGreaterThanOrEqual((seconds * 1_000) / 3 - 1);
    expect(first).toBeLessThanOrEqual((seconds * 1_000) / 2 + 1);
    expect(last).toBeLessThanOrEqual(seconds * 1_000 + 1);
  });

  it('S6-186 the same option in an I2 has the same effect on a second context', () => {
    const replay = established('ka');
    replay.play(5, 7, 9);
    expect(replay.takeText()).toEqual(['UpdateAcknowledgement B1 A1', 'R1 B2 A2', 'R2 B2 A2']);
    expect(replay.captured(9).message?.options.keepaliveTimeout).toBe(
      replay.captured(5).message?.options.keepaliveTimeout,
    );
    expect(replay.standing('B2', 'A2')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B2 A2' });
    expect(replay.standing('B1', 'A1').state).toBe('ESTABLISHED'); // same peer, other CT(peer): no confusion
    expect(replay.host.contexts.size).toBe(2);
  });
});

describe('I1s of LinShim6', () => {
  it('S6-072 S6-076 five times the same one get five R1s, and no context begins', () => {
    const replay = established('i1-retransmit');
    replay.play(5, 7);
    replay.take();
    const before = replay.host.contexts.size;
    for (const n of [9, 11, 13, 15, 17]) {
      replay.play(n);
      expect(replay.takeText()).toEqual(['R1 B2 A1']);
    }
    expect(replay.host.contexts.size).toBe(before);
    const waits = [9, 11, 13, 15].map((n) => replay.captured(n + 2).atMs - replay.captured(n).atMs);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThan(0.5 * 4_000 * 2 ** i); // LinShim6 keeps to §7.8 here
      expect(wait).toBeLessThan(1.5 * 4_000 * 2 ** i);
    }
  });

  it.each([
    { name: 'cga', i1: 21, r2: 23, tag: '32d656556eda' },
    { name: 'hba', i1: 23, r2: 24, tag: '3ef9072f7bae' },
  ] as const)('$name: S6-064 S6-078 crossing with one of ours: an R2 each, ESTABLISHED', ({ name, i1, r2, tag }) => {
    const replay = established(name);
    replay.runTo(i1 - 1);
    replay.take();
    replay.open('B2', 'A2');
    expect(replay.takeText()).toEqual(['I1 B2 A2']);
    replay.play(i1);
    expect(replay.takeText()).toEqual(['R2 B2 A2']);
    expect(replay.standing('B2', 'A2').state).toBe('I1-SENT');
    replay.play(r2);
    expect(replay.standing('B2', 'A2')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B2 A2' });
    const { tagPeer } = replay.context('B2', 'A2');
    expect(tagPeer && formatTag(tagPeer)).toBe(tag);
  });
});
