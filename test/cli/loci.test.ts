import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runLoci } from '../../src/cli/run-loci.ts';
import { ControlServer } from '../../src/daemon/control.ts';
import type { HostEvent } from '../../src/host/events.ts';
import { fakeControl } from '../daemon/fake-control.ts';
import type { FakeControl } from '../daemon/fake-control.ts';
import { recordingLog } from '../daemon/recording-log.ts';

let directory: string;
let socket: string;
let control: FakeControl;
let server: ControlServer | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loci-cli-'));
  socket = join(directory, 'control.sock');
  control = fakeControl();
  server = await ControlServer.claim(socket, recordingLog());
  server.serve(control);
});

afterEach(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

interface Said {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function loci(words: string, { coloured = false, enough = new AbortController() } = {}): Promise<Said> {
  let out = '';
  let err = '';
  const status = await runLoci(['--socket', socket, ...words.split(' ').filter(Boolean)], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    coloured,
    enough: enough.signal,
  });
  return { status, out, err };
}

async function json(words: string): Promise<unknown> {
  const { status, out } = await loci(`${words} --json`);
  expect(out.match(/\n/g)).toHaveLength(1);
  expect(status).toBe(0);
  return JSON.parse(out);
}

describe('loci with a running locid', () => {
  it('prints exactly the daemon’s answer as one JSON document', async () => {
    expect(await json('status')).toEqual(control.status());
    expect(await json('contexts')).toEqual([...control.contexts()].flat());
    expect(await json('locators')).toEqual(control.locators());
    expect(await json('paths')).toEqual([...control.paths()].flat());
  });

  it('takes --json before and after the command', async () => {
    expect((await loci('--json paths')).out).toBe((await loci('paths --json')).out);
  });

  it('shows the status', async () => {
    expect((await loci('status')).out).toMatchInlineSnapshot(`
      "locid     running
      version   0.1.0
      pid       4711
      up for    62 min
      profile   fast (tun)
      contexts  1 ESTABLISHED
      locators  1 of 2 operational
      packets   10 sent, 9 received
      dropped   1 bad-checksum
      loop lag  0.1 ms, at worst 2.5 ms
      "
    `);
  });

  it('shows contexts, and below them the pair that has taken over', async () => {
    expect((await loci('contexts')).out).toMatchInlineSnapshot(`
      "STATE        REAP         PROFILE  VIA  SENT   HEARD  AGE     ULIDS
      ESTABLISHED  Operational  fast     tun  12 ms  -      61.0 s  2001:db8:a::1 → 2001:db8:b::1
          over 2001:db8:c::1 → 2001:db8:d::1
      "
    `);
  });

  it('shows locators', async () => {
    expect((await loci('locators')).out).toMatchInlineSnapshot(`
      "ADDRESS        INTERFACE  LINK  STATE       METHOD  ULID
      2001:db8:a::1  eth0       down  preferred   cga     yes
      2001:db8:c::1  eth1       up    deprecated  hba     no
      "
    `);
  });

  it('shows paths with state, round trip, last sign of life and why', async () => {
    expect((await loci('paths')).out).toMatchInlineSnapshot(`
      "STATE        RTT     HEARD   CONTEXTS  PAIR                           WHY
      failed       -       4.2 s   0         2001:db8:a::1 → 2001:db8:b::1  no answer to 4 probes
      operational  0.4 ms  3.0 ms  1         2001:db8:c::1 → 2001:db8:d::1  first pair that answered
      "
    `);
  });

  it('colours for people only, without moving a column', async () => {
    const plain = (await loci('paths')).out;
    const coloured = (await loci('paths', { coloured: true })).out;
    expect(coloured).toContain('\u001b[31mfailed\u001b[0m');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
  });

  it('does not pass control characters on to the terminal', async () => {
    control.paths = () => [
      [{ pair: ['::1', '::2'], state: 'failed', rttMs: 1, heardAgoMs: 1, contexts: 0, why: '\u001b[2Jgone' }],
    ];
    expect((await loci('paths')).out).not.toContain('\u001b');
  });

  it('says when there is nothing to show', async () => {
    control.contextCount = 0;
    expect(await loci('contexts')).toMatchObject({
      status: 0,
      out: 'no contexts: nothing has talked long enough to a Shim6 host\n',
    });
    expect(await json('contexts')).toEqual([]);
  });

  it('closes a context', async () => {
    expect(await json('close 2001:db8:a:0::1 2001:db8:b::1')).toEqual({ closed: 1 });
    expect(control.closed).toEqual([['2001:db8:a::1', '2001:db8:b::1']]);
    control.close = () => 0;
    expect(await loci('close ::1 ::2')).toMatchObject({
      status: 1,
      err: 'loci: there is no context between ::1 and ::2\n',
    });
  });

  it('tells what is wanted of the contexts with a peer', async () => {
    expect(await json('prefer 2001:db8:b::1 2001:db8:c:0::1 2001:db8:d::1')).toEqual({ contexts: 1 });
    expect(await json('prefer 2001:db8:b::1 --none')).toEqual({ contexts: 1 });
    expect((await loci('standby 2001:db8:b::1 on')).out).toBe('told 1 contexts\n');
    await json('feedback 2001:db8:b::1 bad');
    expect(control.wishes).toEqual([
      ['2001:db8:b::1', { type: 'prefer', pair: ['2001:db8:c::1', '2001:db8:d::1'] }],
      ['2001:db8:b::1', { type: 'prefer', pair: null }],
      ['2001:db8:b::1', { type: 'standby', isOn: true }],
      ['2001:db8:b::1', { type: 'feedback', isGood: false }],
    ]);
  });

  it.each([
    'prefer ::1',
    'prefer ::1 ::2',
    'prefer ::1 ::2 ::3 --none',
    'standby ::1 maybe',
    'feedback ::1',
    'prefer x --none',
  ])('takes no half wish: %s', async (words) => {
    expect((await loci(words)).status).toBe(2);
    expect(control.wishes).toEqual([]);
  });

  it('refuses to clean up under a living daemon', async () => {
    expect(await loci('cleanup')).toMatchObject({
      status: 2,
      err: expect.stringMatching(/^loci: locid is running .* stop it first\n$/),
    });
  });
});

describe('loci monitor', () => {
  const events: HostEvent[] = [
    { at: 1_000, event: 'suspect', cause: 'send-timeout', pair: ['::1', '::2'], ulids: ['::1', '::2'] },
    {
      at: 1_045.5,
      event: 'selected',
      from: ['::1', '::2'],
      to: ['::3', '::4'],
      why: 'answered first',
      ulids: ['::1', '::2'],
    },
  ];

  async function watching(words: string): Promise<Said> {
    const enough = new AbortController();
    const said = loci(words, { enough });
    for (let i = 0; i < 500 && control.listeners.size === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    for (const event of events) control.emit(event);
    await new Promise((resolve) => setTimeout(resolve, 50));
    enough.abort();
    return said;
  }

  it('prints one JSON object per event, and ends with 0 when interrupted', async () => {
    const { status, out } = await watching('monitor --json');
    expect(status).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(events);
  });

  it('prints one line per event for people', async () => {
    expect((await watching('monitor')).out.split('\n')).toEqual([
      '       1.000 s  suspect      ::1 → ::2 doubts ::1 → ::2: send-timeout',
      '       1.046 s  selected     ::1 → ::2 from ::1 → ::2 to ::3 → ::4: answered first',
      '',
    ]);
  });

  it('fails when the daemon ends', async () => {
    const said = loci('monitor --json');
    for (let i = 0; i < 500 && control.listeners.size === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 2));
    await server?.close();
    expect(await said).toMatchObject({ status: 1, out: expect.stringContaining('"code":"disconnected"') });
  });
});

describe('loci when something is wrong', () => {
  it.each(['status', 'contexts', 'locators', 'paths', 'monitor', 'close ::1 ::2'])(
    'says in one sentence that locid does not run: %s',
    async (words) => {
      await server?.close();
      const { status, out, err } = await loci(words);
      expect({ status, out }).toEqual({ status: 2, out: '' });
      expect(err).toMatch(/^loci: locid is not running \(nobody answers at .*\); start it with: locid --config .*\n$/);
    },
  );

  it('says it as one JSON document too', async () => {
    await server?.close();
    const { status, out, err } = await loci('status --json');
    expect({ status, err }).toEqual({ status: 2, err: '' });
    expect(JSON.parse(out)).toEqual({ error: { code: 'not-running', message: expect.any(String) } });
  });

  it('passes on what the daemon answers', async () => {
    control.broken = true;
    expect(await loci('status')).toEqual({ status: 1, out: '', err: 'loci: broken\n' });
  });

  it('gives up on a daemon that hangs up', async () => {
    await server?.close();
    const other = createServer((client) => client.destroy()).listen(socket);
    await once(other, 'listening');
    expect((await loci('status')).status).toBe(1);
    other.close();
  });

  it.each([
    ['statsu', "unknown command 'statsu' (Did you mean status?)"],
    ['status --frob', "unknown option '--frob'"],
    ['config check', "missing required argument 'file'"],
    ['close ::1 router', 'router is not an IPv6 address'],
    ['', 'a command is missing'],
  ])('calls wrong usage wrong, with status 2: %j', async (words, message) => {
    const said = await loci(words);
    expect(said.status).toBe(2);
    expect(said.err).toContain(message);
    expect(said.err.split('\n')).toHaveLength(2);
    const { out } = await loci(`${words} --json`);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'usage' } });
  });

  it('prints its help on request', async () => {
    const { status, out } = await loci('--help');
    expect(status).toBe(0);
    for (const command of [
      'status',
      'contexts',
      'locators',
      'paths',
      'monitor',
      'close',
      'config',
      'cleanup',
      'keygen',
      'cga',
      'version',
    ]) {
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
  });
});

describe('loci config check', () => {
  it('accepts the example and shows what it means', async () => {
    expect(await json('config check examples/locid.toml')).toMatchObject({ valid: true, config: { profile: 'fast' } });
    expect((await loci('config check examples/locid.toml')).out).toBe('examples/locid.toml: no mistakes\n');
  });

  it('names file, line and key of a mistake', async () => {
    const file = join(directory, 'locid.toml');
    writeFileSync(file, '[policy]\n\nidle_minuets = 3\n');
    const message = 'policy.idle_minuets is not a key of this file; did you mean policy.idle_minutes?';
    expect(await loci(`config check ${file}`)).toEqual({ status: 2, out: '', err: `loci: ${file}:3: ${message}\n` });
    const { status, out } = await loci(`config check ${file} --json`);
    expect(status).toBe(2);
    expect(JSON.parse(out)).toEqual({ error: { code: 'config', message, file, line: 3 } });
  });
});

it('loci version names Loci and what it runs on', async () => {
  expect(await json('version')).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    node: process.versions.node,
    openssl: process.versions.openssl,
  });
});
