import { median } from '../demo/report.ts';
import { cpuSeconds, softInterruptThreads } from './cpu.ts';
import { iperf } from './iperf.ts';
import type { Flow } from './iperf.ts';
import { buildLane, tookItsWay } from './lane.ts';
import type { Lane } from './lane.ts';
import { ping, pingUs } from './ping.ts';
import type { Row } from './report.ts';
import { REFERENCE, WAYS } from './rows.ts';
import type { Way } from './rows.ts';
import { medianRatio, significant, spread } from './statistics.ts';
import { hasTool } from './tools.ts';

/** What the benches of traffic are told. */
export interface TrafficOptions {
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly progress: (text: string) => void;
}

interface Sample extends Flow {
  readonly cpuSecondsInAll: number;
}

const ECHOES = 200;
/** UDP payload of small packets. */
const SMALL_OCTETS = 64;

/** Single-stream TCP, the rows in turn, round by round. */
export async function throughput(options: TrafficOptions): Promise<readonly Row[]> {
  return inLanes(options, async (lanes) => {
    const samples = await rounds(lanes, options, (lane) => sample(lane, options.seconds, []));
    const echoes = hasTool('ping') ? await rounds(lanes, { ...options, rounds: 1 }, (lane) => ping(lane, ECHOES)) : [];
    const gbps = (of: readonly Sample[]): readonly number[] => of.map((s) => (s.bytes * 8) / s.seconds / 1e9);
    const cost = (of: readonly Sample[]): readonly number[] => of.map((s) => s.cpuSecondsInAll / (s.bytes / 1e9));
    const raw = samples[lanes.findIndex(({ way }) => way === REFERENCE)] ?? [];
    return lanes.map(({ way }, i) => {
      const own = samples[i] ?? [];
      return {
        name: way,
        gbps: spread(gbps(own)),
        ratioToRaw: medianRatio(gbps(own), gbps(raw)),
        cpuSecondsPerGB: significant(median(cost(own)), 3),
        cpuRatioToRaw: medianRatio(cost(own), cost(raw)),
        retransmits: median(own.map(({ retransmits }) => retransmits)),
        pingUs: pingUs(echoes[i]?.flat() ?? []),
        rounds: own.length,
      };
    });
  });
}

/** Datagrams of 64 octets, as many as the sender can; how many arrive. */
export async function smallPackets(options: TrafficOptions): Promise<readonly Row[]> {
  return inLanes(options, async (lanes) => {
    const flood = ['-u', '-b', '0', '-l', String(SMALL_OCTETS)];
    const samples = await rounds(lanes, options, (lane) => sample(lane, options.seconds, flood));
    const rate = (of: readonly Sample[]): readonly number[] => of.map((s) => s.packets.received / s.seconds);
    const raw = samples[lanes.findIndex(({ way }) => way === REFERENCE)] ?? [];
    return lanes.map(({ way }, i) => {
      const own = samples[i] ?? [];
      const lost = own.map(({ packets }) => (100 * packets.lost) / Math.max(1, packets.received + packets.lost));
      const cost = own.map((s) => (1e6 * s.cpuSecondsInAll) / Math.max(1, s.packets.received));
      return {
        name: way,
        packetsPerSecond: spread(rate(own)),
        ratioToRaw: medianRatio(rate(own), rate(raw)),
        lostPercent: significant(median(lost), 3),
        cpuUsPerPacket: significant(median(cost), 3),
        rounds: own.length,
      };
    });
  });
}

/** ICMPv6 echoes one after the other, the rows in turn. */
export async function latency(options: TrafficOptions): Promise<readonly Row[]> {
  return inLanes(options, async (lanes) => {
    const echoes = await rounds(lanes, options, (lane) => ping(lane, ECHOES));
    return lanes.map(({ way }, i) => {
      const times = echoes[i]?.flat() ?? [];
      const sent = options.rounds * ECHOES;
      return { name: way, pingUs: pingUs(times), sent, lost: sent - times.length };
    });
  });
}

/** Builds a lane for each row and for the reference, side by side; removes them when `measure` is done. */
async function inLanes(
  { rows, progress }: TrafficOptions,
  measure: (lanes: readonly Lane[]) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const lanes: Lane[] = [];
  try {
    for (const way of WAYS.filter((candidate) => candidate === REFERENCE || rows.includes(candidate))) {
      progress(`building ${way}`);
      lanes.push(await buildLane(way));
    }
    return await measure(lanes);
  } finally {
    for (const lane of lanes) await lane.close();
  }
}

/** Measures every lane once per round; in the result, each lane has its values in the order of the rounds. */
async function rounds<T>(
  lanes: readonly Lane[],
  { rounds: count, progress }: TrafficOptions,
  measure: (lane: Lane) => Promise<T>,
): Promise<readonly (readonly T[])[]> {
  const values: readonly T[][] = lanes.map(() => []);
  for (let round = 0; round < count; round++) {
    progress(`round ${String(round + 1)} of ${String(count)}`);
    for (const [i, lane] of lanes.entries()) values[i]?.push(await measure(lane));
  }
  return values;
}

async function sample(lane: Lane, seconds: number, extra: readonly string[]): Promise<Sample> {
  const pids = [...lane.pids, ...softInterruptThreads()];
  const octetsBefore = await lane.tunOctets();
  const cpuBefore = cpuSeconds(pids);
  const flow = await iperf(lane, seconds, extra);
  const cpu = cpuSeconds(pids) - cpuBefore;
  const octets = (await lane.tunOctets()) - octetsBefore;
  if (!tookItsWay(lane.way, flow.bytes, octets)) throw new Error(strayed(lane.way, flow.bytes, octets));
  return { ...flow, cpuSecondsInAll: flow.cpuSeconds + cpu };
}

function strayed(way: Way, bytes: number, octets: number): string {
  return `${way}: ${String(octets)} of ${String(bytes)} octets went through the TUN device`;
}
