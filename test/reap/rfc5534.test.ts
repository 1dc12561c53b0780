import { describe, expect, it } from 'vitest';
import { pairKey } from '../../src/locators/pair.ts';
import type { ReapEffect, ReapInput } from '../../src/reap/input.ts';
import type { Probe, ProbeReport, ReapState } from '../../src/reap/probe.ts';
import { RFC } from '../../src/reap/profile.ts';
import { Reap } from '../../src/reap/reap.ts';
import { pairOf, seeded, TwoHosts } from './link.ts';
import type { Name } from './link.ts';

type Sent = Extract<ReapEffect, { type: 'send-probe' }>;

/** One machine of host A, spoken to like a trace. */
class Host {
  readonly machine: Reap;
  now = 0;
  #nonce = 1;

  constructor(candidates = ['11', '22', '12', '21']) {
    this.machine = new Reap({ profile: RFC, random: seeded(7), pair: pairOf('A', '11') });
    this.do({ type: 'candidates', pairs: candidates.map((key) => pairOf('A', key)) });
  }

  do(input: ReapInput): ReapEffect[] {
    return this.machine.handle(input, this.now);
  }

  at(ms: number): this {
    this.now = ms;
    return this;
  }

  /** Ticks at every deadline up to `ms`. */
  until(ms: number): (ReapEffect & { at: number })[] {
    const effects: (ReapEffect & { at: number })[] = [];
    while (this.machine.deadline <= ms) {
      this.now = this.machine.deadline;
      effects.push(...this.do({ type: 'tick' }).map((effect) => ({ ...effect, at: this.now })));
    }
    this.now = ms;
    return effects;
  }

  hear(key: string, state: ReapState, received: readonly ProbeReport[] = []): ReapEffect[] {
    const pair = pairOf('A', key);
    const itself = { source: pair.peer, destination: pair.local, nonce: this.#nonce++, data: 77 };
    const probe: Probe = { state, sent: [itself], received, pathTest: false };
    return this.do({ type: 'probe-received', pair, probe });
  }

  exploring(): this {
    this.do({ type: 'payload-sent' });
    this.until(17_000);
    expect(this.machine.state).toBe('Exploring');
    return this;
  }
}

function probes(effects: readonly ReapEffect[]): Sent[] {
  return effects.filter((effect) => effect.type === 'send-probe');
}

function itselfOf(sent: Sent | undefined): ProbeReport {
  const report = sent?.probe.sent[0];
  if (report === undefined) throw new TypeError('no probe was sent');
  return report;
}

describe('RFC 5534 Appendix A', () => {
  it('T1: S6-164 an idle context sends nothing', () => {
    const hosts = new TwoHosts({ profile: RFC, seed: 1 }).run(1_000_000);
    expect(hosts.sent).toEqual([]);
  });

  it('T2: S6-166 traffic in both directions needs no REAP packets', () => {
    const hosts = new TwoHosts({ profile: RFC, seed: 2 });
    hosts.program('A', 1_000);
    hosts.program('B', 1_000);
    hosts.run(300_000);
    expect(hosts.sent.every((s) => s.packet.kind === 'payload')).toBe(true);
  });

  it('T3: S6-163 S6-192 traffic in one direction is answered by Keepalives, and stays Operational', () => {
    const hosts = new TwoHosts({ profile: RFC, seed: 3 });
    hosts.program('A', 200, 0, 60_000);
    hosts.run(200_000);
    expect(hosts.count('state')).toBe(0);
    const keepalives = hosts.sent.filter((s) => s.packet.kind === 'keepalive');
    expect(keepalives.every((k) => k.host === 'B' && k.pair === '11')).toBe(true);
    expect(keepalives.length).toBeGreaterThanOrEqual(8);
    expect(keepalives.at(-1)?.at).toBeLessThan(60_000 + 16_000);
  });

  it('S6-196 T4: both move to the other pair when one provider of B fails', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const failure = 30_000;
      const path = (_f: Name, pair: string) => (now: number) => (now > failure && pair === '11' ? undefined : 5);
      const hosts = new TwoHosts({ profile: RFC, seed, locators: [1, 2], path });
      hosts.program('A', 300);
      hosts.program('B', 200);
      hosts.run(60_000);
      expect([hosts.pair('A'), hosts.pair('B')]).toEqual(['12', '12']);
      expect(hosts.moves().length).toBe(2);
      for (const move of hosts.moves()) {
        expect(move.at).toBeGreaterThan(failure + 15_000 - 300);
        expect(move.at).toBeLessThan(failure + 15_000 * 1.1 + 1_000);
      }
    }
  });

