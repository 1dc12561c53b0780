import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generateCga } from '../../src/cga/generate.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import { pause } from '../../src/cli/demo/daemons.ts';
import { monotonicNow } from '../../src/cli/demo/lines.ts';
import { startProgram } from '../../src/cli/demo/program.ts';
import { buildStage } from '../../src/cli/demo/stage.ts';
import type { Stage } from '../../src/cli/demo/stage.ts';
import { PROVIDERS, linkOf } from '../../src/cli/demo/topology.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import type { Traffic } from '../../src/cli/demo/traffic.ts';
import { random32 } from '../../src/crypto/ports.ts';
import { nodeCrypto, rsaSigner } from '../../src/node/crypto.ts';
import { METHOD_CGA, METHOD_HBA } from '../../src/shim6/locator-list.ts';
import { MESSAGE_TYPES, encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, R1 } from '../../src/shim6/messages.ts';
import type { Shim6Options } from '../../src/shim6/options.ts';
import { contextTag, randomTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import { seededRandom } from '../../src/sim/random.ts';
import { fromHex } from '../../src/wire/hex.ts';
import { DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ICMPV6, ROUTING, SHIM6, UDP } from '../../src/wire/ipv6.ts';
import { isRunning } from '../lab/processes.ts';
import { atHome, loci } from './support/established.ts';
import { errors, i1, junk, ofType, optioned, tagged, withUnknownOption } from './support/junk.ts';
import type { Forger } from './support/junk.ts';
import { watchLoad } from './support/sentinel.ts';
import { address, icmpError, isControl, isTagged, packet, packetsOf, summed, typeOf } from './support/packets.ts';
import type { Captured } from './support/packets.ts';
import { STRANGE, inviteStranger } from './support/stranger.ts';
import type { Stranger } from './support/stranger.ts';

/** Limits of answers without a context, as docs/security.md promises them: per second and at once. */
const R1_PER_PREFIX = { perSecond: 200, burst: 400 };
const R1_TOTAL = { perSecond: 2_000, burst: 4_000 };
/** From here the stranger asks whether the server is done. */
const ASKING = `${STRANGE}:fffd::`;
/** An answer may be as long as what it answers, and its own headers (IPv6, and Shim6 or ICMPv6). */
const OWN_HEADERS = 40 + 8;
/** What an ordinary program may notice of a flood on a machine that also makes the flood. */
const UNHARMED_MS = 500;
const JUNK_PACKETS = 20_000;
const JUNK_AT_ONCE = 1_000;
const MEMORY_GROWTH_KB = 10_240;

const Contexts = z.array(
  z.object({
    ulids: z.tuple([z.string(), z.string()]),
    forkedInstanceId: z.number(),
    state: z.string(),
    tagLocal: z.string(),
    tagPeer: z.string().nullable(),
    pair: z.tuple([z.string(), z.string()]),
    diverted: z.boolean(),
    localLocators: z.array(z.string()),
    peerLocators: z.array(z.object({ address: z.string(), method: z.string(), broken: z.boolean() })),
  }),
);
type ContextsOf = Readonly<Record<'client' | 'server', z.infer<typeof Contexts>>>;

let stage: Stage;
let stranger: Stranger;
let traffic: Traffic;
let folder: string;
let forger: Forger;
let startedAt: number;
let watched: ReturnType<typeof watchLoad>;
let prefixes = 0;
let captures = 0;
const random = seededRandom(140);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loci-bad-'));
  stage = await buildStage({ profile: 'fast', loci: true, onEvent: () => undefined });
  stranger = await inviteStranger(stage.topology);
  traffic = await startTraffic(stage.topology, stage.identifiers.server, { rate: 10, seed: 4 });
  await atHome(stage);
  forger = { random, ...stage.identifiers };
  startedAt = monotonicNow();
  watched = watchLoad();
}, 60_000);

afterAll(async () => {
  traffic.kill();
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
  expect(existsSync(`/run/netns/${stage.topology.tag}-stranger`)).toBe(false);
}, 30_000);

