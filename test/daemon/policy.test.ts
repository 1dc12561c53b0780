import { expect, it } from 'vitest';
import { Policy } from '../../src/daemon/policy.ts';
import { configOf } from '../../src/daemon/schema.ts';
import { ip } from '../shim6/spec-vectors.ts';

const ULIDS = { local: ip('2001:db8:a::1'), peer: ip('2001:db8:b::1') };

function policy(): Policy {
  const checked = configOf({ policy: { trigger_packets: 5, trigger_seconds: 10 } });
  if (!('config' in checked)) throw new Error('bad configuration');
  return new Policy(checked.config.policy);
}

it('a flow is due by packets, or by time with a few packets', () => {
  expect([4, 5].map((packets) => policy().isDue(ULIDS, packets, 0))).toEqual([false, true]);
  const slow = policy();
  expect(slow.isDue(ULIDS, 3, 0)).toBe(false);
  expect(slow.isDue(ULIDS, 4, 10_000)).toBe(true);
});

it('a flow that has fallen silent is not due, however much it has carried: its context was closed for good', () => {
  const one = policy();
  expect(one.isDue(ULIDS, 500, 0)).toBe(true);
  expect(one.isDue(ULIDS, 500, 1_000)).toBe(false);
  expect(one.isDue(ULIDS, 500, 20_000)).toBe(false);
  expect(one.isDue(ULIDS, 501, 21_000)).toBe(true);
});

function policyOf(policy: object): Policy {
  const checked = configOf({ policy });
  if (!('config' in checked)) throw new Error(checked.issues.map(({ message }) => message).join());
  return new Policy(checked.config.policy);
}

it('a flow that the kernel has forgotten in between is another one: its age counts anew', () => {
  const one = policyOf({ trigger_packets: 50, trigger_seconds: 10 });
  expect(one.isDue(ULIDS, 4, 0)).toBe(false);
  expect(one.isDue(ULIDS, 1, 100_000)).toBe(false);
  expect(one.isDue(ULIDS, 4, 100_200)).toBe(false);
  expect(one.isDue(ULIDS, 5, 110_000)).toBe(true);
});

it('a flow is due by octets where they count', () => {
  const byOctets = policyOf({ trigger_packets: 1_000, trigger_seconds: 0, trigger_bytes: 100_000 });
  expect(byOctets.isDue(ULIDS, 90, 0, { bytes: 99_999 })).toBe(false);
  expect(byOctets.isDue(ULIDS, 91, 200, { bytes: 100_000 })).toBe(true);
  const not = policyOf({ trigger_packets: 1_000, trigger_seconds: 0 });
  expect(not.isDue(ULIDS, 900, 0, { bytes: 1e9 })).toBe(false);
});

it('a rule has triggers of its own, and those of the policy where it says nothing', () => {
  const rules = policyOf({
    trigger_packets: 50,
    trigger_seconds: 0,
    rule: [
      { peer: '2001:db8:b::/48', port: 22, context: 'always' },
      { port: 80, context: 'never' },
      { peer: '2001:db8:c::/48', trigger_packets: 3 },
    ],
  });
  expect(rules.isDue(ULIDS, 1, 0, { rule: 0 })).toBe(true);
  expect(rules.isDue(ULIDS, 2, 0, { rule: 2 })).toBe(false);
  expect(rules.isDue(ULIDS, 3, 200, { rule: 2 })).toBe(true);
  expect(rules.isDue(ULIDS, 3, 200)).toBe(false); // packets that no rule is about
  expect(rules.counted).toEqual([0, 2]);
  expect(rules.classes).toEqual([
    { prefix: { address: ip('2001:db8:b::'), length: 48 }, port: 22, counts: true },
    { prefix: undefined, port: 80, counts: false },
    { prefix: { address: ip('2001:db8:c::'), length: 48 }, port: undefined, counts: true },
  ]);
});
