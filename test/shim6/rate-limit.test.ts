import { describe, expect, it } from 'vitest';
import { Acquaintances } from '../../src/shim6/acquaintances.ts';
import { PrefixBuckets } from '../../src/locators/prefix-buckets.ts';
import { RateLimits } from '../../src/shim6/rate-limit.ts';
import { ip } from './spec-vectors.ts';

const NOW = 1_000_000;
/** An address in a network of its own. */
const stranger = (i: number): Uint8Array => ip(`3fff:${(i & 0xffff).toString(16)}:${(i >> 16).toString(16)}::1`);

describe('limits of answers without a context', () => {
  it('leave as much to networks that this host has to do with as to all strangers', () => {
    const limits = new RateLimits();
    const friend = ip('2001:db8:1:a::1');
    limits.acquaintances.add(friend);
    let toStrangers = 0;
    for (let i = 0; i < 50_000; i++) if (limits.take('R1', stranger(i), NOW)) toStrangers++;
    expect(toStrangers).toBe(4_000);
    expect(limits.hasForStrangers('R1', NOW)).toBe(false);
    expect(limits.take('R1', ip('2001:db8:1:b::1'), NOW)).toBe(false);
    expect(limits.take('R1', ip('2001:db8:1:a::2'), NOW)).toBe(true);
    expect(limits.hasForStrangers('R1', NOW + 1)).toBe(true);
  });

  it('hold for a known network as for any other', () => {
    const limits = new RateLimits();
    limits.acquaintances.add(ip('2001:db8:1:a::1'));
    let answers = 0;
    for (let i = 1; i < 2_000; i++) if (limits.take('R1', ip(`2001:db8:1:a::${i.toString(16)}`), NOW)) answers++;
    expect(answers).toBe(400);
  });

  it('know the network at any place of a buffer', () => {
    const known = new Acquaintances();
    const buffer = new Uint8Array(64);
    buffer.set(ip('2001:db8:1:a::1'), 16);
    known.add(buffer, 16);
    expect(known.has(ip('2001:db8:1:a:ffff::'))).toBe(true);
    expect(known.has(buffer, 17)).toBe(false);
  });

  it('remember only so many acquaintances, those met last', () => {
    const known = new Acquaintances();
    for (let i = 0; i < 10_000; i++) known.add(stranger(i));
    expect(known.size).toBe(8_192);
    expect(known.has(stranger(9_999))).toBe(true);
    expect(known.has(stranger(0))).toBe(false);
  });

  it('refill each network by itself, and forget the one unused for longest', () => {
    const buckets = new PrefixBuckets({ perSecond: 10, burst: 2 });
    const [one, other] = [stranger(1), stranger(2)];
    expect([buckets.take(one, NOW), buckets.take(one, NOW), buckets.take(one, NOW)]).toEqual([true, true, false]);
    expect(buckets.take(other, NOW)).toBe(true);
    expect([buckets.take(one, NOW + 100), buckets.take(one, NOW + 100)]).toEqual([true, false]);
    for (let i = 10; i < 50_000; i++) buckets.take(stranger(i), NOW + 200);
    expect(buckets.size).toBe(4_096);
    expect(buckets.take(one, NOW + 100)).toBe(true);
  });
});
