import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** How the copies with broken branches are tested. */
const config: ViteUserConfig = defineConfig({
  test: {
    name: 'mutants',
    pool: 'forks',
    testTimeout: 20_000,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/conformance/hits.ts'],
  },
});

export default config;
