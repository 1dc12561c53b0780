import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pause } from '../../src/cli/demo/daemons.ts';
import { arm, repair } from '../../src/cli/demo/failures.ts';
import { buildStage } from '../../src/cli/demo/stage.ts';
import { startTraffic } from '../../src/cli/demo/traffic.ts';
import { MESSAGE_TYPES, encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { parsePayloadHeader } from '../../src/shim6/payload-header.ts';
import { onesComplementSum } from '../../src/wire/checksum.ts';
import { fromHex } from '../../src/wire/hex.ts';
import { IPV6_MINIMUM_MTU, NO_NEXT_HEADER, SHIM6, TCP, UDP } from '../../src/wire/ipv6.ts';
import { LINKTYPE_RAW, enhancedPacket, interfaceDescription, sectionHeader } from '../../src/wire/pcapng.ts';
import { atHome } from './support/established.ts';
import { i1 } from './support/junk.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { isControl, isTagged, packet, packetsOf, summed, typeOf } from './support/packets.ts';
import type { Captured } from './support/packets.ts';

const MAIN = new URL('../../dist/cli/demo/main.js', import.meta.url).pathname;
const PORTS = [7001, 7002]; // of the demonstration's programs
const GOOD = '1'; // checksum.status of tshark
const IDLE_MS = 4_000;
/** The last packets of the programs, and what they set off. */
const LAST_PACKETS_MS = 1_000;
/** A context that left its preferred pair counts as used for 5 s after its last payload; until then it tests that pair every 2 s. */
const OUT_OF_USE_MS = 8_000;

const Pair = z.tuple([z.string(), z.string()]);
const Report = z.object({
  ok: z.literal(true),
  runs: z.array(z.object({ pairBefore: Pair, pairAfter: Pair })).length(1),
});

let folder: string;
const links = new Map<string, readonly Captured[]>();
let pairs: { readonly before: readonly string[]; readonly after: readonly string[] };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-capture-'));
  const args = [MAIN, '--json', '--failure', 'blackhole', '--rate', '10', '--pcap', folder];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const report = Report.safeParse(JSON.parse(stdout));
  if (!report.success) throw new Error(`the demonstration failed: ${stdout}${stderr}`);
  const [run] = report.data.runs;
  pairs = { before: run?.pairBefore ?? [], after: run?.pairAfter ?? [] };
  for (const file of readdirSync(folder)) links.set(file, packetsOf(readFileSync(join(folder, file))));
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const everything = (): Captured[] => [...links.values()].flat();
const controls = (): Captured[] => everything().filter(isControl);

/** Number and checksum.status of every control message of a file, as tshark sees them. */
function tshark(file: string): string[][] {
  const fields = ['frame.number', 'shim6.type', 'shim6.checksum.status'].flatMap((field) => ['-e', field]);
  const args = ['-n', '-r', file, '-Y', 'shim6.p == 0 && !icmpv6', '-T', 'fields', ...fields];
  const out = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1e8 });
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
}

/** UDP or TCP between the two hosts, outside of any Shim6 header. */
function isPlain({ header, payload }: Captured): boolean {
  if (header.nextHeader !== TCP && header.nextHeader !== UDP) return false;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return PORTS.includes(view.getUint16(0)) || PORTS.includes(view.getUint16(2));
}

