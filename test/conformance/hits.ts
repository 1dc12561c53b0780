import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';

// Set-up of the runs that look for covered branches: notes in the sources call this, and each test file leaves its numbers.
const folder = process.env['LOCI_CONFORMANCE_HITS'];
const taken = new Set<number>();

Object.assign(globalThis, { branchTaken: (branch: number): unknown => taken.add(branch) });

afterAll(() => {
  if (folder === undefined) return;
  const hits = { file: expect.getState().testPath, branches: [...taken] };
  writeFileSync(join(folder, `${crypto.randomUUID()}.json`), JSON.stringify(hits));
});
