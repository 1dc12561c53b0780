import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ticksIn } from '../src/cli/bench/cpu.ts';
import { rowOf } from '../src/cli/bench/failover.ts';
import { outcomeOf } from '../src/cli/bench/handshake.ts';
import { flowIn } from '../src/cli/bench/iperf.ts';
import { tookItsWay } from '../src/cli/bench/lane.ts';
import { parseOptions } from '../src/cli/bench/options.ts';
import { pingUs, timesIn } from '../src/cli/bench/ping.ts';
import { linesOf, reportOf, statusOf } from '../src/cli/bench/report.ts';
import { choose, rowsOf } from '../src/cli/bench/rows.ts';
import { medianRatio, quantile, spread } from '../src/cli/bench/statistics.ts';
import type { RunResult } from '../src/cli/demo/measure.ts';

const MAIN = new URL('../dist/cli/bench/main.js', import.meta.url).pathname;

const Failed = z.strictObject({ error: z.looseObject({ code: z.string(), message: z.string() }) });
const Report = z.strictObject({
  bench: z.string(),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.number().int().min(1),
    kernel: z.string(),
    node: z.string(),
  }),
  commit: z.string().min(1),
  cpuMethod: z.string().optional(),
  rows: z.array(z.looseObject({ name: z.string() })),
  missing: z.array(z.string()),
});

function bench(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env });
}

describe('the command line of the benchmarks', () => {
  it.each([
    ['no bench', ['--json'], 'missing required argument'],
    ['an unknown bench', ['speed', '--json'], 'speed'],
    ['no rounds at all', ['throughput', '--rounds', '0', '--json'], 'whole number'],
    ['seconds that are no number', ['throughput', '--seconds', 'two', '--json'], 'whole number'],
    ['a peer that no bench knows', ['throughput', '--peers', 'raw,carrier-pigeon', '--json'], '"carrier-pigeon"'],
    ['a peer of another bench', ['handshake', '--peers', 'raw', '--json'], '"raw"'],
  ])('refuses %s with one document and status 2', (_, args, words) => {
    const { status, stdout } = bench(args);
    expect(status).toBe(2);
    const { error } = Failed.parse(JSON.parse(stdout));
    expect(error.code).toBe('usage');
    expect(error.message).toContain(words);
  });

  it('ends with status 1 and a whole document when every named peer is missing', () => {
    const { status, stdout } = bench(['throughput', '--peers', 'openvpn,tinc', '--json']);
    expect(status).toBe(1);
    const report = Report.parse(JSON.parse(stdout));
    expect(report).toMatchObject({ bench: 'throughput', rows: [], missing: ['openvpn', 'tinc'] });
    expect(report.machine.node).toBe(process.versions.node);
  });

  it('names the command that installs iperf3 where it is missing', () => {
    const { status, stdout } = bench(['throughput', '--peers', 'raw', '--json'], { PATH: '/nonexistent' });
    expect(status).toBe(2);
    const { error } = Failed.parse(JSON.parse(stdout));
    expect(error).toMatchObject({ code: 'missing-tool', message: expect.stringContaining('apt-get install iperf3') });
  });

  it('has defaults for rounds that fit what a round takes', () => {
    expect(parseOptions(['throughput'])).toEqual({
      bench: 'throughput',
      peers: undefined,
      rounds: 15,
      seconds: 2,
      json: false,
    });
    expect(parseOptions(['failover', '--rounds', '3', '--json'])).toMatchObject({ rounds: 3, json: true });
    expect(parseOptions(['throughput', '--peers', 'raw,tinc,raw'])?.peers).toEqual(['raw', 'tinc']);
  });
});

describe('the choice of rows', () => {
  it('measures what this version can and lists the rest as missing', () => {
    const { measured, missing } = choose('throughput', undefined, []);
    expect(measured).toEqual(['raw', 'raw-offloads-off', 'loci-shim6-plain', 'loci-shim6-diverted']);
    expect(missing).toEqual(expect.arrayContaining(['wireguard-go', 'openvpn', 'strongswan-libipsec', 'tinc']));
    expect([...measured, ...missing]).toEqual(rowsOf('throughput').map(({ name }) => name));
  });

  it('lists a row as missing when its tool is', () => {
    expect(choose('latency', ['raw', 'raw-offloads-off'], ['raw-offloads-off'])).toEqual({
      measured: ['raw'],
      missing: ['raw-offloads-off'],
    });
  });

  it('fails when nothing was measured or a run failed', () => {
    const measured = { measured: ['linkdown'], missing: [] };
    expect(statusOf({ measured: [], missing: ['mobility'] }, [])).toBe(1);
    expect(statusOf(measured, [{ name: 'linkdown', failed: 1 }])).toBe(1);
    expect(statusOf(measured, [{ name: 'linkdown', failed: 0 }])).toBe(0);
  });
});

