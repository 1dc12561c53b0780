import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findModifier } from '../../src/cga/search.ts';
import { newHipKey, ownIdentityOf, readHipKeyFile, readHostsFile, writeHipKeyFile } from '../../src/daemon/hip-keys.ts';
import { newCgaKey, readKeyFile, writeKeyFile } from '../../src/daemon/keys.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { LociError, exitStatus } from '../../src/node/error.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { ip } from '../cga/vectors.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-hip-keys-'));
  file = join(folder, 'hip.json');
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

/** A key file with these fields replaced. */
function changed(fields: object): string {
  const document: unknown = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(Object.assign({}, document, fields)), { mode: 0o600 });
  return file;
}

const asPem = {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
} as const;

describe('the key file of a Host Identity', () => {
  it.each(['rsa', 'P-256', 'P-384', 'secp160r1', 'ed25519'] as const)(
    'HIP-001 of kind %s gives back the same HIT, and signs for it',
    async (kind) => {
      const key = await newHipKey(kind);
      writeHipKeyFile(file, key);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const read = ownIdentityOf(readHipKeyFile(file));
      expect(read.hit).toEqual(ownIdentityOf(key).hit);
      expect(nodeHipCrypto.verify(read.identity.key, read.hit, read.signer.sign(read.hit))).toBe(true);
    },
  );

  it('keeps the authorities of a DET', async () => {
    const key = await newHipKey('ed25519', undefined, { raa: 10, hda: 20 });
    writeHipKeyFile(file, key);
    const { hit } = ownIdentityOf(readHipKeyFile(file));
    expect(hit).toEqual(ownIdentityOf(key).hit);
    expect(hit.slice(0, 8)).toEqual(ip('2001:30:280:1405::').slice(0, 8));
  });

  it('is refused when others may read it', async () => {
    writeHipKeyFile(file, await newHipKey('P-256'));
    chmodSync(file, 0o640);
    const error = errorOf(() => readHipKeyFile(file));
    expect(error).toMatchObject({ code: 'key', file });
    expect(error.message).toMatch(/open to others \(mode 0640\); run chmod 600/);
    expect(exitStatus(error)).toBe(2);
  });

  it('is refused when it holds a key for addresses, and the other way round', async () => {
    const other = join(folder, 'cga.json');
    const search = (task: Parameters<typeof findModifier>[1]): Promise<Uint8Array> =>
      Promise.resolve(findModifier(nodeCrypto, task));
    writeKeyFile(other, await newCgaKey({ sec: 0, search }));
    expect(errorOf(() => readHipKeyFile(other)).message).toMatch(/for addresses \(cga\), not for HIP/);
    writeHipKeyFile(file, await newHipKey('P-256'));
    expect(errorOf(() => readKeyFile(file)).message).toMatch(/for HIP, not for addresses/);
  });

  it('HIP-062 is refused when its key is weak, or of a kind that HIP does not have', async () => {
    writeHipKeyFile(file, await newHipKey('P-256'));
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024, ...asPem });
    expect(errorOf(() => readHipKeyFile(changed({ privateKey: weak.privateKey }))).message).toMatch(
      /less than 2048 bits/,
    );
    const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1', ...asPem });
    expect(errorOf(() => readHipKeyFile(changed({ privateKey: koblitz.privateKey }))).message).toMatch(
      /not of a kind that HIP has/,
    );
  });

  it.each([
    ['another format', { format: 'pem' }, 'format'],
    ['another version', { version: 2 }, 'version'],
    ['another kind', { kind: 'tls' }, 'kind'],
    ['no key', { privateKey: 7 }, 'privateKey'],
    ['a key that is none', { privateKey: 'secret' }, 'privateKey'],
    ['a DET for P-256', { det: { raa: 1, hda: 2 } }, 'det'],
    ['authorities that are too large', { det: { raa: 1, hda: 16_384 } }, 'det.hda'],
    ['an unknown field', { passphrase: 'x' }, ''],
  ])('is refused with %s, naming the field but not its content', async (_what, fields, field) => {
    writeHipKeyFile(file, await newHipKey('P-256'));
    const error = errorOf(() => readHipKeyFile(changed(fields)));
    expect(error).toMatchObject({ code: 'key', file });
    expect(error.message).toContain(field);
    expect(error.message).not.toContain('secret');
  });

  it('is refused when it is no JSON, without quoting it', () => {
    writeFileSync(file, '-----BEGIN PRIVATE KEY-----', { mode: 0o600 });
    expect(errorOf(() => readHipKeyFile(file)).message).toBe('the key file is not JSON');
  });

  it('shows no private key when printed', async () => {
    const key = await newHipKey('P-256');
    const shown = JSON.stringify(ownIdentityOf(key)) + JSON.stringify(key);
    expect(shown).not.toContain('PRIVATE');
    expect(shown).not.toContain(String(key.privateKey.export({ format: 'jwk' }).d));
  });
});

describe('the hosts file', () => {
  it('gives the peers, none when it is not there, and names the line of a mistake', () => {
    expect(readHostsFile(file)).toEqual([]);
    writeFileSync(file, '2001:21::1 peer 2001:db8::1\n');
    expect(readHostsFile(file)).toEqual([{ hit: ip('2001:21::1'), names: ['peer'], locators: [ip('2001:db8::1')] }]);
    writeFileSync(file, '\n2001:db8::1 peer\n');
    const error = errorOf(() => readHostsFile(file));
    expect(error).toMatchObject({ code: 'config', file, line: 2 });
    expect(error.message).toBe('"2001:db8::1" is not a HIT');
    expect(errorOf(() => readHostsFile(folder))).toMatchObject({ code: 'config', file: folder });
  });
});
