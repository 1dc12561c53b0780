import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankPairs } from '../../src/locators/rank.ts';
import type { OwnLocator, PairQuestion, PeerLocator } from '../../src/locators/rank.ts';
import { selectSource } from '../../src/locators/source-selection.ts';
import type { SourceCandidate } from '../../src/locators/source-selection.ts';
import { explainDestinations, explainPairs, explainSources } from '../../src/locators/why.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`);
  return parsed;
}

/** Every candidate with the rule that it lost by, best first. */
function sources(destination: string, candidates: readonly SourceCandidate[], policy = {}): [string, string?][] {
  return explainSources(address(destination), candidates, policy).map(({ candidate, lostBy }) =>
    lostBy === undefined ? [formatAddress(candidate.address)] : [formatAddress(candidate.address), lostBy.rule],
  );
}

const PEER = '2001:db8:1::9';

describe('the explanation of a source (RFC 6724 §5)', () => {
  it.each<[string, string, SourceCandidate, SourceCandidate]>([
    ['1', '2001:db8:f::1', { address: address('2001:db8:f::1') }, { address: address('2001:db8:1::1') }],
    ['2', PEER, { address: address('2001:db8:f::1') }, { address: address('fe80::1') }],
    ['3', PEER, { address: address('2001:db8:f::1') }, { address: address('2001:db8:1::1'), isDeprecated: true }],
    ['4', PEER, { address: address('2001:db8:f::1') }, { address: address('2001:db8:1::1'), mobility: 'care-of' }],
    [
      '5',
      PEER,
      { address: address('2001:db8:f::1') },
      { address: address('2001:db8:1::1'), isOnOutgoingInterface: false },
    ],
    ['5.5', PEER, { address: address('2001:db8:f::1'), isFromNextHop: true }, { address: address('2001:db8:1::1') }],
    ['6', PEER, { address: address('2001:db8:f::1') }, { address: address('fd00::1') }],
    ['7', PEER, { address: address('2001:db8:f::1'), isTemporary: true }, { address: address('2001:db8:1::1') }],
    [
      'verifiable',
      PEER,
      { address: address('2001:db8:f::1'), isVerifiable: true },
      { address: address('2001:db8:1::1') },
    ],
    ['8', PEER, { address: address('2001:db8:1::1') }, { address: address('2001:db8:f::1') }],
    ['order', PEER, { address: address('2001:db8:1::1') }, { address: address('2001:db8:1::2') }],
  ])('names rule %s, and the winner is the one that selection takes', (rule, destination, winner, loser) => {
    expect(sources(destination, [loser, winner])).toEqual([
      [formatAddress(winner.address)],
      [formatAddress(loser.address), rule],
    ]);
    expect(selectSource(address(destination), [loser, winner])).toBe(winner);
  });

  it('turns rule 7 around with the policy, and says so', () => {
    const [, loser] = explainSources(
      address(PEER),
      [{ address: address('2001:db8:1::1'), isTemporary: true }, { address: address('2001:db8:f::1') }],
      { preferPublic: true },
    );
    expect(loser?.lostBy).toEqual({ rule: '7', text: 'it is a temporary address' });
  });

  it('lists what is no candidate last', () => {
    const mapped = { address: address('::ffff:192.0.2.1') };
    expect(sources(PEER, [mapped, { address: address('2001:db8:f::1') }])).toEqual([
      ['2001:db8:f::1'],
      ['::ffff:192.0.2.1', 'candidate'],
    ]);
  });
});

describe('the explanation of an order of destinations (RFC 6724 §6)', () => {
  it('compares each with the one before it', () => {
    const source = { address: address('2001:db8:1::1') };
    const named = ['2001:db8:ffff::1', '2001:db8:1::9', 'fd00::1', '2001:db8:ffff::1'].map((text) => ({
      address: address(text),
      source,
    }));
    const explained = explainDestinations(named);
    expect(explained.map(({ address: a, lostBy }) => [formatAddress(a), lostBy?.rule])).toEqual([
      ['2001:db8:1::9', undefined],
      ['2001:db8:ffff::1', '9'],
      ['2001:db8:ffff::1', '10'],
      ['fd00::1', '5'],
    ]);
  });

  it('puts what has no source last by rule 1', () => {
    const source = { address: address('fd00::1') };
    const without = { address: address('2001:db8::1'), source: undefined };
    expect(explainDestinations([without, { address: address('2001:db8::2'), source }])).toEqual([
      { address: address('2001:db8::2'), source },
      { ...without, lostBy: { rule: '1', text: 'it cannot be reached' } },
    ]);
  });
});

