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
