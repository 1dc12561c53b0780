import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const INSIDE = 'LOCI_TEST_OWN_NETWORK';

/** Whether the test file runs in a network namespace of its own. */
export const inOwnNetwork: boolean = process.env[INSIDE] !== undefined;

/** Run the test file `url` again in a network namespace of its own, which vanishes with the run; a failure to do so fails. */
export function runInOwnNetwork(url: string): void {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  const privileges = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const run = spawnSync('unshare', [...privileges, process.execPath, vitest, 'run', fileURLToPath(url)], {
    env: { ...Object.fromEntries(environment), [INSIDE]: '1' },
    encoding: 'utf8',
  });
  expect(run.status, `${run.stdout}${run.stderr}${String(run.error ?? '')}`).toBe(0);
}

/** Run `ip`; each argument may hold several words. */
export function ip(...words: readonly string[]): void {
  const split = words.flatMap((word) => word.split(' '));
  execFileSync('ip', split, { stdio: ['ignore', 'ignore', 'inherit'] });
}
