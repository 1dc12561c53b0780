import { startProgram } from '../../src/cli/demo/program.ts';
import type { Program } from '../../src/cli/demo/program.ts';
import { linkOf } from '../../src/cli/demo/topology.ts';
import type { Host, Provider, Topology } from '../../src/cli/demo/topology.ts';

/** Frames of an interface so far. Payload is UDP and TCP, plain or behind a Shim6 payload extension header. */
export interface FrameCounts {
  readonly payloadOut: number;
  readonly payloadIn: number;
  readonly controlOut: number;
  readonly controlIn: number;
}

/** Counts the frames of a host's link without touching them. */
export interface LinkWatch {
  counts(): Promise<FrameCounts>;
  /** What came and went during `ms` from now. */
  during(ms: number): Promise<FrameCounts>;
  stop(): void;
}

export async function watchLink(topology: Topology, host: Host, provider: Provider): Promise<LinkWatch> {
  const { name, index } = linkOf(host, provider).hostEnd;
  const program: Program = startProgram('capture', [name, String(index)], {
    namespace: topology.namespace(host),
    name: `watch of ${name}`,
  });
  await program.next('ready');
  const counts = async (): Promise<FrameCounts> => {
    program.tell({});
    const { payloadOut, payloadIn, controlOut, controlIn } = await program.next('counted');
    return {
      payloadOut: Number(payloadOut),
      payloadIn: Number(payloadIn),
      controlOut: Number(controlOut),
      controlIn: Number(controlIn),
    };
  };
  return {
    counts,
    during: async (ms) => {
      const before = await counts();
      await new Promise((resolve) => setTimeout(resolve, ms));
      const after = await counts();
      return {
        payloadOut: after.payloadOut - before.payloadOut,
        payloadIn: after.payloadIn - before.payloadIn,
        controlOut: after.controlOut - before.controlOut,
        controlIn: after.controlIn - before.controlIn,
      };
    },
    stop: () => {
      program.kill();
    },
  };
}
