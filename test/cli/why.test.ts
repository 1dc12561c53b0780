import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whyView } from '../../src/cli/why-view.ts';
import { ControlServer } from '../../src/daemon/control.ts';
import { fakeControl } from '../daemon/fake-control.ts';
import { recordingLog } from '../daemon/recording-log.ts';
import { said } from './run.ts';
import type { Said } from './run.ts';

let directory: string;
let socket: string;
let server: ControlServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loci-why-'));
  socket = join(directory, 'control.sock');
  server = await ControlServer.claim(socket, recordingLog());
  server.serve(fakeControl());
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const why = (...words: string[]): Promise<Said> => said('--socket', socket, 'why', ...words);

async function report(...words: string[]): Promise<unknown> {
  const { status, out } = await why('--json', ...words);
  expect(status).toBe(0);
  expect(out.match(/\n/g)).toHaveLength(1);
  return JSON.parse(out);
}

const CONTEXT = {
  ulids: ['2001:db8:a::1', '2001:db8:b::1'],
  state: 'ESTABLISHED',
  inUse: ['2001:db8:c::1', '2001:db8:d::1'],
  pairs: [
    { pair: ['2001:db8:c::1', '2001:db8:d::1'], rank: 1, state: 'operational' },
    {
      pair: ['2001:db8:c::1', '2001:db8:b::1'],
      rank: 2,
      state: null,
      lostBy: { rule: 'broken', text: 'the peer flagged its address BROKEN' },
    },
    {
      pair: ['2001:db8:a::1', '2001:db8:b::1'],
      rank: null,
      state: 'failed',
      lostBy: { rule: 'unusable', text: 'our link is down' },
    },
    {
      pair: ['2001:db8:a::1', '2001:db8:d::1'],
      rank: null,
      state: null,
      lostBy: { rule: 'unusable', text: 'our link is down' },
    },
  ],
};

describe('loci why', () => {
  it('agrees with the kernel about the loopback', async () => {
    expect(await report('::1')).toMatchObject({
      destinations: [{ address: '::1', source: '::1' }],
      source: { destination: '::1', interface: 'lo', asked: null, chosen: '::1', kernel: '::1' },
      withoutContexts: null,
      contexts: [],
    });
  });

  it.each(['2001:db8:b::1', '2001:db8:d::1'])(
    'ranks the pairs of the context with %s, whichever of its addresses is named',
    async (peer) => {
      expect(await report('-', peer)).toMatchObject({ withoutContexts: null, contexts: [CONTEXT] });
    },
  );

  it('explains addresses without the daemon, and says what is missing', async () => {
    await server.close();
    expect(await report('::1')).toMatchObject({
      source: { chosen: '::1' },
      withoutContexts: expect.stringMatching(/^locid is not running/),
      contexts: [],
    });
  });

  it('takes only own addresses as a source', async () => {
    expect(await report('::1', '::1')).toMatchObject({ source: { asked: '::1' } });
    const { status, err } = await why('2001:db8:ffff::1', '::1');
    expect({ status, err }).toEqual({
      status: 2,
      err: 'loci: 2001:db8:ffff::1 is not an address of this host; see: ip -6 addr\n',
    });
    expect((await why('router', '::1')).err).toBe('loci: router is not an IPv6 address\n');
    expect((await why('::1', 'a b')).status).toBe(2);
  });

  it('prints tables for people', () => {
    const defeat = { rule: '3', text: 'it is deprecated' };
    const view = whyView(
      {
        destinations: [
          { address: '2001:db8:b::1', source: '2001:db8:a::1' },
          { address: 'fd00::1', source: null, lostBy: { rule: '1', text: 'it cannot be reached' } },
        ],
        source: {
          destination: '2001:db8:b::1',
          interface: 'eth0',
          asked: '2001:db8:a::2',
          chosen: '2001:db8:a::1',
          kernel: '2001:db8:a::3',
          candidates: [
            { address: '2001:db8:a::1', interface: 'eth0' },
            { address: '2001:db8:a::2', interface: 'eth0', lostBy: defeat },
          ],
        },
        withoutContexts: null,
        contexts: [
          {
            ulids: ['2001:db8:a::1', '2001:db8:b::1'],
            state: 'ESTABLISHED',
            inUse: ['2001:db8:c::1', '2001:db8:b::1'],
            pairs: [
              { pair: ['2001:db8:c::1', '2001:db8:b::1'], rank: 1, state: 'operational' },
              {
                pair: ['2001:db8:a::1', '2001:db8:b::1'],
                rank: null,
                state: null,
                lostBy: { rule: 'unusable', text: 'our link is down' },
              },
            ],
          },
        ],
      },
      false,
    );
    expect(view).toMatchInlineSnapshot(`
      "DESTINATION    FROM           WHY
      2001:db8:b::1  2001:db8:a::1  first
      fd00::1        -              rule 1: it cannot be reached

      to 2001:db8:b::1 through eth0
      SOURCE                     ON    WHY
      2001:db8:a::1              eth0  first
      2001:db8:a::2 (asked for)  eth0  rule 3: it is deprecated
      the kernel takes 2001:db8:a::3: a route, a rule or the order of addresses says so; see: ip -6 route get 2001:db8:b::1

      context 2001:db8:a::1 → 2001:db8:b::1, ESTABLISHED
      ORDER  STATE        PAIR                           WHY
      1      operational  2001:db8:c::1 → 2001:db8:b::1  in use
      -      -            2001:db8:a::1 → 2001:db8:b::1  unusable: our link is down
      "
    `);
  });

  it('says when there is no route', () => {
    const source = { destination: '::2', interface: null, asked: null, chosen: null, kernel: null, candidates: [] };
    expect(whyView({ destinations: [], source, withoutContexts: 'locid is not running', contexts: [] }, false)).toBe(
      'there is no route to ::2; see: ip -6 route get ::2\n\nwithout contexts: locid is not running\n',
    );
  });
});
