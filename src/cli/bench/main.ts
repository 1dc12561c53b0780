#!/usr/bin/env node
import { errorDocument, exitStatus, messageOf } from '../../node/error.ts';
import { ensurePrivilege, obeyParent } from '../../node/privilege.ts';
import { CPU_METHOD } from './cpu.ts';
import { failover } from './failover.ts';
import { handshake } from './handshake.ts';
import { parseOptions } from './options.ts';
import type { BenchOptions } from './options.ts';
import { linesOf, reportOf, statusOf } from './report.ts';
import type { Row } from './report.ts';
import { choose } from './rows.ts';
import { scale } from './scale.ts';
import { DAEMON_ROWS } from './scale-daemon.ts';
import { hasTool, requireTool } from './tools.ts';
import { latency, smallPackets, throughput } from './traffic.ts';

/** Measures what the arguments ask for; the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return 0;
  const { bench, peers, json } = options;
  const choice = choose(bench, peers, hasTool('ethtool') ? [] : ['raw-offloads-off']);
  const rows = choice.measured.length === 0 ? [] : await measured(options, choice.measured);
  const countsCpu = bench === 'throughput' || bench === 'smallpackets';
  const report = reportOf(bench, rows, choice.missing, countsCpu ? CPU_METHOD : undefined);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${linesOf(report).join('\n')}\n`);
  return statusOf(choice, rows);
}

async function measured({ bench, rounds, seconds }: BenchOptions, rows: readonly string[]): Promise<readonly Row[]> {
  if (bench === 'latency') requireTool('ping');
  if (bench === 'throughput' || bench === 'latency' || bench === 'smallpackets') requireTool('iperf3');
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  if (bench === 'scale' && !rows.some((row) => DAEMON_ROWS.includes(row))) return scale(rows, rounds, progress);
  await ensurePrivilege();
  obeyParent();
  switch (bench) {
    case 'throughput':
      return throughput({ rows, rounds, seconds, progress });
    case 'latency':
      return latency({ rows, rounds, seconds, progress });
    case 'smallpackets':
      return smallPackets({ rows, rounds, seconds, progress });
    case 'handshake':
      return handshake(rounds, progress);
    case 'scale':
      return scale(rows, rounds, progress);
    case 'failover':
      return failover(rows, rounds, progress);
  }
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(error))}\n`);
    else process.stderr.write(`${messageOf(error)}\n`);
    process.exit(exitStatus(error));
  },
);
