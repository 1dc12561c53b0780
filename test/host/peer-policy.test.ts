import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Approach, PeerPolicy } from '../../src/host/peer-policy.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { signers } from './two-hosts.ts';

function hosts(policyOfB: Partial<PeerPolicy>): TwoHosts {
  const policy = { admits: () => true, announces: () => true, ...policyOfB };
  return new TwoHosts({ seed: 1, crypto: nodeCrypto, signers, settings: {}, policyOfB: policy });
}

describe('a host with a policy', () => {
  it('answers a peer that it does not admit with nothing, and keeps nothing of it', () => {
    const two = hosts({ admits: () => false });
    two.establish();
    expect(two.state(two.a)).toBe('I1-SENT');
    expect(two.b.sim.host.contexts.size).toBe(0);
    expect(two.b.sim.host.drops.get('policy')).toBe(1);
  });

  it('is asked with the interface, and at the I2 with the key of the peer', () => {
    const approaches: Approach[] = [];
    const two = hosts({ admits: (approach) => approaches.push(approach) > 0 });
    two.establish();
    expect(two.state(two.b)).toBe('ESTABLISHED');
    const [i1, i2] = approaches;
    expect(i1).toMatchObject({ interface: two.b.locators[0]?.interface });
    expect(i1?.publicKey).toBeUndefined();
    const digest = (key: Uint8Array): string => createHash('sha256').update(key).digest('hex');
    expect(digest(i2?.publicKey ?? new Uint8Array())).toBe(digest(signers.a.publicKey));
  });

  it('turns a peer away at the I2 when its key is not the right one', () => {
    const two = hosts({ admits: ({ publicKey }) => publicKey === undefined });
    two.establish();
    expect(two.state(two.a)).toBe('I2-SENT');
    expect(two.b.sim.host.contexts.size).toBe(0);
  });

  it('tells only the locators that it announces, and its identifier', () => {
    const two = hosts({ announces: () => false });
    two.establish();
    const known = two.a.sim.host.contexts.of(two.ulids(two.a))?.peerLocators ?? [];
    expect(known.map(({ address }) => formatAddress(address))).toEqual([formatAddress(two.ulids(two.a).peer)]);
  });
});
