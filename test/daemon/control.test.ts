import { mkdtempSync, rmSync, statSync, writeFileSync, chmodSync, existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlServer } from '../../src/daemon/control.ts';
import { LineReader } from '../../src/daemon/lines.ts';
import { LINE_LIMIT, parseRequest } from '../../src/daemon/protocol.ts';
import { fakeControl } from './fake-control.ts';
import { recordingLog } from './recording-log.ts';

let directory: string;
let path: string;
let server: ControlServer | undefined;
const sockets: Socket[] = [];
const log = recordingLog();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loci-control-'));
  path = join(directory, 'run', 'control.sock');
  log.lines.length = 0;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

async function serving(): Promise<ReturnType<typeof fakeControl>> {
  const control = fakeControl();
  server = await ControlServer.claim(path, log);
  server.serve(control);
  return control;
}

function client(): Socket {
  const socket = connect(path);
  sockets.push(socket);
  return socket;
}

/** What the daemon answers to some lines on one connection. */
async function ask(lines: readonly string[], replies = lines.length): Promise<unknown[]> {
  const socket = client();
  socket.write(lines.map((line) => `${line}\n`).join(''));
  const answers: unknown[] = [];
  for await (const line of createInterface({ input: socket })) {
    if (answers.push(JSON.parse(line)) === replies) break;
  }
  socket.destroy();
  return answers;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe('the control socket', () => {
  it('lets in nobody but its owner, in a directory that others may look into', async () => {
    await serving();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'run')).mode & 0o777).toBe(0o755);
  });

  it('is gone after close', async () => {
    await serving();
    await server?.close();
    server = undefined;
    expect(existsSync(path)).toBe(false);
  });

  it('replaces the socket of a daemon that died', async () => {
    const code = `require('node:net').createServer().listen(process.argv[1], () => process.send('up'))`;
    writeFileSync(join(directory, 'dead.cjs'), code.replace('argv[1]', 'argv[2]'));
    path = join(directory, 'control.sock');
    const child = fork(join(directory, 'dead.cjs'), [path]);
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(statSync(path).isSocket()).toBe(true);
    await serving();
    expect(await ask(['{"id":1,"command":"locators"}'])).toHaveLength(1);
  });

  it('leaves the socket of a living daemon alone', async () => {
    path = join(directory, 'control.sock');
    const other = createServer().listen(path);
    await once(other, 'listening');
    await expect(ControlServer.claim(path, log)).rejects.toMatchObject({ code: 'already-running' });
    expect(statSync(path).isSocket()).toBe(true);
    other.close();
  });

  it('does not remove a file that is no socket', async () => {
    path = join(directory, 'control.sock');
    writeFileSync(path, 'precious');
    await expect(ControlServer.claim(path, log)).rejects.toMatchObject({ code: 'config' });
    expect(statSync(path).size).toBe(8);
  });

  it('is not put where others could replace it', async () => {
    chmodSync(directory, 0o777);
    path = join(directory, 'control.sock');
    await expect(ControlServer.claim(path, log)).rejects.toMatchObject({ code: 'config' });
  });

  it('says that the daemon is starting until it is given something to show', async () => {
    server = await ControlServer.claim(path, log);
    expect(await ask(['{"id":1,"command":"status"}'])).toMatchObject([{ id: 1, error: { code: 'starting' } }]);
  });
});

describe('a request', () => {
  it('is answered with its id, in order', async () => {
    const control = await serving();
    const answers = await ask(['{"id":1,"command":"status"}', '', '{"id":"b","command":"paths"}'], 2);
    expect(answers).toEqual([
      { id: 1, result: control.status() },
      { id: 'b', result: [...control.paths()].flat() },
    ]);
  });

  it('for a long list leaves others their turn, and the next one of the same client waits for its end', async () => {
    const control = await serving();
    let asked = 0;
    const status = control.status.bind(control);
    control.status = () => {
      asked++;
      return status();
    };
    control.contexts = function* () {
      for (let parts = 0; parts < 1_000_000 && asked === 0; parts++) yield [];
      yield asked === 1 ? [] : [...fakeControl().contexts()].flat();
    };
    const [list] = await Promise.all([
      ask(['{"id":1,"command":"contexts"}', '{"id":2,"command":"locators"}']),
      ask(['{"id":3,"command":"status"}']),
    ]);
    expect(list).toMatchObject([{ id: 1, result: [] }, { id: 2 }]);
    expect(list[0]).toEqual({ id: 1, result: [] }); // the status of the other one came before the end of the list
  });

  it('that is not JSON, not known or not complete gets an error, and the connection goes on', async () => {
    await serving();
    const answers = await ask([
      '{',
      '{"id":2,"command":"reboot"}',
      '{"command":"status"}',
      '[]',
      '{"id":5,"command":"contexts"}',
    ]);
    expect(answers).toMatchObject([
      { id: null, error: { code: 'bad-json' } },
      { id: 2, error: { code: 'bad-request' } },
      { id: null, error: { code: 'bad-request' } },
      { id: null, error: { code: 'bad-request' } },
      { id: 5, result: [{ state: 'ESTABLISHED' }] },
    ]);
  });

  it('longer than the limit is refused and the connection closed', async () => {
    await serving();
    expect(await ask(['x'.repeat(LINE_LIMIT + 1)], 2)).toMatchObject([{ id: null, error: { code: 'line-too-long' } }]);
  });

  it('to close a context brings canonical addresses', async () => {
    const control = await serving();
    const answers = await ask([
      '{"id":1,"command":"close","ulids":["2001:DB8:0:0::1","2001:db8::2"]}',
      '{"id":2,"command":"close","ulids":["2001:db8::1","router"]}',
      '{"id":3,"command":"close"}',
    ]);
    expect(answers).toMatchObject([
      { id: 1, result: { closed: 1 } },
      { id: 2, error: { code: 'bad-request' } },
      { id: 3, result: { closed: 1 } },
    ]);
    expect(control.closed).toEqual([['2001:db8::1', '2001:db8::2'], undefined]);
  });

  it('that makes the daemon throw is answered and logged', async () => {
    const control = await serving();
    control.broken = true;
    expect(await ask(['{"id":1,"command":"status"}'])).toEqual([
      { id: 1, error: { code: 'internal', message: 'broken' } },
    ]);
    expect(log.lines).toEqual(['error a control command failed']);
  });

  it('of any shape never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"id":1,"command":${json}}`),
        ),
        (line) => {
          const parsed = parseRequest(line);
          expect('request' in parsed || 'error' in parsed.refusal).toBe(true);
        },
      ),
    );
  });
});

