import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../src/cli/client.ts';
import { pause } from '../../src/cli/demo/daemons.ts';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { ip } from '../../src/cli/demo/namespaces.ts';
import { startProgram } from '../../src/cli/demo/program.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { buildStage, eventually } from '../../src/cli/demo/stage.ts';
import type { Stage } from '../../src/cli/demo/stage.ts';
import { linkOf, prefixOn } from '../../src/cli/demo/topology.ts';
import type { ContextSnapshot } from '../../src/host/snapshot.ts';
import { atHome } from './support/established.ts';
import { inviteGuest } from './support/guest.ts';
import type { Guest } from './support/guest.ts';
import { startSupport } from './support/programs.ts';
import { STRANGE, inviteStranger } from './support/stranger.ts';

/** The whole of it is wanted once per release, `LOCI_FLOOD_SECONDS=30`. */
const SECONDS = Number(process.env['LOCI_FLOOD_SECONDS'] ?? 5);
const PER_SECOND = 50_000;
/** RFC 9637: addresses for examples, enough for 2^44 networks. */
const EVERYWHERE = '3fff';
const RECEIVED_RATIO = 0.8;
const GROWTH_KB = 10 * 1_024;
const NEW_CONTEXT_MS = 2_000;
const ECHO_PORT = 7_301;
const FLOW_PORT = 7_302;

let stage: Stage;
let flooder: Program;
const stop: (() => void)[] = [];

beforeAll(async () => {
  stage = await buildStage({ profile: 'fast', loci: true, onEvent: () => undefined });
  await inviteStranger(stage.topology);
  const stranger = `${stage.topology.tag}-stranger`;
  await ip(stranger, '-6', 'route', 'add', 'blackhole', `${EVERYWHERE}::/20`); // answers end here, without complaint
  await ip(
    stage.topology.namespace('router1'),
    '-6',
    'route',
    'add',
    `${EVERYWHERE}::/20`,
    'via',
    `${STRANGE}:ffff::2`,
  );
  flooder = await startSupport('flooder', [stage.identifiers.server, `${STRANGE}:ffff::2`, EVERYWHERE], stranger);
}, 60_000);

afterAll(async () => {
  for (const end of stop) end();
  flooder.kill();
  await stage.close();
  expect(existsSync(`/run/netns/${stage.topology.tag}-stranger`)).toBe(false);
}, 30_000);

/** A program of the client sends datagrams to an address of the server, one every millisecond, until the end of the test. */
async function flow(client: string, server: string, port: number): Promise<() => Promise<number>> {
  const { topology } = stage;
  const receiver = startProgram('udp-receiver', [String(port)], {
    namespace: topology.namespace('server'),
    name: 'receiver of a flow',
  });
  stop.push(receiver.kill);
  await receiver.next('ready', 20_000);
  const words = [client, server, String(port), '1'];
  stop.push((await startSupport('bound-sender', words, topology.namespace('client'))).kill);
  await receiver.next('flowing', 20_000);
  return async () => {
    receiver.tell({ from: 0, to: monotonicNow() });
    const { distinct } = await receiver.next('received', 20_000);
    return Number(distinct);
  };
}

async function identifierOfProvider2(host: 'client' | 'server'): Promise<string> {
  const prefix = prefixOn(linkOf(host, 2)).slice(0, -1);
  const found = (await stage.daemon(host).locators()).find(({ address, ulid }) => ulid && address.startsWith(prefix));
  if (found === undefined) throw new Error(`the ${host} has no identifier of provider 2`);
  return found.address;
}

/** Makes the context of the identifiers of provider 2 go over provider 1, for good. */
async function divert(server: string): Promise<void> {
  const { controlSocket } = stage.daemon('client');
  const contextOf = async (): Promise<ContextSnapshot | undefined> => {
    const contexts = await ask(controlSocket, { id: 1, command: 'contexts' });
    return contexts.find(({ ulids, state }) => ulids[1] === server && state === 'ESTABLISHED');
  };
  await eventually('no context between the identifiers of provider 2', contextOf);
  await pause(500);
  for (const host of ['client', 'server'] as const) {
    const rule = ['pref', '1', 'iif', linkOf(host, 2).routerEnd.name, 'blackhole'];
    await ip(stage.topology.namespace('router2'), '-6', 'rule', 'add', ...rule);
  }
  await eventually('the context did not move', async () => ((await contextOf())?.diverted === true ? true : undefined));
  await pause(1_000);
}

function memoryKb(pid: number): number {
  const rss = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  if (rss === undefined) throw new Error('no VmRSS');
  return Number(rss);
}

