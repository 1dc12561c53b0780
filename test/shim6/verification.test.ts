import { describe, expect, it } from 'vitest';
import { generateHbaSet } from '../../src/cga/hba.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import { signLocators } from '../../src/cga/signature.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { PeerVerifier } from '../../src/shim6/verification.ts';
import type { Claim } from '../../src/shim6/verification.ts';
import { prefixOf } from '../../src/wire/address.ts';
import { signer } from './cga-hosts.ts';
import { cgaParameters, cgaSignature, hbaParameters, ip } from './spec-vectors.ts';
import { seeded } from './world.ts';

const ULID = ip('2001:db8:a:1:4f4:3b7b:ee3a:44df');
const cga = (...texts: string[]): { address: Uint8Array; method: number }[] =>
  texts.map((text) => ({ address: ip(text), method: 2 }));

const GOOD: Claim = {
  ulid: ULID,
  parameters: cgaParameters,
  list: { generation: 0x102, locators: cga('2001:db8:c:1::10', '2001:db8:d:1::20') },
  signature: cgaSignature,
};
const verify = (change: Partial<Claim>): unknown => new PeerVerifier(nodeCrypto).verify({ ...GOOD, ...change });

describe('a list of CGA locators', () => {
  it('S6-050 S6-057 verifies with the signature that OpenSSL made', () => {
    expect(verify({})).toEqual({ valid: true });
  });

  it('S6-050 S6-051 does not with another order, generation, locator, ULID or signature', () => {
    const no = { valid: false, index: 0 };
    expect(verify({ list: { ...GOOD.list, locators: [...GOOD.list.locators].reverse() } })).toEqual(no);
    expect(verify({ list: { ...GOOD.list, generation: 0x103 } })).toEqual(no);
    expect(verify({ list: { ...GOOD.list, locators: cga('2001:db8:c:1::10', '2001:db8:d:1::21') } })).toEqual(no);
    expect(verify({ ulid: ip('2001:db8:a:1:4f4:3b7b:ee3a:44de') })).toEqual(no);
    expect(verify({ signature: cgaSignature.map((octet, i) => (i === 5 ? octet ^ 1 : octet)) })).toEqual(no);
    expect(verify({ signature: new Uint8Array(0) })).toEqual(no);
    expect(verify({ signature: undefined })).toEqual(no);
    expect(verify({ parameters: undefined })).toEqual(no);
  });

  it('S6-060 does not under the parameters of an HBA set without a key', () => {
    expect(verify({ parameters: hbaParameters, ulid: ip('2001:db8:a:1:8e6:78bf:5fe:f46d') })).toEqual({
      valid: false,
      index: 0,
    });
  });
});

describe('a list of HBA locators', () => {
  const set = ['2001:db8:a:1:8e6:78bf:5fe:f46d', '2001:db8:a:2:b1:7cac:8498:5619', '2001:db8:a:3:4e3:f88e:58c6:af66'];
  const hba = (...texts: string[]): Claim => ({
    ulid: ip(set[0] ?? ''),
    parameters: hbaParameters,
    list: { generation: 1, locators: texts.map((text) => ({ address: ip(text), method: 1 })) },
    signature: undefined,
  });

  it('S6-212 verifies member by member, and names the first that is none', () => {
    const verifier = new PeerVerifier(nodeCrypto);
    expect(verifier.verify(hba(...set))).toEqual({ valid: true });
    expect(verifier.verify(hba(...set, '2001:db8:a:4:8e6:78bf:5fe:f46d'))).toEqual({ valid: false, index: 3 });
    expect(verifier.verify(hba(set[0] ?? '', '2001:db8:a:2:b1:7cac:8498:5618'))).toEqual({ valid: false, index: 1 });
  });

  it('S6-212 S6-213 the parameters may be those of another member, for the ULID as for what its key has signed', () => {
    const verifier = new PeerVerifier(nodeCrypto);
    expect(set.map((member) => verifier.ownsUlid(ip(member), hbaParameters))).toEqual([true, true, true]);
    expect(verifier.ownsUlid(ip('2001:db8:a:4:8e6:78bf:5fe:f46d'), hbaParameters)).toBe(false);
    const prefixes = ['2001:db8:a:1::', '2001:db8:a:2::'].map((text) => prefixOf(ip(text)));
    const { publicKey } = signer;
    const [one, two] = generateHbaSet({ crypto: nodeCrypto, random: seeded(5), prefixes, sec: 0, publicKey }).members;
    if (one === undefined || two === undefined) throw new Error('two members');
    const others = ['2001:db8:c:1::10'].map(ip);
    const claim = {
      ulid: one.address,
      list: { generation: 7, locators: others.map((address) => ({ address, method: 2 })) },
      signature: signLocators(signer, 7, others),
    };
    const parameters = encodeCgaParameters(two.parameters);
    expect(verifier.ownsUlid(one.address, parameters)).toBe(true);
    expect(verifier.verify({ ...claim, parameters })).toEqual({ valid: true });
    expect(verifier.verify({ ...claim, parameters, ulid: ip('2001:db8:a:1::1') })).toEqual({ valid: false, index: 0 });
  });

  it('S6-060 is not possible under parameters without a Multi-Prefix extension', () => {
    const list = { generation: 1, locators: [{ address: ULID, method: 1 }] };
    expect(verify({ list })).toEqual({ valid: false, index: 0 });
  });
});

describe('memory', () => {
  it('verifies the same thing once, good or bad, and keeps no more than its bound', () => {
    const verifier = new PeerVerifier(nodeCrypto);
    for (let i = 0; i < 5; i++) {
      expect(verifier.verify(GOOD)).toEqual({ valid: true });
      expect(verifier.verify({ ...GOOD, list: { ...GOOD.list, generation: 1 } })).toEqual({ valid: false, index: 0 });
      expect(verifier.ownsUlid(ULID, cgaParameters)).toBe(true);
      expect(verifier.ownsUlid(ULID, hbaParameters)).toBe(false);
    }
    expect(verifier.made).toBe(4);
    for (let i = 0; i < 1100; i++) verifier.ownsUlid(ULID, new Uint8Array([i >> 8, i]));
    verifier.ownsUlid(ULID, cgaParameters);
    expect(verifier.made).toBe(4 + 1100 + 1);
  });
});
