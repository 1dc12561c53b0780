import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  formHbaSet,
  generateHbaSet,
  hbaExtensions,
  hbaSetAfterCollision,
  pseudoKey,
  verifyHba,
} from '../../src/cga/hba.ts';
import type { HbaSet } from '../../src/cga/hba.ts';
import { hash2 } from '../../src/cga/hash.ts';
import { encodeCgaParameters, parseCgaParameters } from '../../src/cga/parameters.ts';
import { verifyCga } from '../../src/cga/verify.ts';
import { parseRsaPublicKey } from '../../src/crypto/rsa-key.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { exampleKey, hex, ip, prefix, vectors } from './vectors.ts';

const prefixes = ['2001:db8:a:1::', '2001:db8:a:2::', '2001:db8:a:3::'].map(prefix);
const modifier = hex('000102030405060708090a0b0c0d0e0f');
const extendedModifier = Uint8Array.from({ length: 48 }, (_, i) => 0x10 + i);
/** Hands out the Extended Modifier of the worked values. */
const request = { crypto: nodeCrypto, random: () => extendedModifier, prefixes, modifier } as const;

const texts = (set: HbaSet | undefined): string[] => (set?.members ?? []).map(({ address }) => formatAddress(address));
const octetsOf = (set: HbaSet, index = 0): Uint8Array => {
  const member = set.members[index];
  if (member === undefined) throw new Error('no such member');
  return encodeCgaParameters(member.parameters);
};

describe('HBA generation, RFC 5535 §6, against values worked out apart', () => {
  it.each([
    [
      'S6-209 HBA-only, Sec 0',
      0,
      undefined,
      '000102030405060708090a0b0c0d0e0f',
      'eee7269e673e8caccc8d43814369',
      ['2001:db8:a:1:8e6:78bf:5fe:f46d', '2001:db8:a:2:b1:7cac:8498:5619', '2001:db8:a:3:4e3:f88e:58c6:af66'],
    ],
    [
      'S6-210 HBA-only, Sec 1',
      1,
      undefined,
      '000102030405060708090a0b0c11e52b',
      '000018a7ac91c59caed620c20208',
      ['2001:db8:a:1:34f0:56bd:8c52:b462', '2001:db8:a:2:2c11:da30:904b:6e8f', '2001:db8:a:3:245e:1c3c:762e:d567'],
    ],
    [
      'CGA/HBA, Sec 0',
      0,
      exampleKey,
      '000102030405060708090a0b0c0d0e0f',
      'b5cfed4a591658e0e708a5c41b7c',
      ['2001:db8:a:1:c3:5879:b2bc:eb8f', '2001:db8:a:2:1439:88ea:48bd:9501', '2001:db8:a:3:1846:4c17:fa46:35d2'],
    ],
    [
      'S6-252 CGA/HBA, Sec 1',
      1,
      exampleKey,
      '000102030405060708090a0b0c0e3239',
      '00001ff2068cae6c84cc2add70cb',
      ['2001:db8:a:1:34b2:cf71:8766:69aa', '2001:db8:a:2:2850:5665:8d51:e346', '2001:db8:a:3:30b6:837f:6943:fe4a'],
    ],
  ] as const)('%s', (_name, sec, publicKey, finalModifier, expectedHash2, addresses) => {
    const set = generateHbaSet({ ...request, sec, ...(publicKey === undefined ? {} : { publicKey }) });
    expect(texts(set)).toEqual(addresses);
    expect(toHex(octetsOf(set).subarray(0, 16))).toBe(finalModifier);
    expect(toHex(hash2(nodeCrypto, octetsOf(set)))).toBe(expectedHash2);
    expect(octetsOf(set)).toHaveLength(publicKey === undefined ? 134 : 151);
    for (const { address, parameters } of set.members) {
      expect(verifyHba(nodeCrypto, address, octetsOf(set))).toEqual({ valid: true });
      expect(verifyCga(nodeCrypto, address, encodeCgaParameters(parameters))).toEqual({ valid: true });
    }
  });

  it('S6-211 forms the whole set again after a collision, and gives up after the third', () => {
    const first = generateHbaSet({ ...request, sec: 0 });
    const second = hbaSetAfterCollision(nodeCrypto, first);
    expect(texts(second)).toEqual([
      '2001:db8:a:1:c7c:dcb8:328d:1433',
      '2001:db8:a:2:4b1:5c9a:dfe8:8ea0',
      '2001:db8:a:3:18:6f20:b2e4:191',
    ]);
    const third = second && hbaSetAfterCollision(nodeCrypto, second);
    expect(third?.members.map(({ parameters }) => parameters.collisionCount)).toEqual([2, 2, 2]);
    expect(third && hbaSetAfterCollision(nodeCrypto, third)).toBeUndefined();
  });

  it('S6-204 S6-205 S6-207 encodes the Extended Modifier as an RSA public key', () => {
    expect(toHex(pseudoKey(extendedModifier))).toBe(
      `304b300d06092a864886f70d0101010500033a0030370230${toHex(extendedModifier)}0203010001`,
    );
    const top = Uint8Array.from({ length: 48 }, (_, i) => 0x90 + i);
    expect(toHex(pseudoKey(top))).toBe(
      `304c300d06092a864886f70d0101010500033b0030380231${`00${toHex(top)}`}0203010001`,
    );
    expect(parseRsaPublicKey(pseudoKey(top))).toEqual({ ok: true, value: { modulus: top, exponent: hex('010001') } });
  });

  it('S6-208 draws 384 random bits for it', () => {
    const lengths: number[] = [];
    const random = (length: number): Uint8Array => (lengths.push(length), systemRandom(length));
    generateHbaSet({ crypto: nodeCrypto, random, prefixes, sec: 0 });
    expect(lengths).toEqual([16, 48]);
  });

  it('S6-203 wants at least one prefix, of 64 bits', () => {
    expect(() => hbaExtensions([], false)).toThrow(RangeError);
    expect(() => hbaExtensions([hex('20010db8')], false)).toThrow(RangeError);
  });
});

