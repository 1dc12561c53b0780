import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankPairs } from '../../src/locators/rank.ts';
import type { OwnLocator, PeerLocator } from '../../src/locators/rank.ts';
import { measured } from '../../src/locators/round-trip.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

const own = (n: number, more: Partial<OwnLocator> = {}): OwnLocator => ({
  address: address(`2001:db8:a${String(n)}::1`),
  state: 'preferred',
  operational: true,
  ...more,
});
const peer = (n: number, more: Partial<PeerLocator> = {}): PeerLocator => ({
  address: address(`2001:db8:b${String(n)}::2`),
  verified: true,
  broken: false,
  priority: 1,
  weight: 1,
  ...more,
});

function rank(ours: OwnLocator[], theirs: PeerLocator[], current?: [number, number]): string[] {
  const pair = current && { local: own(current[0]).address, peer: peer(current[1]).address };
  return rankPairs({ own: ours, peer: theirs, current: pair }).map(
    ({ local, peer: to }) => `${formatAddress(local).slice(10, 11)}${formatAddress(to).slice(10, 11)}`,
  );
}

describe('RFC 5534 §4.2 the order of exploration', () => {
  it('S6-169 takes the current pair once more, then pairs that share nothing with it, then the rest', () => {
    const order = rank([own(1), own(2)], [peer(1), peer(2)], [1, 1]);
    expect(order.slice(0, 2)).toEqual(['11', '22']);
    expect(order.slice(2).sort()).toEqual(['12', '21']);
    expect(rank([own(1), own(2)], [peer(1), peer(2)], [2, 1]).slice(0, 2)).toEqual(['21', '12']);
  });

  it('S6-155 leaves out what is not available: tentative, not operational, link-local, not verified', () => {
    const linkLocal = { ...own(3), address: address('fe80::1') };
    expect(
      rank([own(1), own(2, { state: 'tentative' }), own(3, { operational: false }), linkLocal], [peer(1)]),
    ).toEqual(['11']);
    expect(rank([own(1)], [peer(1, { verified: false }), peer(2)])).toEqual(['12']);
  });

  it('S6-169 tries locators flagged BROKEN last, even the current one', () => {
    expect(rank([own(1)], [peer(1, { broken: true }), peer(2), peer(3)], [1, 1]).at(-1)).toBe('11');
  });

  it('S6-169 follows priority, then weight, then local cost', () => {
    expect(rank([own(1)], [peer(1, { priority: 2 }), peer(2, { weight: 1 }), peer(3, { weight: 5 })])).toEqual([
      '13',
      '12',
      '11',
    ]);
    expect(rank([own(1, { cost: 9 }), own(2)], [peer(1)])).toEqual(['21', '11']);
  });

  it('S6-169 uses deprecated addresses and backups only after all others', () => {
    expect(
      rank([own(1, { state: 'deprecated' }), own(2)], [peer(1), peer(2)], [2, 2])
        .slice(0, 2)
        .sort(),
    ).toEqual(['21', '22']);
    expect(rank([own(1, { backup: true }), own(2, { cost: 50 })], [peer(1)])).toEqual(['21', '11']);
  });

  it('always answers the same, whatever the order of the question', () => {
    const locators = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(locators, locators, fc.integer({ min: 0, max: 3 }), (a, b, spread) => {
        const ours = a.map((n) => own(n, { cost: n % (spread + 1) }));
        const theirs = b.map((n) => peer(n, { priority: n % (spread + 1) }));
        const order = rank(ours, theirs, [a[0] ?? 1, b[0] ?? 1]);
        expect(new Set(order).size).toBe(a.length * b.length);
        expect(rank(ours.reverse(), theirs.reverse(), [a[0] ?? 1, b[0] ?? 1])).toEqual(order);
      }),
    );
  });
});

describe('round trips', () => {
  it('smooths, and takes an outlier only as far as the cap', () => {
    let trip = measured(undefined, 10);
    expect(trip).toEqual({ srtt: 10, rttvar: 5, samples: 1 });
    for (let i = 0; i < 30; i++) trip = measured(trip, 10);
    expect(trip.rttvar).toBeLessThan(0.01);
    expect(measured(trip, 1_000, 15).srtt).toBeLessThan(14);
  });

  it('forgets a slow start', () => {
    const trip = [13.3, 0.57, 0.58, 0.68].reduce<ReturnType<typeof measured> | undefined>(
      (before, sample) => measured(before, sample),
      undefined,
    );
    expect(trip?.srtt).toBeLessThan(0.7);
    expect(trip?.rttvar).toBeLessThan(0.3);
  });
});
