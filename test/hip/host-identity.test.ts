import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portableHipCrypto } from '../../src/crypto/portable-hip.ts';
import type { PublicKey } from '../../src/crypto/public-key.ts';
import { parseDet, serialOf } from '../../src/hip/det.ts';
import { hostIdentityOf, parseHostIdentity } from '../../src/hip/host-identity.ts';
import type { HostIdentity } from '../../src/hip/host-identity.ts';
import {
  compareHits,
  hitOf,
  hitSuiteFor,
  hitSuiteOf,
  isHit,
  isOrchid,
  ownIdentity,
  rhashOf,
  verifyHit,
} from '../../src/hip/orchid.ts';
import { generateIdentityKey, identitySigner, nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { systemRandom } from '../../src/node/random.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { hex, ip } from '../cga/vectors.ts';
import { DETS, IDENTITIES, RSA_HI, ed25519Key } from './identities.ts';

const providers = [
  ['node', nodeHipCrypto],
  ['portable', portableHipCrypto(systemRandom)],
] as const;

function identity(algorithm: number, octets: Uint8Array): HostIdentity {
  const parsed = parseHostIdentity(algorithm, octets);
  if (!parsed.ok) throw new Error(`${parsed.reason} at ${String(parsed.at)}`);
  return parsed.value;
}

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const anyKey: fc.Arbitrary<PublicKey> = fc.oneof(
  fc.record({
    type: fc.constant('rsa' as const),
    modulus: fc.uint8Array({ minLength: 1, maxLength: 600 }).filter(([first]) => first !== 0),
    exponent: fc.constantFrom(hex('03'), hex('010001'), hex('ffffffff')),
  }),
  ...(
    [
      ['P-256', 64],
      ['P-384', 96],
      ['secp160r1', 40],
    ] as const
  ).map(([curve, length]) =>
    fc.record({ type: fc.constant('ecdsa' as const), curve: fc.constant(curve), point: octets(length) }),
  ),
  fc.record({ type: fc.constant('eddsa' as const), key: octets(32) }),
);

describe('Host Identities', () => {
  it('HIP-001 HIP-003 HIP-400 are read as they were written', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const written = hostIdentityOf(key);
        expect(identity(written.algorithm, written.hostIdentity)).toEqual(written);
      }),
    );
  });

  it('HIP-003 of RSA are the length of e, e and n of RFC 3110', () => {
    const { key } = identity(5, RSA_HI);
    if (key.type !== 'rsa') throw new TypeError('not RSA');
    expect(toHex(key.exponent)).toBe('010001');
    expect(key.modulus).toEqual(RSA_HI.slice(4));
    expect(hostIdentityOf(key).hostIdentity).toEqual(RSA_HI);
  });

  it('of elliptic curves may lack the 04 that we write, and keep the form they came in', () => {
    for (const { algorithm, hostIdentity, name } of IDENTITIES.filter((vector) => vector.name.endsWith('without 04'))) {
      const long = IDENTITIES.find((vector) => `${vector.name} without 04` === name);
      const read = identity(algorithm, hostIdentity);
      expect(read.hostIdentity).toEqual(hostIdentity);
      expect(hostIdentityOf(read.key).hostIdentity).toEqual(long?.hostIdentity);
      expect(identity(algorithm, long?.hostIdentity ?? hostIdentity).key).toEqual(read.key);
    }
  });

  it('keep nothing of the buffer that they were read from', () => {
    const buffer = RSA_HI.slice();
    const read = identity(5, buffer);
    buffer.fill(0);
    expect(read).toEqual(identity(5, RSA_HI));
  });

  it.each([
    ['an algorithm without support', 3, '00'],
    ['nothing', 5, ''],
    ['an exponent beyond the end', 5, '0401'],
    ['an exponent with a leading zero', 5, '0200038001'],
    ['an even exponent', 5, '01048001'],
    ['exponent 1', 5, '01018001'],
    ['an exponent of five octets', 5, '0501000000018001'],
    ['the long form of a short length', 5, '000001038001'],
    ['no modulus', 5, '0103'],
    ['a modulus with a leading zero', 5, '0103008001'],
    ['a modulus of more than 1024 octets', 5, `0103${'ff'.repeat(1025)}`],
    ['a curve of the other algorithm', 9, `000204${'11'.repeat(96)}`],
    ['an unknown curve', 7, `000304${'11'.repeat(64)}`],
    ['a compressed point', 7, `000102${'11'.repeat(32)}`],
    ['another first octet than 04', 7, `000106${'11'.repeat(64)}`],
    ['a point that is too short', 7, `0001${'11'.repeat(63)}`],
    ['a point that is too long', 7, `000104${'11'.repeat(65)}`],
    ['Ed448', 13, `00030000${'11'.repeat(57)}`],
    ['a short Ed25519 key', 13, `00010000${'11'.repeat(31)}`],
    ['a long Ed25519 key', 13, `00010000${'11'.repeat(33)}`],
  ])('are refused with %s', (_what, algorithm, text) => {
    expect(parseHostIdentity(algorithm, hex(text)).ok).toBe(false);
  });

  it('HIP-401 do not mind what the NULL field of EdDSA holds', () => {
    expect(identity(13, hex(`0001ffff${'11'.repeat(32)}`)).key).toEqual({ type: 'eddsa', key: hex('11'.repeat(32)) });
  });
});

