import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import type { Log } from '../../src/daemon/log.ts';

async function written(use: (log: Log) => void): Promise<Record<string, unknown>[]> {
  const directory = mkdtempSync(join(tmpdir(), 'loci-log-'));
  const descriptor = openSync(join(directory, 'log'), 'a');
  try {
    const log = createLog('info', descriptor);
    use(log);
    await log.close(); // and the descriptor with it
    const text = readFileSync(join(directory, 'log'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

it('writes one JSON object per line with time, level, sentence and fields', async () => {
  const [line, ...others] = await written((log) => {
    log.warn({ pair: ['::1', '::2'] }, 'a pair failed');
  });
  expect(others).toEqual([]);
  expect(line).toEqual({ level: 'warn', time: expect.any(String), pair: ['::1', '::2'], msg: 'a pair failed' });
  expect(new Date(String(line?.['time'])).getFullYear()).toBeGreaterThan(2020);
});

it('leaves out what is less severe than the level, which may change', async () => {
  const lines = await written((log) => {
    log.debug({}, 'one');
    log.level = 'debug';
    log.debug({}, 'two');
    log.level = 'error';
    log.warn({}, 'three');
    log.error({}, 'four');
  });
  expect(lines.map((line) => line['msg'])).toEqual(['two', 'four']);
});

it('never writes keys, at any depth it may meet them', async () => {
  const text = JSON.stringify(
    await written((log) => {
      log.info(
        { key: 'S3', host: { privateKey: 'S3', deep: { pem: 'S3' } }, secret: 'S3', file: 'kept' },
        'made a key',
      );
    }),
  );
  expect(text).not.toContain('S3');
  expect(text).toContain('kept');
});