/** An address that the stranger has not used before, each in a /64 of its own. */
function fresh(): string {
  return `${STRANGE}:${(++prefixes).toString(16)}::1`;
}

/** Each payload from an address of its own, so that every answer names what it answers. */
function toServer(payloads: Iterable<Uint8Array>, nextHeader: number = SHIM6): string[] {
  return [...payloads].map((payload) => packet(fresh(), stage.identifiers.server, payload, nextHeader));
}

async function contexts(): Promise<ContextsOf> {
  const [client, server] = await Promise.all(
    (['client', 'server'] as const).map(async (host) =>
      Contexts.parse(await loci(stage.daemon(host).controlSocket, 'contexts')),
    ),
  );
  if (client === undefined || server === undefined) throw new Error('no contexts');
  return { client, server };
}

/**
 * Returns when the server has dealt with everything that was sent before. Each of its queues (payload, I1, other control
 * messages) has by then answered something that was sent after it.
 */
async function settled(): Promise<void> {
  await answered('a tag of no context', () => tagged(randomTag(random), random));
  await answered('a type that does not exist', () => ofType(100, random));
  await answered('an I1', () => i1(random));
}

async function answered(what: string, question: () => Uint8Array): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    await stranger.listen(true);
    await stranger.send([packet(`${ASKING}${(++prefixes).toString(16)}`, stage.identifiers.server, question())]);
    const answer = await stranger.heard(300);
    await stranger.listen(false);
    if (answer !== undefined) return;
  }
  const status = JSON.stringify(await loci(stage.daemon('server').controlSocket, 'status'));
  throw new Error(`the server does not answer ${what} any more: ${status}`);
}

interface Recorded {
  readonly fromServer: readonly Captured[];
  readonly toServer: readonly Captured[];
  readonly ms: number;
}

/** What passes the server's links while `disturb` goes on, and until the server has dealt with it. */
async function recorded(disturb: () => Promise<void>): Promise<Recorded> {
  const namespace = stage.topology.namespace('server');
  const programs = await Promise.all(
    PROVIDERS.map(async (provider) => {
      const { name, index } = linkOf('server', provider).hostEnd;
      const file = join(folder, `${String(++captures)}.pcapng`);
      const program = startProgram('capture', [name, String(index), file], { namespace, name: `capture of ${name}` });
      await program.next('ready');
      return { program, file };
    }),
  );
  const from = monotonicNow();
  await disturb();
  const ms = monotonicNow() - from;
  await settled();
  const packets = (
    await Promise.all(
      programs.map(async ({ program, file }) => {
        program.tell({ finish: true });
        await program.next('counted');
        program.kill();
        return packetsOf(readFileSync(file));
      }),
    )
  ).flat();
  const own = new Set(
    ((await loci(stage.daemon('server').controlSocket, 'locators')) as { address: string }[]).map((l) => l.address),
  );
  return {
    fromServer: packets.filter(({ source }) => own.has(source)),
    toServer: packets.filter(({ source }) => !own.has(source)),
    ms,
  };
}

/** Answers go to whoever asked, are about as long as the question, and never more than one for each. */
function expectModestAnswers({ fromServer, toServer: questions }: Recorded): readonly Captured[] {
  const asked = new Map<string, Captured[]>();
  for (const question of questions) asked.set(question.source, [...(asked.get(question.source) ?? []), question]);
  const peers = new Set(questions.filter(({ source }) => !source.startsWith(STRANGE)).map(({ source }) => source));
  const answers = fromServer.filter((answer) => isControl(answer) || answer.header.nextHeader === ICMPV6);
  const answered = new Map<string, number>();
  for (const answer of answers) {
    const { destination, octets } = answer;
    if (!destination.startsWith(STRANGE)) {
      if (isControl(answer)) expect(peers, 'a Shim6 message to somebody who said nothing').toContain(destination);
      continue;
    }
    const causes = asked.get(destination) ?? [];
    answered.set(destination, (answered.get(destination) ?? 0) + 1);
    expect(causes.length, `answers to ${destination}`).toBeGreaterThanOrEqual(answered.get(destination) ?? 0);
    const longest = Math.max(...causes.map((cause) => cause.octets.length));
    if (isControl(answer) && typeOf(answer) === MESSAGE_TYPES.R1) {
      const shortest = Math.min(...causes.map((cause) => cause.payload.length));
      expect(answer.payload.length).toBeLessThanOrEqual(3 * shortest);
    }
    expect(octets.length).toBeLessThanOrEqual(Math.min(1280, longest + OWN_HEADERS));
  }
  return answers.filter(({ destination }) => destination.startsWith(STRANGE));
}

