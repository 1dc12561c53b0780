import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import { compiled } from '../../src/cli/demo/program.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { eventually } from '../../src/cli/demo/stage.ts';
import { linkOf } from '../../src/cli/demo/topology.ts';
import { ran } from './support/host-alone.ts';
import { startSupport } from './support/programs.ts';
import { TwoDaemons, samePair } from './support/two-daemons.ts';
import type { Happening, Monitor, Standing } from './support/two-daemons.ts';

/** Shorter than usual: traffic that is not held goes home after so long. */
const RETURN_AFTER_S = 2;
const CONFIGURATION = { detection: { return_after_seconds: RETURN_AFTER_S } };
/** Long enough for traffic to have gone home, had nobody preferred another pair. */
const STAYS_MS = 2 * RETURN_AFTER_S * 1_000;
const HOMEWARD_MS = 30_000; // a pair that has failed lately has to answer for longer

const MANY: unknown = expect.toSatisfy((packets: number) => packets > 100);

const PORT = '7204';

let both: TwoDaemons;
let client: readonly [string, string];
let server: readonly [string, string];
let sender: Program | undefined;
let echo: Program;
let log: Program;

beforeAll(async () => {
  both = await TwoDaemons.start({ client: CONFIGURATION, server: CONFIGURATION });
  client = [await both.identifier('client', 1), await both.identifier('client', 2)];
  server = [await both.identifier('server', 1), await both.identifier('server', 2)];
  const indexes = ([1, 2] as const).map((provider) => String(linkOf('client', provider).hostEnd.index));
  log = await startSupport('payload-log', indexes, both.topology.namespace('client'));
  echo = await startSupport('echo', [PORT], both.topology.namespace('server'));
  await flow();
}, 60_000);

afterAll(async () => {
  sender?.kill();
  echo.kill();
  log.kill();
  await both.close();
}, 30_000);

/** Traffic both ways between the identifiers of provider 1, and over these as soon as nothing is in the way. */
async function flow(): Promise<void> {
  sender?.kill();
  sender = await startSupport('bound-sender', [client[0], server[0], PORT, '5'], both.topology.namespace('client'));
  await home();
}

function over(pair: readonly [string, string], withinMs?: number): Promise<Standing> {
  const isThere = (one: Standing): boolean => samePair(one.ulids, [client[0], server[0]]) && samePair(one.pair, pair);
  return both.standing(`the client does not use ${pair.join(' and ')}`, 'client', isThere, withinMs);
}

/** The pair of the other provider. */
function other(): readonly [string, string] {
  return [client[1], server[1]];
}

/** The providers do not reach each other. */
function unreachable(): readonly [string, string] {
  return [client[1], server[0]];
}

function home(): Promise<Standing> {
  return over([client[0], server[0]], HOMEWARD_MS);
}

/** How many packets with payload the client sends over each link during `ms`. */
async function sent(ms: number): Promise<unknown> {
  log.tell({ clear: true });
  await log.next('cleared');
  await pause(ms);
  log.tell({});
  return (await log.next('noted'))['counts'];
}

/** A monitor that is known to listen: bad feedback has the pair in use tested, and that is told. */
async function listening(peer: string, ...words: readonly string[]): Promise<Monitor> {
  const begun = both.monitor('client', ...words);
  await eventually('the monitor hears nothing', async () => {
    await both.loci('client', 'feedback', peer, 'bad');
    return begun.events.some(({ event }) => event === 'confirmed') ? true : undefined;
  });
  return begun;
}

function eventsOn(events: readonly Happening[], what: string, pair: readonly string[]): Happening[] {
  return events.filter(({ event, pair: on }) => event === what && samePair(on, pair));
}

async function refused(...words: readonly string[]): Promise<readonly [number | null, unknown]> {
  const command = [compiled('cli/loci'), '--socket', both.socket('client'), ...words, '--json'];
  const { status, stdout } = await ran(process.execPath, command);
  return [status, JSON.parse(stdout)];
}