/** Seconds of a processor that a process has used. */
function processorSeconds(pid: number): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** From the first datagram between two hosts to a context that stands at both. */
async function newContext(from: Party, to: Party): Promise<number> {
  const words = [from.identifier, to.identifier, String(ECHO_PORT), '50'];
  const sender = await startSupport('bound-sender', words, from.namespace);
  const start = monotonicNow();
  const isEstablished = async (one: Party, other: Party): Promise<boolean> =>
    (await ask(one.socket, { id: 1, command: 'contexts' })).some(
      ({ ulids, state }) => ulids[0] === one.identifier && ulids[1] === other.identifier && state === 'ESTABLISHED',
    );
  try {
    await eventually(
      'no new context',
      async () => ((await isEstablished(from, to)) && (await isEstablished(to, from)) ? true : undefined),
      15_000,
    );
    return monotonicNow() - start;
  } finally {
    sender.kill();
  }
}

interface Party {
  readonly namespace: string;
  readonly identifier: string;
  readonly socket: string;
}

const party = (host: 'client' | 'server'): Party => ({
  namespace: stage.topology.namespace(host),
  identifier: stage.identifiers[host],
  socket: stage.daemon(host).controlSocket,
});

describe(`a flood of I1 from everywhere, ${String(PER_SECOND)} a second`, () => {
  it(
    'costs established traffic a fifth at most, memory little, and new contexts two seconds',
    async () => {
      const { topology, identifiers } = stage;
      const { pid } = stage.daemon('server');
      const eager: Guest = await inviteGuest(topology, 'guest-1', 2);
      const idle: Guest = await inviteGuest(topology, 'guest-2', 1_000_000);
      stop.push(eager.kill, idle.kill);
      for (const { namespace } of [party('server'), eager, idle]) {
        stop.push((await startSupport('echo', [String(ECHO_PORT)], namespace)).kill);
      }
      const [ours, theirs] = [await identifierOfProvider2('client'), await identifierOfProvider2('server')];
      const flows = [
        await flow(identifiers.client, identifiers.server, FLOW_PORT),
        await flow(ours, theirs, FLOW_PORT + 1),
      ];
      await divert(theirs);
      await atHome(stage);

      /** Of what was sent meanwhile, the part that arrived. */
      const received = async (during: () => Promise<void>): Promise<{ plain: number; diverted: number }> => {
        const [start, from] = [await Promise.all(flows.map((one) => one())), monotonicNow()];
        await during();
        const [end, to] = [await Promise.all(flows.map((one) => one())), monotonicNow()];
        const [plain = 0, diverted = 0] = end.map((count, i) => (count - (start[i] ?? 0)) / (to - from));
        return { plain, diverted };
      };
      const quiet = await received(() => pause(2_000));

      let peak = 0;
      const before = memoryKb(pid);
      const watch = setInterval(() => {
        peak = Math.max(peak, memoryKb(pid));
      }, 100);
      const used = processorSeconds(pid);
      const dropped = await drops();
      let asResponder = Number.POSITIVE_INFINITY;
      let asInitiator = Number.POSITIVE_INFINITY;
      let rate = 0;
      const flooded = await received(async () => {
        flooder.tell({ perSecond: PER_SECOND, seconds: SECONDS });
        await pause(1_000);
        asResponder = await newContext(eager, party('server')).catch(() => Number.POSITIVE_INFINITY);
        asInitiator = await newContext(party('server'), idle).catch(() => Number.POSITIVE_INFINITY);
        rate = Number((await flooder.next('flooded', (SECONDS + 20) * 1_000))['perSecond']);
      });
      clearInterval(watch);
      const after = memoryKb(pid);
      const figures = {
        seconds: SECONDS,
        perSecond: rate,
        receivedQuiet: quiet,
        receivedFlooded: flooded,
        memoryKb: { before, peak, after },
        newContextMs: { asResponder: Math.round(asResponder), asInitiator: Math.round(asInitiator) },
        processorSeconds: processorSeconds(pid) - used,
        drops: (await drops()) - dropped,
      };
      process.stderr.write(`flood: ${JSON.stringify(figures)}\n`);
      expect(flooded.plain / quiet.plain).toBeGreaterThan(RECEIVED_RATIO);
      expect(flooded.diverted / quiet.diverted).toBeGreaterThan(RECEIVED_RATIO);
      expect(peak - before).toBeLessThanOrEqual(GROWTH_KB);
      expect(asResponder).toBeLessThan(NEW_CONTEXT_MS);
      expect(asInitiator).toBeLessThan(NEW_CONTEXT_MS);
    },
    (60 + 2 * SECONDS) * 1_000,
  );
});

/** I1s and others that got no answer at the server. */
async function drops(): Promise<number> {
  const { counters } = await ask(stage.daemon('server').controlSocket, { id: 1, command: 'status' });
  return counters.drops['rate'] ?? 0;
}
