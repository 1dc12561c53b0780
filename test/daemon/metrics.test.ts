import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Metrics } from '../../src/daemon/metrics.ts';
import type { Measured } from '../../src/daemon/metrics.ts';
import { MetricsServer } from '../../src/daemon/metrics-server.ts';
import type { HostEvent, PairText } from '../../src/host/events.ts';
import { MESSAGE_TYPES } from '../../src/shim6/message-codec.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { parseOpenMetrics } from './open-metrics.ts';
import type { Family } from './open-metrics.ts';
import { recordingLog } from './recording-log.ts';

const ULIDS: PairText = ['2001:db8:1::1', '2001:db8:2::1'];
const AWAY: PairText = ['2001:db8:1:1::1', '2001:db8:2::1'];

interface Bench {
  readonly metrics: Metrics;
  readonly measured: Measured;
  tell(...events: readonly HostEvent[]): void;
  families(): Promise<Map<string, Family>>;
  value(series: string): Promise<number | undefined>;
}

/** Metrics of a host with `contexts`, whose parts a test may change. */
function bench(contexts: Measured['host']['contexts'] = []): Bench {
  const measured: Measured = {
    host: {
      contexts,
      drops: new Map(),
      locators: [0, 1].map((n) => ({
        address: parseAddress(n === 0 ? ULIDS[0] : AWAY[0]) ?? new Uint8Array(16),
        state: 'preferred',
        operational: true,
        interface: `eth${String(n)}`,
        parameters: undefined,
      })),
    },
    shell: {
      packets: { tunIn: 0, tunOut: 0, rawIn: 0, rawOut: 0, sendErrors: 0 },
      control: { in: new Float64Array(128), out: new Float64Array(128) },
      lag: { last: 0, max: 0 },
    },
  };
  const metrics = new Metrics(measured);
  const families = async (): Promise<Map<string, Family>> => parseOpenMetrics(await metrics.text());
  return {
    metrics,
    measured,
    tell: (...events) => {
      for (const event of events) metrics.count(event);
    },
    families,
    value: async (series) => {
      for (const family of (await families()).values()) {
        if (family.samples.has(series)) return family.samples.get(series);
      }
      return undefined;
    },
  };
}

/** The metric names in the table of docs/operating.md, with their types and labels. */
function documented(): Map<string, string> {
  const section = /^## Metrics\n([\s\S]*?)^## /m.exec(readFileSync('docs/operating.md', 'utf8'))?.[1] ?? '';
  const rows = section.matchAll(/^\| `(loci_\w+)` \| (\w+) \|\s*([^|]*?)\s*\|/gm);
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '']) => [name, `${type} ${labels.replaceAll('`', '')}`.trim()]),
  );
}

