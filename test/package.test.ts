import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const run = promisify(execFile);
const Packed = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);
const Manifest = z.object({
  version: z.string(),
  bin: z.record(z.string(), z.string()),
  man: z.array(z.string()),
  exports: z.object({ '.': z.record(z.string(), z.string()) }),
});

const { version, bin, man, exports } = Manifest.parse(JSON.parse(readFileSync('package.json', 'utf8')));

/** Without what `npm test` tells its child about this package, which would make npm install into this folder. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)_|^npm_config_local_prefix$/.test(name)),
);

let folder: string;
let tarball: string;
let files: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loci-package-'));
  // `npm test` has built everything just before.
  const options = ['--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', ['pack', ...options], { env });
  const [packed] = Packed.parse(JSON.parse(stdout));
  files = packed.files.map(({ path }) => path);
  tarball = join(folder, packed.filename);
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the package', () => {
  it('holds everything that is needed to run, to build the addon, and to read', () => {
    const entries = Object.values(exports['.']).map((path) => path.replace('./', ''));
    expect(files).toEqual(expect.arrayContaining([...Object.values(bin), ...man, ...entries]));
    expect(files).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']));
    expect(files).toEqual(expect.arrayContaining(['docs/operating.md', 'examples/locid.toml']));
    expect(files).toContain('packaging/systemd/locid.service');
    const { targets } = z
      .object({ targets: z.array(z.object({ sources: z.array(z.string()) })) })
      .parse(JSON.parse(readFileSync('binding.gyp', 'utf8')));
    const sources = targets.flatMap(({ sources: names }) => names);
    expect(files).toEqual(expect.arrayContaining(['binding.gyp', 'native/loci.h', ...sources]));
  });

  it('holds nothing else', () => {
    const wanted =
      /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|binding\.gyp|native\/\w+\.[ch]|docs\/[\w/.-]+\.(?:md|jsonl?)|examples\/[\w/.-]+\.toml|packaging\/systemd\/[\w.-]+|dist\/man\/[\w.]+\.\d|dist\/[\w/.-]+\.(?:js|d\.ts))$/;
    expect(files.filter((path) => !wanted.test(path))).toEqual([]);
    expect(files.filter((path) => /\.test\.|buildinfo|\/write-/.test(path))).toEqual([]);
  });

  it('links in its documents only to what it holds', () => {
    for (const file of files.filter((path) => path.endsWith('.md'))) {
      for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/\]\(([^)\s#]+)/g)) {
        if (/^https?:/.test(target)) continue;
        const { pathname } = new URL(target, `file:///${file}`);
        expect(files, `${file} links to ${target}`).toContain(pathname.slice(1));
      }
    }
  });
});

/**
 * Gives a folder our versions of everything that the package needs: those are in npm's cache since `npm ci`, so that the
 * test also works without a network, in the namespaces that `npm test` makes for users without rights.
 */
function lockAsHere(home: string): void {
  const { packages } = z
    .looseObject({ packages: z.record(z.string(), z.looseObject({ dev: z.boolean().optional() })) })
    .parse(JSON.parse(readFileSync('package-lock.json', 'utf8')));
  const ours = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  const dependencies = { loci: `file:${tarball}` };
  const { dependencies: needed, bin: programs } = packages[''] ?? {};
  const loci = { version, resolved: dependencies.loci, hasInstallScript: true, dependencies: needed, bin: programs };
  const lock = {
    lockfileVersion: 3,
    requires: true,
    packages: { '': { dependencies }, 'node_modules/loci': loci, ...Object.fromEntries(ours) },
  };
  writeFileSync(join(home, 'package.json'), JSON.stringify({ dependencies }));
  writeFileSync(join(home, 'package-lock.json'), JSON.stringify(lock));
}

describe('the package, installed into an empty folder', () => {
  let home: string;

  beforeAll(async () => {
    home = join(folder, 'home');
    mkdirSync(home);
    lockAsHere(home);
    const options = ['--prefix', home, '--prefer-offline', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...options], { cwd: home, env });
  }, 300_000);

  const program = (name: string, ...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(join(home, 'node_modules/.bin', name), args, { cwd: home, env, encoding: 'utf8' });

  it('runs loci', () => {
    const { stdout, status } = program('loci', 'version', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(String(stdout))).toMatchObject({ version });
  });

  it('checks a configuration with locid', () => {
    const example = join(home, 'node_modules/loci/examples/locid.toml');
    expect(program('locid', '--check', '--config', example)).toMatchObject({ status: 0, stderr: '' });
    expect(program('locid', '--check', '--config', '/nowhere.toml').status).toBe(2);
  });

  it('has an addon that loads, and a library that can be imported', () => {
    expect(existsSync(join(home, 'node_modules/loci/build/Release/loci.node'))).toBe(true);
    const script = `
      import { parseAddress, formatAddress } from 'loci';
      import { addon } from './node_modules/loci/dist/node/addon.js';
      console.log(formatAddress(parseAddress('2001:DB8::0:1')), addon().checksum(Uint8Array.of(1, 2), 0));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: home,
      encoding: 'utf8',
    });
    expect([stdout, stderr]).toEqual(['2001:db8::1 258\n', '']);
  });
});
