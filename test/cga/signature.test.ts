import { beforeAll, describe, expect, it } from 'vitest';
import { formAddress, generateCga } from '../../src/cga/generate.ts';
import { generateHbaSet, hbaExtensions } from '../../src/cga/hba.ts';
import { encodeCgaParameters, parseCgaParameters } from '../../src/cga/parameters.ts';
import {
  SHIM6_TYPE_TAG,
  signLocators,
  signedOctets,
  verifyLocators,
  verifySigningKey,
} from '../../src/cga/signature.ts';
import { portableCrypto } from '../../src/crypto/portable.ts';
import type { Signer } from '../../src/crypto/ports.ts';
import { generateRsaKey, nodeCrypto, rsaSigner } from '../../src/node/crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { toHex } from '../../src/wire/hex.ts';
import { exampleKey, hex, ip, prefix, signed, vectors } from './vectors.ts';

describe.each([
  ['node', nodeCrypto],
  ['portable', portableCrypto],
])('a signature made with OpenSSL, checked by the %s provider', (_name, crypto) => {
  it('S6-239 S6-240 is accepted', () => {
    expect(verifyLocators(crypto, signed)).toEqual({ valid: true });
  });

  it.each([
    ['with the locators swapped', { locators: [...signed.locators].reverse() }],
    ['for another generation', { generation: 0x103 }],
    ['with a locator less', { locators: signed.locators.slice(0, 1) }],
    ['cut short', { signature: signed.signature.subarray(1) }],
    ['with a zero octet in front', { signature: Uint8Array.of(0, ...signed.signature) }],
    ['that is empty', { signature: new Uint8Array(0) }],
  ])('S6-241 is refused %s', (_change, change) => {
    expect(verifyLocators(crypto, { ...signed, ...change })).toEqual({ valid: false, reason: 'bad-signature' });
  });

  it('S6-246 is refused without the type tag', () => {
    const parsed = parseCgaParameters(signed.parameters);
    const key = parsed.ok ? parsed.value.publicKey : new Uint8Array(0);
    const octets = signedOctets(signed.generation, signed.locators);
    expect(crypto.verifyRsaSha1(key, octets, signed.signature)).toBe(true);
    expect(crypto.verifyRsaSha1(key, octets.subarray(16), signed.signature)).toBe(false);
  });

  it('S6-241 is refused, though genuine, when the ULID is not the CGA of the parameters', () => {
    const ulid = ip('2001:db8:a:1:4f4:3b7b:ee3a:44de');
    expect(verifyLocators(crypto, { ...signed, ulid })).toEqual({ valid: false, reason: 'hash1-mismatch' });
  });
});

describe('the signed octets, RFC 5533 §5.15.5', () => {
  it('S6-245 are tag, generation and locators, and nothing else', () => {
    expect(toHex(signedOctets(signed.generation, signed.locators))).toBe(
      '4a3056624858574b3655416f506a6d480000010220010db8000c0001000000000000001020010db8000d00010000000000000020',
    );
    expect(toHex(SHIM6_TYPE_TAG)).toBe('4a3056624858574b3655416f506a6d48');
  });
});

describe('keys that can sign for locators', () => {
  let signer: Signer;
  beforeAll(async () => {
    signer = rsaSigner(await generateRsaKey());
  });

  const locators = [ip('2001:db8:c:1::10')];

  it('S6-062 S6-219 refuses RSA keys below 1024 bits', () => {
    const cga = generateCga({
      crypto: nodeCrypto,
      random: systemRandom,
      publicKey: exampleKey,
      prefix: prefix('2001:db8::'),
      sec: 0,
    });
    expect(verifySigningKey(encodeCgaParameters(cga.parameters))).toEqual({ valid: false, reason: 'short-key' });
  });

  it('S6-217 refuses keys that are not RSA', () => {
    const [row] = vectors.cga.filter(({ key_type }) => key_type === 'ec-p256');
    expect(verifySigningKey(hex(row?.cga_params_hex ?? ''))).toEqual({ valid: false, reason: 'not-rsa' });
  });

  it('S6-060 refuses a set whose P flag says that no key is there, even when one is', () => {
    const random = { crypto: nodeCrypto, random: systemRandom };
    const [member] = generateHbaSet({ ...random, prefixes: [prefix('2001:db8::')], sec: 0 }).members;
    expect(member && verifySigningKey(encodeCgaParameters(member.parameters))).toEqual({
      valid: false,
      reason: 'hba-only',
    });
    const extensions = hbaExtensions([prefix('2001:db8::')], false);
    const lying = generateCga({
      ...random,
      publicKey: signer.publicKey,
      prefix: prefix('2001:db8::'),
      sec: 0,
      extensions,
    });
    const signature = signLocators(signer, 1, locators);
    const parameters = encodeCgaParameters(lying.parameters);
    expect(verifyLocators(nodeCrypto, { ulid: lying.address, parameters, generation: 1, locators, signature })).toEqual(
      {
        valid: false,
        reason: 'hba-only',
      },
    );
  });

  it('S6-238 S6-242 accepts a 2048-bit key, in a plain CGA and in a CGA/HBA set', () => {
    const random = { crypto: nodeCrypto, random: systemRandom, publicKey: signer.publicKey, sec: 0 } as const;
    const cga = generateCga({ ...random, prefix: prefix('2001:db8::') });
    const set = generateHbaSet({ ...random, prefixes: [prefix('2001:db8::')] });
    const signature = signLocators(signer, 0xffff_ffff, locators);
    expect(signature).toHaveLength(256);
    for (const { address, parameters } of [cga, ...set.members]) {
      const list = {
        ulid: address,
        parameters: encodeCgaParameters(parameters),
        generation: 0xffff_ffff,
        locators,
        signature,
      };
      expect(verifyLocators(nodeCrypto, list)).toEqual({ valid: true });
      expect(verifyLocators(portableCrypto, list)).toEqual({ valid: true });
    }
  });

  it('S6-215 verifies the ULID under each collision count it may have', () => {
    const parsed = parseCgaParameters(signed.parameters);
    if (!parsed.ok) throw new Error(parsed.reason);
    for (const collisionCount of [0, 1, 2]) {
      const parameters = { ...parsed.value, collisionCount };
      const ulid = formAddress(nodeCrypto, parameters, 0);
      expect(verifyLocators(nodeCrypto, { ...signed, ulid, parameters: encodeCgaParameters(parameters) })).toEqual({
        valid: true,
      });
    }
  });

  it('S6-241 answers for parameters without a key', () => {
    expect(verifySigningKey(signed.parameters.subarray(0, 25))).toEqual({ valid: false, reason: 'malformed' });
  });
});