describe('a monitor', () => {
  it('gets every event until it hangs up', async () => {
    const control = await serving();
    const socket = client();
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.write('{"id":7,"command":"monitor"}\n');
    expect(JSON.parse((await lines.next()).value ?? '')).toEqual({ id: 7, result: {} });
    control.emit({ at: 12, event: 'warning', message: 'rain' });
    expect(JSON.parse((await lines.next()).value ?? '')).toEqual({
      id: 7,
      event: { at: 12, event: 'warning', message: 'rain' },
    });
    socket.destroy();
    await until(() => control.listeners.size === 0);
  });

  it('has one stream per connection', async () => {
    const control = await serving();
    const answers = await ask(['{"id":1,"command":"monitor"}', '{"id":2,"command":"monitor"}']);
    expect(answers).toMatchObject([
      { id: 1, result: {} },
      { id: 2, error: { code: 'busy' } },
    ]);
    await until(() => control.listeners.size === 0);
  });

  it('that does not read is dropped with a counted warning, and others go on', async () => {
    const control = await serving();
    const socket = client();
    socket.write('{"id":1,"command":"monitor"}\n');
    socket.pause();
    await until(() => control.listeners.size === 1);
    const message = 'x'.repeat(1000);
    for (let i = 0; i < 5000 && server?.dropped === 0; i++) {
      control.emit({ at: i, event: 'warning', message });
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server?.dropped).toBe(1);
    expect(log.lines).toEqual(['warn dropped a control client that does not read']);
    await until(() => control.listeners.size === 0);
    expect(await ask(['{"id":1,"command":"locators"}'])).toHaveLength(1);
  });

  it('may ask for a result that is larger than the queue', async () => {
    const control = await serving();
    control.contextCount = 5000;
    const [answer] = await ask(['{"id":1,"command":"contexts"}']);
    expect(JSON.stringify(answer).length).toBeGreaterThan(1 << 20);
  });
});

describe('lines', () => {
  it('are the same however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 20 }).map((s) => s.replaceAll('\n', ''))),
        fc.integer({ min: 1, max: 7 }),
        (lines, step) => {
          const text = lines.map((line) => `${line}\n`).join('');
          const reader = new LineReader(20);
          const read: string[] = [];
          for (let i = 0; i < text.length; i += step)
            read.push(...(reader.lines(text.slice(i, i + step)) ?? ['too long']));
          expect(read).toEqual(lines);
        },
      ),
    );
  });
});

describe('what an application wants', () => {
  it.each([
    { type: 'prefer', pair: ['2001:db8:c::1', '2001:db8:d::1'] },
    { type: 'prefer', pair: null },
    { type: 'standby', isOn: true },
    { type: 'feedback', isGood: false },
  ])('reaches the daemon: %j', async (wish) => {
    const control = await serving();
    const request = { id: 1, command: 'wish', peer: '2001:DB8:b::1', wish };
    expect(await ask([JSON.stringify(request)])).toEqual([{ id: 1, result: { contexts: 1 } }]);
    expect(control.wishes).toEqual([['2001:db8:b::1', wish]]);
  });

  it.each([
    {},
    { type: 'prefer', pair: ['2001:db8:c::1'] },
    { type: 'standby', isOn: 'yes' },
    { type: 'feedback' },
    { type: 'other' },
  ])('is refused when it makes no sense: %j', async (wish) => {
    const control = await serving();
    const [answer] = await ask([JSON.stringify({ id: 1, command: 'wish', peer: '2001:db8:b::1', wish })]);
    expect(answer).toMatchObject({ id: 1, error: { code: 'bad-request' } });
    expect(control.wishes).toEqual([]);
  });

  it('S6-150 S6-167 hears of the paths of its own peer, and of nothing else', async () => {
    const control = await serving();
    const socket = client();
    socket.write('{"id":1,"command":"monitor","peer":"2001:db8:b::1"}\n');
    const told: unknown[] = [];
    createInterface({ input: socket }).on('line', (line) => told.push(JSON.parse(line)));
    await until(() => control.listeners.size === 1);
    const ulids = ['2001:db8:a::1', '2001:db8:b::1'] as const;
    const moved = {
      event: 'selected',
      from: ulids,
      to: ['2001:db8:c::1', '2001:db8:d::1'],
      why: 'send-timeout',
    } as const;
    control.emit({ at: 1, event: 'locator', address: '2001:db8:a::1', change: 'down' });
    control.emit({ at: 2, ulids: ['2001:db8:a::1', '2001:db8:e::1'], ...moved });
    control.emit({ at: 3, ulids, ...moved });
    await until(() => told.length === 2);
    expect(told[1]).toEqual({ id: 1, event: { at: 3, ulids, ...moved } });
  });
});
