import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

// Set-up of the runs that look for covered branches: notes in the sources call this, and each test file leaves its numbers.
const folder = process.env['LOCI_CONFORMANCE_HITS'];
const taken = new Set<number>();
/** Taken before a test began: by all tests of the file. */
const before = new Set<number>();
const tests: { title: string; branches: number[] }[] = [];

Object.assign(globalThis, { branchTaken: (branch: number): unknown => taken.add(branch) });

beforeEach(() => {
  for (const branch of taken) before.add(branch);
  taken.clear();
});

afterEach(({ task }) => {
  const names = [task.name];
  for (let above = task.suite; above !== undefined; above = above.suite) names.unshift(above.name);
  tests.push({ title: names.join(' ').trim(), branches: [...taken] });
  taken.clear();
});

afterAll(() => {
  if (folder === undefined) return;
  const hits = { file: expect.getState().testPath, before: [...before], tests };
  writeFileSync(join(folder, `${crypto.randomUUID()}.json`), JSON.stringify(hits));
});
