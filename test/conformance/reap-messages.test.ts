import { describe, expect, it } from 'vitest';
import type { Probe as ReapProbe } from '../../src/reap/probe.ts';
import { RFC } from '../../src/reap/profile.ts';
import { Reap } from '../../src/reap/reap.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { Keepalive } from '../../src/shim6/messages.ts';
import { keyOf, pairOf, seeded, TwoHosts } from '../reap/link.ts';
import { cgaHosts } from '../shim6/cga-hosts.ts';
import { ip } from '../shim6/spec-vectors.ts';
import { established } from '../shim6/world.ts';

describe('RFC 5534 §5.1 Keepalive', () => {
  it('S6-172 is type 66 and 16 octets long, with the tag of the receiver', () => {
    const { a, b } = established();
    const octets = a.context.keepalive();
    expect([octets.length, octets[0], octets[1], octets[2], octets[3]]).toEqual([16, 59, 1, 66, 0]);
    const tag = [...octets.slice(6, 12)].reduce((value, octet) => value * 256 + octet, 0);
    expect(tag).toBe(b.context.tag);
    expect([...octets.slice(12)]).toEqual([0, 0, 0, 0]);
  });

  it('S6-174 may carry options: they are skipped, unless they are critical', () => {
    const { world, a, b } = established();
    const arrives = (critical: boolean): unknown[] => {
      const unknown = [{ type: 0x3333, critical, body: new Uint8Array(5), at: 16 }];
      const message: Keepalive = { type: 'Keepalive', receiverContextTag: b.context.tag, options: { unknown } };
      const packet = { source: a.address(0), destination: b.address(0), octets: encodeShim6(message) };
      return b.receive(packet, world.now);
    };
    expect(arrives(false)).toEqual([{ type: 'keepalive-received' }]);
    const [answer, ...more] = arrives(true);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ type: 'transmit' });
  });
});

describe('RFC 5534 §5.2 Probe', () => {
  it('S6-176 is type 67, with 40 octets for each report', () => {
    const { a, b } = established();
    const report = { source: a.address(0), destination: b.address(1), nonce: 0x01020304, data: 0 };
    const octets = a.context.probe({ state: 'Exploring', sent: [report], received: [] });
    expect([octets.length, octets[1], octets[2]]).toEqual([56, 6, 67]);
    expect([octets[12], octets[13]]).toEqual([0x01, 0x40]);
    expect(octets.slice(16, 32)).toEqual(report.source);
    expect(octets.slice(32, 48)).toEqual(report.destination);
    expect([...octets.slice(48)]).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
    expect(a.context.probe({ state: 'Exploring', sent: [report], received: [report] })).toHaveLength(96);
  });

  it('S6-184 its data comes back unchanged in the reports, octet for octet', () => {
    const { world, a, b } = established();
    const [source, destination] = [b.address(1), a.address(1)];
    for (const data of [0, 1, 0x8000_0000, 0xdead_beef, 0xffff_ffff]) {
      const machine = new Reap({ profile: RFC, random: seeded(1), pair: pairOf('A', '11') });
      const sent = [{ source, destination, nonce: 0xfeed, data }];
      const octets = b.context.probe({ state: 'Exploring', sent, received: [] });
      const [effect] = a.receive({ source, destination, octets }, world.now);
      if (effect?.type !== 'probe-received') throw new Error('no Probe');
      const pair = { local: destination, peer: source };
      const answer = machine
        .handle({ type: 'probe-received', pair, probe: effect.probe }, 0)
        .find((one) => one.type === 'send-probe');
      if (answer?.type !== 'send-probe') throw new Error('no answer');
      const parsed = parseShim6(a.context.probe(answer.probe));
      expect(parsed.ok && parsed.value.type === 'Probe' ? parsed.value.received : []).toEqual(sent);
    }
  });

  it('S6-184 also from a pair that a translator has changed on the way (R-12)', () => {
    const machine = new Reap({ profile: RFC, random: seeded(1), pair: pairOf('A', '11') });
    const itself = { source: ip('fd00::1'), destination: ip('fd00::2'), nonce: 5, data: 6 };
    const probe: ReapProbe = { state: 'Exploring', sent: [itself], received: [], pathTest: false };
    const effects = machine.handle({ type: 'probe-received', pair: pairOf('A', '22'), probe }, 0);
    expect(effects.find((one) => one.type === 'send-probe')).toMatchObject({
      pair: pairOf('A', '22'), // back to where it came from
      probe: { received: [itself] },
    });
  });
});