const own = (text: string, more: Partial<OwnLocator> = {}): OwnLocator => ({
  address: address(text),
  state: 'preferred',
  operational: true,
  ...more,
});
const theirs = (text: string, more: Partial<PeerLocator> = {}): PeerLocator => ({
  address: address(text),
  verified: true,
  broken: false,
  priority: 1,
  weight: 0,
  ...more,
});

function pairs(question: PairQuestion): [string, number | null, string?][] {
  return explainPairs(question).map(
    ({ pair, rank, lostBy }) =>
      [
        `${formatAddress(pair.local)} ${formatAddress(pair.peer)}`,
        rank,
        ...(lostBy === undefined ? [] : [lostBy.rule]),
      ] as [string, number | null, string?],
  );
}

describe('the explanation of a ranking of pairs (RFC 5534 §4.2)', () => {
  it.each<[string, Partial<OwnLocator>, Partial<PeerLocator>, Partial<OwnLocator>, Partial<PeerLocator>]>([
    ['broken', {}, {}, {}, { broken: true }],
    ['backup', {}, {}, { backup: true }, {}],
    ['deprecated', {}, {}, { state: 'deprecated' }, {}],
    ['priority', {}, {}, {}, { priority: 2 }],
    ['weight', {}, { weight: 5 }, {}, {}],
    ['cost', {}, {}, { cost: 1 }, {}],
  ])('names %s', (rule, ours, peers, otherOurs, otherPeers) => {
    const question = {
      own: [own('2001:db8:a::1', ours), own('2001:db8:b::1', otherOurs)],
      peer: [theirs('2001:db8:c::1', peers), theirs('2001:db8:d::1', otherPeers)],
    };
    const named = pairs(question).map(([, , by]) => by);
    expect(named).toContain(rule);
  });

  it('says what is in use, what shares nothing with it, and what is not tried', () => {
    const question = {
      own: [own('2001:db8:a::1'), own('2001:db8:b::1'), own('2001:db8:e::1', { operational: false })],
      peer: [theirs('2001:db8:c::1'), theirs('2001:db8:d::1', { verified: false })],
      current: { local: address('2001:db8:b::1'), peer: address('2001:db8:c::1') },
    };
    expect(pairs(question)).toEqual([
      ['2001:db8:b::1 2001:db8:c::1', 1],
      ['2001:db8:a::1 2001:db8:c::1', 2, 'current'],
      ['2001:db8:a::1 2001:db8:d::1', null, 'unusable'],
      ['2001:db8:b::1 2001:db8:d::1', null, 'unusable'],
      ['2001:db8:e::1 2001:db8:c::1', null, 'unusable'],
      ['2001:db8:e::1 2001:db8:d::1', null, 'unusable'],
    ]);
    expect(explainPairs(question).map(({ lostBy }) => lostBy?.text)).toEqual([
      undefined,
      'another pair is in use',
      "the peer's address is not proven",
      "the peer's address is not proven",
      'our link is down',
      'our link is down',
    ]);
  });

  it('keeps the order of rankPairs and accounts for every pair', () => {
    const number = fc.integer({ min: 0, max: 2 });
    const ours = fc.record({
      address: fc.constantFrom('2001:db8:a::1', '2001:db8:b::1', 'fd00::1', 'fe80::1').map(address),
      state: fc.constantFrom('tentative', 'preferred', 'deprecated'),
      operational: fc.boolean(),
      cost: number,
      backup: fc.boolean(),
    });
    const peers = fc.record({
      address: fc.constantFrom('2001:db8:c::1', '2001:db8:d::1', 'fd00:1::1').map(address),
      verified: fc.boolean(),
      broken: fc.boolean(),
      priority: number,
      weight: number,
    });
    fc.assert(
      fc.property(fc.array(ours, { maxLength: 4 }), fc.array(peers, { maxLength: 4 }), (mine, others) => {
        const question = { own: mine, peer: others };
        const explained = explainPairs(question);
        const ranked = explained.filter(({ rank }) => rank !== null);
        expect(ranked.map(({ pair }) => pair)).toEqual(rankPairs(question));
        expect(explained).toHaveLength(mine.length * others.length);
        expect(explained.filter(({ rank, lostBy }) => lostBy === undefined && rank !== 1)).toEqual([]);
      }),
    );
  });
});
