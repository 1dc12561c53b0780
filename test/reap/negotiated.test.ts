import { describe, expect, it } from 'vitest';
import { BALANCED, FAST } from '../../src/reap/profile.ts';
import { pairOf, TwoHosts } from './link.ts';
import type { Name } from './link.ts';

type Rule = (from: Name, pair: string, now: number) => boolean;

function hosts(seed: number, isLost: Rule = () => false, profile = FAST): TwoHosts {
  const made = new TwoHosts({
    profile,
    seed,
    path: (from, pair) => (now) => (isLost(from, pair, now) ? undefined : 0.2),
  });
  made.program('A', 1);
  made.program('B', 1.3);
  return made;
}

describe('a host of the negotiated profiles', () => {
  it('S6-158 answers a Path Test at once, in any state, and changes nothing', () => {
    const two = hosts(1).run(500);
    const pair = pairOf('A', '22');
    const itself = { source: pair.peer, destination: pair.local, nonce: 9, data: 5 };
    const probe = { state: 'Operational', sent: [itself], received: [], pathTest: true } as const;
    const [answer] = two.machines.A.handle({ type: 'probe-received', pair, probe }, 500);
    expect(answer).toMatchObject({ type: 'send-probe', pair, probe: { pathTest: true, received: [itself] } });
    const reply = { ...probe, received: [itself] };
    expect(two.machines.A.handle({ type: 'probe-received', pair, probe: reply }, 500)).toEqual([]);
    expect(two.machines.A.state).toBe('Operational');
  });

  it('S6-159 is not misled by ICMP while the pair works', () => {
    const two = hosts(2);
    for (let i = 1; i < 100; i++) {
      two.at(10 * i, () => {
        two.input('A', { type: 'hint', cause: 'icmp' });
      });
    }
    two.run(1_500);
    expect([two.count('suspect'), two.moves().length]).toEqual([0, 0]);
    const tests = two.sent.filter((s) => s.host === 'A' && s.packet.kind === 'probe');
    expect(tests.length).toBeLessThan(45); // at most one per Send Timeout
  });

  it('S6-158 acts on a hint sooner than on silence when the pair is dead', () => {
    const two = hosts(3, (_f, pair, now) => pair === '11' && now > 300);
    two.at(301, () => {
      two.input('A', { type: 'hint', cause: 'icmp' });
    });
    two.run(1_000);
    const [suspicion] = two.log.filter((l) => l.effect.type === 'suspect');
    expect(suspicion?.effect).toMatchObject({ cause: 'icmp' });
    expect((suspicion?.at ?? 0) - 300).toBeLessThan(20);
    expect(two.pair('A')).toBe('22');
  });

  it('S6-197 make before break: no payload is lost, and both directions leave the address', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const two = hosts(seed);
      two.at(300, () => {
        two.input('A', { type: 'deprecate', pair: pairOf('A', '11') });
      });
      two.run(1_000);
      expect(two.moves().length, two.trace().join()).toBe(2);
      expect([two.pair('A')[0], two.pair('B')[0]]).toEqual(['2', '2']);
      const payload = two.sent.filter((s) => s.packet.kind === 'payload' && s.at < 999);
      expect(two.arrived.filter((a) => a.at < 1_000).length).toBeGreaterThanOrEqual(payload.length);
    }
  });

  it('S6-197 make before break: stays when nothing else works', () => {
    const two = hosts(5, (_f, pair) => pair !== '11');
    two.at(300, () => {
      two.input('A', { type: 'deprecate', pair: pairOf('A', '11') });
    });
    two.run(10_000);
    expect([two.machines.A.state, two.pair('A'), two.moves().length]).toEqual(['Operational', '11', 0]);
  });

  it('a preferred pair that flaps every second moves nothing after the first time', () => {
    const two = hosts(6, (_f, pair, now) => pair === '11' && now > 1_000 && Math.floor(now / 1_000) % 2 === 1);
    for (const name of ['A', 'B'] as const) two.input(name, { type: 'prefer', pair: pairOf(name, '11') });
    two.run(30_000);
    expect([two.moves('A').length, two.moves('B').length]).toEqual([1, 1]);
  });

  it('a preferred pair that fails again soon after each return is trusted later each time', () => {
    const two = hosts(7, (_f, pair, now) => pair === '11' && now > 1_000 && now % 8_000 < 1_500);
    two.input('A', { type: 'prefer', pair: pairOf('A', '11') });
    two.run(120_000);
    expect(two.moves('A').length).toBeLessThanOrEqual(6);
  });

  it('S6-164 tests the preferred pair only while the context is in use', () => {
    const two = new TwoHosts({ profile: FAST, seed: 8, path: (_f, pair) => () => (pair === '11' ? undefined : 0.2) });
    two.program('A', 1, 0, 2_000);
    two.program('B', 1, 0, 2_000);
    two.input('A', { type: 'prefer', pair: pairOf('A', '11') });
    two.run(60_000);
    expect(two.sent.filter((s) => s.at > 10_000)).toEqual([]);
  });

  it('its own slowness is not silence of the peer', () => {
    const two = hosts(9).run(500);
    const machine = two.machines.A;
    machine.handle({ type: 'payload-sent' }, 500);
    const due = machine.deadline;
    machine.handle({ type: 'lag', ms: 20 }, 520);
    expect(machine.deadline).toBeGreaterThanOrEqual(due + 4); // half the Send Timeout is the first deadline
    expect(machine.handle({ type: 'tick' }, 531).some((effect) => effect.type === 'suspect')).toBe(false);
    expect(machine.isSendTimerRunning).toBe(true);
  });

  it('S6-169 S6-171 all pairs dead: backs off, and recovers on any pair', () => {
    const two = hosts(10, (_f, pair, now) => now > 500 && (now < 20_000 || pair !== '21'));
    two.run(19_000);
    expect(two.sent.filter((s) => s.packet.kind === 'probe' && s.host === 'A' && s.at > 9_000).length).toBeLessThan(20);
    two.run(60_000);
    expect([two.pair('A'), two.pair('B')]).toEqual(['21', '21']);
    expect([two.machines.A.state, two.machines.B.state]).toEqual(['Operational', 'Operational']);
  });

  it('balanced: moves within 200 ms', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const two = hosts(seed, (_f, pair, now) => pair === '11' && now > 1_000, BALANCED).run(2_500);
      expect(two.moves('A')[0]?.at).toBeLessThan(1_200);
      expect(two.moves().length).toBe(2);
    }
  });

  it('tolerates that a third of its probes is never sent', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const dice = hosts(seed + 100);
      const two = hosts(seed, (_f, pair, now) => now > 300 && (pair === '11' || dice.uniform() < 0.33)).run(2_000);
      expect(two.pair('A')).not.toBe('11');
      expect(two.pair('B')).not.toBe('11');
    }
  });
});
