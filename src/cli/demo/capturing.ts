import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startProgram } from './program.ts';
import type { Program } from './program.ts';
import { LINKS } from './topology.ts';
import type { Topology } from './topology.ts';

export interface Captures {
  /** Writes out what is still waiting, and ends. */
  stop(): Promise<void>;
}

/** Records every link, at the host's end, into `DIRECTORY/HOST-providerN.pcapng`. */
export async function startCaptures(topology: Topology, directory: string): Promise<Captures> {
  mkdirSync(directory, { recursive: true });
  const programs: Program[] = LINKS.map(({ host, provider, hostEnd }) =>
    startProgram(
      'capture',
      [hostEnd.name, String(hostEnd.index), resolve(join(directory, `${host}-provider${String(provider)}.pcapng`))],
      {
        namespace: topology.namespace(host),
        name: `capture of ${hostEnd.name}`,
      },
    ),
  );
  await Promise.all(programs.map((program) => program.next('ready')));
  return {
    stop: async () => {
      for (const program of programs) program.tell({ finish: true });
      await Promise.all(programs.map((program) => program.next('counted')));
      for (const program of programs) program.kill();
    },
  };
}