describe('every link of a whole run', () => {
  it('has four files with the whole handshake, probes and tagged payload: there is something to look at', () => {
    expect(links.size).toBe(4);
    const types = new Set(controls().map(typeOf));
    const openers = controls().filter((one) => typeOf(one) === MESSAGE_TYPES.I1);
    const areCrossing = new Set(openers.map(({ header }) => formatAddress(header.source))).size > 1; // RFC 5533 Figure 4
    const exchange = areCrossing ? (['I1', 'R2'] as const) : (['I1', 'R1', 'I2', 'R2'] as const);
    for (const type of [...exchange, 'Probe'] as const) expect(types).toContain(MESSAGE_TYPES[type]);
    expect(everything().filter(isTagged).length).toBeGreaterThan(1_000);
    expect(everything().filter(isPlain).length).toBeGreaterThan(1_000);
  });

  it('S6-012 tshark reads every file and finds every Shim6 checksum good', () => {
    for (const [file, packets] of links) {
      const rows = tshark(join(folder, file));
      expect(rows.length, file).toBe(packets.filter(isControl).length);
      expect(
        rows.filter(([, , status]) => status !== GOOD),
        file,
      ).toEqual([]);
    }
  }, 60_000);

  it('S6-012 tshark would notice a bad one', () => {
    const file = join(folder, 'bad.pcapng');
    const message = i1((length) => new Uint8Array(length).fill(7));
    const packets = [message, summed(message, true)].map((octets) =>
      fromHex(packet('2001:db8::1', '2001:db8::2', octets)),
    );
    writeFileSync(
      file,
      Buffer.concat([
        sectionHeader(),
        interfaceDescription({ linkType: LINKTYPE_RAW }),
        ...packets.map((octets) => enhancedPacket(0, 0n, octets ?? new Uint8Array(0))),
      ]),
    );
    expect(tshark(file).map(([, , status]) => status)).toEqual([GOOD, '0']);
  });

  it('S6-011 S6-012 our own decoder reads every control message; the sum over its octets is right', () => {
    for (const { payload } of controls()) {
      expect(payload.length).toBe(((payload[1] ?? 0) + 1) * 8);
      expect(payload[0]).toBe(NO_NEXT_HEADER);
      expect((payload[3] ?? 0) & 1, 'S').toBe(0);
      expect(onesComplementSum(payload)).toBe(0xffff);
      expect(parseShim6(payload)).toMatchObject({ ok: true });
    }
  });

  it('S6-013 S6-036 no reserved bit and no padding is set: a message written from what it says is the same', () => {
    for (const { payload } of controls()) {
      const parsed = parseShim6(payload);
      if (!parsed.ok || parsed.value.type === 'Unknown') throw new Error('a message that nobody defined');
      expect(parsed.value.type === 'Error' || (parsed.value.options.unknown ?? []).length === 0).toBe(true);
      expect([...encodeShim6(parsed.value)]).toEqual([...payload]);
      if (parsed.value.type !== 'Error') expect((payload[3] ?? 0) >> 1, 'Reserved1').toBe(0);
      if (parsed.value.type !== 'Error' && parsed.value.type !== 'R1') expect((payload[6] ?? 0) & 0x80, 'R').toBe(0);
    }
  });

  it('S6-008 no control message is larger than 1280 octets', () => {
    const largest = Math.max(...controls().map(({ octets }) => octets.length));
    process.stderr.write(`largest control packet: ${String(largest)} octets\n`);
    expect(largest).toBeLessThanOrEqual(IPV6_MINIMUM_MTU);
  });

  it('S6-010 no payload header between the identifiers, S6-009 and one on every packet of another pair', () => {
    const identifiers = new Set(pairs.before);
    const isUlidPair = ({ source, destination }: Captured): boolean =>
      identifiers.has(source) && identifiers.has(destination);
    for (const captured of everything()) {
      if (isTagged(captured)) {
        expect(isUlidPair(captured), `${captured.source} → ${captured.destination} tagged`).toBe(false);
        const parsed = parsePayloadHeader(captured.payload);
        if (!parsed.ok) throw new Error(`a payload header that is none: ${parsed.reason}`);
        expect([TCP, UDP]).toContain(parsed.value.nextHeader);
      } else if (isPlain(captured)) {
        expect(isUlidPair(captured), `${captured.source} → ${captured.destination} not tagged`).toBe(true);
      }
    }
    expect(pairs.after).not.toEqual(pairs.before);
  });

  it('S6-009 the tag is the one that its receiver allocated', () => {
    const allocated = new Map<number, string>(); // tag → host
    const hostOf = (text: string): string => (/^2001:db8:\d:a:/.test(text) ? 'client' : 'server');
    for (const captured of controls()) {
      const parsed = parseShim6(captured.payload);
      if (!parsed.ok) continue;
      if (parsed.value.type === 'I2') allocated.set(parsed.value.initiatorContextTag, hostOf(captured.source));
      if (parsed.value.type === 'R2') allocated.set(parsed.value.responderContextTag, hostOf(captured.source));
    }
    for (const captured of everything().filter(isTagged)) {
      const parsed = parsePayloadHeader(captured.payload);
      expect(parsed.ok ? allocated.get(parsed.value.contextTag) : undefined).toBe(hostOf(captured.destination));
    }
  });
});

describe('S6-164 while nobody sends', () => {
  it('nothing of protocol 140 is on any link, before a failure and after one', async () => {
    const directory = join(folder, 'idle');
    const stage = await buildStage({ profile: 'fast', loci: true, pcap: directory, onEvent: () => undefined });
    const quiet: { readonly what: string; readonly from: number; readonly to: number }[] = [];
    const rest = async (what: string, afterMs: number): Promise<void> => {
      await pause(afterMs);
      const from = Date.now();
      await pause(IDLE_MS);
      quiet.push({ what, from, to: Date.now() });
    };
    try {
      const first = await startTraffic(stage.topology, stage.identifiers.server, { rate: 5, seed: 9 });
      await atHome(stage);
      await pause(500);
      first.kill();
      await rest('on the pair of the identifiers', LAST_PACKETS_MS);
      const second = await startTraffic(stage.topology, stage.identifiers.server, { rate: 5, seed: 9 });
      const armed = await arm('blackhole', 'admin', stage.topology);
      await armed.strike();
      await pause(1_000);
      armed.disarm();
      second.kill();
      await rest('on another pair, while the first is dead', OUT_OF_USE_MS);
      await repair('blackhole', stage.topology);
      await rest('on another pair, after the repair', 0);
    } finally {
      await stage.close();
    }
    const seen = readdirSync(directory).flatMap((file) => packetsOf(readFileSync(join(directory, file))));
    expect(seen.filter(({ header }) => header.nextHeader === SHIM6).length).toBeGreaterThan(10);
    const during = quiet.map(({ what, from, to }) => {
      const spoken = seen.filter(({ header, at }) => header.nextHeader === SHIM6 && at >= from && at <= to);
      return {
        what,
        payload: spoken.filter(isTagged).length,
        types: [...new Set(spoken.filter(isControl).map(typeOf))],
        packets: spoken.length,
        which: spoken
          .slice(0, 20)
          .map(
            (one) =>
              `${String(Math.round(one.at - from))} ms ${one.source} → ${one.destination} type ${String(typeOf(one))}`,
          ),
      };
    });
    process.stderr.write(`${JSON.stringify(during)}\n`);
    expect(during.filter(({ packets }) => packets > 0)).toEqual([]);
  }, 60_000);
});
