import { describe, expect, it } from 'vitest';
import { writeRouterAdvertisement } from '../../src/cli/demo/advertisement.ts';
import { seededOctets } from '../../src/cli/demo/data.ts';
import { Instants } from '../../src/cli/demo/instants.ts';
import type { Moment, RunResult } from '../../src/cli/demo/measure.ts';
import { parseOptions } from '../../src/cli/demo/options.ts';
import { median, reportOf } from '../../src/cli/demo/report.ts';
import { Timeline } from '../../src/cli/demo/timeline.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';

const PAIR_1 = ['2001:db8:1:a::1', '2001:db8:1:b::1'] as const;
const PAIR_2 = ['2001:db8:2:a::1', '2001:db8:2:b::1'] as const;

function run(gapMs: number, stallMs: number, more: Partial<RunResult> = {}): RunResult {
  return {
    ok: true,
    tcp: { bytes: 1, sha256Match: true, sameConnection: true, stallMs },
    udp: { sent: 100, lost: 5, gapMs },
    detectMs: 10,
    recoverMs: 20,
    pairBefore: PAIR_1,
    pairAfter: PAIR_2,
    ...more,
  };
}

describe('the longest interval without octets', () => {
  const instants = new Instants();
  for (const instant of [0, 1, 2, 50, 51, 60]) instants.add(instant);

  it('lies between two arrivals', () => {
    expect(instants.longestGap(0, 61)).toEqual({ gapMs: 48, gapAt: 2, silentMs: 1 });
  });

  it('may begin with the window, and may end with it', () => {
    expect(instants.longestGap(10, 61)).toMatchObject({ gapMs: 40, gapAt: 10 });
    expect(instants.longestGap(51, 200)).toEqual({ gapMs: 140, gapAt: 60, silentMs: 140 });
  });

  it('is the whole window when nothing arrived in it', () => {
    expect(instants.longestGap(100, 400)).toEqual({ gapMs: 300, gapAt: 100, silentMs: 300 });
  });

  it('keeps what came before its storage grew', () => {
    const many = new Instants();
    for (let i = 0; i < 200_000; i++) many.add(i < 100_000 ? i : i + 7);
    expect(many.count).toBe(200_000);
    expect(many.longestGap(0, 200_006).gapMs).toBe(8);
  });
});

describe('the report', () => {
  const options = { failure: 'blackhole', cause: 'admin', profile: 'fast', rate: 200, seed: 1, loci: true } as const;

  it('takes the median and the maximum over the runs', () => {
    const report = reportOf('tun', options, [run(10, 30), run(20, 90), run(14, 60)]);
    expect(report.median).toEqual({ udpGapMs: 14, tcpStallMs: 60, detectMs: 10, recoverMs: 20 });
    expect(report.max).toMatchObject({ udpGapMs: 20, tcpStallMs: 90 });
    expect(report.ok).toBe(true);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('is not ok when one run is not, and leaves unknown figures out', () => {
    const broken = run(1, 1, { ok: false, reason: 'why', tcp: null, udp: null, detectMs: null, recoverMs: null });
    const report = reportOf('tun', options, [broken, run(10, 30)]);
    expect(report.ok).toBe(false);
    expect(report.median.udpGapMs).toBe(10);
    expect(reportOf('tun', options, [broken]).median.detectMs).toBeNull();
  });
});

describe('the timeline', () => {
  const lines: string[] = [];
  const timeline = new Timeline({ coloured: false, line: (text) => void lines.push(text) });
  const moments: readonly Moment[] = [
    { at: 500, kind: 'flowing', source: PAIR_1[0], destination: PAIR_1[1] },
    { at: 1_000, kind: 'failure', what: 'router 1 stops' },
    {
      at: 1_047,
      kind: 'noticed',
      event: { host: 'server', at: 1_047, event: 'arrived', pair: [PAIR_2[1], PAIR_2[0]] },
    },
    {
      at: 1_031,
      kind: 'noticed',
      event: { host: 'client', at: 1_031, event: 'suspect', cause: 'send-timeout', pair: PAIR_1 },
    },
    { at: 4_000, kind: 'finished', result: run(47, 82) },
  ];
  for (const moment of moments) timeline.show(moment);

  it('puts what two hosts noticed into order, relative to the failure', () => {
    expect(lines.map((line) => line.trim())).toEqual([
      `UDP and TCP flow over provider 1: ${PAIR_1[0]} → ${PAIR_1[1]}`,
      '+0 ms  ✗ router 1 stops',
      '+31 ms  client doubts provider 1: payload goes out, nothing comes back',
      '+47 ms  server receives payload over provider 2',
      '→ UDP stood still for 47 ms (5 of 100 datagrams lost), TCP for 82 ms',
      '→ same TCP connection, every octet in place (SHA-256)',
    ]);
  });
});

describe('router advertisements', () => {
  it('have the octets of RFC 4861 §4.2 and §4.6.2, and the preference of RFC 4191 §2.2', () => {
    const prefix = parseAddress('2001:db8:1:a::') ?? new Uint8Array(16);
    const octets = writeRouterAdvertisement({
      hopLimit: 64,
      preference: 'high',
      lifetimeSeconds: 1800,
      prefixes: [{ prefix, validSeconds: 7200, preferredSeconds: 0 }],
    });
    expect(toHex(octets)).toBe(
      '8600000040080708' +
        '0000000000000000' +
        '030440c000001c20' +
        '0000000000000000' +
        '20010db80001000a0000000000000000',
    );
  });
});

describe('arguments and data', () => {
  it('shows people two failures, and programs one', () => {
    expect(parseOptions([])?.failures).toEqual(['blackhole', 'linkdown']);
    expect(parseOptions(['--json'])?.failures).toEqual(['blackhole']);
    expect(parseOptions(['--failure', 'renumber', '--rate', '50'])).toMatchObject({ failures: ['renumber'], rate: 50 });
  });

  it('the stream depends on the seed alone', () => {
    expect(seededOctets(7).equals(seededOctets(7))).toBe(true);
    expect(seededOctets(7).equals(seededOctets(8))).toBe(false);
  });
});