describe('the metrics', () => {
  it('are valid OpenMetrics, and stay so when everything has happened', async () => {
    const { tell, measured, families } = bench([{ context: { state: 'ESTABLISHED' }, diverted: true }]);
    await families();
    tell(
      { at: 1, event: 'suspect', cause: 'icmp', pair: ULIDS, ulids: ULIDS },
      { at: 2, event: 'confirmed', pair: AWAY, rttMs: 3, ulids: ULIDS },
      { at: 3, event: 'selected', from: ULIDS, to: AWAY, why: 'icmp', ulids: ULIDS },
      { at: 4, event: 'false-alarm', pair: ULIDS, ulids: ULIDS },
    );
    measured.shell.control.in[99] = 4;
    const all = await families();
    expect(all.size).toBeGreaterThan(25);
    expect([...all.values()].filter(({ help }) => help === '')).toEqual([]);
  });

  it('are those in docs/operating.md, with their types and labels', async () => {
    const { tell, families } = bench();
    tell({ at: 2, event: 'confirmed', pair: AWAY, rttMs: 3, ulids: ULIDS });
    const ours = [...(await families())].filter(([name]) => name.startsWith('loci_'));
    expect(new Map(ours.map(([name, { type, labels }]) => [name, [type, ...labels].join(' ')]))).toEqual(
      new Map([...documented()].map(([name, text]) => [name, text.replaceAll(',', '')])),
    );
  });

  it('are of locid or of its process, and none is of the event loop monitor that is left out', async () => {
    for (const name of (await bench().families()).keys()) {
      expect(name).toMatch(/^(loci|process|nodejs)_/);
      expect(name).not.toMatch(/eventloop/);
    }
  });

  it('count contexts by state, and the diverted ones, anew with every reading', async () => {
    const contexts = [
      { context: { state: 'ESTABLISHED' }, diverted: true },
      { context: { state: 'ESTABLISHED' }, diverted: false },
      { context: { state: 'I1-SENT' }, diverted: false },
    ];
    const { value } = bench(contexts);
    expect(await value('loci_contexts{state="ESTABLISHED"}')).toBe(2);
    expect(await value('loci_contexts{state="I1-SENT"}')).toBe(1);
    expect(await value('loci_contexts{state="NO-SUPPORT"}')).toBe(0);
    expect(await value('loci_contexts_diverted')).toBe(1);
    contexts.length = 0;
    expect(await value('loci_contexts{state="ESTABLISHED"}')).toBe(0);
    expect(await value('loci_contexts_diverted')).toBe(0);
  });

  it('walk over the contexts once per reading', async () => {
    let walks = 0;
    const { families } = bench({
      *[Symbol.iterator]() {
        walks++;
        yield { context: { state: 'ESTABLISHED' }, diverted: false };
      },
    });
    await families();
    await families();
    expect(walks).toBe(2);
  });

  it('tell failovers by cause from returns, and how long the choice took', async () => {
    const { tell, value } = bench();
    expect(await value('loci_failovers_total{cause="send-timeout"}')).toBe(0);
    tell(
      { at: 1000, event: 'suspect', cause: 'send-timeout', pair: ULIDS, ulids: ULIDS },
      { at: 1030, event: 'selected', from: ULIDS, to: AWAY, why: 'send-timeout', ulids: ULIDS },
      { at: 9000, event: 'selected', from: AWAY, to: ULIDS, why: 'preferred pair works again', ulids: ULIDS },
    );
    expect(await value('loci_suspicions_total{cause="send-timeout"}')).toBe(1);
    expect(await value('loci_failovers_total{cause="send-timeout"}')).toBe(1);
    expect(await value('loci_returns_total')).toBe(1);
    expect(await value('loci_failover_seconds_count')).toBe(1);
    expect(await value('loci_failover_seconds_sum')).toBeCloseTo(0.03);
    expect(await value('loci_failover_seconds_bucket{le="0.025"}')).toBe(0);
    expect(await value('loci_failover_seconds_bucket{le="0.05"}')).toBe(1);
  });

  it.each([
    ['a false alarm', { event: 'false-alarm', pair: ULIDS }],
    ['content on both sides', { event: 'reap', state: 'Operational' }],
    ['the end of the context', { event: 'state', state: 'IDLE' }],
  ] as const)('forget a doubt after %s', async (_, end) => {
    const { tell, value } = bench();
    tell(
      { at: 1000, event: 'suspect', cause: 'icmp', pair: ULIDS, ulids: ULIDS },
      { at: 1010, ulids: ULIDS, ...end },
      { at: 90_000, event: 'selected', from: ULIDS, to: AWAY, why: 'address-lost', ulids: ULIDS },
    );
    expect(await value('loci_failover_seconds_count')).toBe(0);
    expect(await value('loci_false_alarms_total')).toBe(end.event === 'false-alarm' ? 1 : 0);
  });

  it('give round trips by interface, also after an address has moved', async () => {
    const { tell, measured, value } = bench();
    const confirmed = { at: 1, event: 'confirmed', pair: AWAY, rttMs: 4, ulids: ULIDS } as const;
    tell(confirmed);
    expect(await value('loci_path_rtt_seconds_count{interface="eth1"}')).toBe(1);
    expect(await value('loci_path_rtt_seconds_bucket{le="0.0025",interface="eth1"}')).toBe(0);
    expect(await value('loci_path_rtt_seconds_bucket{le="0.005",interface="eth1"}')).toBe(1);
    const moved = measured.host.locators.map((locator) => ({ ...locator, interface: 'wlan0' }));
    Object.assign(measured.host, { locators: moved });
    tell({ at: 2, event: 'locator', address: AWAY[0], change: 'added' }, confirmed);
    expect(await value('loci_path_rtt_seconds_count{interface="wlan0"}')).toBe(1);
    tell({ ...confirmed, pair: ['2001:db8:dead::1', ULIDS[1]] });
    expect(await value('loci_path_rtt_seconds_count{interface="gone"}')).toBe(1);
  });

  it('give packets, errors, drops, control messages and lag as they are at the moment', async () => {
    const { measured, value } = bench();
    const { shell, host } = measured;
    Object.assign(shell.packets, { tunIn: 1, tunOut: 2, rawIn: 3, rawOut: 4, sendErrors: 5 });
    Object.assign(shell.lag, { last: 7, max: 80 });
    Object.assign(host, { drops: new Map([['validator', 6]]) });
    shell.control.out[MESSAGE_TYPES.Probe] = 9;
    shell.control.in[99] = 2;
    shell.control.in[100] = 3;
    for (let reading = 0; reading < 2; reading++) {
      expect(await value('loci_packets_total{device="tun",direction="in"}')).toBe(1);
      expect(await value('loci_packets_total{device="tun",direction="out"}')).toBe(2);
      expect(await value('loci_packets_total{device="raw",direction="in"}')).toBe(3);
      expect(await value('loci_packets_total{device="raw",direction="out"}')).toBe(4);
      expect(await value('loci_send_errors_total')).toBe(5);
      expect(await value('loci_drops_total{reason="validator"}')).toBe(6);
      expect(await value('loci_drops_total{reason="probe-budget"}')).toBe(0);
      expect(await value('loci_control_messages_total{type="Probe",direction="out"}')).toBe(9);
      expect(await value('loci_control_messages_total{type="Probe",direction="in"}')).toBe(0);
      expect(await value('loci_control_messages_total{type="unknown",direction="in"}')).toBe(5);
      expect(await value('loci_loop_lag_seconds')).toBe(0.007);
      expect(await value('loci_loop_lag_max_seconds')).toBe(0.08);
    }
  });

  it('have as many lines with 10,000 contexts as with none', async () => {
    const contexts = Array.from({ length: 10_000 }, () => ({ context: { state: 'ESTABLISHED' }, diverted: false }));
    const { metrics, value } = bench(contexts);
    expect(await value('loci_contexts{state="ESTABLISHED"}')).toBe(10_000);
    const ours = (text: string): string[] => text.split('\n').filter((line) => line.includes('loci_'));
    expect(ours(await metrics.text())).toHaveLength(ours(await bench().metrics.text()).length);
  });
});

