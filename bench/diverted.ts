/**
 * Throughput of diverted traffic: two namespaces, a veth pair, and in each a process that moves packets between a TUN device
 * and raw sockets. Raw TCP over the same pair is measured in the same run. Needs root and iperf3.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const NAMESPACES = ['lociBenchA', 'lociBenchB'] as const;
const LOCATORS = ['fd00:10::1', 'fd00:10::2'] as const;
const ULIDS = ['fd00:11::1', 'fd00:11::2'] as const;

interface Figures {
  readonly gbps: number;
  readonly retransmits: number;
  readonly bytes: number;
}

interface Side {
  readonly child: ChildProcess;
  readonly report: Promise<{ cpuSeconds: number; refused: number }>;
}

function ip(command: string): void {
  execFileSync('ip', command.split(' '), { stdio: ['ignore', 'ignore', 'inherit'] });
}

function inside(side: 0 | 1, program: string, ...words: readonly string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', NAMESPACES[side], program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
}

function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk) => (text += String(chunk)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      resolve(text);
    });
  });
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      reject(new Error('a side ended early'));
    });
    child.stdout?.once('data', () => {
      resolve();
    });
  });
}

async function measure(server: string, seconds: number): Promise<Figures> {
  const listener = inside(1, 'iperf3', '-s', '-1', '-B', server);
  const listening = output(listener);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const report = JSON.parse(await output(inside(0, 'iperf3', '-6', '-c', server, '-t', String(seconds), '-J')));
  await listening;
  const { sum_sent: sent, sum_received: received } = report.end;
  return { gbps: received.bits_per_second / 1e9, retransmits: sent.retransmits, bytes: received.bytes };
}

async function pingMicroseconds(destination: string): Promise<number> {
  const text = await output(inside(0, 'ping', '-q', '-c', '200', '-i', '0.005', destination));
  return Number(/= [\d.]+\/([\d.]+)\//.exec(text)?.[1] ?? Number.NaN) * 1000;
}

async function startSide(side: 0 | 1): Promise<Side> {
  const other = side === 0 ? 1 : 0;
  const program = fileURLToPath(new URL('./diverted-side.js', import.meta.url));
  const child = inside(side, process.execPath, program, ULIDS[side], ULIDS[other], LOCATORS[side], LOCATORS[other]);
  await firstOutput(child);
  return { child, report: output(child).then((text) => JSON.parse(text)) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function build(): void {
  for (const name of NAMESPACES) ip(`netns add ${name}`);
  ip(`link add lociBenchA netns ${NAMESPACES[0]} type veth peer name lociBenchB netns ${NAMESPACES[1]}`);
  NAMESPACES.forEach((name, i) => {
    ip(`-n ${name} link set lo up`);
    ip(`-n ${name} link set ${name} up`);
    ip(`-n ${name} -6 addr add ${LOCATORS[i] ?? ''}/64 dev ${name} nodad`);
  });
}

async function run(seconds: number, rounds: number): Promise<void> {
  const raw: number[] = [];
  const diverted: number[] = [];
  let cpuSeconds = 0;
  let bytes = 0;
  let retransmits = 0;
  let refused = 0;
  let pingUs = Number.NaN;
  for (let round = 0; round < rounds; round++) {
    raw.push((await measure(LOCATORS[1], seconds)).gbps);
    const sides = [await startSide(0), await startSide(1)];
    pingUs = await pingMicroseconds(ULIDS[1]);
    const figures = await measure(ULIDS[1], seconds);
    diverted.push(figures.gbps);
    bytes += figures.bytes;
    retransmits += figures.retransmits;
    for (const { child, report } of sides) {
      child.kill('SIGTERM');
      const told = await report;
      cpuSeconds += told.cpuSeconds;
      refused += told.refused;
    }
  }
  const rows = [
    { name: 'raw', gbps: { median: median(raw), min: Math.min(...raw), max: Math.max(...raw) }, ratioToRaw: 1 },
    {
      name: 'diverted-ports',
      gbps: { median: median(diverted), min: Math.min(...diverted), max: Math.max(...diverted) },
      ratioToRaw: median(diverted) / median(raw),
      cpuSecondsPerGB: cpuSeconds / (bytes / 1e9),
      retransmits,
      refused,
      pingUs,
    },
  ];
  process.stdout.write(`${JSON.stringify({ bench: 'diverted', rows }, undefined, 1)}\n`);
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, rounds: { type: 'string', default: '1' } },
});
try {
  build();
  await run(Number(values.seconds), Number(values.rounds));
} finally {
  for (const name of NAMESPACES) ip(`netns del ${name}`);
}
