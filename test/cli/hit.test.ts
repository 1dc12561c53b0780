import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { registerKeygen } from '../../src/cli/keygen.ts';
import { ownIdentityOf, readHipKeyFile } from '../../src/daemon/hip-keys.ts';
import { encodeParameters } from '../../src/hip/parameter-list.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { DETS, IDENTITIES } from '../hip/identities.ts';
import { Command } from 'commander';
import { said } from './run.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-hit-'));
  file = join(folder, 'hip.json');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs `loci keygen hip …` and gives what it printed. */
async function keygen(...args: string[]): Promise<string> {
  let printed = '';
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  registerKeygen(program, { print: (text) => (printed += text), search: () => Promise.reject(new Error('no search')) });
  for (const command of program.commands.flatMap((group) => [group, ...group.commands])) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(['node', 'loci', 'keygen', 'hip', ...args]);
  return printed;
}

const described = z.strictObject({
  file: z.string().optional(),
  kind: z.literal('hip').optional(),
  hit: z.string(),
  suite: z.number(),
  hash: z.string(),
  algorithm: z.string(),
  hostIdentity: z.string(),
  dns: z.string().nullable(),
  det: z.strictObject({ raa: z.number(), hda: z.number(), serial: z.string() }).optional(),
});

describe('loci keygen hip', () => {
  it.each([
    ['ecdsa-p256', 'p-256', 2],
    ['ecdsa-p384', 'p-384', 2],
    ['rsa', 'rsa', 1],
    ['ecdsa-low', 'secp160r1', 3],
    ['ed25519', 'ed25519', 5],
  ])('HIP-007 HIP-008 makes a key file for %s whose HIT loci hit shows again', async (algorithm, name, suite) => {
    const printed = await keygen('--out', file, '--algorithm', algorithm, '--json');
    const made = described.parse(JSON.parse(printed));
    expect(made).toMatchObject({ file, kind: 'hip', algorithm: name, suite });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(made.hit).toBe(formatAddress(ownIdentityOf(readHipKeyFile(file)).hit));
    const shown = await said('hit', file, '--json');
    expect(described.parse(JSON.parse(shown.out))).toEqual({ ...made, file: undefined, kind: undefined });
    expect(printed + shown.out).not.toContain('PRIVATE');
  });

  it('makes P-256 keys unless told otherwise, and tells so in lines', async () => {
    expect(await keygen('--out', file)).toMatch(
      /hip\.json: 2001:22:[0-9a-f:]+ {2}suite 2 \(sha384\) {2}p-256\n {2}IN HIP \( 3 20010022[0-9A-F]{24} [\w+/=]+ \)\n$/,
    );
  });

  it('HIP-405 makes a DET when authorities are given', async () => {
    const made = described.parse(
      JSON.parse(await keygen('--out', file, '--algorithm', 'ed25519', '--det', '10,20', '--json')),
    );
    expect(made.hit).toMatch(/^2001:30:280:1405:/);
    expect(made.det).toMatchObject({ raa: 10, hda: 20 });
    expect((await said('hit', file)).out).toMatch(/DET: RAA 10, HDA 20, serial ending F[0-9A-Y]{15}\n/);
  });

  it.each([
    ['no file', []],
    ['an unknown algorithm', ['--out', 'F', '--algorithm', 'dsa']],
    ['a short key', ['--out', 'F', '--algorithm', 'rsa', '--bits', '1024']],
    ['bits for a curve', ['--out', 'F', '--bits', '2048']],
    ['authorities for a curve that has no DETs', ['--out', 'F', '--det', '1,2']],
    ['authorities of 15 bits', ['--out', 'F', '--algorithm', 'ed25519', '--det', '16384,2']],
    ['a single authority', ['--out', 'F', '--algorithm', 'ed25519', '--det', '1']],
  ])('is refused with %s, before anything is written', async (_what, args) => {
    await expect(keygen(...args.map((arg) => (arg === 'F' ? file : arg)))).rejects.toThrow();
    expect(existsSync(file)).toBe(false);
  });

  it('replaces a file only with --force', async () => {
    writeFileSync(file, 'precious');
    await expect(keygen('--out', file)).rejects.toMatchObject({ code: 'exists', file });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    await keygen('--out', file, '--force');
    expect(ownIdentityOf(readHipKeyFile(file)).hit).toHaveLength(16);
  });
});

describe('loci hit', () => {
  it.each(IDENTITIES)('HIP-002 shows the HIT of a HOST_ID: $name', async ({ algorithm, hostIdentity, hit }) => {
    const nothing = { domainIdentifierType: 0, domainIdentifier: new Uint8Array(0) };
    const hostId = toHex(encodeParameters([{ type: 'HOST_ID', algorithm, hostIdentity, ...nothing }]));
    const { status, out } = await said('hit', '--host-id', hostId, '--json');
    expect(status).toBe(0);
    expect(described.parse(JSON.parse(out))).toMatchObject({ hit, hostIdentity: toHex(hostIdentity) });
  });

  it('HIP-399 HIP-405 tells what a HIT or DET says of itself', async () => {
    const shown = async (address: string): Promise<unknown> => JSON.parse((await said('hit', address, '--json')).out);
    expect(await shown('2001:22::1')).toEqual({ hit: '2001:22::1', suite: 2, hash: 'sha384' });
    expect(await shown('2001:2f::1')).toEqual({ hit: '2001:2f::1', suite: null, hash: null });
    const example = await shown('2001:30:280:1405:a3ad:1952:ad0:a69e');
    expect(example).toMatchObject({ suite: 5, det: { raa: 10, hda: 20, serial: 'F02T7B8RA85D19LX' } });
    for (const { det, raa, hda } of DETS) expect(await shown(det)).toMatchObject({ hit: det, det: { raa, hda } });
    expect((await said('hit', '2001:21::1')).out).toBe('2001:21::1  suite 1 (sha256)\n');
  });

  it.each([
    ['nothing', []],
    ['both', ['2001:21::1', '--host-id', '00']],
    ['an address of another kind', ['2001:db8::1']],
    ['no hexadecimal digits', ['--host-id', 'xyz']],
    ['a cut parameter', ['--host-id', '02c10020']],
    ['another parameter', ['--host-id', '0181000400000001']],
    ['an unknown algorithm', ['--host-id', '02c1000600000000000300000000000000'.slice(0, 32)]],
  ])('is refused with %s, in one sentence or document, with status 2', async (_what, args) => {
    const spoken = await said('hit', ...args);
    expect(spoken).toMatchObject({ status: 2, out: '' });
    expect(spoken.err).toMatch(/^loci: .+\n$/);
    const { status, out } = await said('hit', ...args, '--json');
    expect(status).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'usage' } });
  });

  it('refuses files that are missing, malformed or open to others', async () => {
    expect(await said('hit', file)).toMatchObject({ status: 2 });
    writeFileSync(file, '{}', { mode: 0o600 });
    expect((await said('hit', file)).err).toMatch(/malformed in "/);
    chmodSync(file, 0o644);
    expect((await said('hit', file)).err).toMatch(/open to others/);
  });
});
