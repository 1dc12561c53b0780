import { cgaTargets } from './targets/cga.ts';
import { daemonTargets } from './targets/daemon.ts';
import { hipTargets } from './targets/hip.ts';
import { hipAssociationTargets } from './targets/hip-association.ts';
import { hipIdentityTargets } from './targets/hip-identity.ts';
import { espTargets } from './targets/esp.ts';
import { hostTargets } from './targets/host.ts';
import { nodeTargets } from './targets/node.ts';
import { shim6Targets } from './targets/shim6.ts';
import { wireTargets } from './targets/wire.ts';

/** Something that takes octets from outside. */
export interface Target {
  /**
   * Feed it. Truthy when the octets were accepted; a string names what they reached. Throws when what was accepted breaks a promise, such as that it
   * writes back to the same octets; any other throw is a defect of the code under test.
   */
  readonly run: (bytes: Uint8Array) => boolean | string;
  /** Where mutation starts. At least one of them is accepted. */
  readonly corpus: readonly Uint8Array[];
  /** What `run` returns for at least one octet string of the corpus each: message types, transitions. */
  readonly reaches?: readonly string[];
  /** It takes milliseconds: of a number of inputs it gets a small part. */
  readonly isSlow?: true;
  /** Forget earlier inputs. */
  readonly reset?: () => void;
  /** Puts right what mutation always breaks, in place: a checksum, so that the code behind it is reached. */
  readonly repair?: (bytes: Uint8Array) => void;
}

/** Every target by name. A new one goes into the file of its folder under `targets/`. */
export const targets: Readonly<Record<string, Target>> = {
  ...wireTargets,
  ...cgaTargets,
  ...shim6Targets,
  ...hipTargets,
  ...hipAssociationTargets,
  ...hipIdentityTargets,
  ...espTargets,
  ...daemonTargets,
  ...nodeTargets,
  ...hostTargets,
};
