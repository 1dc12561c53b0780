import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pause, startDaemon } from '../src/cli/demo/daemons.ts';
import type { Profile } from '../src/cli/demo/daemons.ts';
import { runtimeDirectory } from '../src/cli/demo/namespaces.ts';
import { compiled, startProgram } from '../src/cli/demo/program.ts';
import type { Program } from '../src/cli/demo/program.ts';
import { ulidOf } from '../src/cli/demo/stage.ts';
import { Standings } from './endpoint.ts';
import type { Circumstances, Party } from './endpoint.ts';

const run = promisify(execFile);

export const PAYLOAD_PORT = 7100;
const PAYLOAD_EVERY_MS = 5;
/** Packets after which the initiator sets up a context; the responder never does by itself. */
const EARLY = 5;
const NEVER = 1_000_000;
/** For the kernel to take away what a killed process had. */
const GONE_MS = 300;

/** A real locid in the namespace of a host, asked as people ask it. */
export async function startLoci(profile: Profile, circumstances: Circumstances): Promise<Party> {
  const { topology, host, initiates, onEvent } = circumstances;
  const directory = runtimeDirectory(topology.tag);
  const triggerPackets = initiates ? EARLY : NEVER;
  const begin = (): ReturnType<typeof startDaemon> =>
    startDaemon(topology, host, { profile, directory, onEvent, triggerPackets });
  let daemon = await begin();
  let program: Program | undefined;
  const loci = async (...words: readonly string[]): Promise<unknown> => {
    const command = [compiled('cli/loci'), '--socket', daemon.controlSocket, ...words, '--json'];
    return JSON.parse((await run(process.execPath, command)).stdout);
  };
  const quiet = (): void => {
    program?.kill();
    program = undefined;
  };
  const ulid = await ulidOf(daemon);
  return {
    ulid,
    carriesPayload: true,
    contexts: async () => Standings.parse(await loci('contexts')),
    open: async (peer) => {
      quiet();
      const args = [peer, String(PAYLOAD_PORT), String(PAYLOAD_EVERY_MS)];
      program = startProgram('udp-sender', args, {
        namespace: topology.namespace(host),
        name: `payload of the ${host}`,
      });
      await program.next('ready');
    },
    quiet,
    close: async (peer) => {
      await loci('close', ulid, peer);
    },
    restart: async () => {
      daemon.kill();
      await pause(GONE_MS);
      daemon = await begin();
      await ulidOf(daemon);
    },
    stop: async () => {
      quiet();
      await daemon.stop();
    },
  };
}
