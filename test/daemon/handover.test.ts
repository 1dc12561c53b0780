import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_HANDOVER, takeHandover, writeHandover } from '../../src/daemon/handover.ts';
import type { Handover } from '../../src/daemon/handover.ts';
import { establishedPair } from '../host/two-hosts.ts';
import { recordingLog } from './recording-log.ts';
import type { Log } from '../../src/daemon/log.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-handover-'));
  file = join(folder, 'handover.json');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A log that keeps the warnings, whole. */
function complaining(): Log & { readonly complaints: string[] } {
  const complaints: string[] = [];
  const warn = (...said: unknown[]): void => void complaints.push(JSON.stringify(said));
  return { ...recordingLog(), warn, complaints };
}

function handover(): Handover {
  const { hosts, destination } = establishedPair();
  const preferred = hosts.pair(hosts.a, 2);
  hosts.a.sim.handle({ type: 'wish', ulids: hosts.ulids(hosts.a), wish: { type: 'prefer', pair: preferred } });
  return { contexts: hosts.a.sim.host.remember(), identifiers: [destination] };
}

/** Writes a handover, and changes what the file says. */
function changed(change: (values: Record<string, unknown>) => void): void {
  writeHandover(file, handover());
  const values = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  change(values);
  writeFileSync(file, JSON.stringify(values));
}

describe('what one daemon leaves for the next', () => {
  it('is taken also from a daemon that knew nothing of wishes', () => {
    changed(({ contexts }) => {
      for (const context of contexts as Record<string, unknown>[]) delete context['wishes'];
    });
    const [taken] = takeHandover(file, complaining()).contexts;
    expect(taken?.wishes).toEqual({ preferred: undefined, standby: false });
  });

  it('is taken as it was left, once, from a file that nobody else can read', () => {
    const left = handover();
    writeHandover(file, left);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(left.contexts).toHaveLength(1);
    expect(left.contexts[0]?.wishes.preferred).toBeDefined();
    const log = complaining();
    expect(left).toMatchObject(takeHandover(file, log)); // the file leaves out what says nothing
    expect(log.complaints).toEqual([]);
    expect(existsSync(file)).toBe(false);
    expect(takeHandover(file, log)).toEqual(NO_HANDOVER);
  });

  it.each([
    ['is more than a minute old', { at: Date.now() - 61_000 }],
    ['is from the future', { at: Date.now() + 60_000 }],
    ['is from before the machine started', { boot: 'another' }],
  ])('counts no more when it %s', (_, difference) => {
    changed((values) => Object.assign(values, difference));
    const log = complaining();
    expect(takeHandover(file, log)).toEqual(NO_HANDOVER);
    expect(log.complaints).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['is not JSON', () => writeFileSync(file, '{"boot":', { mode: 0o600 }), /not JSON/],
    ['names an address of another length', () => changed((v) => Object.assign(v, { identifiers: ['00'] })), /address/],
    ['has digits that are none', () => changed((v) => Object.assign(v, { identifiers: ['xy'] })), /hexadecimal/],
    [
      'can be read by others',
      () => {
        writeHandover(file, handover());
        chmodSync(file, 0o644);
      },
      /open to others/,
    ],
  ])('is left alone with a warning when it %s', (_, damage, complaint) => {
    damage();
    const log = complaining();
    expect(takeHandover(file, log)).toEqual(NO_HANDOVER);
    expect(JSON.stringify(log.complaints)).toMatch(complaint);
    expect(existsSync(file)).toBe(false);
  });
});
