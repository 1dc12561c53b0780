import fc from 'fast-check';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBigInt, toOctets } from '../../src/crypto/big-integer.ts';
import { DH_GROUPS, isDhGroup } from '../../src/crypto/dh-groups.ts';
import { secretFrom } from '../../src/crypto/elliptic.ts';
import { newEcdsaSecret, portableHipCrypto, portableSigner } from '../../src/crypto/portable-hip.ts';
import { RHASH_LENGTH } from '../../src/crypto/ports.ts';
import type { DhGroup, IdentitySigner, Rhash } from '../../src/crypto/ports.ts';
import type { PublicKey } from '../../src/crypto/public-key.ts';
import { generateIdentityKey, identitySigner, nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { toHex } from '../../src/wire/hex.ts';
import { hex } from '../cga/vectors.ts';

const portable = portableHipCrypto(systemRandom);
const providers = [
  ['node', nodeHipCrypto],
  ['portable', portable],
] as const;
const RHASHES: readonly Rhash[] = ['sha1', 'sha256', 'sha384', 'shake128'];
const GROUPS: readonly DhGroup[] = [3, 4, 7, 8, 9, 10];
const octets = fc.uint8Array({ maxLength: 300 });
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe.each(providers)('the %s provider for HIP', (_name, crypto) => {
  it('computes the examples of FIPS 180-4, FIPS 202 and RFC 2202, RFC 4231', () => {
    const nothing = new Uint8Array(0);
    expect(toHex(crypto.hash('sha384', text('abc')))).toBe(
      'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
    );
    expect(toHex(crypto.hash('shake128', nothing))).toBe(
      '7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26',
    );
    const key = new Uint8Array(20).fill(0x0b);
    expect(toHex(crypto.mac('sha1', key, text('Hi There')))).toBe('b617318655057264e28bc0b6fb378c8ef146be00');
    expect(toHex(crypto.mac('sha256', key, text('Hi There')))).toBe(
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    );
    expect(toHex(crypto.mac('sha384', key, text('Hi There')))).toBe(
      'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
    );
  });

  it('computes the samples that NIST gives for cSHAKE128 and KMAC128', () => {
    const message = hex('00010203');
    expect(toHex(crypto.cshake128(message, 32, text('Email Signature')))).toBe(
      'c1c36925b6409a04f1b504fcbca9d82b4017277cb5ed2b2065fc1d3814d5aaf5',
    );
    const key = hex('404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f');
    expect(toHex(crypto.mac('shake128', key, message))).toBe(
      'e5780b0d3ea6f7d3a429c5706aa43a00fadbd7d49628839e3187243f456ee14e',
    );
  });

  it('HIP-054 encrypts whole blocks with AES-CBC, as SP 800-38A shows, and refuses parts of blocks', () => {
    const iv = hex('000102030405060708090a0b0c0d0e0f');
    const block = hex('6bc1bee22e409f96e93d7e117393172a');
    const short = hex('2b7e151628aed2a6abf7158809cf4f3c');
    const long = hex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
    expect(toHex(crypto.encryptCbc(short, iv, block))).toBe('7649abac8119b246cee98e9b12e9197d');
    expect(toHex(crypto.encryptCbc(long, iv, block))).toBe('f58c4c04d6e5f1ba779eabfb5f7bfbd6');
    expect(crypto.decryptCbc(long, iv, hex('f58c4c04d6e5f1ba779eabfb5f7bfbd6'))).toEqual(block);
    expect(crypto.encryptCbc(long, iv, new Uint8Array(0))).toHaveLength(0);
    for (const part of [block.slice(1), new Uint8Array(17)]) {
      expect(() => crypto.encryptCbc(short, iv, part)).toThrow(RangeError);
      expect(() => crypto.decryptCbc(short, iv, part)).toThrow(RangeError);
    }
  });

  it('compares octets, also of unequal length', () => {
    expect(crypto.equal(text('same'), text('same'))).toBe(true);
    expect(crypto.equal(text('same'), text('sama'))).toBe(false);
    expect(crypto.equal(text('same'), text('sam'))).toBe(false);
  });

  it.each(GROUPS)('HIP-051 HIP-052 agrees on a secret with itself and the other provider in group %i', (group) => {
    const facts = DH_GROUPS[group];
    const own = crypto.dhKeyPair(group);
    expect(own.group).toBe(group);
    expect(own.publicValue).toHaveLength(facts.type === 'modp' ? facts.length : 2 * facts.length);
    for (const [, other] of providers) {
      const peer = other.dhKeyPair(group);
      const secret = own.sharedSecret(peer.publicValue);
      expect(secret).toHaveLength(facts.length);
      expect(peer.sharedSecret(own.publicValue)).toEqual(secret);
      expect(crypto.dhKeyPair(group).sharedSecret(peer.publicValue)).not.toEqual(secret);
    }
  });

  it.each([3, 4] as const)('HIP-104 refuses public values of group %i outside the large subgroup', (group) => {
    const facts = DH_GROUPS[group];
    if (facts.type !== 'modp') throw new TypeError('no MODP group');
    const { prime, length } = facts;
    const pair = crypto.dhKeyPair(group);
    const secretWith = (value: bigint): boolean => pair.sharedSecret(toOctets(value, length)) !== undefined;
    expect([0n, 1n, prime - 1n, prime, prime + 1n].map(secretWith)).toEqual([false, false, false, false, false]);
    expect([2n, 4n, prime - 4n, prime - 2n].map(secretWith)).toEqual([true, true, false, false]); // 2 is a square, -1 is not
    expect(pair.sharedSecret(new Uint8Array(length + 1).fill(1))).toBeUndefined();
    expect(pair.sharedSecret(Uint8Array.of(4))).toEqual(pair.sharedSecret(toOctets(4n, length))); // leading zeros left out
  });

  it.each([7, 8, 9, 10] as const)('refuses what is no point of the curve of group %i', (group) => {
    const pair = crypto.dhKeyPair(group);
    const peer = crypto.dhKeyPair(group).publicValue;
    const changed = peer.slice();
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    for (const bad of [changed, peer.slice(1), Uint8Array.of(4, ...peer), new Uint8Array(peer.length)]) {
      expect(pair.sharedSecret(bad)).toBeUndefined();
    }
  });
});

describe('the two providers for HIP', () => {
  it.each(RHASHES)('agree on %s and its MAC', (rhash) => {
    fc.assert(
      fc.property(octets, octets, (key, message) => {
        expect(nodeHipCrypto.hash(rhash, message)).toEqual(portable.hash(rhash, message));
        expect(nodeHipCrypto.mac(rhash, key, message)).toEqual(portable.mac(rhash, key, message));
        expect(nodeHipCrypto.hash(rhash, message)).toHaveLength(RHASH_LENGTH[rhash]);
        expect(nodeHipCrypto.mac(rhash, key, message)).toHaveLength(RHASH_LENGTH[rhash]);
      }),
    );
  });

  it('agree on AES-CBC, one undoing the other', () => {
    const iv = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const key = fc.constantFrom(16, 32).map((length) => systemRandom(length));
    const blocks = fc.nat({ max: 8 }).map((count) => systemRandom(16 * count));
    fc.assert(
      fc.property(key, iv, blocks, (k, i, b) => {
        const encrypted = nodeHipCrypto.encryptCbc(k, i, b);
        expect(portable.encryptCbc(k, i, b)).toEqual(encrypted);
        expect(portable.decryptCbc(k, i, encrypted)).toEqual(b);
        expect(nodeHipCrypto.decryptCbc(k, i, encrypted)).toEqual(b);
      }),
    );
  });

  it('agree on which numbers are public values', () => {
    const node = nodeHipCrypto.dhKeyPair(3);
    const other = portable.dhKeyPair(3);
    let accepted = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 190, maxLength: 192 }), (value) => {
        const verdict = node.sharedSecret(value) !== undefined;
        if (verdict) accepted++;
        expect(other.sharedSecret(value) !== undefined).toBe(verdict);
      }),
      { numRuns: 40 },
    );
    expect(accepted).toBeGreaterThan(5); // half of all numbers are squares
    expect(accepted).toBeLessThan(35);
  });
});

