import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { captureOf, entriesOf } from '../dissect/captures.ts';
import { STORY, STORY_PACKETS } from '../dissect/story.ts';
import { said } from './run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-dissect-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  process.exitCode = undefined; // else a damaged capture would fail the whole run
});

function file(name: string, octets: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, octets);
  return path;
}

/** The one document on stdout. */
function documentOf(out: string): unknown {
  expect(out.match(/\n/g)).toHaveLength(1);
  return JSON.parse(out);
}

describe('loci dissect FILE --json', () => {
  it('prints one array with an entry for each message', async () => {
    const { status, out, err } = await said('dissect', file('story.pcapng', STORY), '--json');
    expect([status, err]).toEqual([0, '']);
    expect(documentOf(out)).toEqual(entriesOf(STORY));
  });

  it('prints one array however many messages there are', async () => {
    const many = captureOf(...Array.from({ length: 100 }, () => STORY_PACKETS).flat());
    const { out } = await said('--json', 'dissect', file('many.pcapng', many));
    expect(documentOf(out)).toHaveLength(100 * STORY_PACKETS.length);
  });

  it('prints an empty array of a capture without Shim6', async () => {
    const { status, out } = await said('dissect', file('none.pcapng', captureOf()), '--json');
    expect([status, out]).toEqual([0, '[]\n']);
  });

  it('prints what a file holds that was cut off, then where it ends, and fails', async () => {
    const { status, out, err } = await said('dissect', file('cut.pcapng', STORY.subarray(0, -9)), '--json');
    const whole = entriesOf(STORY);
    const at = z.array(z.unknown()).parse(documentOf(out));
    expect(at.slice(0, -1)).toEqual(whole.slice(0, -1));
    expect(at.at(-1)).toEqual({ frame: whole.length, error: { reason: 'truncated', at: expect.any(Number) } });
    expect(status).toBe(1);
    expect(err).toMatch(/cut\.pcapng is cut off or damaged at octet \d+/);
  });

  it.each([
    ['an empty file', new Uint8Array(0)],
    ['text', new TextEncoder().encode('not a capture')],
  ])('answers an error document for %s', async (name, octets) => {
    const path = file(name, octets);
    const { status, out } = await said('dissect', path, '--json');
    expect(status).toBe(1);
    expect(documentOf(out)).toEqual({ error: { code: 'capture', message: expect.any(String), file: path } });
  });

  it('answers an error document when there is no file, and when none is named', async () => {
    const absent = await said('dissect', join(folder, 'absent'), '--json');
    expect(absent.status).toBe(1);
    expect(documentOf(absent.out)).toMatchObject({ error: { code: 'ENOENT', file: join(folder, 'absent') } });
    const unnamed = await said('dissect', '--json');
    expect(unnamed.status).toBe(2);
    expect(documentOf(unnamed.out)).toMatchObject({ error: { code: 'usage' } });
  });
});

