import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseCapture } from '../../src/wire/pcapng.ts';

const MAIN = new URL('../../dist/cli/demo/main.js', import.meta.url).pathname;

const Pair = z.tuple([z.string(), z.string()]);
const Figures = z.strictObject({
  udpGapMs: z.number(),
  tcpStallMs: z.number(),
  detectMs: z.number().nullable(),
  recoverMs: z.number().nullable(),
});
const Report = z.strictObject({
  mode: z.literal('tun'),
  protocol: z.literal('shim6'),
  failure: z.string(),
  profile: z.string(),
  kernel: z.string(),
  commit: z.string(),
  ok: z.literal(true),
  runs: z.array(
    z.strictObject({
      ok: z.literal(true),
      tcp: z.strictObject({
        bytes: z.number().positive(),
        sha256Match: z.literal(true),
        sameConnection: z.literal(true),
        stallMs: z.number(),
      }),
      udp: z.strictObject({ sent: z.number().positive(), lost: z.number(), gapMs: z.number() }),
      detectMs: z.number().nullable(),
      recoverMs: z.number().nullable(),
      pairBefore: Pair,
      pairAfter: Pair,
    }),
  ),
  median: Figures,
  max: Figures,
});

function measured(...args: readonly string[]): z.infer<typeof Report> {
  const { stdout, stderr } = spawnSync(process.execPath, [MAIN, '--json', ...args], { encoding: 'utf8' });
  const parsed = Report.safeParse(JSON.parse(stdout));
  if (!parsed.success) throw new Error(`${parsed.error.message}\n${stdout}\n${stderr}`);
  return parsed.data;
}

/** The provider at both ends of a pair. */
function providers(pair: readonly string[]): readonly (string | undefined)[] {
  return pair.map((address) => /^2001:db8:(\d):/.exec(address)?.[1]);
}

/** Far above what is measured (tens of milliseconds), far below what anything but Loci would need on a busy machine. */
const LIMIT_MS = 700;

describe('ordinary programs keep talking when their provider fails', () => {
  it.each([
    ['blackhole', []],
    ['blackhole-out', []],
    ['blackhole-in', []],
    ['linkdown', []],
    ['linkdown', ['--cause', 'carrier']],
  ] as const)(
    '%s %j',
    (failure, more) => {
      const report = measured('--failure', failure, ...more);
      const [run] = report.runs;
      expect(report.failure).toBe(failure);
      expect(providers(run?.pairBefore ?? [])).toEqual(['1', '1']);
      expect(report.max.udpGapMs).toBeLessThan(LIMIT_MS);
      expect(report.max.tcpStallMs).toBeLessThan(LIMIT_MS);
      expect(report.max.detectMs).toBeLessThan(LIMIT_MS);
      expect(report.max.recoverMs).toBeLessThan(LIMIT_MS);
      if (failure !== 'blackhole-in') expect(providers(run?.pairAfter ?? [])).toEqual(['2', '2']);
    },
    60_000,
  );

  it('renumber: the connection outlives the very address that names its end', () => {
    const report = measured('--failure', 'renumber');
    expect(report.max.udpGapMs).toBeLessThan(LIMIT_MS);
    expect(report.max.tcpStallMs).toBeLessThan(LIMIT_MS);
    const [run] = report.runs;
    expect(run?.pairAfter[0]).not.toBe(run?.pairBefore[0]);
  }, 60_000);

  it('--pcap writes the whole run, one file for each link', () => {
    const folder = mkdtempSync(join(tmpdir(), 'loci-pcap-'));
    try {
      measured('--failure', 'linkdown', '--rate', '20', '--pcap', folder);
      const files = readdirSync(folder).sort();
      expect(files).toEqual(
        ['client', 'server'].flatMap((host) => [1, 2].map((n) => `${host}-provider${String(n)}.pcapng`)),
      );
      for (const file of files) {
        const capture = parseCapture(readFileSync(join(folder, file)));
        expect(capture.ok && capture.value.damage === undefined && capture.value.packets.length > 100).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
