import { describe, expect, it } from 'vitest';
import { CREDIT_AGING_INTERVAL_MS, Credit } from '../../src/hip/credit.ts';
import { IdWindow } from '../../src/hip/id-window.ts';
import { UNBOUNDED_LIFETIME } from '../../src/hip/locator-set.ts';
import type { LocatorSetEntry } from '../../src/hip/locator-set.ts';
import { PeerLocators } from '../../src/hip/peer-locators.ts';
import type { Address } from '../../src/wire/address.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { A1, A2, A3, ip } from './association-world.ts';

const entry = (address: Address, more: Partial<LocatorSetEntry> = {}): LocatorSetEntry => ({
  trafficType: 0,
  isPreferred: false,
  lifetimeSeconds: UNBOUNDED_LIFETIME,
  locator: { locatorType: 1, spi: 0x1234, address },
  ...more,
});
const view = (peers: PeerLocators): string[] =>
  peers.list().map(({ address, status }) => `${formatAddress(address)} ${status}`);

describe('credit (RFC 8046 §5.6)', () => {
  it('ages by 7/8 every 5 s (HIP-325, HIP-328, MT3)', () => {
    const credit = new Credit(0);
    credit.earn(8000, 0);
    expect(credit.left(CREDIT_AGING_INTERVAL_MS - 1)).toBe(8000);
    expect(credit.left(CREDIT_AGING_INTERVAL_MS)).toBe(7000);
    expect(credit.left(2 * CREDIT_AGING_INTERVAL_MS)).toBe(6125);
  });

  it('pays for packets up to what there is (HIP-327)', () => {
    const credit = new Credit(0);
    credit.earn(1500, 0);
    credit.spend(1000, 0);
    expect(credit.left(0)).toBe(500);
    credit.spend(501, 0);
    expect(credit.left(0)).toBe(0);
  });
});

describe('Update IDs (RFC 7401 §6.12)', () => {
  it('compare modulo 2^32, once each, in a window (HIP-203, HIP-204, HIP-205)', () => {
    const window = new IdWindow(32);
    expect(window.isNew(0)).toBe(true);
    expect(window.isNew(1)).toBe(true); // some begin with 1
    expect(window.isNew(32)).toBe(false);
    window.add(0);
    expect(window.isNew(0)).toBe(false);
    expect(window.isNew(32)).toBe(true);
    for (let id = 1; id < 200; id++) window.add(id);
    expect(window.isNew(100)).toBe(false);
    expect(window.isNew(230)).toBe(true);
    const late = new IdWindow(32);
    for (let id = 0; id <= 0xffff_ffff; id += 0x0fff_ffff) late.add(id);
    expect(late.isNew(5)).toBe(true);
    late.add(5);
    expect(late.has(5)).toBe(true);
    expect(late.isNew(0xffff_fffe)).toBe(true);
  });
});

describe('addresses of a peer (RFC 8046 §5.1, §5.3)', () => {
  it('are withdrawn by a list without them, an empty one too (MT8)', () => {
    const peers = new PeerLocators(A1, 16);
    peers.learn([entry(A2), entry(A1)], 0, false);
    expect(view(peers)).toEqual([`${formatAddress(A1)} ACTIVE`, `${formatAddress(A2)} UNVERIFIED`]);
    peers.learn([], 0, false);
    expect(view(peers)).toEqual([`${formatAddress(A1)} DEPRECATED`, `${formatAddress(A2)} DEPRECATED`]);
  });

  it('are learnt once: a list that says what is known changes nothing (HIP-315)', () => {
    const peers = new PeerLocators(A1, 16);
    expect(peers.learn([entry(A1), entry(A2)], 0, false).isChanged).toBe(true);
    peers.test(A2, Uint8Array.of(1));
    expect(peers.learn([entry(A1), entry(A2)], 10, false).isChanged).toBe(false);
    expect(peers.isUntested(A2)).toBe(false);
  });

  it('end with their lifetime, and begin with a test again (HIP-309, MT10)', () => {
    const peers = new PeerLocators(A1, 16);
    peers.learn([entry(A1, { lifetimeSeconds: 3 })], 1000, false);
    expect(peers.deadline).toBe(4000);
    expect(peers.expire(3999)).toBe(false);
    expect(peers.expire(4000)).toBe(true);
    expect(peers.statusOf(A1)).toBe('DEPRECATED');
    expect(peers.deadline).toBe(Number.POSITIVE_INFINITY);
    peers.learn([entry(A1)], 5000, false);
    expect(peers.statusOf(A1)).toBe('UNVERIFIED');
    expect(peers.isUntested(A1)).toBe(true);
  });

  it('become ACTIVE by the nonce that went to them, once, and by no other (HIP-300, MT4)', () => {
    const peers = new PeerLocators(A1, 16);
    peers.learn([entry(A1), entry(A2), entry(A3)], 0, false);
    peers.test(A2, Uint8Array.of(1, 2));
    peers.test(A3, Uint8Array.of(3, 4));
    expect(peers.verified(Uint8Array.of(1, 3))).toBeUndefined();
    expect(peers.verified(Uint8Array.of(1, 2))).toEqual(A2);
    expect(peers.verified(Uint8Array.of(1, 2))).toBeUndefined();
    expect([A1, A2, A3].map((address) => peers.statusOf(address))).toEqual(['ACTIVE', 'ACTIVE', 'UNVERIFIED']);
    peers.learn([entry(A1)], 0, false);
    expect(peers.verified(Uint8Array.of(3, 4))).toBeUndefined(); // withdrawn meanwhile
    expect(peers.statusOf(A3)).toBe('DEPRECATED');
  });

  it('are unicast only, and not more than so many (HIP-311, HIP-329, HIP-339, MT7)', () => {
    const peers = new PeerLocators(A1, 4);
    const wrong = ['ff02::1', '::', '::1', 'fe80::1', '::ffff:224.0.0.1', '::ffff:127.0.0.1', '::ffff:255.255.255.255'];
    peers.learn([entry(A1), ...wrong.map((text) => entry(ip(text)))], 0, false);
    expect(view(peers)).toHaveLength(1);
    peers.learn([entry(A1), entry(ip('::ffff:192.0.2.1'))], 0, false);
    expect(view(peers)).toHaveLength(2);
    const many = Array.from({ length: 20 }, (_, i) => entry(ip(`2001:db8:1::${String(i + 1)}`)));
    peers.learn([entry(A1), ...many], 0, false);
    expect(view(peers)).toHaveLength(4);
  });

  it('name an unknown type that is preferred (HIP-319, MT7)', () => {
    const peers = new PeerLocators(A1, 4);
    const strange = { locatorType: 'unsupported', number: 9, octets: new Uint8Array(8) } as const;
    expect(peers.learn([entry(A1), entry(A2, { locator: strange })], 0, true).unsupported).toBeUndefined();
    const unsupported = entry(A2, { locator: strange, isPreferred: true });
    expect(peers.learn([unsupported], 0, true).unsupported).toBe(unsupported);
  });

  it('are ranked: preferred and verified, verified, preferred, withdrawn; signalling alone takes no payload (HIP-306)', () => {
    const peers = new PeerLocators(A1, 16);
    const signalling = ip('2001:db8::5');
    peers.learn(
      [entry(A1), entry(A2, { isPreferred: true }), entry(A3), entry(signalling, { trafficType: 1 })],
      0,
      false,
    );
    expect(peers.ranked()).toEqual([A1, A2, A3]);
    peers.test(A2, Uint8Array.of(1));
    peers.verified(Uint8Array.of(1));
    expect(peers.ranked()).toEqual([A2, A1, A3]);
  });
});
