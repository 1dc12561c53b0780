import { closeSync, constants, openSync } from 'node:fs';
import { formatAddress, prefixOf } from '../../wire/address.ts';
import { toHex } from '../../wire/hex.ts';
import { clashesOf } from '../clash.ts';
import { LociError, messageOf, systemCode } from '../error.ts';
import type { InterceptionNumbers } from '../interception-numbers.ts';
import { LocatorMonitor } from '../locators.ts';
import { listLinks, parseLink } from '../netlink/link.ts';
import type { LinkMessage } from '../netlink/link.ts';
import { ownedTable, transaction } from '../netlink/nf-tables.ts';
import { NetlinkSocket } from '../netlink.ts';
import type { InterfaceSelection, LocalLocator } from '../network-picture.ts';
import { Checks } from './check.ts';
import type { Check } from './check.ts';

/** Vanishes with the socket that made it, so nothing stays of this attempt. */
const ATTEMPT = 'loci-doctor';

const PREFIX_LENGTH = 64; // of what an identifier can be formed in, RFC 3972 §3

/** Can the TUN device be opened? */
export function checkTun(device: string): Check {
  const checks = new Checks('tun');
  try {
    closeSync(openSync(device, constants.O_RDWR));
    return checks.ok(`${device} can be opened`);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EACCES' || code === 'EPERM')
      return checks.failed(`${device} may not be opened (${code})`, `run as root, or: chmod 666 ${device}`);
    return checks.failed(
      code === 'ENOENT' ? `${device} is missing` : `${device} cannot be opened (${code})`,
      `load the driver: modprobe tun (in a container: start it with --device ${device})`,
    );
  }
}

/** Does nf_tables take a table of ours that goes with its socket? */
export function checkNfTables(): Check {
  const checks = new Checks('nf-tables');
  try {
    const socket = NetlinkSocket.open('netfilter');
    try {
      socket.exchange(transaction([ownedTable(ATTEMPT)]));
    } finally {
      socket.close();
    }
    return checks.ok('nf_tables takes tables');
  } catch (error) {
    if (!(error instanceof LociError)) throw error;
    if (error.code === 'EPERM' || error.code === 'EACCES')
      return checks.skipped(
        'whether nf_tables takes tables can be tried with CAP_NET_ADMIN only',
        'run as root: loci doctor',
      );
    return checks.failed(
      `nf_tables refuses a table (${messageOf(error)})`,
      'load it: modprobe nf_tables; it needs Linux 5.12 or later',
    );
  }
}

/** The locators that the kernel has now, and the names of the selected interfaces. */
export function ownNetwork(selection: InterfaceSelection): {
  readonly locators: readonly LocalLocator[];
  readonly interfaces: readonly string[];
} {
  const monitor = LocatorMonitor.open(selection, () => performance.now());
  try {
    const interfaces = links().filter(({ kind }) => kind !== 'tun');
    return {
      locators: monitor.locators,
      interfaces: interfaces.flatMap(({ name }) => (name !== undefined && selection(name) ? [name] : [])),
    };
  } finally {
    monitor.close();
  }
}

/** One usable address of each prefix on each interface: ours where there is one. */
export function usableLocators(locators: readonly LocalLocator[]): LocalLocator[] {
  const best = new Map<string, LocalLocator>();
  for (const locator of locators) {
    if (locator.prefixLength !== PREFIX_LENGTH || !locator.linkUp || locator.dadFailed || locator.state === 'tentative')
      continue;
    const key = `${String(locator.index)} ${toHex(prefixOf(locator.address))}`;
    const known = best.get(key);
    if (known === undefined || merit(locator) > merit(known)) best.set(key, locator);
  }
  return [...best.values()];
}

function merit({ ours, state }: LocalLocator): number {
  return (ours ? 2 : 0) + (state === 'preferred' ? 1 : 0);
}

/** Are there two prefixes at least, so that there is something to move to? */
export function locatorChecks(locators: readonly LocalLocator[]): Check[] {
  const usable = usableLocators(locators);
  const found = locators
    .filter(({ dadFailed }) => dadFailed)
    .map(({ address, interface: name }) =>
      new Checks('locators', { locator: formatAddress(address), interface: name }).failed(
        `another host on ${name} has ${formatAddress(address)} too`,
        `ip -6 addr del ${formatAddress(address)} dev ${name}`,
      ),
    );
  const checks = new Checks('locators');
  const named = usable.map(({ address, interface: name }) => `${formatAddress(address)} on ${name}`).join(', ');
  if (usable.length === 0)
    found.push(
      checks.failed(
        'no interface that is up has an IPv6 address with a /64 prefix',
        'wait for a router advertisement, or: ip -6 addr add PREFIX::1/64 dev INTERFACE',
      ),
    );
  else if (usable.length === 1)
    found.push(
      checks.warning(
        `there is one locator only (${named}), so there is nothing to move to`,
        'connect the second provider, or: ip -6 addr add PREFIX::1/64 dev INTERFACE',
      ),
    );
  else found.push(checks.ok(`${String(usable.length)} locators: ${named}`));
  return found;
}

/** Do others use the numbers and the name that Loci wants? `running`: the device is its own. */
export function clashChecks(numbers: InterceptionNumbers, tunName: string, running: boolean): Check[] {
  const checks = new Checks('clash');
  const route = NetlinkSocket.open('route');
  try {
    const found = clashesOf(route, numbers).map((text) =>
      checks.failed(
        `somebody else uses what Loci wants: ${text}`,
        'choose other numbers under [interception] (loci config check FILE), or remove it: ip -6 rule; ip -6 route show table all',
      ),
    );
    if (!running && links().some(({ name }) => name === tunName))
      found.push(
        checks.failed(
          `there is an interface ${tunName} already`,
          `set another tun.name in the configuration, or: ip link del ${tunName}`,
        ),
      );
    return found.length === 0 ? [checks.ok('nobody else uses the rules, tables, mark and device of Loci')] : found;
  } finally {
    route.close();
  }
}

function links(): LinkMessage[] {
  const route = NetlinkSocket.open('route');
  try {
    return route.exchange(listLinks()).flatMap((message) => {
      const link = parseLink(message);
      return link.ok && link.value.family === 0 ? [link.value] : [];
    });
  } finally {
    route.close();
  }
}
