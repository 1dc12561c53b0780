import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/node/addon.ts';
import { onesComplementSum } from '../../src/wire/checksum.ts';
import { inOwnNetwork, ip, runInOwnNetwork } from '../contracts/own-network.ts';

const ADDON = fileURLToPath(new URL('../../build/Release/loci.node', import.meta.url));

/** A program that opens and watches one descriptor of every kind. */
const OPEN_EVERYTHING = `
  const addon = require(${JSON.stringify(ADDON)});
  const none = new Uint8Array(0);
  const loopback = Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
  const opened = [
    addon.tunOpen('lociW' + require('node:worker_threads').threadId, 1500),
    addon.senderOpen(loopback, 0x10000000),
    addon.receiverOpen(140, 0, none),
    addon.receiverOpen(58, 0, Uint8Array.of(1)),
    addon.captureOpen(1),
    addon.netlinkOpen(0, Uint8Array.of(1)),
    addon.netlinkOpen(0, none),
  ];
  for (const fd of opened) {
    if (fd < 0) throw new Error('cannot open: ' + opened);
    if (addon.watch(fd, () => {}) !== 0) throw new Error('cannot watch');
  }
`;

if (!inOwnNetwork) {
  it('the addon behaves in a network namespace of its own', { timeout: 60_000 }, () => {
    runInOwnNetwork(import.meta.url);
  });
} else {
  describe('open descriptors', () => {
    beforeAll(() => {
      ip('link set lo up');
    });
    const worker = (program: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const thread = new Worker(program, { eval: true });
        thread.on('error', reject);
        thread.on('exit', resolve);
      });

    it('do not abort the process when their worker exits, is terminated, or fails', async () => {
      for (let round = 0; round < 3; round++) {
        expect(await worker(`${OPEN_EVERYTHING} process.exit(0);`)).toBe(0);
        await expect(worker(`${OPEN_EVERYTHING} throw new RangeError('on purpose');`)).rejects.toThrow('on purpose');
        const thread = new Worker(`${OPEN_EVERYTHING} require('node:worker_threads').parentPort.postMessage('open');`, {
          eval: true,
        });
        await new Promise((resolve) => thread.once('message', resolve));
        expect(await thread.terminate()).toBe(1);
      }
    });

    it('can be open in several workers at once', async () => {
      const programs = Array.from({ length: 4 }, () =>
        worker(`${OPEN_EVERYTHING} setTimeout(() => process.exit(0), 50);`),
      );
      expect(await Promise.all(programs)).toEqual([0, 0, 0, 0]);
    });

    it('do not keep the process alive when unreferenced, and do otherwise', () => {
      const ended = spawnSync(process.execPath, ['-e', `${OPEN_EVERYTHING} opened.forEach((fd) => addon.unref(fd));`], {
        timeout: 5000,
      });
      expect([ended.status, ended.stderr.toString()]).toEqual([0, '']);
      const held = spawnSync(process.execPath, ['-e', OPEN_EVERYTHING], { timeout: 500 });
      expect(held.signal).toBe('SIGTERM');
    });

    it('do not keep the process alive once closed, even from inside their callback', () => {
      const program = `${OPEN_EVERYTHING} opened.forEach((fd) => addon.close(fd));
        const slab = new Uint8Array(128); slab[0] = 0x60; slab[5] = 8; slab[6] = 140; slab[7] = 1; slab[23] = 1; slab[39] = 1;
        const receiver = addon.receiverOpen(140, 0, none), sender = addon.senderOpen(loopback, 0);
        addon.watch(receiver, () => { console.log('read'); addon.close(receiver); });
        const meta = new Int32Array(12); meta[1] = 48; meta[5] = sender;
        addon.senderSend(-1, slab, meta, 1, 128);
        if (meta[6] !== 0) throw new Error('cannot send: ' + meta[6]);
        addon.close(sender);`;
      const run = spawnSync(process.execPath, ['-e', program], { timeout: 5000 });
      expect([run.status, run.stdout.toString(), run.stderr.toString()]).toEqual([0, 'read\n', '']);
    });

    it('report an exception of their callback as uncaught', () => {
      const program = `const addon = require(${JSON.stringify(ADDON)});
        const fd = addon.netlinkOpen(0, Uint8Array.of(1));
        addon.watch(fd, () => { throw new RangeError('on purpose'); });
        require('node:child_process').execFileSync('ip', ['link', 'set', 'lo', 'down']);
        require('node:child_process').execFileSync('ip', ['link', 'set', 'lo', 'up']);`;
      const run = spawnSync(process.execPath, ['-e', program], { timeout: 5000 });
      expect(run.status).toBe(1);
      expect(run.stderr.toString()).toContain('on purpose');
    });
  });
}

describe('the native addon', () => {
  it('sums as the portable checksum does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 0, max: 0x7fffffff }), (octets, initial) => {
        expect(addon().checksum(octets, initial)).toBe(onesComplementSum(octets, initial));
      }),
    );
    const long = Uint8Array.from({ length: 65535 }, (_, i) => (i * 31 + (i >> 7)) & 0xff);
    for (const start of [0, 1, 2, 3])
      expect(addon().checksum(long.subarray(start), 0)).toBe(onesComplementSum(long.subarray(start)));
  });

  it('refuses arguments of the wrong type or size', () => {
    const slab = new Uint8Array(1024);
    const meta = new Int32Array(24);
    expect(() => addon().receiverReceive(-1, slab, meta, 3, 512)).toThrow(TypeError); // beyond slab and meta
    expect(() => addon().receiverReceive(-1, slab, new Int32Array(12), 2, 512)).toThrow(TypeError);
    expect(() => addon().receiverReceive(-1, slab, meta, 2, 64)).toThrow(TypeError); // no room behind the headroom
    expect(addon().receiverReceive(-1, slab, meta, 2, 512)).toBeLessThan(0);
    expect(addon().watch(-1, () => undefined)).toBeLessThan(0);
    expect(addon().close(100_000)).toBeLessThan(0);
  });

  it('says what to do when it is not built', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loci-addon-'));
    try {
      mkdirSync(join(folder, 'src/node'), { recursive: true });
      for (const file of ['addon.ts', 'error.ts'])
        cpSync(fileURLToPath(new URL(`../../src/node/${file}`, import.meta.url)), join(folder, 'src/node', file));
      const copy: { addon: () => unknown } = await import(join(folder, 'src/node/addon.ts'));
      expect(() => copy.addon()).toThrow(
        expect.objectContaining({ code: 'addon-missing', message: expect.stringContaining('npm rebuild') }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
