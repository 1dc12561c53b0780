import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ControlServer } from '../../daemon/control.ts';
import { createLog } from '../../daemon/log.ts';
import { DaemonView } from '../../daemon/view.ts';
import type { Crowd } from '../../sim/crowd.ts';
import type { Row } from './report.ts';
import { quantile, significant } from './statistics.ts';

const run = promisify(execFile);

const ROUNDS = 10;

/** How long the commands take beside a host with many contexts, and for how long they keep its event loop from other work. */
export async function statusAtScale(hosts: Crowd): Promise<Row> {
  const { host } = hosts.a.sim;
  const directory = mkdtempSync(join(tmpdir(), 'loci-bench-'));
  const socket = join(directory, 'control.sock');
  const server = await ControlServer.claim(socket, createLog('silent'));
  try {
    const shell = {
      packets: { tunIn: 0, tunOut: 0, rawIn: 0, rawOut: 0, sendErrors: 0 },
      lag: { last: 0, max: 0 },
      input: () => undefined,
    };
    server.serve(new DaemonView('fast', host, shell, () => hosts.world.now));
    return {
      name: 'status',
      contexts: host.contexts.size,
      statusMs: await timesOf('status', socket),
      contextsMs: await timesOf('contexts', socket),
      pathsMs: await timesOf('paths', socket),
    };
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
}

async function timesOf(command: string, socket: string): Promise<Readonly<Record<string, number>>> {
  const loci = fileURLToPath(import.meta.resolve('../loci.js'));
  const times: number[] = [];
  const turns = new Turns();
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    await run(process.execPath, [loci, '--socket', socket, command, '--json'], { maxBuffer: 1 << 28 });
    times.push(performance.now() - before);
  }
  const longestTurn = turns.stop();
  return {
    median: significant(quantile(times, 0.5), 3),
    max: significant(Math.max(...times), 3),
    longestTurn: significant(longestTurn, 3),
  };
}

/** The longest time in which a timer that was due had to wait. */
class Turns {
  #longest = 0;
  #before = performance.now();
  readonly #timer: NodeJS.Timeout = setInterval(() => {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#before - 1);
    this.#before = now;
  }, 1);

  stop(): number {
    clearInterval(this.#timer);
    return this.#longest;
  }
}
