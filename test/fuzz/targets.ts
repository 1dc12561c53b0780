import { cgaTargets } from './targets/cga.ts';
import { daemonTargets } from './targets/daemon.ts';
import { hostTargets } from './targets/host.ts';
import { nodeTargets } from './targets/node.ts';
import { shim6Targets } from './targets/shim6.ts';
import { wireTargets } from './targets/wire.ts';

/** Something that takes octets from outside. */
export interface Target {
  /**
   * Feed it. True when the octets were accepted. Throws when what was accepted breaks a promise, such as that it
   * writes back to the same octets; any other throw is a defect of the code under test.
   */
  readonly run: (bytes: Uint8Array) => boolean;
  /** Where mutation starts. At least one of them is accepted. */
  readonly corpus: readonly Uint8Array[];
  /** Puts right what mutation always breaks, in place: a checksum, so that the code behind it is reached. */
  readonly repair?: (bytes: Uint8Array) => void;
}

/** Every target by name. A new one goes into the file of its folder under `targets/`. */
export const targets: Readonly<Record<string, Target>> = {
  ...wireTargets,
  ...cgaTargets,
  ...shim6Targets,
  ...daemonTargets,
  ...nodeTargets,
  ...hostTargets,
};
