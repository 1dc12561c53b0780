import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { findModifier } from '../../src/cga/search.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { searchModifier } from '../../src/node/modifier-search.ts';
import { exampleKey, hex } from '../cga/vectors.ts';

const extensions = new Uint8Array(0);
const task = { modifier: hex('000102030405060708090a0b0c0d0e0f'), publicKey: exampleKey, extensions, sec: 1 } as const;

/** Threads need compiled files: `npm test` builds them first. */
const COMPILED = new URL('../../dist/node/modifier-search.js', import.meta.url);
const compiled = z.object({ searchModifier: z.custom<typeof searchModifier>((value) => typeof value === 'function') });

describe('the Modifier search in another thread', () => {
  it('has nothing to do for Sec 0', async () => {
    expect(await searchModifier({ ...task, sec: 0 })).toBe(task.modifier);
  });

  it.skipIf(!existsSync(COMPILED) && process.env['CI'] === undefined)(
    'finds what the search here finds, while the event loop goes on',
    async () => {
      const { searchModifier: search } = compiled.parse(await import(COMPILED.href));
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      const found = await search(task);
      clearInterval(timer);
      expect(new Uint8Array(found)).toEqual(findModifier(nodeCrypto, task));
      expect(turns).toBeGreaterThan(3);
    },
  );
});
