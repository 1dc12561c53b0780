import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { portableHipCrypto } from '../../src/crypto/portable-hip.ts';
import { RHASH_LENGTH } from '../../src/crypto/ports.ts';
import type { Rhash } from '../../src/crypto/ports.ts';
import { HIP_CIPHERS, decryptParameters, encryptParameters, isHipCipher } from '../../src/hip/hip-cipher.ts';
import { Keymat, drawHipKeys, drawKeys } from '../../src/hip/keymat.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { toHex } from '../../src/wire/hex.ts';
import { hex, ip } from '../cga/vectors.ts';

const providers = [
  ['node', nodeHipCrypto],
  ['portable', portableHipCrypto(systemRandom)],
] as const;

const initiator = ip('2001:22:e536:3e46:4d1:79f5:53e2:2632');
const responder = ip('2001:21:d4bf:8284:dae7:d346:68c9:9a15');
const j = new Uint8Array(32);
j.set([0x03, 0xe5], 30);

/** The secret is that of RFC 5903 §8.1; the rest was computed with two other implementations of HKDF. */
const source = {
  rhash: 'sha256',
  sharedSecret: hex('d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de'),
  i: hex('dc8ffcc682e5097da8840f424451486458b1d9a1ec41bccfd1f0cae59d97c41f'),
  j,
  hits: [initiator, responder],
} as const;

/** The octets as hexadecimal text; `nothing` where there are none. */
const shown = (octets: Uint8Array | undefined): string => (octets === undefined ? 'nothing' : toHex(octets));

describe.each(providers)('KEYMAT by the %s provider', (_name, crypto) => {
  it('HIP-196 HIP-197 HIP-255 HIP-276 gives the HIP keys and ESP keys computed elsewhere, those of the larger HIT first', () => {
    const keymat = new Keymat(crypto, source);
    const asInitiator = { own: initiator, peer: responder }; // the larger HIT
    const hip = drawHipKeys(keymat, 2, 'sha256', asInitiator);
    expect(shown(hip.outgoing.encryption)).toBe('9503316597256b91a4e4516aefa04e5e');
    expect(shown(hip.outgoing.authentication)).toBe('aed7771e71412338b7d7a14e877a61caf6f4f14af07ab464db352100816734e5');
    expect(shown(hip.incoming.encryption)).toBe('b1059a866462773c1ae34c431c8f3ca3');
    expect(shown(hip.incoming.authentication)).toBe('161f1a9632a42213697571f755269545af22250201a1972aa892d2098002c1f7');
    expect(hip.nextIndex).toBe(96);
    const esp = drawKeys(keymat, hip.nextIndex, { encryption: 16, authentication: 32 }, asInitiator);
    expect(shown(esp?.outgoing.encryption)).toBe('d81effeeb6ca2cbddf7878d3ae05f2cd');
    expect(shown(esp?.outgoing.authentication)).toBe(
      '5c2ceefd0c20499c52a0dfaf21d7bd0ea84b52b5bf03f3c921a0e13b9ec3df9b',
    );
    expect(shown(esp?.incoming.encryption)).toBe('e075a2e061a599902a3e23f072682842');
    expect(shown(esp?.incoming.authentication)).toBe(
      '20d0e6a56c123e0f2fea4bc2986bce1d0302e4a8324ea89c66577fe817ff037a',
    );
    expect(esp?.nextIndex).toBe(192);
  });

  it('is the same at both ends, one sending with what the other receives with', () => {
    const rhash = fc.constantFrom<Rhash>('sha1', 'sha256', 'sha384', 'shake128');
    fc.assert(
      fc.property(rhash, fc.uint8Array({ minLength: 20, maxLength: 192 }), (hash, sharedSecret) => {
        const own = new Keymat(crypto, { ...source, rhash: hash, sharedSecret });
        const peer = new Keymat(crypto, { ...source, rhash: hash, sharedSecret, hits: [responder, initiator] });
        const mine = drawHipKeys(own, 4, hash, { own: initiator, peer: responder });
        const theirs = drawHipKeys(peer, 4, hash, { own: responder, peer: initiator });
        expect(mine.outgoing).toEqual(theirs.incoming);
        expect(mine.incoming).toEqual(theirs.outgoing);
        expect(mine.nextIndex).toBe(64 + 2 * RHASH_LENGTH[hash]);
      }),
      { numRuns: 20 },
    );
  });

  it('does not depend on the order in which its parts are asked for, and ends after 255 blocks', () => {
    for (const [rhash, length] of [
      ['sha1', 5100],
      ['sha256', 8160],
      ['sha384', 12_240],
    ] as const) {
      const keymat = new Keymat(crypto, { ...source, rhash });
      const late = keymat.octets(length - 50, 50);
      const whole = keymat.octets(0, length);
      expect(keymat.length).toBe(length);
      expect(whole?.slice(length - 50)).toEqual(late);
      expect(whole?.slice(17, 117)).toEqual(new Keymat(crypto, { ...source, rhash }).octets(17, 100));
      expect(keymat.octets(length - 50, 51)).toBeUndefined();
      const lengths = { encryption: 16, authentication: 32 };
      expect(drawKeys(keymat, length - 95, lengths, { own: initiator, peer: responder })).toBeUndefined();
    }
  });
});

