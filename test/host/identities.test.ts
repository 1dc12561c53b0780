import { describe, expect, it } from 'vitest';
import type { HostLocator } from '../../src/host/host-io.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { twoHosts } from './two-hosts.ts';

/** Host b speaks as `work`; it has another identity, whose addresses come from another key. */
function withTwoIdentities(): TwoHosts {
  const hosts = twoHosts(1);
  const work = hosts.b.locators.map((locator) => ({ ...locator, identity: 'work' }));
  hosts.change(hosts.b, [...work, hosts.a.form(3), hosts.a.form(4)]);
  hosts.establish();
  hosts.run(1_000);
  return hosts;
}

/** What host a was told of host b. */
function told(hosts: TwoHosts): string[] {
  const context = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a));
  return (context?.peerLocators ?? []).map(({ address }) => formatAddress(address)).sort();
}

function texts(locators: readonly HostLocator[]): string[] {
  return locators.map(({ address }) => formatAddress(address)).sort();
}

describe('a peer of one identity', () => {
  it('is not told the addresses of another one', () => {
    const hosts = withTwoIdentities();
    expect(told(hosts)).toEqual(texts(hosts.b.locators.slice(0, 2)));
  });

  it('is not told them when the address of the identifier goes, either', () => {
    const hosts = withTwoIdentities();
    const mine = texts(hosts.b.locators.slice(0, 2));
    hosts.b.sim.setLocators(hosts.b.locators.slice(1)); // the identifier stays what the context is known by
    hosts.run(5_000);
    const context = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a));
    expect(context?.peerLocators.find(({ address }) => formatAddress(address) === mine[0])?.broken).toBe(true);
    expect(told(hosts)).toEqual(mine);
  });

  it('is not told them by the next daemon, which has never seen the address of the identifier', () => {
    const hosts = withTwoIdentities();
    const mine = texts(hosts.b.locators.slice(0, 2));
    hosts.b.sim.setLocators(hosts.b.locators.slice(1));
    hosts.run(1_000);
    hosts.b.sim.restart(100, true);
    hosts.run(5_000);
    expect(hosts.b.sim.host.contexts.size).toBe(1);
    expect(told(hosts)).toEqual(mine);
  });
});
