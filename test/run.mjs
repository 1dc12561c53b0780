// `npm test`: vitest in a process that may build network namespaces. Arguments go to vitest; `--fuzz` runs the fuzz targets
// only: `--count N` inputs over all of them, `--seed S`, `--target NAME` (a part of a name is enough).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePrivilege, obeyParent } from '../dist/node/privilege.js';

const root = new URL('..', import.meta.url).pathname;
const given = process.argv.slice(2);
const args = given[0] === '--fuzz' ? fuzzArguments(given.slice(1)) : given;

try {
  await ensurePrivilege();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
obeyParent();
process.exit(await vitest());

/** What was asked of the fuzzer goes to `test/fuzz/fuzz.test.ts` in the environment. */
function fuzzArguments(words) {
  const variables = { '--count': 'LOCI_FUZZ_COUNT', '--seed': 'LOCI_FUZZ_SEED', '--target': 'LOCI_FUZZ_TARGET' };
  const rest = [];
  for (let at = 0; at < words.length; at++) {
    const [name, glued] = words[at].split('=', 2);
    if (!(name in variables)) {
      rest.push(words[at]);
      continue;
    }
    const value = glued ?? words[++at];
    if (value === undefined || (name !== '--target' && !/^[1-9]\d{0,9}$/.test(value))) {
      process.stderr.write(`${name} wants ${name === '--target' ? 'the name of a target' : 'a number from 1'}\n`);
      process.exit(2);
    }
    process.env[variables[name]] = value;
  }
  process.env['LOCI_FUZZ_VERBOSE'] ??= '1';
  return ['--project', 'pure', 'test/fuzz', ...rest];
}

/** Runs vitest, prints the count of tests in plain form, alone on the last line, and returns the exit status. */
async function vitest() {
  const folder = mkdtempSync(join(tmpdir(), 'loci-test-'));
  const file = join(folder, 'results.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const command = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...reporters, ...args];
  const child = spawn(process.execPath, command, { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  try {
    const [status] = await once(child, 'close');
    return conclude(file, status ?? 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function conclude(file, status) {
  const { passed, failed } = existsSync(file)
    ? count(JSON.parse(readFileSync(file, 'utf8')))
    : { passed: 0, failed: 1 };
  process.stdout.write(`${String(passed)} passed, ${String(failed)} failed\n`);
  return status === 0 && failed > 0 ? 1 : status;
}

/** A file that could not be loaded counts as one failed test. */
function count({ numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}