  it('T5: S6-160 only the direction that fails moves', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const failure = 30_000;
      const path = (from: Name, pair: string) => (now: number) =>
        now > failure && from === 'A' && pair === '11' ? undefined : 5;
      const hosts = new TwoHosts({ profile: RFC, seed, path });
      hosts.program('A', 300);
      hosts.program('B', 200);
      hosts.run(70_000);
      expect(['22', '21']).toContain(hosts.pair('A'));
      expect(hosts.pair('B')).toBe('11');
      expect(hosts.moves('A').length).toBe(1);
    }
  });

  it('T4 step by step: S6-178 S6-179 S6-191 states, reports and pairs of host A', () => {
    const host = new Host(['11', '12']);
    const [r] = probes(host.at(16_000).hear('12', 'Exploring'));
    expect(host.machine.state).toBe('InboundOk');
    expect(r?.probe.state).toBe('InboundOk');
    expect(r?.pair).toEqual(pairOf('A', '12'));
    expect(itselfOf(r)).toMatchObject({ source: r?.pair.local, destination: r?.pair.peer });
    expect(r?.probe.received.map((report) => [report.nonce, report.data])).toEqual([[1, 77]]);
    expect(host.machine.pair).toEqual(pairOf('A', '11')); // S6-197
    const effects = host.hear('12', 'Operational', [itselfOf(r)]);
    expect(effects).toContainEqual({
      type: 'selected',
      from: pairOf('A', '11'),
      to: pairOf('A', '12'),
      why: 'peer-exploring',
    });
    expect(probes(effects)).toEqual([]); // S6-272
    expect(host.machine.state).toBe('Operational');
  });

  it('S6-194 T6: S6-162 S6-188 the Keepalive Interval follows what the peer announced', () => {
    const host = new Host();
    host.do({ type: 'peer-timeout', keepaliveTimeoutMs: 0 });
    host.do({ type: 'peer-timeout', keepaliveTimeoutMs: 30_000 });
    host.do({ type: 'payload-received', pair: pairOf('A', '11') });
    const times = host.until(100_000).map((effect) => effect.at);
    expect(times.at(-1)).toBe(30_000); // S6-194
    times.slice(0, -1).forEach((at, i) => {
      expect(at - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(10_000);
      expect(at - (times[i - 1] ?? 0)).toBeLessThanOrEqual(15_000);
    });
    expect(times.length).toBeGreaterThanOrEqual(3);
  });

  it('T7: S6-170 S6-171 S6-169 probes go out one by one, back off to 60 s, and visit every pair', () => {
    const host = new Host();
    host.do({ type: 'payload-sent' });
    const sent = host.until(400_000).filter((effect) => effect.type === 'send-probe');
    const nominal = [500, 500, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    nominal.forEach((wait, i) => {
      const gap = (sent[i + 1]?.at ?? NaN) - (sent[i]?.at ?? NaN);
      expect(gap).toBeGreaterThanOrEqual(0.8 * wait);
      expect(gap).toBeLessThanOrEqual(Math.min(1.2 * wait, 60_000));
    });
    expect(sent.slice(0, 4).map((s) => pairKey(s.pair))).toEqual(
      ['11', '22', '12', '21'].map((key) => pairKey(pairOf('A', key))),
    );
    expect(sent.every((s) => s.probe.state === 'Exploring')).toBe(true);
  });

  it('S6-168 T8: the exploration goes on where it was after the context was not ESTABLISHED for a while', () => {
    const host = new Host().exploring();
    const wait = host.machine.deadline - host.now;
    host.do({ type: 'freeze' });
    expect(host.machine.deadline).toBe(Infinity);
    expect(host.at(20_000).hear('22', 'Exploring')).toEqual([]); // S6-175 and R-10
    host.do({ type: 'thaw' });
    expect(host.machine.deadline - host.now).toBeCloseTo(wait);
    expect(host.machine.state).toBe('Exploring');
  });
});