describe('HBA verification, RFC 5535 §7.2', () => {
  const set = generateHbaSet({ ...request, sec: 0 });
  const [, second] = set.members;

  it('S6-212 replaces the prefix: the second member passes by the set, and fails plain CGA verification', () => {
    const address = second?.address ?? new Uint8Array(16);
    expect(verifyHba(nodeCrypto, address, octetsOf(set))).toEqual({ valid: true });
    expect(verifyCga(nodeCrypto, address, octetsOf(set))).toEqual({ valid: false, reason: 'prefix-mismatch' });
  });

  it('S6-213 fails at the first step for a prefix that is not in the extension, without a hash', () => {
    let runs = 0;
    const counting = { ...nodeCrypto, sha1: (octets: Uint8Array) => (runs++, nodeCrypto.sha1(octets)) };
    const stranger = ip('2001:db8:a:4:8e6:78bf:5fe:f46d');
    expect(verifyHba(counting, stranger, octetsOf(set))).toEqual({ valid: false, reason: 'prefix-not-in-set' });
    expect(runs).toBe(0);
  });

  it('S6-212 hashes extensions beside the Multi-Prefix one, and fails with two of them', () => {
    const basis = { sec: 0, modifier, prefixes, publicKey: exampleKey, collisionCount: 0 } as const;
    const mixed = formHbaSet(nodeCrypto, {
      ...basis,
      extensions: hex(`fffd0001aa${toHex(hbaExtensions(prefixes, true))}`),
    });
    const [one] = mixed.members;
    expect(verifyHba(nodeCrypto, one?.address ?? new Uint8Array(16), octetsOf(mixed, 2))).toEqual({ valid: true });
    const doubled = toHex(hbaExtensions(prefixes, true)).repeat(2);
    const twice = formHbaSet(nodeCrypto, { ...basis, extensions: hex(doubled) });
    const [two] = twice.members;
    const address = two?.address ?? new Uint8Array(16);
    expect(verifyHba(nodeCrypto, address, octetsOf(twice))).toEqual({ valid: false, reason: 'no-multi-prefix' });
    expect(verifyCga(nodeCrypto, address, octetsOf(twice))).toEqual({ valid: true });
  });

  it('S6-213 answers for octets that are no parameters', () => {
    const address = ip('2001:db8:a:1::1');
    expect(verifyHba(nodeCrypto, address, new Uint8Array(24))).toEqual({ valid: false, reason: 'truncated' });
    expect(verifyHba(nodeCrypto, address, new Uint8Array(30))).toEqual({ valid: false, reason: 'malformed' });
  });
});