const record = z.discriminatedUnion('ev', [
  z.object({ ev: z.literal('kdf'), salt: z.string(), ikm: z.string(), info: z.string(), keymat: z.string() }),
  z.object({
    ev: z.literal('hip_key'),
    cipher: z.number(),
    arg1_hit: z.string(),
    arg2_hit: z.string(),
    enc: z.string(),
    mac: z.string(),
  }),
  z.object({
    ev: z.literal('esp_key'),
    keymat_index: z.number(),
    arg1_hit: z.string(),
    arg2_hit: z.string(),
    enc: z.string(),
    auth: z.string(),
  }),
  z.object({ ev: z.literal('sa') }),
]);

describe.each(['a', 'b'])('KEYMAT of cutehip, as its end %s wrote it down', (end) => {
  const file = new URL(`../vectors/cutehip-rfcpatched-rsa-keys-${end}.jsonl`, import.meta.url);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const records = lines.map((line) => record.parse(JSON.parse(line)));
  const derived = records.flatMap((one) => {
    if (one.ev !== 'kdf') return [];
    const salt = hex(one.salt);
    const hits = [hex(one.info.slice(0, 32)), hex(one.info.slice(32))] as const;
    const [i, j] = [salt.slice(0, salt.length / 2), salt.slice(salt.length / 2)];
    return {
      one,
      hits,
      keymat: new Keymat(nodeHipCrypto, { rhash: 'sha256', sharedSecret: hex(one.ikm), i, j, hits }),
    };
  });
  const [first] = derived;
  if (first === undefined) throw new Error('no key was derived');

  it('is ours', () => {
    for (const { one, keymat } of derived) expect(shown(keymat.octets(0, one.keymat.length / 2))).toBe(one.keymat);
  });

  it('gives its HIP and ESP keys', () => {
    const known: string[] = [];
    for (const [own = ip('::'), peer = ip('::')] of [first.hits, first.hits.toReversed()]) {
      const hip = drawHipKeys(first.keymat, 4, 'sha256', { own, peer });
      const lengths = { encryption: 16, authentication: 32 };
      const esp = drawKeys(first.keymat, hip.nextIndex, lengths, { own, peer });
      known.push(`${shown(hip.outgoing.encryption)} ${shown(hip.outgoing.authentication)} ${shown(own)}`);
      known.push(`${shown(esp?.outgoing.encryption)} ${shown(esp?.outgoing.authentication)} ${String(hip.nextIndex)}`);
    }
    const wanted = records.flatMap((one) => {
      if (one.ev === 'hip_key') return `${one.enc} ${one.mac} ${one.arg1_hit}`;
      return one.ev === 'esp_key' ? `${one.enc} ${one.auth} ${String(one.keymat_index)}` : [];
    });
    expect([...new Set(wanted)].sort()).toEqual(known.sort());
  });
});

describe.each(providers)('ENCRYPTED by the %s provider', (_name, crypto) => {
  const hostId = hex(
    `02c100680062000000070002ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea
     9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c
     3ae0d4fe7344fd253326472000000000`.replace(/\s/g, ''),
  );
  const key = hex('9503316597256b91a4e4516aefa04e5e');
  const iv = hex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf');

  it('HIP-054 holds what was computed elsewhere', () => {
    const encrypted = encryptParameters(crypto, 2, key, iv, hostId);
    expect(encrypted).toHaveLength(144);
    expect(encrypted.slice(0, 16)).toEqual(iv);
    expect(toHex(encrypted.slice(16, 32))).toBe('b52159f53f44a12afa6b69331e24ad2f');
    expect(toHex(encrypted.slice(-16))).toBe('feef7250aee486aaa0c18f821bf1e527');
  });

  it.each([1, 2, 4] as const)('HIP-059 comes back from cipher %i with at most its padding behind', (cipher) => {
    const { keyLength, ivLength } = HIP_CIPHERS[cipher];
    for (const length of [8, 16, 40, 112]) {
      const plain = systemRandom(length);
      const secret = systemRandom(keyLength);
      const encrypted = encryptParameters(crypto, cipher, secret, systemRandom(ivLength), plain);
      const decrypted = decryptParameters(crypto, cipher, secret, encrypted);
      expect(decrypted?.slice(0, length)).toEqual(plain);
      const padding = decrypted?.slice(length) ?? new Uint8Array(0);
      expect([...padding]).toEqual(Array.from(padding, () => padding.length));
      expect(padding.length).toBe(cipher === 1 ? 0 : length % 16 === 8 ? 8 : 16);
    }
  });

  it('is nothing when no whole number of blocks came', () => {
    for (const length of [0, 15, 16, 31, 33, 47])
      expect(decryptParameters(crypto, 2, key, new Uint8Array(length))).toBeUndefined();
    expect([0, 1, 2, 3, 4, 5].filter(isHipCipher)).toEqual([1, 2, 4]);
  });
});
