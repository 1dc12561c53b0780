import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceManager } from '../../src/daemon/notify.ts';
import type { NotifyEnvironment } from '../../src/daemon/notify.ts';
import { notifiedAt } from './notified.ts';
import type { Notified } from './notified.ts';
import { recordingLog } from './recording-log.ts';

let directory: string;
let receiver: Notified | undefined;
const log = recordingLog();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loci-notify-'));
  log.lines.length = 0;
});

afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
  rmSync(directory, { recursive: true });
});

interface Listening {
  readonly manager: ServiceManager;
  next(): Promise<readonly string[]>;
}

/** A manager that listens at `socket`, and locid's side of it. */
async function listening(socket: string, more: NotifyEnvironment = {}): Promise<Listening> {
  receiver = await notifiedAt(socket);
  return { manager: new ServiceManager({ NOTIFY_SOCKET: socket, ...more }, log), next: receiver.next };
}

describe('the service manager', () => {
  it.each(['path', 'abstract'])('hears of start, reload and end on a socket with a %s address', async (kind) => {
    const socket = kind === 'path' ? join(directory, 'notify') : `@loci-test-${String(process.pid)}`;
    const { manager, next } = await listening(socket);
    manager.ready();
    expect(await next()).toEqual(['READY=1', 'STATUS=at work']);
    const before = process.hrtime.bigint() / 1000n;
    manager.reloading();
    const [reloading, since = ''] = await next();
    expect(reloading).toBe('RELOADING=1');
    const [, microseconds = '0'] = /^MONOTONIC_USEC=(\d+)$/.exec(since) ?? [];
    expect(BigInt(microseconds)).toBeGreaterThanOrEqual(before);
    expect(BigInt(microseconds)).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
    manager.kept('locid.toml:3: not\na profile');
    expect(await next()).toEqual(['READY=1', 'STATUS=kept the old configuration: locid.toml:3: not a profile']);
    manager.stopping();
    expect(await next()).toEqual(['STOPPING=1']);
    expect(log.lines).toEqual([]);
  });

  it('hears from the watchdog again and again, until the end', async () => {
    const { manager, next } = await listening(join(directory, 'notify'), {
      WATCHDOG_USEC: '20000',
      WATCHDOG_PID: String(process.pid),
    });
    manager.ready();
    expect(await next()).toEqual(['READY=1', 'STATUS=at work']);
    for (let i = 0; i < 3; i++) expect(await next()).toEqual(['WATCHDOG=1']);
    manager.stopping();
    let last = await next();
    while (last[0] === 'WATCHDOG=1') last = await next();
    expect(last).toEqual(['STOPPING=1']);
  });

  it('hears nothing from a watchdog that is meant for another process', async () => {
    const { manager, next } = await listening(join(directory, 'notify'), { WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
    manager.ready();
    await new Promise((resolve) => setTimeout(resolve, 20));
    manager.stopping();
    expect([await next(), await next()]).toEqual([['READY=1', 'STATUS=at work'], ['STOPPING=1']]);
  });

  it.each([{}, { NOTIFY_SOCKET: '' }, { WATCHDOG_USEC: '1000' }])(
    'is not told when there is none: %j',
    (environment) => {
      const manager = new ServiceManager(environment, log);
      manager.ready();
      manager.reloading();
      manager.stopping();
      expect(log.lines).toEqual([]);
    },
  );

  it.each([
    ['gone', 'nobody'],
    ['an address that is too long', 'x'.repeat(200)],
  ])('that is %s is no reason to stop', (_, name) => {
    const manager = new ServiceManager({ NOTIFY_SOCKET: join(directory, name) }, log);
    manager.ready();
    manager.stopping();
    expect(log.lines).toEqual(Array(2).fill('warn could not tell the service manager'));
  });
});