describe.each(providers)('HITs by the %s provider', (_name, crypto) => {
  it.each(IDENTITIES)(
    'HIP-002 HIP-346 HIP-403 have the value computed elsewhere: $name',
    ({ algorithm, hostIdentity, hit }) => {
      const read = identity(algorithm, hostIdentity);
      expect(formatAddress(hitOf(crypto, read))).toBe(hit);
      expect(verifyHit(crypto, ip(hit), read)).toBe(true);
      expect(hitSuiteOf(ip(hit))).toBe(hitSuiteFor(read.algorithm));
      expect(isHit(ip(hit)) && isOrchid(ip(hit))).toBe(true);
    },
  );

  it('HIP-171 HIP-187 belong to one Host Identity alone', () => {
    for (const one of IDENTITIES)
      for (const other of IDENTITIES) {
        const verdict = verifyHit(crypto, ip(one.hit), identity(other.algorithm, other.hostIdentity));
        expect(verdict).toBe(one === other);
      }
  });

  it.each(DETS)('HIP-402 DETs are those of RFC 9886: $det', ({ key, raa, hda, det }) => {
    const read = hostIdentityOf(key);
    expect(verifyHit(crypto, ip(det), read)).toBe(true);
    expect(parseDet(ip(det))).toMatchObject({ raa, hda, suite: 5 });
    const tampered = ip(det).with(5, (ip(det)[5] ?? 0) ^ 1); // the authorities are hashed too
    expect(verifyHit(crypto, tampered, read)).toBe(false);
  });
});

describe('HIT suites', () => {
  it('HIP-007 HIP-008 HIP-401 tell the hash', () => {
    expect(([1, 2, 3, 5] as const).map(rhashOf)).toEqual(['sha256', 'sha384', 'sha1', 'shake128']);
  });

  it('are unknown outside the prefixes, and for numbers that no RFC gives', () => {
    const outside = ['2001:10::1', '2001:db8::1', '::', '2001:3:0:0::', '2001:20::1', '2001:24::1', '2001:2f::1'];
    expect(outside.map((address) => hitSuiteOf(ip(address)))).toEqual(outside.map(() => undefined));
    expect(['2001:20::1', '2001:2f::1', '2001:1f::1', '2001:30::1'].map((a) => isOrchid(ip(a)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('HITs compared', () => {
  it('HIP-157 are unsigned numbers in network order', () => {
    const bigger = (address: Uint8Array): bigint => BigInt(`0x${toHex(address)}`);
    fc.assert(
      fc.property(octets(16), octets(16), (a, b) => {
        expect(Math.sign(compareHits(a, b))).toBe(bigger(a) < bigger(b) ? -1 : bigger(a) > bigger(b) ? 1 : 0);
        expect(compareHits(a, a.slice())).toBe(0);
      }),
    );
    expect(compareHits(ip('2001:21::ff'), ip('2001:21::100'))).toBeLessThan(0);
    expect(compareHits(ip('2001:2f:ffff::'), ip('2001:21::'))).toBeGreaterThan(0);
  });
});

describe('DETs', () => {
  it('HIP-398 HIP-399 HIP-405 come apart as in the example of RFC 9374', () => {
    const parsed = parseDet(ip('2001:30:280:1405:a3ad:1952:ad0:a69e'));
    expect(parsed).toEqual({ raa: 10, hda: 20, suite: 5, hash: hex('a3ad19520ad0a69e') });
    expect(parsed === undefined ? '' : `8653${serialOf(parsed)}`).toBe('8653F02T7B8RA85D19LX');
    expect(parseDet(ip('2001:20:280:1405:a3ad:1952:ad0:a69e'))).toBeUndefined();
  });

  it('belong to Ed25519 keys alone, and to authorities of 14 bits', async () => {
    const signer = identitySigner(ed25519Key('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
    const own = ownIdentity(nodeHipCrypto, signer, { raa: 10, hda: 20 });
    expect(formatAddress(own.hit)).toBe('2001:30:280:1405:ac0f:e229:f129:1bc0');
    const other = identitySigner(await generateIdentityKey('P-256'));
    expect(() => ownIdentity(nodeHipCrypto, other, { raa: 10, hda: 20 })).toThrow(TypeError);
    for (const domain of [
      { raa: 0x4000, hda: 0 },
      { raa: 0, hda: -1 },
    ]) {
      expect(() => ownIdentity(nodeHipCrypto, signer, domain)).toThrow(RangeError);
    }
  });
});

describe('an identity of this host', () => {
  it.each(['rsa', 'P-256', 'P-384', 'secp160r1', 'ed25519'] as const)(
    'HIP-009 of kind %s has a HIT that its Host Identity proves, and signs',
    async (kind) => {
      const {
        hit,
        identity: own,
        signer,
      } = ownIdentity(nodeHipCrypto, identitySigner(await generateIdentityKey(kind)));
      const seen = identity(own.algorithm, own.hostIdentity);
      expect(verifyHit(nodeHipCrypto, hit, seen)).toBe(true);
      expect(nodeHipCrypto.verify(seen.key, hit, signer.sign(hit))).toBe(true);
    },
  );
});
