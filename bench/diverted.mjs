// Compiles and runs bench/diverted.ts: node bench/diverted.mjs [--seconds S] [--rounds N]
import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const run = (...words) => {
  const { status } = spawnSync(process.execPath, words, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 2);
};
run(at('../node_modules/typescript/bin/tsc'), '-p', at('tsconfig.json'));
if (!existsSync(at('../build/bench/build'))) symlinkSync('..', at('../build/bench/build')); // where the loader looks
run(at('../build/bench/bench/diverted.js'), ...process.argv.slice(2));
