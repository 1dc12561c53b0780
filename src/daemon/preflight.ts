import { accessSync, constants, readFileSync } from 'node:fs';
import { LociError, systemCode } from '../node/error.ts';

const TUN_DEVICE = '/dev/net/tun';

/** Bits of capabilities(7) that the daemon needs. */
const NEEDED = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n } as const;

/** What the process may do, and where the TUN device is; arguments for the sake of tests. */
export interface Surroundings {
  readonly processStatus: string; // the text of /proc/self/status
  readonly tunDevice: string;
}

export function surroundings(): Surroundings {
  return { processStatus: readFileSync('/proc/self/status', 'utf8'), tunDevice: TUN_DEVICE };
}

/** Throws a `LociError` with the remedy when the daemon cannot work here, before it has changed anything. */
export function preflight({ processStatus, tunDevice }: Surroundings): void {
  const missing = missingCapabilities(processStatus);
  if (missing.length > 0) {
    const names = missing.join(' and ');
    throw new LociError('privilege', `locid lacks ${names}; run it as root, or give its service these capabilities`);
  }
  try {
    accessSync(tunDevice, constants.R_OK | constants.W_OK);
  } catch (cause) {
    const remedy =
      systemCode(cause) === 'ENOENT'
        ? 'is missing; load the driver: modprobe tun'
        : 'may not be opened; run locid as root, or let it into the group of the device';
    throw new LociError('device', `${tunDevice} ${remedy}`, { cause });
  }
}

/** Names of the capabilities that are needed and not effective, from the text of /proc/self/status. */
export function missingCapabilities(processStatus: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(processStatus)?.[1] ?? '0'}`);
  return Object.entries(NEEDED)
    .filter(([, bit]) => ((effective >> bit) & 1n) === 0n)
    .map(([name]) => name);
}