describe('the metrics socket', () => {
  const log = recordingLog();
  let directory: string;
  let path: string;
  let server: MetricsServer | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'loci-metrics-'));
    path = join(directory, 'run', 'metrics.sock');
  });

  afterEach(() => {
    server?.close();
    server = undefined;
    rmSync(directory, { recursive: true });
  });

  interface Answer {
    readonly status: number | undefined;
    readonly type: string | undefined;
    readonly text: string;
  }

  function ask(url: string, method = 'GET'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      request({ socketPath: path, path: url, method }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode, type: response.headers['content-type'], text });
        });
      })
        .on('error', reject)
        .end();
    });
  }

  it('speaks HTTP, is for its owner only, and goes at the end', async () => {
    server = await MetricsServer.claim(path, log);
    expect((await ask('/metrics')).status).toBe(503);
    server.serve(bench().metrics);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { status, type, text } = await ask('/metrics');
    expect([status, type]).toEqual([200, 'application/openmetrics-text; version=1.0.0; charset=utf-8']);
    expect(parseOpenMetrics(text).has('loci_contexts')).toBe(true);
    expect((await ask('/metrics?x=1')).status).toBe(200);
    server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('has nothing else, and takes no orders', async () => {
    server = await MetricsServer.claim(path, log);
    server.serve(bench().metrics);
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metrics/x')).status).toBe(404);
    expect((await ask('/metrics', 'POST')).status).toBe(405);
    expect(await ask('/metrics', 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it('replaces a socket that nobody serves any more, and nothing else', async () => {
    server = await MetricsServer.claim(path, log);
    await expect(MetricsServer.claim(path, log)).rejects.toMatchObject({ code: 'already-running' });
    server.close();
    writeFileSync(path, '');
    await expect(MetricsServer.claim(path, log)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('metrics_socket'),
    });
    rmSync(path);
    const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', dying]);
    expect(existsSync(path)).toBe(true);
    server = await MetricsServer.claim(path, log);
    server.serve(bench().metrics);
    expect((await ask('/metrics')).status).toBe(200);
  });
});
