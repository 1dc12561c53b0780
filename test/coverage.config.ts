import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** How many branches of the codecs tests and fuzzing take together: `npm run coverage`. */
const config: ViteUserConfig = defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    pool: 'forks',
    testTimeout: 60_000,
    include: [
      'wire/**/*',
      'shim6/**/*',
      'cga/**/*',
      'crypto/**/*',
      'dissect/**/*',
      'reap/**/*',
      'hip/wire*',
      'fuzz/**/*',
    ].map((files) => `test/${files}.test.ts`),
    coverage: {
      enabled: true,
      provider: 'v8',
      reporter: ['text'],
      include: [
        'src/wire/**',
        'src/shim6/{message-codec,options,locator-list,probe,payload-header,fast-detection,quoted,error-message,tag}.ts',
        'src/hip/{packet-codec,packet-ranges,packet-carriage,parameter-codec,parameter-list,locator-set}.ts',
        'src/cga/{parameters,extensions}.ts',
        'src/crypto/rsa-key.ts',
      ],
      thresholds: { branches: 95 },
    },
  },
});

export default config;
