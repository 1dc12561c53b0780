import { describe, expect, it } from 'vitest';
import type { AssociationEffect } from '../../src/hip/association-io.ts';
import type { LocatorSetEntry } from '../../src/hip/locator-set.ts';
import { hostIdOf } from '../../src/hip/offers.ts';
import { writeChecksum } from '../../src/hip/packet-carriage.ts';
import { parameterOf } from '../../src/hip/parameter.ts';
import type { HipParameter } from '../../src/hip/parameter.ts';
import { sealed } from '../../src/hip/seal.ts';
import { A1, A2, A3, B1, World } from './association-world.ts';

const NEVER_USED = 5;

/** A peer that says what it likes, with the right keys: a of a world whose association stands. */
class Peer {
  readonly world: World = new World();
  readonly #key: Uint8Array;
  #updateId = 0;

  constructor() {
    const { world } = this;
    let last = new Uint8Array(0);
    const { mac } = world.a.crypto;
    Object.assign(world.a.crypto, {
      mac: (...args: Parameters<typeof mac>): Uint8Array => {
        last = args[1].slice();
        return mac(...args);
      },
    });
    world.establish();
    world.payload(world.a);
    world.payload(world.b);
    world.filter = () => false;
    world.handle(world.a, { type: 'close' }); // its MAC is the last thing made with the key
    this.#key = last;
    world.log.length = 0;
  }

  get spi(): number {
    return this.world.b.out?.spi ?? 0;
  }

  /** What b does about an UPDATE with a new Update ID. */
  says(parameters: readonly HipParameter[], from: Uint8Array = A1): AssociationEffect[] {
    return this.#sends([...parameters, { type: 'SEQ', updateId: this.#updateId++ }], from);
  }

  acknowledges(peerUpdateIds: readonly number[]): AssociationEffect[] {
    return this.#sends([{ type: 'ACK', peerUpdateIds }], A1);
  }

  #sends(parameters: readonly HipParameter[], from: Uint8Array): AssociationEffect[] {
    const { a, b } = this.world;
    const packet = { type: 'UPDATE', isAnonymous: false, senderHit: a.own.hit, receiverHit: b.own.hit } as const;
    const key = { crypto: a.crypto, rhash: 'sha384', key: this.#key } as const;
    const octets = sealed({ ...packet, parameters }, key, a.own);
    writeChecksum(octets, from, B1);
    return this.world.deliver(b, octets, { local: B1, peer: from, carriage: 'raw' });
  }

  /** All addresses of a, the first one preferred. */
  locators(...addresses: readonly Uint8Array[]): HipParameter[] {
    const { spi } = this;
    const locators = addresses.map((address, i): LocatorSetEntry => ({
      trafficType: 0,
      isPreferred: i === 0,
      lifetimeSeconds: 1000,
      locator: { locatorType: 1, spi, address },
    }));
    return [
      { type: 'ESP_INFO', keymatIndex: 0, oldSpi: spi, newSpi: spi },
      { type: 'LOCATOR_SET', locators },
    ];
  }
}

const types = (effects: readonly AssociationEffect[]): string[] => effects.map(({ type }) => type);
const ESP_INFO_DROPPED = [{ type: 'drop', reason: 'esp-info' }];

describe('an UPDATE of a peer that has the keys', () => {
  it('may acknowledge several at once (HIP-116)', () => {
    const peer = new Peer();
    const { world } = peer;
    peer.says(peer.locators(A1, A2, A3));
    const ids = world.log.flatMap(({ packet }) => parameterOf(packet, 'SEQ')?.updateId ?? []);
    expect(ids).toHaveLength(2);
    expect(types(peer.acknowledges(ids))).toContain('control-received');
    world.log.length = 0;
    world.run(world.now + 5000);
    expect(world.types.filter((type) => type === 'b UPDATE')).toEqual([]);
  });

  it('may say again what an earlier one said (HIP-118, HIP-315)', () => {
    const peer = new Peer();
    expect(types(peer.says(peer.locators(A1, A2)))).toContain('peer-locators');
    const again = types(peer.says(peer.locators(A1, A2)));
    expect(again).toEqual(['control-received', 'transmit']);
  });

  it('says where it is by its list, not by where it comes from (HIP-320)', () => {
    const peer = new Peer();
    peer.says(peer.locators(A2), A3);
    expect(peer.world.b.association.path?.peer).toEqual(A2);
    expect(peer.world.b.association.peerLocators.map(({ address }) => address)).toEqual([A1, A2]);
  });

  it('with another Host Identity is dropped; with its own it counts (HIP-308)', () => {
    const peer = new Peer();
    const { a, b } = peer.world;
    expect(peer.says([hostIdOf(b.own)])).toEqual([{ type: 'drop', reason: 'hit' }]);
    expect(types(peer.says([hostIdOf(a.own)]))).toContain('control-received');
  });

  it('may ask for new keys and name addresses: keys come first (HIP-316)', () => {
    const peer = new Peer();
    const [, set] = peer.locators(A1, A2);
    if (set === undefined) throw new Error('no LOCATOR_SET');
    const newSpi = 0x7777;
    const effects = types(peer.says([{ type: 'ESP_INFO', keymatIndex: 200, oldSpi: peer.spi, newSpi }, set]));
    expect(effects).toContain('install-sa');
    expect(effects.indexOf('install-sa')).toBeLessThan(effects.indexOf('peer-locators'));
  });

  it.each([
    ['a KEYMAT Index that is not 0', 7, 9],
    ['another group', NEVER_USED, 0],
  ])('with a Diffie-Hellman key and %s begins no rekey (HIP-272)', (_, group, keymatIndex) => {
    const peer = new Peer();
    const espInfo = { type: 'ESP_INFO', keymatIndex, oldSpi: peer.spi, newSpi: 0x7777 } as const;
    const publicValue = peer.world.a.crypto.dhKeyPair(7).publicValue;
    expect(peer.says([espInfo, { type: 'DIFFIE_HELLMAN', group, publicValue }])).toEqual(ESP_INFO_DROPPED);
    expect(peer.world.b.association.isRekeying).toBe(false);
  });

  it('does not make a second pair of SAs, and ends none (HIP-317)', () => {
    const peer = new Peer();
    const { spi } = peer;
    expect(peer.says([{ type: 'ESP_INFO', keymatIndex: 200, oldSpi: 0, newSpi: 0x7777 }])).toEqual(ESP_INFO_DROPPED);
    expect(peer.says([{ type: 'ESP_INFO', keymatIndex: 200, oldSpi: spi, newSpi: 0 }])).toEqual(ESP_INFO_DROPPED);
    expect(peer.world.b.sas.size).toBe(2);
  });
});
