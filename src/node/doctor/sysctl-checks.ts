import { readFileSync } from 'node:fs';
import { systemCode } from '../error.ts';
import { Checks } from './check.ts';
import type { Check } from './check.ts';

/** Reads `net.ipv6.conf.INTERFACE.NAME`; `undefined` where there is none. */
export type SysctlReader = (name: string, key: string) => string | undefined;

/** An interface with what it has. */
export interface InterfaceFacts {
  readonly name: string;
  readonly hasLocator: boolean;
  readonly hasGateway: boolean;
  /** Its addresses end when no router renews them. */
  readonly expires: boolean;
}

export function readSysctl(name: string, key: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${name}/${key}`, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Is IPv6 on, and is nothing set that keeps an interface from getting addresses and routers? */
export function sysctlChecks(read: SysctlReader, interfaces: readonly InterfaceFacts[]): Check[] {
  const checks = new Checks('ipv6');
  if (read('all', 'disable_ipv6') === undefined)
    return [checks.failed('the kernel runs without IPv6', 'boot without ipv6.disable=1, and load it: modprobe ipv6')];
  const found = interfaces.flatMap((one) => [...interfaceChecks(read, one)]);
  if (read('all', 'disable_ipv6') === '1')
    found.unshift(checks.failed('IPv6 is disabled', 'sysctl -w net.ipv6.conf.all.disable_ipv6=0'));
  return found.length === 0 ? [checks.ok('IPv6 is enabled')] : found;
}

function* interfaceChecks(
  read: SysctlReader,
  { name, hasLocator, hasGateway, expires }: InterfaceFacts,
): Generator<Check> {
  const checks = new Checks('ipv6', { interface: name });
  const set = (key: string, value: number): string =>
    `sysctl -w net.ipv6.conf.${name.replaceAll('.', '/')}.${key}=${String(value)}`;
  if (read(name, 'disable_ipv6') === '1') {
    yield checks.failed(`IPv6 is disabled on ${name}`, set('disable_ipv6', 0));
    return;
  }
  const acceptRa = read(name, 'accept_ra');
  const needsRouters = expires || !(hasLocator && hasGateway);
  if (needsRouters && read(name, 'forwarding') === '1' && acceptRa === '1')
    yield checks.warning(`${name} forwards, and therefore ignores router advertisements`, set('accept_ra', 2));
  else if (needsRouters && acceptRa === '0')
    yield checks.warning(
      `${name} ignores router advertisements, and has no lasting ${hasLocator && !expires ? 'default route' : 'address'} otherwise`,
      set('accept_ra', 1),
    );
  if (!hasLocator && read(name, 'addr_gen_mode') === '1')
    yield checks.warning(`${name} forms no addresses by itself (addr_gen_mode none)`, set('addr_gen_mode', 0));
}
