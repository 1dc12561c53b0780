import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/daemon/config.ts';
import { ControlServer } from '../../src/daemon/control.ts';
import { live } from '../../src/daemon/lifecycle.ts';
import type { Life } from '../../src/daemon/lifecycle.ts';
import { parseConfig } from '../../src/daemon/load.ts';
import { ServiceManager } from '../../src/daemon/notify.ts';
import { preflight } from '../../src/daemon/preflight.ts';
import { LociError } from '../../src/node/error.ts';
import { fakeControl } from './fake-control.ts';
import { recordingLog } from './recording-log.ts';

let directory: string;
let config: Config;
const signals = new EventEmitter();
const log = recordingLog();
let trace: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loci-life-'));
  config = parseConfig(`control_socket = "${directory}/control.sock"`, 'locid.toml');
  log.lines.length = 0;
  trace = [];
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  expect(signals.eventNames()).toEqual([]);
});

function life(changes: Partial<Life> = {}): Life {
  return {
    config,
    log,
    manager: new ServiceManager({}, log),
    signals,
    run: () => {
      trace.push('run');
      return Promise.resolve({
        control: fakeControl(),
        reload: (next) => trace.push(`reload ${next.profile}`),
        handOver: () => trace.push('hand over'),
        close: () => {
          trace.push('close');
          return Promise.resolve();
        },
      });
    },
    reread: () => ({ ...config, profile: 'rfc', logLevel: 'debug' }),
    cleanup: () => {
      trace.push('cleanup');
      return Promise.resolve();
    },
    complain: (sentence) => trace.push(sentence),
    ...changes,
  };
}

async function ready(): Promise<void> {
  for (let i = 0; i < 500 && !log.lines.includes('info ready'); i++)
    await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('the daemon', () => {
  it.each(['SIGTERM', 'SIGINT'])('ends in order at %s, and its socket goes', async (signal) => {
    const status = live(life());
    await ready();
    expect(existsSync(config.controlSocket)).toBe(true);
    signals.emit(signal, signal);
    expect(await status).toBe(0);
    expect(trace).toEqual(['run', 'hand over', 'close']);
    expect(existsSync(config.controlSocket)).toBe(false);
  });

  it('that is told to end while it starts closes what it started', async () => {
    const { run } = life();
    const slow: Life['run'] = async (...start) => {
      signals.emit('SIGTERM', 'SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 20));
      return run(...start);
    };
    expect(await live(life({ run: slow }))).toBe(0);
    expect(trace).toEqual(['run', 'hand over', 'close']);
  });

  it('reads its configuration again at SIGHUP', async () => {
    const status = live(life());
    await ready();
    signals.emit('SIGHUP', 'SIGHUP');
    expect(log.level).toBe('debug');
    signals.emit('SIGTERM', 'SIGTERM');
    await status;
    expect(trace).toEqual(['run', 'reload rfc', 'hand over', 'close']);
  });

  it('keeps the old configuration when the new one has a mistake', async () => {
    const reread = (): Config => parseConfig('profile = 1', 'locid.toml');
    const status = live(life({ reread }));
    await ready();
    signals.emit('SIGHUP', 'SIGHUP');
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await status).toBe(0);
    expect(log.lines).toContain('error kept the old configuration');
    expect(trace).toEqual(['run', 'hand over', 'close']);
  });

  it.each(['uncaughtException', 'unhandledRejection'])('closes, cleans up and fails at an %s', async (failure) => {
    const status = live(life());
    await ready();
    signals.emit(failure, new Error('surprise'));
    expect(await status).toBe(1);
    expect(trace).toEqual(['run', 'close', 'cleanup']);
    expect(log.lines).toContain('error broke down');
  });

  it('does not wait for a start that an exception has broken', async () => {
    const run: Life['run'] = () => {
      setImmediate(() => signals.emit('uncaughtException', new Error('early')));
      return new Promise(() => undefined);
    };
    expect(await live(life({ run }))).toBe(1);
    expect(trace).toEqual(['early', 'cleanup']);
  });

  it.each([
    [new LociError('addresses', 'no usable IPv6 address'), 2],
    [new TypeError('bug'), 1],
  ])('that cannot start says why in one sentence: %s', async (error, expected) => {
    expect(await live(life({ run: () => Promise.reject(error) }))).toBe(expected);
    expect(trace).toEqual([error.message, 'cleanup']);
    expect(existsSync(config.controlSocket)).toBe(false);
  });

  it('leaves the machine alone when another one runs', async () => {
    const other = await ControlServer.claim(config.controlSocket, log);
    expect(await live(life())).toBe(2);
    expect(trace).toEqual([expect.stringMatching(/^another locid answers at /)]);
    await other.close();
  });

  it('fails when it cannot close in order', async () => {
    const run: Life['run'] = () =>
      Promise.resolve({
        control: fakeControl(),
        reload: () => undefined,
        handOver: () => undefined,
        close: () => Promise.reject(new Error('stuck')),
      });
    const status = live(life({ run }));
    await ready();
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await status).toBe(1);
  });
});

describe('the look around before the start', () => {
  const all = 'Name:\tnode\nCapEff:\t000001ffffffffff\n';

  it('finds nothing wrong with root and a device', () => {
    expect(() => {
      preflight({ processStatus: all, tunDevice: '/dev/null' });
    }).not.toThrow();
  });

  it.each([
    ['0000000000001000', 'CAP_NET_RAW'],
    ['0000000000002000', 'CAP_NET_ADMIN'],
    ['0000000000000000', 'CAP_NET_ADMIN and CAP_NET_RAW'],
  ])('names the capabilities that %s lacks', (set, names) => {
    expect(() => {
      preflight({ processStatus: `CapEff:\t${set}\n`, tunDevice: '/dev/null' });
    }).toThrow(expect.objectContaining({ code: 'privilege', message: expect.stringContaining(`lacks ${names};`) }));
  });

  it('names the remedy when there is no TUN device', () => {
    expect(() => {
      preflight({ processStatus: all, tunDevice: join(directory, 'tun') });
    }).toThrow(expect.objectContaining({ code: 'device', message: expect.stringContaining('modprobe tun') }));
  });
});
