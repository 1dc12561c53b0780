import { Command, CommanderError } from 'commander';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findModifier } from '../../src/cga/search.ts';
import { verifyLine } from '../../src/cli/cga.ts';
import { registerKeygen } from '../../src/cli/keygen.ts';
import { readKeyFile } from '../../src/daemon/keys.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-keygen-'));
  file = join(folder, 'key.json');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs `loci keygen …` and gives what it printed. */
async function keygen(...args: string[]): Promise<string> {
  let printed = '';
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  registerKeygen(program, {
    print: (text) => (printed += text),
    search: (task) => Promise.resolve(findModifier(nodeCrypto, task)),
  });
  for (const command of [program, ...program.commands.flatMap((group) => [group, ...group.commands])]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync(['node', 'loci', 'keygen', ...args]);
  return printed;
}

const result = z.strictObject({
  file: z.string(),
  kind: z.string(),
  sec: z.number(),
  modifier: z.string(),
  publicKey: z.string(),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  canSign: z.boolean(),
  addresses: z.array(z.strictObject({ prefix: z.string(), address: z.string(), params: z.string() })),
});

describe('loci keygen cga', () => {
  it('prints one document, whose addresses `loci cga verify` accepts, and writes the key it describes', async () => {
    const printed = await keygen(
      'cga',
      '--out',
      file,
      '--sec',
      '1',
      '--json',
      '--prefix',
      '2001:db8:a:1::/64',
      '--prefix',
      'fd00::/64',
    );
    expect(printed.endsWith('\n')).toBe(true);
    const made = result.parse(JSON.parse(printed));
    expect(made).toMatchObject({ file, kind: 'cga', sec: 1, canSign: true });
    expect(made.addresses.map(({ prefix }) => prefix)).toEqual(['2001:db8:a:1::/64', 'fd00::/64']);
    for (const { params, address } of made.addresses) {
      expect(verifyLine(JSON.stringify({ params, address }))).toEqual({ valid: true, reason: 'ok' });
      expect(params).toContain(made.publicKey);
    }
    expect(readKeyFile(file)).toMatchObject({ kind: 'cga', sec: 1 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(printed).not.toContain('PRIVATE');
  });

  it('without --json names file and addresses in lines', async () => {
    const printed = await keygen('cga', '--out', file, '--prefix', '2001:db8:a:1::/64');
    expect(printed).toMatch(
      /key\.json: cga, Sec 0, key [0-9a-f]{64}\n {2}2001:db8:a:1::\/64 {2}2001:db8:a:1:[0-9a-f:]+\n$/,
    );
  });

  it('replaces a file only with --force', async () => {
    writeFileSync(file, 'precious');
    await expect(keygen('cga', '--out', file)).rejects.toMatchObject({ code: 'exists', file });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    await keygen('cga', '--out', file, '--force');
    expect(readKeyFile(file).kind).toBe('cga');
  });

  it.each([
    ['no file', []],
    ['Sec 3', ['--out', 'F', '--sec', '3']],
    ['a short key', ['--out', 'F', '--bits', '1024']],
    ['bits that are no number', ['--out', 'F', '--bits', 'many']],
    ['a prefix that is not /64', ['--out', 'F', '--prefix', '2001:db8::/48']],
    ['a prefix twice', ['--out', 'F', '--prefix', 'fd00::/64', '--prefix', 'fd00:0::/64']],
  ])('is refused with %s, before anything is written', async (_what, args) => {
    await expect(keygen('cga', ...args.map((arg) => (arg === 'F' ? file : arg)))).rejects.toThrow(CommanderError);
    expect(existsSync(file)).toBe(false);
  });
});

describe('loci keygen hba', () => {
  const prefixes = ['--prefix', '2001:db8:a:1::/64', '--prefix', '2001:db8:b:1::/64'];

  it.each([
    [[], false],
    [['--with-key'], true],
  ])('S6-203 makes a set %j whose members verify against each other', async (extra, canSign) => {
    const made = result.parse(JSON.parse(await keygen('hba', '--out', file, ...prefixes, ...extra, '--json')));
    expect(made).toMatchObject({ kind: 'hba', sec: 0, canSign });
    const [first, second] = made.addresses;
    const crossed = { params: first?.params, address: second?.address };
    expect(verifyLine(JSON.stringify({ ...crossed, hba: true }))).toEqual({ valid: true, reason: 'ok' });
    expect(verifyLine(JSON.stringify(crossed))).toEqual({ valid: false, reason: 'prefix-mismatch' });
    expect(readKeyFile(file).prefixes).toHaveLength(2);
  });

  it('wants a prefix', async () => {
    await expect(keygen('hba', '--out', file)).rejects.toThrow(CommanderError);
  });
});