describe('the statistics', () => {
  it('compare each round with the reference of the same round', () => {
    expect(medianRatio([2, 1, 4], [10, 1, 10])).toBe(0.4);
    expect(medianRatio([1, 2], [])).toBeNull();
    expect(medianRatio([5], [0])).toBeNull();
  });

  it('do not change when the whole machine is slower for some rounds', () => {
    const rounds = fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 16 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(rounds, (pairs) => {
        const reference = pairs.map(([value]) => value);
        const slow = pairs.map(([value, slowness]) => value / slowness);
        const half = (values: readonly number[]): number[] => values.map((value) => value / 2);
        expect(medianRatio(half(slow), slow)).toBe(medianRatio(half(reference), reference));
      }),
    );
  });

  it('give the middle, the extremes and the nearest rank', () => {
    expect(spread([3, 1, 2.00006])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([])).toBeNull();
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 0.5)).toBe(50);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('what other programs print', () => {
  it('is read from iperf3: octets received, datagrams that arrived, processor time of both ends', () => {
    const cpu_utilization_percent = { host_total: 90, remote_total: 60 };
    const sent = { bytes: 6_000, bits_per_second: 24_000, seconds: 2, retransmits: 3 };
    const tcp = { sum_sent: sent, sum_received: { ...sent, bytes: 5_000 }, cpu_utilization_percent };
    expect(flowIn(JSON.stringify({ end: tcp }))).toEqual({
      bytes: 5_000,
      seconds: 2,
      retransmits: 3,
      packets: { received: 0, lost: 0 },
      cpuSeconds: 3,
    });
    const datagrams = { ...sent, packets: 1_000, lost_packets: 250 };
    const udp = { sum_sent: sent, sum_received: datagrams, cpu_utilization_percent };
    expect(flowIn(JSON.stringify({ end: udp })).packets).toEqual({ received: 750, lost: 250 });
  });

  it('is read from ping in microseconds', () => {
    const lines = [
      '64 bytes from fd00::1: icmp_seq=1 ttl=63 time=0.123 ms',
      'icmp_seq=2 ttl=63 time=1.5 ms',
      'rtt min/avg',
    ];
    expect(timesIn(lines.join('\n'))).toEqual([123, 1_500]);
    expect(pingUs([123, 1_500])).toEqual({ median: 123, p99: 1_500 });
    expect(pingUs([])).toBeNull();
  });

  it('is read from /proc/PID/stat also when the name of the process has blanks and brackets', () => {
    expect(ticksIn('42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 17 5 0 0 20 0 1 0 100 1 1')).toBe(22);
  });
});

describe('what is measured', () => {
  it('went through the TUN device or past it, as the row says', () => {
    expect(tookItsWay('loci-shim6-diverted', 1_000, 1_080)).toBe(true);
    expect(tookItsWay('loci-shim6-diverted', 1_000, 500)).toBe(false);
    expect(tookItsWay('loci-shim6-plain', 1_000, 0)).toBe(true);
    expect(tookItsWay('loci-shim6-plain', 1_000, 1_080)).toBe(false);
  });

  it('is a handshake from I1 to R2 at the client, not a recovery by R1bis', () => {
    const state = (host: 'client' | 'server', name: string, at: number): Parameters<typeof outcomeOf>[0][number] => ({
      host,
      at,
      event: 'state',
      state: name,
    });
    const begun = [state('client', 'IDLE', 1), state('client', 'I1-SENT', 100), state('client', 'I2-SENT', 102)];
    expect(outcomeOf(begun)).toBeUndefined();
    expect(outcomeOf([...begun, state('client', 'ESTABLISHED', 104.5)])).toBeUndefined();
    expect(outcomeOf([...begun, state('server', 'ESTABLISHED', 103), state('client', 'ESTABLISHED', 104.5)])).toBe(4.5);
    expect(outcomeOf([...begun, state('server', 'I2BIS-SENT', 103)])).toBe('recovered');
  });

  it('counts failed failovers, and leaves them out of the times', () => {
    const run = (ok: boolean, gapMs: number): RunResult => ({
      ok,
      tcp: null,
      udp: { sent: 100, lost: 1, gapMs },
      detectMs: 10,
      recoverMs: null,
      pairBefore: null,
      pairAfter: null,
    });
    expect(rowOf('blackhole', [run(true, 40), run(false, 4_000), run(true, 60)])).toEqual({
      name: 'blackhole',
      udpGapMs: { median: 50, min: 40, max: 60 },
      tcpStallMs: null,
      detectMs: { median: 10, min: 10, max: 10 },
      recoverMs: null,
      runs: 3,
      failed: 1,
    });
  });

  it('is shown to people with one line for each row', () => {
    const rows = [{ name: 'raw', gbps: spread([1, 2, 3]), pingUs: null }];
    const lines = linesOf(reportOf('throughput', rows, ['tinc'], undefined));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^raw +gbps 2\/min 1\/max 3 {2}pingUs -$/);
    expect(lines[1]).toBe('missing: tinc');
  });
});