describe('RFC 5534 §6 the table', () => {
  it('S6-165 S6-193 S6-166 payload out starts the Send Timer, once; payload in stops it', () => {
    const host = new Host();
    host.do({ type: 'payload-sent' });
    const due = host.machine.deadline;
    expect(due).toBeGreaterThanOrEqual(15_000);
    expect(due).toBeLessThanOrEqual(16_500); // S6-165
    host.at(5_000).do({ type: 'payload-sent' });
    expect(host.machine.deadline).toBe(due);
    host.do({ type: 'payload-received', pair: pairOf('A', '11') });
    expect([host.machine.isSendTimerRunning, host.machine.isKeepaliveTimerRunning]).toEqual([false, true]);
    host.do({ type: 'payload-sent' });
    expect([host.machine.isSendTimerRunning, host.machine.isKeepaliveTimerRunning]).toEqual([true, false]);
  });

  it('S6-190 Send Timer expiry leads to Exploring with a Probe on the current pair first', () => {
    const host = new Host();
    host.do({ type: 'payload-sent', at: -100 });
    const effects = host.until(host.machine.deadline);
    expect(effects.map((effect) => effect.type)).toEqual(['suspect', 'state', 'send-probe']);
    expect(probes(effects)[0]).toMatchObject({ pair: pairOf('A', '11'), probe: { state: 'Exploring', received: [] } });
  });

  it('S6-179 a Keepalive or payload in Exploring leads to InboundOk, with no report when no probe came (R-17)', () => {
    for (const type of ['keepalive-received', 'payload-received'] as const) {
      const host = new Host().exploring();
      const [reply] = probes(host.do({ type, pair: pairOf('A', '21') }));
      expect(reply).toMatchObject({ pair: pairOf('A', '21'), probe: { state: 'InboundOk', received: [] } });
      expect(host.machine.state).toBe('InboundOk');
      expect(host.machine.isSendTimerRunning).toBe(true);
      expect(host.machine.isKeepaliveTimerRunning).toBe(false); // S6-271
    }
  });

  it('S6-196 Probe(InboundOk) chooses the reported pair and is answered with Operational and its report (R-19)', () => {
    const host = new Host();
    host.do({ type: 'payload-sent' });
    const sent = probes(host.until(17_500));
    const onOther = sent.find((s) => pairKey(s.pair) === pairKey(pairOf('A', '22')));
    const effects = host.hear('22', 'InboundOk', [itselfOf(onOther)]);
    expect(host.machine.pair).toEqual(pairOf('A', '22'));
    expect(probes(effects)[0]).toMatchObject({ pair: pairOf('A', '22'), probe: { state: 'Operational' } });
    expect(probes(effects)[0]?.probe.received.map((report) => report.nonce)).toEqual([1]);
    expect(effects.some((effect) => effect.type === 'confirmed')).toBe(true);
    expect([host.machine.state, host.machine.isSendTimerRunning]).toEqual(['Operational', true]);
  });

  it('S6-196 R-04: keeps the current pair when it is among the reports', () => {
    const host = new Host();
    host.do({ type: 'payload-sent' });
    const sent = probes(host.until(17_500)).map(itselfOf);
    host.hear('22', 'InboundOk', sent);
    expect(host.machine.pair).toEqual(pairOf('A', '11'));
  });

  it('S6-196 a report with an unknown nonce is no evidence', () => {
    const host = new Host().exploring();
    const pair = pairOf('A', '22');
    host.hear('22', 'InboundOk', [{ source: pair.local, destination: pair.peer, nonce: 12345, data: 0 }]);
    expect(host.machine.pair).toEqual(pairOf('A', '11'));
  });

  it('S6-195 in InboundOk the probe retransmission starts the Send Timer', () => {
    const host = new Host();
    host.hear('22', 'Exploring');
    host.do({ type: 'payload-received', pair: pairOf('A', '11') });
    expect(host.machine.isSendTimerRunning).toBe(false);
    const again = probes(host.until(700));
    expect(again[0]?.probe.state).toBe('InboundOk');
    expect(host.machine.isSendTimerRunning).toBe(true);
  });

  it('S6-180 reports at most 15 probes, newest first', () => {
    const host = new Host();
    let last: readonly ReapEffect[] = [];
    for (let i = 0; i < 20; i++) last = host.hear('11', 'Exploring');
    expect(probes(last)[0]?.probe.received.map((report) => report.nonce)).toEqual(
      Array.from({ length: 15 }, (_, i) => 20 - i),
    );
  });

  it('S6-159 a hint is tested, not believed', () => {
    const host = new Host();
    const effects = host.at(20_000).do({ type: 'hint', cause: 'icmp' });
    expect(probes(effects)).toMatchObject([{ pair: pairOf('A', '11'), probe: { state: 'Operational' } }]);
    expect([host.machine.state, host.machine.isSendTimerRunning]).toEqual(['Operational', true]);
    expect(host.do({ type: 'hint', cause: 'application' })).toEqual([]);
    expect(host.at(34_999).do({ type: 'hint', cause: 'icmp' })).toEqual([]); // one test per Send Timeout
    expect(probes(host.at(35_000).do({ type: 'hint', cause: 'icmp' }))).toHaveLength(1);
  });

  it('S6-161 explores other pairs at once when the local address goes, and never ends on a dead pair', () => {
    const host = new Host();
    const effects = host.do({ type: 'pair-dead', cause: 'address-lost' });
    expect(probes(effects)).toMatchObject([{ pair: pairOf('A', '22'), probe: { state: 'Exploring' } }]);
    host.hear('22', 'InboundOk'); // no report: nothing to choose
    expect(host.machine.state).toBe('Exploring');
    host.hear('22', 'InboundOk', probes(effects).map(itselfOf));
    expect([host.machine.state, host.machine.pair]).toEqual(['Operational', pairOf('A', '22')]);
    const later = probes(host.until(300_000));
    expect(later.every((s) => !pairKey(s.pair).startsWith(pairKey(pairOf('A', '11')).slice(0, 16)))).toBe(true);
  });

  it('S6-169 starts afresh when a new pair turns up during a long exploration', () => {
    const host = new Host(['11', '12']);
    host.do({ type: 'payload-sent' });
    host.until(200_000);
    const effects = host.do({ type: 'candidates', pairs: ['11', '12', '22'].map((key) => pairOf('A', key)) });
    expect(probes(effects).length).toBe(1);
    expect(host.machine.deadline - host.now).toBeLessThanOrEqual(600);
  });

  it('S6-197 make before break: leaves a pair that will go only for one that is confirmed', () => {
    const host = new Host();
    const effects = host.do({ type: 'deprecate', pair: pairOf('A', '11') });
    expect(probes(effects)).toMatchObject([{ pair: pairOf('A', '22') }]);
    host.do({ type: 'payload-received', pair: pairOf('A', '11') });
    expect([host.machine.state, host.machine.pair]).toEqual(['Exploring', pairOf('A', '11')]);
    host.hear('22', 'InboundOk', probes(effects).map(itselfOf));
    expect([host.machine.state, host.machine.pair]).toEqual(['Operational', pairOf('A', '22')]);
  });

  it('answers nothing after stop', () => {
    const host = new Host().exploring();
    host.do({ type: 'stop' });
    expect(host.machine.deadline).toBe(Infinity);
    expect(host.hear('11', 'Exploring')).toEqual([]);
  });
});