/** Does something bad, and expects that nothing came of it; the answers that it got. */
async function nothingComesOf(disturb: () => Promise<void>): Promise<{ answers: readonly Captured[]; seen: Recorded }> {
  const before = await contexts();
  const seen = await recorded(disturb);
  expect(seen.toServer.length).toBeGreaterThan(0);
  const answers = expectModestAnswers(seen).filter(({ destination }) => !destination.startsWith(ASKING));
  for (const daemon of stage.daemons) expect(isRunning(daemon.pid), `locid of the ${daemon.host}`).toBe(true);
  expect(await contexts()).toEqual(before);
  expect(seen.fromServer.some(isTagged), 'traffic left its pair').toBe(false);
  return { answers, seen };
}

function memoryKb(pid: number): number {
  const rss = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  if (rss === undefined) throw new Error('no VmRSS');
  return Number(rss);
}

const typesIn = (answers: readonly Captured[]): number[] => [...new Set(answers.filter(isControl).map(typeOf))].sort();

describe('packets of strangers', () => {
  it('S6-147 of random octets change nothing', async () => {
    const { answers } = await nothingComesOf(() =>
      stranger.send(toServer(Array.from({ length: 300 }, (_, i) => random(i * 4 + 1)))),
    );
    expect(answers.filter(isControl).length).toBeLessThan(300);
  });

  it('S6-147 of every type with a wrong checksum are not answered', async () => {
    const messages = [
      ...optioned(forger).map((message) => encodeShim6(message)),
      ...Array.from({ length: 128 }, (_, type) => ofType(type, random, 48)),
    ];
    const { answers } = await nothingComesOf(() =>
      stranger.send(toServer(messages.map((message) => summed(message, true)))),
    );
    expect(answers).toEqual([]);
  });

  it('cut short at every octet, with checksums that fit, change nothing', async () => {
    const messages = optioned(forger).map((message) => encodeShim6(message));
    const cut = messages.flatMap((message) =>
      Array.from({ length: Math.min(message.length, 96) }, (_, n) => summed(message.slice(0, n))),
    );
    await nothingComesOf(() => stranger.send(toServer(cut)));
  });

  it('larger than a signalling packet may be (S6-008), in fragments and behind extension headers, change nothing', async () => {
    const large = optioned(forger).map((message) => {
      const octets = new Uint8Array(1_440);
      octets.set(encodeShim6(message));
      octets[1] = octets.length / 8 - 1;
      return summed(octets);
    });
    const whole = summed(Uint8Array.from(random(2_048), (octet, at) => [59, 255, 1, 0][at] ?? octet));
    const fragments = [0, 1_024].map((at) => {
      const body = whole.subarray(at, at + 1_024);
      const more = at === 0 ? 1 : 0;
      return Uint8Array.from([SHIM6, 0, at >> 8, (at & 0xff) | more, 1, 2, 3, 4, ...body]);
    });
    const source = fresh();
    const behind = [HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING].flatMap((header) =>
      optioned(forger).map((message) => ({
        header,
        octets: Uint8Array.from([
          SHIM6,
          0,
          ...(header === ROUTING ? [4, 0, 0, 0, 0, 0] : [1, 4, 0, 0, 0, 0]),
          ...encodeShim6(message),
        ]),
      })),
    );
    await nothingComesOf(() =>
      stranger.send([
        ...toServer(large),
        ...fragments.map((octets) => packet(source, stage.identifiers.server, octets, FRAGMENT)),
        ...behind.flatMap(({ header, octets }) => toServer([octets], header)),
      ]),
    );
  });

  it('S6-148 S6-041 of unknown types and with unknown critical options get an Error at most', async () => {
    const unknown = [0, 7, 59, 63, 69, 100, 127].map((type) => ofType(type, random, 64));
    const messages = optioned(forger).map((message) => encodeShim6(message));
    const critical = messages.map((message) => withUnknownOption(message, true));
    const { answers } = await nothingComesOf(() => stranger.send(toServer([...unknown, ...critical])));
    expect(typesIn(answers)).toEqual([MESSAGE_TYPES.Error]);
    expect(answers).toHaveLength(unknown.length + critical.length);
  });

  it('with tags of no context get an R1bis, from wherever they claim to come', async () => {
    const { client, server } = stage.identifiers;
    const forged = (): Uint8Array[] => [
      ...optioned(forger).map((message) => encodeShim6(message)),
      tagged(randomTag(random), random),
      tagged(contextTag(0), random, 0),
    ];
    const { answers } = await nothingComesOf(() =>
      stranger.send([...toServer(forged()), ...forged().map((octets) => packet(client, server, octets))]),
    );
    expect(typesIn(answers)).toEqual(expect.arrayContaining([MESSAGE_TYPES.R1bis]));
  });

  it('Error messages and ICMPv6 errors about packets that were never sent change nothing', async () => {
    const { client, server } = stage.identifiers;
    const shims = [...optioned(forger).map((message) => encodeShim6(message)), tagged(randomTag(random), random)];
    const quoted = [
      ...shims.map((octets) => fromHex(packet(server, client, octets)) ?? octets),
      fromHex(packet(server, client, random(40), UDP)) ?? random(1),
      random(60),
      new Uint8Array(0),
    ];
    const kinds = [
      { type: 1, code: 0 },
      { type: 1, code: 1 },
      { type: 1, code: 3 },
      { type: 1, code: 5 },
      { type: 3, code: 0 },
      { type: 4, code: 1, parameter: 40 },
      { type: 4, code: 0, parameter: 44 },
    ];
    const icmp = kinds.flatMap((kind) => quoted.map((invoking) => icmpError(fresh(), server, kind, invoking)));
    const { answers } = await nothingComesOf(() =>
      stranger.send([
        ...toServer(errors(quoted)),
        ...errors(quoted).map((octets) => packet(client, server, octets)),
        ...icmp,
      ]),
    );
    expect(answers, 'an error about an error').toEqual([]);
  });

  it('I2 and I2bis with forged validators create nothing, and are not answered', async () => {
    const initiators = optioned(forger).filter(({ type }) => type === 'I2' || type === 'I2bis');
    const plain = Array.from({ length: 100 }, (): Uint8Array =>
      encodeShim6({
        type: 'I2',
        initiatorContextTag: randomTag(random),
        initiatorNonce: 1,
        responderNonce: Math.floor(monotonicNow() / 1_000),
        options: { responderValidator: random(20) },
      }),
    );
    const { answers } = await nothingComesOf(() =>
      stranger.send(toServer([...initiators.map((message) => encodeShim6(message)), ...plain])),
    );
    expect(answers).toEqual([]);
  });

  it('a flood of I1 from one /64 gets R1 at the rate of one prefix, and from many the rate of all', async () => {
    const { server } = stage.identifiers;
    const flood = async (sources: () => string, count: number): Promise<{ r1: Captured[]; seconds: number }> => {
      const { seen } = await nothingComesOf(async () => {
        for (let left = count; left > 0; left -= JUNK_AT_ONCE) {
          await stranger.send(
            Array.from({ length: Math.min(left, JUNK_AT_ONCE) }, () => packet(sources(), server, i1(random))),
          );
        }
      });
      const r1 = seen.fromServer.filter((answer) => isControl(answer) && typeOf(answer) === MESSAGE_TYPES.R1);
      const last = r1.at(-1)?.at ?? 0;
      return { r1, seconds: (last - (r1[0]?.at ?? last)) / 1e3 };
    };
    const prefix = `${STRANGE}:fffe`;
    const one = await flood(() => `${prefix}::${(++prefixes).toString(16)}`, 3_000);
    const fromOne = one.r1.filter(({ destination }) => destination.startsWith(prefix));
    const most = (limit: { perSecond: number; burst: number }, seconds: number): number =>
      limit.burst + Math.ceil(limit.perSecond * (seconds + 0.1));
    process.stderr.write(`R1 to one /64: ${String(fromOne.length)} for 3000 I1 in ${one.seconds.toFixed(2)} s\n`);
    expect(fromOne.length).toBeGreaterThan(100);
    expect(fromOne.length).toBeLessThanOrEqual(most(R1_PER_PREFIX, one.seconds));
    const many = await flood(fresh, 8_000);
    process.stderr.write(`R1 to many /64: ${String(many.r1.length)} for 8000 I1 in ${many.seconds.toFixed(2)} s\n`);
    expect(many.r1.length).toBeLessThanOrEqual(most(R1_TOTAL, many.seconds));
    for (const { payload } of [...one.r1, ...many.r1]) expect(payload.length).toBeLessThanOrEqual(48);
  }, 60_000);

  it('20,000 of all sorts leave memory, contexts and process as they were', async () => {
    const { pid } = stage.daemon('server');
    const source = junk(forger);
    const { client, server } = stage.identifiers;
    const send = (count: number): Promise<void> =>
      stranger.send(
        Array.from({ length: count }, (_, i) => packet(i % 10 === 0 ? client : fresh(), server, source.next().value)),
      );
    await send(JUNK_AT_ONCE);
    await settled();
    const before = memoryKb(pid);
    await nothingComesOf(async () => {
      for (let sent = 0; sent < JUNK_PACKETS; sent += JUNK_AT_ONCE) await send(JUNK_AT_ONCE);
    });
    const after = memoryKb(pid);
    process.stderr.write(
      `memory: ${String(before)} kB before, ${String(after)} kB after ${String(JUNK_PACKETS)} packets\n`,
    );
    expect(after - before).toBeLessThan(MEMORY_GROWTH_KB);
  }, 60_000);
});