const node = async (kind: Parameters<typeof generateIdentityKey>[0]): Promise<IdentitySigner> =>
  identitySigner(await generateIdentityKey(kind));

function portableRsa(): IdentitySigner {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { n = '', e = '', d = '' } = privateKey.export({ format: 'jwk' });
  const [modulus, exponent, privateExponent] = [n, e, d].map((part) => new Uint8Array(Buffer.from(part, 'base64url')));
  if (modulus === undefined || exponent === undefined || privateExponent === undefined) throw new TypeError('no key');
  return portableSigner({ type: 'rsa', modulus, exponent, privateExponent }, systemRandom);
}

const signers = [
  ['RSA', 'node', () => node('rsa')],
  ['P-256', 'node', () => node('P-256')],
  ['P-384', 'node', () => node('P-384')],
  ['SECP160R1', 'node', () => node('secp160r1')],
  ['Ed25519', 'node', () => node('ed25519')],
  ['RSA', 'portable', portableRsa],
  ['P-256', 'portable', () => portableSigner(newEcdsaSecret('P-256', systemRandom), systemRandom)],
  ['P-384', 'portable', () => portableSigner(newEcdsaSecret('P-384', systemRandom), systemRandom)],
  ['SECP160R1', 'portable', () => portableSigner(newEcdsaSecret('secp160r1', systemRandom), systemRandom)],
  ['Ed25519', 'portable', () => portableSigner({ type: 'eddsa', secret: systemRandom(32) }, systemRandom)],
] as const;

