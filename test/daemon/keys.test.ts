import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyHba } from '../../src/cga/hba.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import { findModifier } from '../../src/cga/search.ts';
import { signLocators, verifyLocators } from '../../src/cga/signature.ts';
import { verifyCga } from '../../src/cga/verify.ts';
import {
  addressOf,
  isMember,
  newCgaKey,
  newHbaKey,
  readKeyFile,
  signerOf,
  writeKeyFile,
} from '../../src/daemon/keys.ts';
import type { IdentityKey, Search } from '../../src/daemon/keys.ts';
import { formatSubnetPrefix, parseSubnetPrefix } from '../../src/daemon/prefix.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { LociError } from '../../src/node/error.ts';
import { toHex } from '../../src/wire/hex.ts';

const search: Search = (task) => Promise.resolve(findModifier(nodeCrypto, task));
const p1 = parseSubnetPrefix('2001:db8:a:1::/64') ?? new Uint8Array(0);
const p2 = parseSubnetPrefix('2001:db8:a:2::/64') ?? new Uint8Array(0);
const stranger = parseSubnetPrefix('2001:db8:b:1::/64') ?? new Uint8Array(0);

let cga: IdentityKey;
let hba: IdentityKey;
let keyed: IdentityKey;
let folder: string;
beforeAll(async () => {
  cga = await newCgaKey({ sec: 1, search });
  hba = await newHbaKey({ sec: 0, search, prefixes: [p1, p2], withKey: false });
  keyed = await newHbaKey({ sec: 0, search, prefixes: [p1, p2], withKey: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-keys-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function errorOf(action: () => unknown): LociError {
  try {
    action();
  } catch (error) {
    if (error instanceof LociError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const written = (key: IdentityKey): string => {
  const file = join(folder, 'key.json');
  writeKeyFile(file, key);
  return file;
};

/** A key file with some fields replaced, or removed when `undefined`. */
function changed(key: IdentityKey, fields: object): string {
  const original = written(key);
  const file = join(folder, 'changed.json');
  const document: unknown = JSON.parse(readFileSync(original, 'utf8'));
  writeFileSync(file, JSON.stringify(Object.assign({}, document, fields)), { mode: 0o600 });
  return file;
}

describe('a key file', () => {
  it('S6-231 gives back the key, and the same addresses for old and new prefixes without a search', () => {
    for (const key of [cga, hba, keyed]) {
      const read = readKeyFile(written(key));
      for (const prefix of [p1, p2, stranger]) {
        for (const count of [0, 1, 2]) {
          expect(addressOf(nodeCrypto, read, prefix, count)).toEqual(addressOf(nodeCrypto, key, prefix, count));
        }
      }
      expect(signerOf(read)?.sign(p1)).toEqual(signerOf(key)?.sign(p1));
      rmSync(join(folder, 'key.json'));
    }
  });

  it('has mode 0600 whatever the umask, and leaves nothing else behind', () => {
    for (const umask of [0, 0o777]) {
      const before = process.umask(umask);
      try {
        writeKeyFile(join(folder, 'key.json'), hba, { force: true });
      } finally {
        process.umask(before);
      }
      expect(statSync(join(folder, 'key.json')).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder)).toEqual(['key.json']);
    }
  });

  it('is not replaced without force, nor changed by the attempt', () => {
    const file = written(hba);
    const text = readFileSync(file, 'utf8');
    expect(
      errorOf(() => {
        writeKeyFile(file, cga);
      }),
    ).toMatchObject({ code: 'exists', file });
    expect(readFileSync(file, 'utf8')).toBe(text);
    writeKeyFile(file, cga, { force: true });
    expect(readKeyFile(file).kind).toBe('cga');
    expect(readdirSync(folder)).toEqual(['key.json']);
  });

  it('is not written through a dangling link', () => {
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'key.json'));
    expect(errorOf(() => written(hba)).code).toBe('key');
    expect(readdirSync(folder)).toEqual(['key.json']);
  });

  it('is whole or absent when writing fails', () => {
    expect(
      errorOf(() => {
        writeKeyFile(join(folder, 'nowhere', 'key.json'), hba);
      }).code,
    ).toBe('key');
    mkdirSync(join(folder, 'taken'));
    expect(
      errorOf(() => {
        writeKeyFile(join(folder, 'taken'), hba, { force: true });
      }).code,
    ).toBe('key');
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it.each([0o640, 0o604, 0o660, 0o620, 0o601])('is refused with mode %o', (mode) => {
    const file = written(cga);
    chmodSync(file, mode);
    expect(errorOf(() => readKeyFile(file))).toMatchObject({ code: 'key', file });
    chmodSync(file, 0o400);
    expect(readKeyFile(file).kind).toBe('cga');
  });

  it.each([
    ['absent', () => join(folder, 'absent')],
    ['a folder', () => folder],
    ['a device', () => '/dev/zero'],
  ])('is refused when it is %s', (_what, file) => {
    expect(errorOf(() => readKeyFile(file()))).toMatchObject({ code: 'key', file: file() });
  });

  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    format: 'pem',
    type: 'pkcs8',
  });
  const short = generateKeyPairSync('rsa', { modulusLength: 768 }).privateKey.export({ format: 'pem', type: 'pkcs8' });
  it.each([
    ['another format', { format: 'other' }],
    ['another version', { version: 2 }],
    ['Sec 3', { sec: 3 }],
    ['a short Modifier', { modifier: '00' }],
    ['a Modifier that does not satisfy Sec', { modifier: '0'.repeat(32) }],
    ['no private key', { privateKey: undefined }],
    ['a private key that is none', { privateKey: 'secret' }],
    ['a key on an elliptic curve', { privateKey: elliptic }],
    ['S6-219 a key below 1024 bits', { privateKey: short }],
    ['a field too much', { comment: 'secret' }],
    ['kind and fields that do not fit', { kind: 'hba' }],
  ])('is refused with %s, and the error quotes nothing of it', (_what, fields) => {
    const file = changed(cga, fields);
    const error = errorOf(() => readKeyFile(file));
    expect(error).toMatchObject({ code: 'key', file });
    expect(inspect(error, { depth: 10 })).not.toMatch(/secret|PRIVATE/);
  });

  it.each([
    ['a prefix that is none', { prefixes: ['2001:db8::/48'] }],
    ['no prefix', { prefixes: [] }],
    ['neither key', { publicKey: undefined }],
    ['a public key that is none', { publicKey: '00' }],
  ])('of an HBA set is refused with %s', (_what, fields) => {
    expect(errorOf(() => readKeyFile(changed(hba, fields))).code).toBe('key');
  });

  it('that is cut off is refused, and the error quotes nothing of it', () => {
    const text = readFileSync(written(cga), 'utf8');
    const file = join(folder, 'cut.json');
    for (const part of [text.slice(0, 300), text.slice(150, 400), '']) {
      writeFileSync(file, part, { mode: 0o600 });
      const error = errorOf(() => readKeyFile(file));
      expect(error.code).toBe('key');
      const shown = inspect(error, { depth: 10 }) + JSON.stringify(error);
      for (const line of text.split('\\n').slice(1, 4)) expect(shown).not.toContain(line.slice(0, 12));
    }
  });
});

describe('identities', () => {
  it('S6-230 form a verifiable CGA for each prefix, and sign', () => {
    for (const prefix of [p1, p2]) {
      const { address, parameters } = addressOf(nodeCrypto, cga, prefix) ?? { address: p1, parameters: undefined };
      if (parameters === undefined) throw new Error('no address');
      const pds = encodeCgaParameters(parameters);
      expect(verifyCga(nodeCrypto, address, pds)).toEqual({ valid: true });
      const signer = signerOf(cga);
      const signature = signer && signLocators(signer, 7, [address]);
      const list = { ulid: address, parameters: pds, generation: 7, locators: [address], signature: signature ?? p1 };
      expect(verifyLocators(nodeCrypto, list)).toEqual({ valid: true });
    }
  });

  it('S6-203 of a set without a key end with their prefixes; with a key they go on as CGAs', () => {
    expect([isMember(hba, p2), isMember(hba, stranger)]).toEqual([true, false]);
    expect(addressOf(nodeCrypto, hba, stranger)).toBeUndefined();
    expect(signerOf(hba)).toBeUndefined();
    const [one, other] = [p1, stranger].map((prefix) => addressOf(nodeCrypto, keyed, prefix));
    if (one === undefined || other === undefined) throw new Error('no address');
    expect(verifyHba(nodeCrypto, one.address, encodeCgaParameters(other.parameters))).toEqual({ valid: true });
    expect(verifyCga(nodeCrypto, other.address, encodeCgaParameters(other.parameters))).toEqual({ valid: true });
  });

  it('do not show their private key when printed', () => {
    expect(inspect(cga, { depth: 10 }) + JSON.stringify(cga)).not.toMatch(/PRIVATE|"d"/);
  });
});

describe('subnet prefixes', () => {
  it.each([
    ['2001:db8:a:1::/64', '20010db8000a0001'],
    ['2001:DB8:A:1:0:0:0:0/64', '20010db8000a0001'],
    ['::/64', '0000000000000000'],
  ])('%s is read', (text, octets) => {
    expect(toHex(parseSubnetPrefix(text) ?? new Uint8Array(0))).toBe(octets);
  });

  it.each([
    '',
    '/64',
    '2001:db8::',
    '2001:db8::/48',
    '2001:db8::/65',
    '2001:db8::1/64',
    '2001:db8::/64/64',
    '2001:db8::/064',
    'x/64',
    '10.0.0.0/64',
    'fe80::%eth0/64',
    ' 2001:db8::/64',
    '64:ff9b::1.2.3.4/64',
    '2001:db8::/-64',
    '1:2:3:4:5::/64',
  ])('%j is refused', (text) => {
    expect(parseSubnetPrefix(text)).toBeUndefined();
  });

  it('are written canonically', () => {
    expect(formatSubnetPrefix(p1)).toBe('2001:db8:a:1::/64');
  });
});
