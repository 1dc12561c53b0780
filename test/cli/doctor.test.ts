import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { privilegeCheck } from '../../src/cli/doctor-examination.ts';
import { configCheck, doctorView } from '../../src/cli/doctor.ts';
import { ControlServer } from '../../src/daemon/control.ts';
import { fakeControl } from '../daemon/fake-control.ts';
import { recordingLog } from '../daemon/recording-log.ts';
import { said } from './run.ts';
import type { Said } from './run.ts';

let directory: string;
let socket: string;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loci-doctor-'));
  socket = join(directory, 'control.sock');
  config = join(directory, 'locid.toml');
  writeFileSync(config, '[interfaces]\ninclude = ["nowhere"]\n'); // nothing is sent
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  process.exitCode = undefined;
});

const Report = z.strictObject({
  ok: z.boolean(),
  checks: z.array(
    z.discriminatedUnion('status', [
      z.looseObject({ id: z.string(), status: z.literal('ok'), what: z.string() }),
      z.looseObject({ id: z.string(), status: z.literal('skipped'), what: z.string() }),
      z.looseObject({
        id: z.string(),
        status: z.enum(['warning', 'failed']),
        what: z.string(),
        remedy: z.string().min(10),
      }),
    ]),
  ),
});

const doctor = (...words: string[]): Promise<Said> => said('--socket', socket, 'doctor', ...words);

async function report(...words: string[]): Promise<z.infer<typeof Report>> {
  const { status, out } = await doctor('--json', ...words);
  expect(out.match(/\n/g)).toHaveLength(1);
  const parsed = Report.parse(JSON.parse(out));
  expect(parsed.ok).toBe(parsed.checks.every((check) => check.status !== 'failed'));
  expect(status).toBe(parsed.ok ? 0 : 1);
  return parsed;
}

describe('loci doctor', () => {
  it('prints one document in which every warning and failure has its remedy', async () => {
    const { ok, checks } = await report('--config', config);
    expect(ok).toBe(false);
    expect(checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['config', 'locid', 'privilege', 'tun', 'ipv6', 'locators', 'clash']),
    );
    expect(checks.find(({ id }) => id === 'locators')).toMatchObject({ status: 'failed' });
    expect(checks.find(({ id }) => id === 'config')).toMatchObject({ status: 'ok' });
    expect(checks.find(({ id }) => id === 'locid')).toMatchObject({ status: 'warning' });
  });

  it('finds the daemon that answers', async () => {
    const server = await ControlServer.claim(socket, recordingLog());
    server.serve(fakeControl());
    const { checks } = await report('--config', config);
    expect(checks.find(({ id }) => id === 'locid')).toMatchObject({
      status: 'ok',
      what: expect.stringContaining('pid 4711'),
    });
    await server.close();
  });

  it('names file and line of a mistake in the configuration, and goes on with defaults', () => {
    writeFileSync(config, '[policy]\nidle_minuets = 3\n');
    const { check, config: assumed } = configCheck(config);
    expect(check).toMatchObject({
      status: 'failed',
      what: expect.stringMatching(/locid\.toml:2: policy\.idle_minuets/),
      remedy: `correct it, then: loci config check ${config}`,
    });
    expect(assumed.policy.idleMinutes).toBe(5);
    expect(configCheck(join(directory, 'none')).check.status).toBe('failed');
  });

  it('cannot start with a peer that is nobody', async () => {
    const { status, err } = await doctor('--config', config, 'no such host');
    expect({ status, err }).toEqual({ status: 2, err: 'loci: no such host is neither an IPv6 address nor a name\n' });
    expect(JSON.parse((await doctor('--json', 'no such host')).out)).toMatchObject({ error: { code: 'usage' } });
  });

  it('prints a line per check for people, and the remedy below it', () => {
    const view = doctorView(
      {
        ok: false,
        checks: [
          { id: 'tun', status: 'ok', what: '/dev/net/tun can be opened' },
          { id: 'gateway', status: 'failed', what: 'no answer', remedy: 'ip -6 neigh' },
          { id: 'firewall', status: 'skipped', what: 'nft is not installed', remedy: 'apt install nftables' },
        ],
      },
      false,
    );
    expect(view).toMatchInlineSnapshot(`
      "STATUS   CHECK     FINDING
      ok       tun       /dev/net/tun can be opened
      failed   gateway   no answer
          → ip -6 neigh
      skipped  firewall  nft is not installed
          → apt install nftables
      1 failed, 0 warnings
      "
    `);
  });

  it('knows which capabilities are missing', () => {
    expect(privilegeCheck('CapEff:\t0000000000003000\n').status).toBe('ok');
    expect(privilegeCheck('CapEff:\t0000000000001000\n').what).toBe('CAP_NET_RAW is missing');
    expect(privilegeCheck('CapEff:\t0000000000000000\n').what).toBe('CAP_NET_ADMIN and CAP_NET_RAW are missing');
  });
});
