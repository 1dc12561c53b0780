import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { beforeExit } from '../demo/cleanup.ts';
import { inside } from '../demo/namespaces.ts';

const run = promisify(execFile);

/** Where traffic goes from and to. */
export interface Ends {
  readonly clientNamespace: string;
  readonly serverNamespace: string;
  readonly source: string;
  readonly destination: string;
}

const Summary = z.object({
  bytes: z.number(),
  bits_per_second: z.number(),
  seconds: z.number(),
  packets: z.number().optional(),
  lost_packets: z.number().optional(),
});
const Result = z.object({
  end: z.object({
    sum_sent: Summary.extend({ retransmits: z.number().optional() }),
    sum_received: Summary,
    cpu_utilization_percent: z.object({ host_total: z.number(), remote_total: z.number() }),
  }),
});
const Complaint = z.object({ error: z.string() });

export interface Flow {
  readonly bytes: number; // received
  readonly seconds: number;
  readonly retransmits: number;
  /** Datagrams; 0 with TCP. */
  readonly packets: { readonly received: number; readonly lost: number };
  /** Of both iperf3 processes. */
  readonly cpuSeconds: number;
}

const GRACE_SECONDS = 15;

/** One iperf3 run from client to server: a single TCP stream, or what `extra` says. */
export async function iperf(ends: Ends, seconds: number, extra: readonly string[] = []): Promise<Flow> {
  const [file, args] = inside(ends.serverNamespace, ['iperf3', '-s', '-1', '--forceflush']);
  const server = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const kill = beforeExit(() => void server.kill('SIGKILL'));
  try {
    await listening(server);
    const words = ['iperf3', '-6', '-J', '-c', ends.destination, '-B', ends.source, '-t', String(seconds), ...extra];
    const [client, clientArgs] = inside(ends.clientNamespace, words);
    const { stdout } = await run(client, clientArgs, { timeout: (seconds + GRACE_SECONDS) * 1_000 });
    return flowIn(stdout);
  } catch (error) {
    throw new Error(`iperf3: ${complaintOf(error)}`, { cause: error });
  } finally {
    kill();
  }
}

function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => {
      reject(new Error('the server ended before it listened'));
    });
    server.stdout?.on('data', (text) => {
      if (String(text).includes('listening')) resolve();
    });
  });
}

/** Reads what `iperf3 -J` printed. */
export function flowIn(text: string): Flow {
  const { sum_sent: sent, sum_received: received, cpu_utilization_percent: cpu } = Result.parse(JSON.parse(text)).end;
  const lost = received.lost_packets ?? 0;
  return {
    bytes: received.bytes,
    seconds: received.seconds,
    retransmits: sent.retransmits ?? 0,
    packets: { received: Math.max(0, (received.packets ?? 0) - lost), lost },
    cpuSeconds: ((cpu.host_total + cpu.remote_total) / 100) * sent.seconds,
  };
}

/** With `-J`, iperf3 complains on standard output. */
function complaintOf(error: unknown): string {
  if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string' && error.stdout !== '') {
    const told = Complaint.safeParse(JSON.parse(error.stdout));
    if (told.success) return told.data.error;
  }
  return error instanceof Error ? error.message : String(error);
}
