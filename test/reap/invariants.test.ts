import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReapEffect, ReapInput } from '../../src/reap/input.ts';
import type { ProbeReport, ReapState } from '../../src/reap/probe.ts';
import { BALANCED, FAST, RFC } from '../../src/reap/profile.ts';
import { Reap } from '../../src/reap/reap.ts';
import { pairOf, seeded } from './link.ts';

const KEYS = ['11', '22', '12', '21'] as const;
const key = fc.constantFrom(...KEYS);
const state = fc.constantFrom<ReapState[]>('Operational', 'Exploring', 'InboundOk');

/** An input; probes report those of the machine's own probes that `echo` picks. */
type Step = { readonly wait: number; readonly make: (own: readonly ProbeReport[]) => ReapInput };

const input: fc.Arbitrary<Step['make']> = fc.oneof(
  fc.constant(() => ({ type: 'payload-sent' }) as const),
  key.map((k) => () => ({ type: 'payload-received', pair: pairOf('A', k) }) as const),
  key.map((k) => () => ({ type: 'keepalive-received', pair: pairOf('A', k) }) as const),
  fc
    .record({ k: key, s: state, nonce: fc.nat(1_000), echo: fc.nat(3), pathTest: fc.boolean() })
    .map(({ k, s, nonce, echo, pathTest }) => (own: readonly ProbeReport[]): ReapInput => {
      const pair = pairOf('A', k);
      const itself = { source: pair.peer, destination: pair.local, nonce, data: 0 };
      const received = echo === 0 ? [] : own.slice(-echo);
      return { type: 'probe-received', pair, probe: { state: s, sent: [itself], received, pathTest } };
    }),
  fc.constant(() => ({ type: 'tick' }) as const),
  fc.subarray([...KEYS]).map((ks) => () => ({ type: 'candidates', pairs: ks.map((k) => pairOf('A', k)) }) as const),
  fc.record({ k: key, cause: fc.constantFrom('address-lost' as const, 'peer-broken' as const) }).map(
    ({ k, cause }) =>
      () =>
        ({ type: 'pair-dead', cause, pair: pairOf('A', k) }) as const,
  ),
  fc
    .constantFrom('icmp' as const, 'send-error' as const, 'application' as const)
    .map((cause) => () => ({ type: 'hint', cause }) as const),
  key.map((k) => () => ({ type: 'deprecate', pair: pairOf('A', k) }) as const),
  key.map((k) => () => ({ type: 'prefer', pair: pairOf('A', k) }) as const),
  fc.nat(200).map((ms) => () => ({ type: 'lag', ms }) as const),
  fc.nat(40).map((ms) => () => ({ type: 'rtt', pair: pairOf('A', '11'), ms }) as const),
  fc.constant(() => ({ type: 'freeze' }) as const),
  fc.constant(() => ({ type: 'thaw' }) as const),
);
const steps = fc.array(fc.record({ wait: fc.oneof(fc.nat(20), fc.nat(60_000)), make: input }), { maxLength: 60 });

describe('any sequence of inputs', () => {
  for (const profile of [RFC, BALANCED, FAST]) {
    it(`S6-271 S6-191 S6-178 keeps the invariants (${profile.name})`, () => {
      fc.assert(
        fc.property(steps, fc.nat(), (sequence, seed) => {
          const machine = new Reap({ profile, random: seeded(seed), pair: pairOf('A', '11') });
          machine.handle({ type: 'candidates', pairs: KEYS.map((k) => pairOf('A', k)) }, 0);
          const own: ProbeReport[] = [];
          let now = 0;
          let known: ReapState = 'Operational';
          const check = (effects: readonly ReapEffect[], isFrozen: boolean): void => {
            for (const effect of effects) {
              if (effect.type === 'send-keepalive' && profile.graceMs === 0) expect(machine.state).toBe('Operational');
              if (effect.type !== 'send-probe') continue;
              const [itself] = effect.probe.sent;
              expect(itself).toMatchObject({ source: effect.pair.local, destination: effect.pair.peer });
              if (itself !== undefined) own.push(itself);
              expect(effect.probe.received.length).toBeLessThanOrEqual(15);
              if (profile === RFC) expect(effect.probe.pathTest).toBe(false);
            }
            effects.forEach((effect, i) => {
              if (effect.type === 'state') known = effect.state;
              if (effect.type !== 'send-probe' || effect.probe.pathTest) return;
              const next = effects.slice(i).find((later) => later.type === 'state');
              expect([known, next?.state]).toContain(effect.probe.state);
            });
            expect(known).toBe(machine.state);
            expect(machine.isSendTimerRunning && machine.isKeepaliveTimerRunning).toBe(false);
            if (machine.state === 'Exploring') expect(machine.isSendTimerRunning).toBe(false);
            if (machine.state !== 'Operational') expect(machine.isKeepaliveTimerRunning).toBe(false);
            if (machine.state !== 'Operational' && !isFrozen) expect(machine.deadline).toBeLessThan(Infinity);
          };
          let isFrozen = false;
          for (const step of sequence) {
            now += step.wait;
            const made = step.make(own);
            if (made.type === 'freeze') isFrozen = true;
            if (made.type === 'thaw') isFrozen = false;
            check(machine.handle(made, now), isFrozen);
            // A tick at the deadline moves the deadline on.
            for (let i = 0; i < 3 && machine.deadline < now + 100_000; i++) {
              const due = Math.max(now, machine.deadline);
              now = due;
              check(machine.handle({ type: 'tick' }, due), isFrozen);
              expect(machine.deadline).toBeGreaterThan(due);
            }
          }
        }),
        { numRuns: 300 },
      );
    });
  }
});