describe('RFC 5534 §5.3 Keepalive Timeout', () => {
  it('S6-187 is said once: in the I2 and the R2, not in any Update Request', () => {
    const { world, a, b } = cgaHosts();
    const built = established({ a: { sendTimeoutSeconds: 30 }, b: { sendTimeoutSeconds: 45 } });
    const saying = (world_: typeof world): string[] =>
      world_.trace.flatMap(({ from, message }) =>
        'options' in message && message.options.keepaliveTimeout !== undefined
          ? [`${from}:${message.type} ${String(message.options.keepaliveTimeout)}`]
          : [],
      );
    expect(saying(built.world)).toEqual(['A:I2 30', 'B:R2 45']);
    for (const host of [built.a, built.b]) {
      const broken = host.locators.map((own, i) => ({ ...own, broken: i === 1 }));
      built.world.tell(host, host.context, { type: 'own-locators', locators: broken });
    }
    built.world.run(1000);
    expect(built.world.trace.filter(({ message }) => message.type === 'UpdateRequest')).toHaveLength(2);
    expect(saying(built.world)).toHaveLength(2);
    expect([a, b].map(({ context }) => context.state)).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect(saying(world)).toEqual([]); // 15 s need not be said
  });
});

describe('RFC 5534 §7 Send Timeout', () => {
  it('S6-198 S6-199 S6-165 a failure is suspected after 10 to 100 s of silence, not always the same', () => {
    const silences = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const hosts = new TwoHosts({ profile: RFC, seed, path: () => () => undefined });
      hosts.at(1_000, () => {
        hosts.payload('A');
      });
      hosts.run(200_000);
      const [suspicion] = hosts.log.filter(({ effect }) => effect.type === 'suspect');
      const silence = (suspicion?.at ?? 0) - 1_000;
      expect(silence).toBeGreaterThanOrEqual(10_000);
      expect(silence).toBeLessThanOrEqual(100_000);
      expect(silence).toBeGreaterThanOrEqual(RFC.sendTimeoutMs); // never before what the peer was told
      silences.add(silence);
    }
    expect(silences.size).toBeGreaterThan(30);
    expect(Math.max(...silences) - Math.min(...silences)).toBeGreaterThan(500);
  });
});

describe('RFC 5534 §6.3, §6.9', () => {
  it('S6-194 payload that is not answered for a Keepalive Timeout gets one last Keepalive, then none', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const hosts = new TwoHosts({ profile: RFC, seed, path: () => () => 5 });
      hosts.at(1_000, () => {
        hosts.payload('A');
      });
      hosts.run(200_000);
      const sent = hosts.sent.filter(({ packet }) => packet.kind !== 'payload');
      expect(sent.every(({ host, packet }) => host === 'B' && packet.kind === 'keepalive')).toBe(true);
      const times = sent.map(({ at }) => at - 1_005);
      expect(times.at(-1)).toBe(15_000);
      expect(times.length).toBeGreaterThanOrEqual(3); // S6-162: two or three on the way
      expect(times.length).toBeLessThanOrEqual(4);
    }
  });

  it('S6-197 payload keeps to the old pair until a probe on another one is confirmed', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const isDead = (pair: string, now: number): boolean => now > 30_000 && pair === '11';
      const path = (_: unknown, pair: string) => (now: number) => (isDead(pair, now) ? undefined : 20);
      const hosts = new TwoHosts({ profile: RFC, seed, path });
      for (const host of ['A', 'B'] as const) hosts.program(host, 100);
      hosts.run(60_000);
      for (const host of ['A', 'B'] as const) {
        const [move] = hosts.moves(host);
        const suspected = hosts.log.find((one) => one.host === host && one.effect.type === 'suspect');
        const confirmed = hosts.log.find((one) => {
          const { effect } = one;
          return one.host === host && effect.type === 'confirmed' && keyOf(host, effect.pair) === hosts.pair(host);
        });
        const payload = hosts.sent.filter((one) => one.host === host && one.packet.kind === 'payload');
        const on = (from: number, until: number): string[] => [
          ...new Set(payload.filter(({ at }) => at >= from && at < until).map(({ pair }) => pair)),
        ];
        if (move === undefined || suspected === undefined || confirmed === undefined) throw new Error('no move');
        expect(suspected.at).toBeLessThan(move.at);
        expect(confirmed.at).toBeLessThanOrEqual(move.at);
        expect(on(0, move.at)).toEqual(['11']);
        expect(on(move.at + 1, 60_000)).toEqual(['22']);
      }
    }
  });
});

describe('a Probe and a Keepalive', () => {
  it('S6-158 are how REAP tests a pair, and how it hears that payload was not in vain', () => {
    const hosts = new TwoHosts({
      profile: RFC,
      seed: 3,
      path: (from, pair) => (now) => (now > 60_000 && from === 'A' && pair === '11' ? undefined : 5),
    });
    hosts.program('A', 500);
    hosts.run(120_000);
    const kinds = (from: number, until: number): string[] => [
      ...new Set(
        hosts.sent.filter(({ at }) => at >= from && at < until).map(({ host, packet }) => `${host}:${packet.kind}`),
      ),
    ];
    expect(kinds(0, 60_000).sort()).toEqual(['A:payload', 'B:keepalive']);
    expect(kinds(60_000, 120_000)).toContain('A:probe');
    expect(kinds(60_000, 120_000)).toContain('B:probe');
    expect(hosts.pair('A')).toBe('22');
  });
});