describe('loci prefer', () => {
  it('has a host send over another pair, until nobody prefers it any more', async () => {
    expect(await both.loci('client', 'prefer', server[0], ...other())).toEqual({ contexts: 1 });
    await over(other());
    expect(await sent(STAYS_MS)).toEqual([0, MANY]);
    await over(other());
    expect(await both.loci('client', 'prefer', server[0], '--none')).toEqual({ contexts: 1 });
    await home();
  }, 90_000);

  it('leaves traffic where it is while that pair does not work', async () => {
    await both.loci('client', 'prefer', server[0], ...unreachable());
    expect(await sent(2_000)).toEqual([MANY, 0]);
    await both.loci('client', 'prefer', server[0], '--none');
  }, 30_000);

  it('refuses what is no pair of the context, and a peer without one', async () => {
    const noPair = await refused('prefer', server[0], client[0], client[1]);
    expect(noPair).toEqual([1, { error: { code: 'unknown-locator', message: expect.stringContaining('loci paths') } }]);
    for (const words of [
      ['prefer', '2001:db8:9::1', client[0], server[1]],
      ['standby', '2001:db8:9::1', 'on'],
      ['feedback', '2001:db8:9::1', 'good'],
    ]) {
      const message = 'there is no context with 2001:db8:9::1';
      expect(await refused(...words)).toEqual([1, { error: { code: 'unknown-context', message } }]);
    }
  }, 30_000);
});

describe('loci monitor --peer', () => {
  it('tells what concerns one peer, and nothing else', async () => {
    const namespace = both.topology.namespace('client');
    const sender = await startSupport('bound-sender', [client[0], server[1], '7205', '20'], namespace);
    const monitors: Monitor[] = [];
    try {
      await both.standing('no second context', 'client', ({ ulids }) => samePair(ulids, [client[0], server[1]]));
      const all = await listening(server[0]);
      monitors.push(all);
      const one = await listening(server[1], '--peer', server[1].toUpperCase());
      monitors.push(one);
      await eventually('the monitor of everything does not hear of both', async () => {
        for (const peer of server) await both.loci('client', 'feedback', peer, 'bad');
        return server.every((peer) => all.events.some(({ ulids }) => ulids?.[1] === peer)) ? true : undefined;
      });
      expect(new Set(one.events.map(({ ulids }) => ulids?.[1]))).toEqual(new Set([server[1]]));
    } finally {
      for (const monitor of monitors) monitor.stop();
      sender.kill();
    }
  }, 60_000);
});

describe('loci feedback', () => {
  it('that is bad has the pair tested, and traffic stays where all is well', async () => {
    const monitor = await listening(server[0]);
    expect(await both.loci('client', 'feedback', server[0], 'bad')).toEqual({ contexts: 1 });
    expect(await both.loci('client', 'feedback', server[0], 'good')).toEqual({ contexts: 1 });
    expect(eventsOn(monitor.events, 'confirmed', [client[0], server[0]]).length).toBeGreaterThan(0);
    expect(monitor.events.filter(({ event }) => event === 'selected')).toEqual([]);
    monitor.stop();
  }, 30_000);

  it('that is bad finds a path that died while nobody was sending', async () => {
    const monitor = await listening(server[0]);
    sender?.kill();
    const failure = await arm('blackhole', 'admin', both.topology);
    try {
      await pause(500); // what was under way is over
      await failure.strike();
      const { at } = monitor.events.at(-1) ?? { at: 0 };
      await both.loci('client', 'feedback', server[0], 'bad');
      await eventually('no other path is found', () =>
        Promise.resolve(monitor.events.find(({ event }) => event === 'selected')),
      );
      const doubts = monitor.events.filter((one) => one.event === 'suspect' && one.at >= at);
      expect(doubts.map(({ cause, pair }) => [cause, pair])).toEqual([['application', [client[0], server[0]]]]);
    } finally {
      failure.disarm();
      await repair('blackhole', both.topology);
      monitor.stop();
    }
    await flow();
  }, 90_000);
});

describe('loci standby', () => {
  it('keeps the other pair tested, so that traffic moves with the suspicion', async () => {
    const monitor = await listening(server[0]);
    expect(await both.loci('client', 'standby', server[0], 'on')).toEqual({ contexts: 1 });
    await eventually('the other pair is not tested again and again', () =>
      Promise.resolve(eventsOn(monitor.events, 'confirmed', other()).length >= 3 ? true : undefined),
    );
    const failure = await arm('blackhole', 'admin', both.topology);
    await failure.strike();
    try {
      await over(other());
      const moved = monitor.events.find(({ event }) => event === 'selected');
      const doubted = monitor.events.findLast((one) => one.event === 'suspect' && one.at <= (moved?.at ?? 0));
      expect([moved?.from, moved?.to, moved?.at]).toEqual([[client[0], server[0]], other(), doubted?.at]);
    } finally {
      failure.disarm();
      await repair('blackhole', both.topology);
      monitor.stop();
    }
  }, 90_000);
});
