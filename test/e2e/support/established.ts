import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Context, Daemon, Noticed } from '../../../src/cli/demo/daemons.ts';
import { eventually } from '../../../src/cli/demo/stage.ts';
import { compiled } from '../../../src/cli/demo/program.ts';
import type { Stage } from '../../../src/cli/demo/stage.ts';

const run = promisify(execFile);

/** What `loci … --json` prints about a daemon, whole. */
export async function loci(socket: string, ...words: readonly string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [compiled('cli/loci'), '--socket', socket, ...words, '--json']);
  return JSON.parse(stdout);
}

/** The context of a daemon between the two identifiers of the stage, whichever of them it calls its own. */
export async function contextOf(daemon: Daemon, { identifiers }: Stage): Promise<Context | undefined> {
  const { client, server } = identifiers;
  const wanted = daemon.host === 'client' ? [client, server] : [server, client];
  return (await daemon.contexts()).find(({ ulids }) => ulids[0] === wanted[0] && ulids[1] === wanted[1]);
}

/** Waits until both ends have an ESTABLISHED context over the pair of the identifiers themselves. */
export async function atHome(stage: Stage, withinMs = 20_000): Promise<void> {
  await Promise.all(
    stage.daemons.map((daemon) =>
      eventually(
        `the ${daemon.host} has no established context over its identifiers`,
        async () => {
          const context = await contextOf(daemon, stage);
          return context?.state === 'ESTABLISHED' && context.pair.every((end, i) => end === context.ulids[i])
            ? true
            : undefined;
        },
        withinMs,
      ),
    ),
  );
}

/** What both ends noticed between two instants, one line each, for people who have to find out why a test failed. */
export function around(events: readonly Noticed[], from: number, to: number): string {
  return events
    .filter(({ at }) => at >= from - 200 && at <= to + 200)
    .sort((a, b) => a.at - b.at)
    .map(
      ({ at, host, event, ulids: _, ...fields }) =>
        `${(at - from).toFixed(1)} ms ${host} ${event} ${JSON.stringify(fields)}`,
    )
    .join('\n');
}