describe('HBA sets of another implementation', () => {
  it.each(vectors.hba)('S6-212 accepts every member of $id ($public_key, Sec $sec)', (row) => {
    for (const address of row.independent_addresses) {
      expect(verifyHba(nodeCrypto, ip(address), hex(row.cga_params_hex))).toEqual({ valid: true });
    }
  });

  it.each(vectors.hba)('S6-209 forms the same addresses as $id', (row) => {
    const set = formHbaSet(nodeCrypto, {
      sec: row.sec,
      prefixes: row.prefixes.map(prefix),
      modifier: hex(row.modifier),
      publicKey: hex(row.spki_hex),
      extensions: hex(row.mpe_hex),
      collisionCount: 0,
    });
    expect(texts(set)).toEqual(row.independent_addresses);
    expect(toHex(hash2(nodeCrypto, hex(row.cga_params_hex)))).toBe(row.hash2);
    const ours = hbaExtensions(row.prefixes.map(prefix), !row.public_key.startsWith('pseudo'));
    expect(toHex(ours) === row.mpe_hex).toBe(row.mpe_matches_rfc5535);
  });

  it.each(vectors.hba_negative)('S6-213 refuses $id: $mutation', (row) => {
    const reason = {
      'prefix not in MPE': 'prefix-not-in-set',
      'hash1 mismatch': 'hash1-mismatch',
      'no MPE': 'no-multi-prefix',
    }[row.rfc_reason];
    expect(row.rfc5535_verify).toBe(false);
    expect(verifyHba(nodeCrypto, ip(row.address), hex(row.cga_params_hex))).toEqual({ valid: false, reason });
  });
});

describe('the hosts of the recorded exchanges', () => {
  const host = z.object({ pds: z.string(), addr: z.record(z.string(), z.string()) });
  const hosts = (file: string): { pds: Uint8Array; addresses: Uint8Array[] }[] => {
    const url = new URL(`../vectors/${file}.json`, import.meta.url);
    const { A, B } = z.object({ A: host, B: host }).parse(JSON.parse(readFileSync(url, 'utf8')));
    return [A, B].map(({ pds, addr }) => ({ pds: hex(pds), addresses: Object.values(addr).map(ip) }));
  };

  it('S6-212 are members of their sets; each has a third address outside, which is refused', () => {
    for (const { pds, addresses } of hosts('linshim6-hba')) {
      const verdicts = addresses.map((address) => verifyHba(nodeCrypto, address, pds));
      expect(verdicts).toEqual([{ valid: true }, { valid: true }, { valid: false, reason: 'prefix-not-in-set' }]);
      // The parameters are those of the last member, not of the ULID.
      expect(addresses.map((address) => verifyCga(nodeCrypto, address, pds).valid)).toEqual([false, true, false]);
    }
  });

  it('S6-230 have CGAs of one Modifier under each prefix', () => {
    for (const { pds, addresses } of hosts('linshim6-cga')) {
      const parsed = parseCgaParameters(pds);
      if (!parsed.ok) throw new Error(parsed.reason);
      for (const address of addresses) {
        const parameters = encodeCgaParameters({ ...parsed.value, subnetPrefix: address.slice(0, 8) });
        expect(verifyCga(nodeCrypto, address, parameters)).toEqual({ valid: true });
      }
    }
  });
});
