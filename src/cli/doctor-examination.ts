import { readFileSync } from 'node:fs';
import type { Config } from '../daemon/config.ts';
import { missingCapabilities, surroundings } from '../daemon/preflight.ts';
import { numbersOf } from '../daemon/run.ts';
import { interfaceSelected } from '../daemon/selection.ts';
import { Checks } from '../node/doctor/check.ts';
import type { Check } from '../node/doctor/check.ts';
import { checkFirewall } from '../node/doctor/firewall-checks.ts';
import {
  checkNfTables,
  checkTun,
  clashChecks,
  locatorChecks,
  ownNetwork,
  usableLocators,
} from '../node/doctor/machine.ts';
import { checkGateway, checkPath } from '../node/doctor/paths.ts';
import { readSysctl, sysctlChecks } from '../node/doctor/sysctl-checks.ts';
import type { Prober } from '../node/doctor/prober.ts';
import { LociError, messageOf } from '../node/error.ts';
import type { LocalLocator } from '../node/network-picture.ts';
import { systemRandom } from '../node/random.ts';
import type { Address } from '../wire/address.ts';

/** Everything that is looked at on the machine and the network; `running`: locid answers. */
export async function examine(config: Config, running: boolean, peers: readonly Address[]): Promise<Check[]> {
  const privilege = privilegeCheck(readFileSync('/proc/self/status', 'utf8'));
  const { locators, interfaces } = ownNetwork((name) => interfaceSelected(config, name));
  return [
    privilege,
    checkTun(surroundings().tunDevice),
    checkNfTables(),
    ...sysctlChecks(
      readSysctl,
      interfaces.map((name) => factsOf(name, locators)),
    ),
    ...locatorChecks(locators),
    ...clashChecks(numbersOf(config), config.tun.name, running),
    ...(await checkFirewall()),
    ...(await probeChecks(config, usableLocators(locators), peers)),
  ];
}

/** Does this process, and so a daemon started like it, have what is needed? */
export function privilegeCheck(processStatus: string): Check {
  const checks = new Checks('privilege');
  const missing = missingCapabilities(processStatus);
  if (missing.length === 0) return checks.ok('CAP_NET_ADMIN and CAP_NET_RAW are effective');
  return checks.failed(
    `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
    'run as root: sudo loci doctor',
  );
}

function factsOf(name: string, all: readonly LocalLocator[]): Parameters<typeof sysctlChecks>[1][number] {
  const own = usableLocators(all).filter((locator) => locator.interface === name);
  return {
    name,
    hasLocator: own.length > 0,
    hasGateway: own.some(({ gateway }) => gateway !== undefined),
    expires: own.some(({ ours, validLifetimeSeconds }) => !ours && Number.isFinite(validLifetimeSeconds)),
  };
}

async function probeChecks(
  config: Config,
  locators: readonly LocalLocator[],
  peers: readonly Address[],
): Promise<Check[]> {
  let prober: Prober;
  try {
    const { Prober: Opened } = await import('../node/doctor/prober.ts'); // pulls in raw-socket
    prober = new Opened(config.interception.mark);
  } catch (error) {
    const refused = /not permitted|denied/i.test(messageOf(error));
    return [
      refused
        ? new Checks('probes').skipped(
            'gateways and peers can be probed with CAP_NET_RAW only',
            'run as root: sudo loci doctor',
          )
        : new Checks('probes').failed(
            `the package raw-socket cannot be used (${firstLine(error)})`,
            'npm rebuild raw-socket',
          ),
    ];
  }
  try {
    const checks = await Promise.all([
      ...locators.map(async (locator) => [await checkGateway(prober, locator, systemRandom)]),
      ...locators.flatMap(({ address, interface: name, mtu }) =>
        peers.map((peer) =>
          checkPath(prober, { source: address, destination: peer, interface: name }, mtu, systemRandom),
        ),
      ),
    ]);
    return checks.flat();
  } finally {
    prober.close();
  }
}

function firstLine(error: unknown): string {
  if (!(error instanceof Error) && !(error instanceof LociError)) throw error;
  return messageOf(error).split('\n')[0] ?? '';
}
