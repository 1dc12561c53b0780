import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { portableCrypto } from '../../src/crypto/portable.ts';
import { random32, uniform } from '../../src/crypto/ports.ts';
import { encodeRsaPublicKey, modulusBits, parseRsaPublicKey } from '../../src/crypto/rsa-key.ts';
import { generateRsaKey, nodeCrypto, rsaSigner } from '../../src/node/crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { fromHex, toHex } from '../../src/wire/hex.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const octets = fc.uint8Array({ maxLength: 300 });
const providers = [
  ['node', nodeCrypto],
  ['portable', portableCrypto],
] as const;

describe.each(providers)('the %s provider', (_name, crypto) => {
  it('computes the examples of FIPS 180-4 and RFC 4231', () => {
    expect(toHex(crypto.sha1(text('abc')))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
    expect(toHex(crypto.sha256(text('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    const mac = crypto.hmacSha256(new Uint8Array(20).fill(0x0b), text('Hi There'));
    expect(toHex(mac)).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7');
  });

  it('compares octets, also of unequal length', () => {
    expect(crypto.equal(text('same'), text('same'))).toBe(true);
    expect(crypto.equal(text('same'), text('sama'))).toBe(false);
    expect(crypto.equal(text('same'), text('sam'))).toBe(false);
    expect(crypto.equal(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });

  it('verifies RSA signatures and refuses changed ones', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const signer = rsaSigner(privateKey);
    const signature = signer.sign(text('message'));
    expect(crypto.verifyRsaSha1(signer.publicKey, text('message'), signature)).toBe(true);
    expect(crypto.verifyRsaSha1(signer.publicKey, text('massage'), signature)).toBe(false);
    for (const at of [0, 64, 127]) {
      const changed = signature.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(crypto.verifyRsaSha1(signer.publicKey, text('message'), changed)).toBe(false);
    }
    expect(crypto.verifyRsaSha1(signer.publicKey, text('message'), new Uint8Array(128).fill(0xff))).toBe(false);
  });

  it('answers false for keys that do not parse, are not RSA, or are too short for a digest', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const elliptic = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
    const tiny = encodeRsaPublicKey({ modulus: new Uint8Array(40).fill(0xff), exponent: Uint8Array.of(3) });
    for (const key of [new Uint8Array(0), text('key'), elliptic]) {
      expect(crypto.verifyRsaSha1(key, text('message'), new Uint8Array(128))).toBe(false);
    }
    expect(crypto.verifyRsaSha1(tiny, text('message'), new Uint8Array(40))).toBe(false);
  });
});

describe('the two providers', () => {
  it('agree on hashes', () => {
    fc.assert(
      fc.property(octets, octets, (key, message) => {
        expect(portableCrypto.sha1(message)).toEqual(nodeCrypto.sha1(message));
        expect(portableCrypto.sha256(message)).toEqual(nodeCrypto.sha256(message));
        expect(portableCrypto.hmacSha256(key, message)).toEqual(nodeCrypto.hmacSha256(key, message));
        expect(portableCrypto.equal(key, message)).toBe(nodeCrypto.equal(key, message));
      }),
    );
  });

  it('agree on signatures under whatever key, genuine or not', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const signer = rsaSigner(privateKey);
    fc.assert(
      fc.property(octets, fc.nat({ max: 200 }), fc.nat({ max: 255 }), fc.boolean(), (message, at, value, inKey) => {
        const signature = signer.sign(message);
        const key = signer.publicKey.slice();
        const target = inKey ? key : signature;
        if (at < target.length) target[at] = value;
        const verdict = nodeCrypto.verifyRsaSha1(key, message, signature);
        expect(portableCrypto.verifyRsaSha1(key, message, signature)).toBe(verdict);
      }),
      { numRuns: 150 },
    );
  });

  it('keeps working after more keys than the cache holds', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const signer = rsaSigner(privateKey);
    const signature = signer.sign(text('message'));
    for (let i = 0; i < 600; i++) {
      const modulus = systemRandom(128);
      modulus[0] = 0xc0;
      const other = encodeRsaPublicKey({ modulus, exponent: Uint8Array.of(1, 0, 1) });
      expect(nodeCrypto.verifyRsaSha1(other, text('message'), signature)).toBe(false);
      if (i % 100 === 0) expect(nodeCrypto.verifyRsaSha1(signer.publicKey, text('message'), signature)).toBe(true);
    }
  });
});

describe('RSA public keys in DER', () => {
  const key = fc.record({
    modulus: fc.uint8Array({ minLength: 1, maxLength: 600 }).filter(([first]) => first !== 0),
    exponent: fc.constantFrom('03', '010001', 'ffffffff').map((hex) => fromHex(hex) ?? new Uint8Array(0)),
  });

  it('S6-206 S6-218 parse to what was written, as Node reads them too', () => {
    fc.assert(
      fc.property(key, (value) => {
        expect(parseRsaPublicKey(encodeRsaPublicKey(value))).toEqual({ ok: true, value });
      }),
    );
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const der = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
    const parsed = parseRsaPublicKey(der);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(Buffer.from(parsed.value.modulus).toString('base64url')).toBe(publicKey.export({ format: 'jwk' })['n']);
    expect(encodeRsaPublicKey(parsed.value)).toEqual(der);
    expect(modulusBits(parsed.value)).toBe(1024);
  });

  it('are bounded, so that no peer can make verification slow', () => {
    const exponent = Uint8Array.of(3);
    const parsedWith = (length: number): boolean =>
      parseRsaPublicKey(encodeRsaPublicKey({ modulus: new Uint8Array(length).fill(0xff), exponent })).ok;
    expect([parsedWith(1024), parsedWith(1025)]).toEqual([true, false]);
  });

  it('have one encoding: whatever octet is changed, the result is refused or writes back to itself', () => {
    fc.assert(
      fc.property(key, fc.nat(), fc.nat({ max: 255 }), (value, at, octet) => {
        const bytes = encodeRsaPublicKey(value);
        bytes[at % bytes.length] = octet;
        const parsed = parseRsaPublicKey(bytes);
        if (parsed.ok) expect(encodeRsaPublicKey(parsed.value)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['a negative modulus', '30 1d 300d06092a864886f70d0101010500 03 0c 00 3009 0204 ffffffff 0201 03'],
    ['an even exponent', '30 1a 300d06092a864886f70d0101010500 03 09 00 3006 0201 7f 0201 04'],
    ['exponent 1', '30 1a 300d06092a864886f70d0101010500 03 09 00 3006 0201 7f 0201 01'],
    ['modulus 0', '30 1a 300d06092a864886f70d0101010500 03 09 00 3006 0201 00 0201 03'],
    ['a padded modulus', '30 1b 300d06092a864886f70d0101010500 03 0a 00 3007 0202 007f 0201 03'],
    ['an exponent beyond 32 bits', '30 1e 300d06092a864886f70d0101010500 03 0d 00 300a 0201 7f 0205 0100000001'],
    ['absent algorithm parameters', '30 18 300b06092a864886f70d010101 03 09 00 3006 0201 7f 0201 03'],
    ['unused bits', '30 1a 300d06092a864886f70d0101010500 03 09 01 3006 0201 7f 0201 03'],
    ['octets after the key', '30 1a 300d06092a864886f70d0101010500 03 09 00 3006 0201 7f 0201 03 00'],
    [
      'an inner length that contradicts the outer one',
      '30 1a 300d06092a864886f70d0101010500 03 0a 00 3006 0201 7f 0201 03',
    ],
  ])('are refused with %s', (_name, hex) => {
    expect(parseRsaPublicKey(fromHex(hex.replace(/ /g, '')) ?? new Uint8Array(0)).ok).toBe(false);
  });
});

describe('signers', () => {
  it('S6-247 S6-248 are made of RSA private keys, and do nothing but sign', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() => rsaSigner(elliptic.privateKey)).toThrow(TypeError);
    expect(() => rsaSigner(publicKey)).toThrow(TypeError);
    expect(Object.keys(rsaSigner(privateKey)).sort()).toEqual(['publicKey', 'sign']);
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(rsaSigner(pem).publicKey).toEqual(rsaSigner(privateKey).publicKey);
  });

  it('S6-219 get keys of 2048 to 4096 bits', async () => {
    const parsed = parseRsaPublicKey(rsaSigner(await generateRsaKey()).publicKey);
    expect(parsed.ok && modulusBits(parsed.value)).toBe(2048);
    for (const bits of [1024, 2047, 4097, 2048.5]) expect(() => generateRsaKey(bits)).toThrow(RangeError);
  });
});

describe('system randomness', () => {
  it('S6-244 never hands out octets twice, across pool boundaries and beyond the pool', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 3000; i++) seen.add(toHex(systemRandom(12)));
    expect(seen.size).toBe(3000);
    for (const length of [0, 1, 1024, 1025, 100_000]) expect(systemRandom(length)).toHaveLength(length);
  });

  it('gives what belongs to the caller alone', () => {
    const first = systemRandom(16);
    const copy = first.slice();
    first.fill(0);
    expect(systemRandom(16)).not.toEqual(copy);
    expect(first.buffer.byteLength).toBe(16);
  });

  it('spreads evenly', () => {
    const mean = Array.from({ length: 4000 }, () => uniform(systemRandom)).reduce((sum, u) => sum + u, 0) / 4000;
    expect(mean).toBeGreaterThan(0.46);
    expect(mean).toBeLessThan(0.54);
    expect(random32(() => Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toBe(0xffff_ffff);
  });
});