describe('loci dissect FILE --keys FILE', () => {
  const vector = (name: string): string => new URL(`../vectors/${name}`, import.meta.url).pathname;
  const capture = vector('cutehip-rfcpatched-rsa.pcap');

  it('verifies HIP and opens ESP', async () => {
    const keys = vector('cutehip-rfcpatched-rsa-keys-b.jsonl');
    const { status, out } = await said('dissect', capture, '--keys', keys, '--json');
    expect(status).toBe(0);
    const entries = z.array(z.looseObject({ checks: z.record(z.string(), z.string()) })).parse(documentOf(out));
    expect(entries.flatMap(({ checks }) => Object.values(checks)).filter((check) => check === 'good')).toHaveLength(26);
    const text = await said('dissect', capture, '--keys', keys);
    expect(text.out).toMatch(
      / 10\.77\.0\.1 > 10\.77\.0\.2 I2, .*, puzzle good, keymat good, hipMac good, signature good$/m,
    );
    expect(text.out).toMatch(/ ESP, spi c5a514bd, sequence 1, suite 8, esn false, .* > 2001:21:\S+, icv good$/m);
  });

  it.each([
    ['no JSON', '{"ev":"kdf"', 1],
    ['no object', '\n[]\n', 2],
    ['octets that are not hexadecimal', '{"ev":"sa","spi":"0x00000100","enc":"xy","auth":""}', 1],
    ['a HIT of another length', '{"ev":"esp_key","arg1_hit":"20","arg2_hit":"20","enc":"","auth":""}', 1],
    ['an SPI of another form', '\n\n{"ev":"sa","spi":"256","enc":"","auth":""}', 3],
  ])('refuses %s, and names the line', async (_, text, line) => {
    const path = file('keys.jsonl', new TextEncoder().encode(text));
    const { status, out } = await said('dissect', capture, '--keys', path, '--json');
    expect(status).toBe(1);
    expect(documentOf(out)).toEqual({ error: { code: 'keys', message: expect.any(String), file: path, line } });
  });

  it('passes over lines that say something else, and answers an error when there is no file', async () => {
    const path = file('other.jsonl', new TextEncoder().encode('{"ev":"exchange","t":1}\n\n{}\n'));
    expect((await said('dissect', capture, '--keys', path, '--json')).status).toBe(0);
    const absent = await said('dissect', capture, '--keys', join(folder, 'absent'), '--json');
    expect(absent.status).toBe(1);
    expect(documentOf(absent.out)).toMatchObject({ error: { code: 'ENOENT', file: join(folder, 'absent') } });
  });
});

describe('loci dissect FILE', () => {
  it('prints a line for each message, and what is wrong with one', async () => {
    const [first = new Uint8Array(0)] = STORY_PACKETS;
    const spoilt = first.map((octet, i) => (i === 44 ? octet ^ 1 : octet));
    const { status, out } = await said('dissect', file('lines.pcapng', captureOf(first, spoilt, first.slice(0, 50))));
    expect(status).toBe(0);
    const line = '2001:db8:a:1::1 > 2001:db8:b:1::1 I1';
    const fields = 'initiatorContextTag 123456789abc, initiatorNonce 1';
    expect(out.split('\n')).toEqual([
      `1 22:13:20.000000 ${line}, ${fields}`,
      `2 22:13:20.001000 ${line}, ${fields}, BAD CHECKSUM`,
      `3 22:13:20.002000 ${line}, MALFORMED: truncated at octet 1`,
      '',
    ]);
  });

  it('shows options in short, the ULIDs of payload and the verdict on a signature', async () => {
    const { out } = await said('dissect', new URL('../vectors/linshim6-cga.pcap', import.meta.url).pathname);
    expect(out).toMatch(
      / I2, .*\[responderValidator 20 octets; locatorList generation 1 locators 2; .*\], signature good$/m,
    );
    const story = await said('dissect', file('story.pcapng', STORY));
    expect(story.out).toMatch(/ Payload, .*, inner 2001:db8:a:1::1 > 2001:db8:b:1::1$/m);
    expect(Math.max(...story.out.split('\n').map((line) => line.length))).toBeLessThan(400);
  });

  it('says where a file ends that was cut off', async () => {
    const { status, out } = await said('dissect', file('cut.pcapng', STORY.subarray(0, -9)));
    expect(out).toMatch(/\n13 the file ends here: truncated at octet \d+\n$/);
    expect(status).toBe(1);
  });
});

const TSHARK = spawnSync('tshark', ['--version']).status === 0;
describe.skipIf(!TSHARK && process.env['CI'] === undefined)('tshark', () => {
  it('finds Shim6 in the same frames of a capture with every message', async () => {
    const path = file('story.pcapng', STORY);
    const args = ['-n', '-r', path, '-Y', 'shim6', '-T', 'fields', '-e', 'frame.number', '-e', 'shim6.checksum.status'];
    const { stdout } = spawnSync('tshark', args, { encoding: 'utf8' });
    const entries = z
      .array(z.looseObject({ frame: z.number(), checksum: z.string() }))
      .parse(documentOf((await said('dissect', path, '--json')).out));
    expect(stdout.split('\n').filter(Boolean)).toEqual(
      entries.map(({ frame, checksum }) => `${String(frame)}\t${checksum === 'good' ? '1' : ''}`),
    );
  });
});