describe('somebody who knows the tags, or can receive answers', () => {
  const key = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  const thief = rsaSigner(key.privateKey);
  const lair = `${STRANGE}:ee::1`;

  /** Locator lists that say that the client is where the stranger is, with everything a stranger can put beside them. */
  function claims(): Shim6Options[] {
    const { parameters } = generateCga({
      crypto: nodeCrypto,
      random,
      publicKey: thief.publicKey,
      prefix: address(stage.identifiers.client).slice(0, 8),
      sec: 0,
    });
    const own = encodeCgaParameters(parameters);
    return [METHOD_CGA, METHOD_HBA, 3].flatMap((method) => {
      const locators = [stage.identifiers.client, lair].map((text) => ({ address: address(text), method }));
      const locatorList = { generation: 99, locators };
      return [
        { locatorList, signature: random(256) },
        { locatorList, signature: thief.sign(random(64)), parameters: own },
        { locatorList },
        { locatorList, parameters: own },
      ];
    });
  }

  it('S6-136 S6-057 a Locator List that is not signed by the peer never changes a pair, not even with the right tag', async () => {
    const { server: own } = await contexts();
    const tag: ContextTag = contextTag(parseInt(own[0]?.tagLocal ?? '', 16));
    const updates = claims().map((options, requestNonce) =>
      encodeShim6({ type: 'UpdateRequest', receiverContextTag: tag, requestNonce, options }),
    );
    const { client, server } = stage.identifiers;
    const { seen } = await nothingComesOf(() =>
      stranger.send(updates.flatMap((octets) => [packet(client, server, octets), packet(lair, server, octets)])),
    );
    const acknowledged = seen.fromServer.filter(
      (answer) => isControl(answer) && typeOf(answer) === MESSAGE_TYPES.UpdateAcknowledgement,
    );
    expect(acknowledged).toEqual([]);
    expect(
      seen.fromServer
        .filter(({ destination }) => destination === lair)
        .every((answer) => typeOf(answer) === MESSAGE_TYPES.R1bis),
    ).toBe(true);
  });

  /** Asks with an I1 as an honest initiator would, and returns it with the R1. */
  async function r1For(source: string, options: Shim6Options): Promise<{ asked: I1; r1: R1 }> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const initiatorNonce = random32(random);
      const asked: I1 = { type: 'I1', initiatorContextTag: randomTag(random), initiatorNonce, options };
      await stranger.listen(true);
      await stranger.send([packet(source, stage.identifiers.server, encodeShim6(asked))]);
      for (let heard = await stranger.heard(); heard !== undefined; heard = await stranger.heard()) {
        const r1 = parseShim6(heard.octets);
        if (!r1.ok || r1.value.type !== 'R1' || r1.value.initiatorNonce !== initiatorNonce) continue; // a late one
        await stranger.listen(false);
        return { asked, r1: r1.value };
      }
    }
    throw new Error('no R1');
  }

  function i2({ asked, r1 }: { asked: I1; r1: R1 }, options: Shim6Options): Uint8Array {
    return encodeShim6({
      type: 'I2',
      initiatorContextTag: asked.initiatorContextTag,
      initiatorNonce: asked.initiatorNonce,
      responderNonce: r1.responderNonce,
      options: { ...asked.options, ...options, responderValidator: r1.options.responderValidator },
    });
  }

  it('S6-274 a valid validator does not help to claim the identifier of another', async () => {
    const { client, server } = stage.identifiers;
    const ulidPair = { sender: address(client), receiver: address(server) };
    const exchange = await r1For(lair, { ulidPair });
    const { seen } = await nothingComesOf(() =>
      stranger.send([{}, ...claims()].map((claim) => packet(lair, server, i2(exchange, claim)))),
    );
    expect(seen.fromServer.filter((answer) => isControl(answer) && typeOf(answer) === MESSAGE_TYPES.R2)).toEqual([]);
  });

  it('a validator is of no use with another tag, address or pair', async () => {
    const { server } = stage.identifiers;
    const exchange = await r1For(lair, {});
    const elsewhere = { ...exchange, asked: { ...exchange.asked, initiatorContextTag: randomTag(random) } };
    const { seen } = await nothingComesOf(() =>
      stranger.send([
        packet(lair, server, i2(elsewhere, {})),
        packet(`${STRANGE}:ee::2`, server, i2(exchange, {})),
        packet(lair, server, i2(exchange, { forkedInstanceId: 5 })),
        packet(
          lair,
          server,
          i2({ ...exchange, r1: { ...exchange.r1, responderNonce: exchange.r1.responderNonce + 1 } }, {}),
        ),
      ]),
    );
    expect(seen.fromServer.filter((answer) => isControl(answer) && typeOf(answer) === MESSAGE_TYPES.R2)).toEqual([]);
  });

  it('an honest I2 does create a context: this file would see it', async () => {
    const { server } = stage.identifiers;
    const before = await contexts();
    const exchange = await r1For(lair, {});
    await stranger.send([packet(lair, server, i2(exchange, {}))]);
    await settled();
    const after = await contexts();
    expect(after.server).toHaveLength(before.server.length + 1);
    expect(after.server.map(({ ulids }) => ulids[1])).toContain(lair);
  });
});

describe('the programs of the two hosts', () => {
  it('noticed nothing of all that', async () => {
    await pause(300);
    const { tcp, udp, faults } = await traffic.finish(startedAt);
    const { lagMs, loadavg } = watched.stop();
    const figures = `UDP gap ${String(udp.gapMs)} ms, TCP stall ${String(tcp.stallMs)} ms, lag ${String(lagMs)} ms, load ${loadavg}`;
    process.stderr.write(`${figures}\n`);
    expect(faults).toEqual([]);
    expect(tcp.sha256Match && tcp.sameConnection).toBe(true);
    expect(udp.gapMs, figures).toBeLessThan(UNHARMED_MS + 2 * lagMs); // on a busy machine programs wait for each other
    expect(tcp.stallMs, figures).toBeLessThan(UNHARMED_MS + 2 * lagMs);
  }, 20_000);
});
