import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** Tests with real packets and real time, or that keep the machine busy: one file at a time, after all others. */
const KERNEL = [
  'test/e2e/**/*.test.ts',
  'test/node/**/*.test.ts',
  'test/contracts/kernel*.test.ts',
  'test/package.test.ts',
];

const config: ViteUserConfig = defineConfig({
  test: {
    pool: 'forks',
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'pure', include: ['test/**/*.test.ts'], exclude: KERNEL, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'kernel', include: KERNEL, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});

export default config;