describe.each(signers)(
  'HIP-001 HIP-006 HIP-061 a signature with %s by the %s provider',
  (_algorithm, _provider, made) => {
    it('is accepted by both, whatever was signed', async () => {
      const { key, sign } = await made();
      fc.assert(
        fc.property(octets, (message) => {
          const signature = sign(message);
          for (const [, crypto] of providers) expect(crypto.verify(key, message, signature)).toBe(true);
        }),
        { numRuns: 8 },
      );
    });

    it('is judged alike by both when message, signature or key were changed', async () => {
      const { key, sign } = await made();
      const message = text('octets of a packet');
      const signature = sign(message);
      for (const [, crypto] of providers) {
        expect(crypto.verify(key, text('octets of a pocket'), signature)).toBe(false);
        expect(crypto.verify(key, message, signature.slice(1))).toBe(false);
        expect(crypto.verify(key, message, Uint8Array.of(...signature, 0))).toBe(false);
        expect(crypto.verify(key, message, new Uint8Array(signature.length))).toBe(false);
        expect(crypto.verify(key, message, new Uint8Array(signature.length).fill(0xff))).toBe(false);
      }
      fc.assert(
        fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, inKey) => {
          const signed = signature.slice();
          const changed = inKey ? changedKey(key, at, change) : key;
          if (!inKey) signed[at % signed.length] = (signed[at % signed.length] ?? 0) ^ change;
          expect(nodeHipCrypto.verify(changed, message, signed)).toBe(false);
          expect(portable.verify(changed, message, signed)).toBe(false);
        }),
        { numRuns: 12 },
      );
    });
  },
);

function changedKey(key: PublicKey, at: number, change: number): PublicKey {
  const flipped = (part: Uint8Array): Uint8Array => part.with(at % part.length, (part[at % part.length] ?? 0) ^ change);
  switch (key.type) {
    case 'rsa':
      return { ...key, modulus: flipped(key.modulus) };
    case 'ecdsa':
      return { ...key, point: flipped(key.point) };
    case 'eddsa':
      return { ...key, key: flipped(key.key) };
  }
}

describe('keys for Host Identities', () => {
  it('sign as RFC 6979 A.2.5 shows for P-256 with SHA-256', () => {
    const secret = hex('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721');
    const signer = portableSigner({ type: 'ecdsa', curve: 'P-256', secret }, systemRandom);
    expect(toHex(signer.sign(text('sample')))).toBe(
      'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716' +
        'f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
    );
  });

  it('are refused when of a kind that no Host Identity has', () => {
    const dsa = generateKeyPairSync('ed448');
    const other = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    for (const key of [dsa.privateKey, other.privateKey, other.publicKey]) {
      expect(() => identitySigner(key)).toThrow(TypeError);
    }
  });

  it('keep the private key inside', async () => {
    const key = await generateIdentityKey('P-256');
    expect(Object.keys(identitySigner(key)).sort()).toEqual(['key', 'sign']);
    const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(identitySigner(pem).key).toEqual(identitySigner(createPrivateKey(pem)).key);
  });

  it('verify nothing when they have the wrong length', () => {
    const short: readonly PublicKey[] = [
      { type: 'eddsa', key: new Uint8Array(31) },
      { type: 'ecdsa', curve: 'P-256', point: new Uint8Array(63) },
      { type: 'rsa', modulus: new Uint8Array(0), exponent: new Uint8Array(0) },
      { type: 'rsa', modulus: new Uint8Array(40).fill(0xff), exponent: Uint8Array.of(3) },
    ];
    for (const key of short)
      for (const [, crypto] of providers) expect(crypto.verify(key, text('x'), new Uint8Array(64))).toBe(false);
  });

  it('never are 0 or beyond the order', () => {
    for (const fill of [0, 0xff]) {
      const secret = toBigInt(secretFrom('secp160r1', (length) => new Uint8Array(length).fill(fill)));
      expect(secret).toBeGreaterThan(0n);
      expect(secret).toBeLessThan(0x0100000000000000000001f4c8f927aed3ca752257n);
    }
  });

  it('HIP-012 HIP-051 HIP-053 come in the groups that have cofactor 1, and in no other', () => {
    expect(Array.from({ length: 256 }, (_, group) => group).filter(isDhGroup)).toEqual(GROUPS);
  });
});
