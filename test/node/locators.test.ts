import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalLocator } from '../../src/node/network-picture.ts';
import type { Inside } from './support/namespace.ts';
import { CAN_BUILD_NETWORKS, connect, eventually, Namespace } from './support/namespace.ts';

type Seen = Omit<LocalLocator, 'address' | 'gateway'> & {
  readonly address: string;
  readonly gateway: string | undefined;
};
interface Change {
  readonly at: number;
  readonly locators: readonly Seen[];
}

describe.skipIf(!CAN_BUILD_NETWORKS)('the locator monitor', { timeout: 60_000 }, () => {
  let host: Namespace;
  let router: Namespace;
  let inside: Inside;

  beforeEach(async () => {
    host = new Namespace('host');
    router = new Namespace('router');
    connect(host, router, 'eth0');
    host.run('ip addr add 2001:db8:1::a/64 dev eth0 nodad');
    host.run('ip -6 route add default via 2001:db8:1::1 dev eth0');
    inside = host.start();
    await inside.call('monitor');
  });

  afterEach(() => {
    host.remove();
    router.remove();
  });

  const only = async (): Promise<Seen> => {
    const [locator, ...others] = await inside.call<Seen[]>('locators');
    if (locator === undefined || others.length > 0) throw new Error('not exactly one locator');
    return locator;
  };

  /** The first change in which `holds`, and how long after the end of `trigger` it was reported. */
  const after = async (trigger: () => void, holds: (locators: readonly Seen[]) => boolean): Promise<number> => {
    await inside.call('changes');
    trigger();
    const end = Date.now();
    const all: Change[] = [];
    const found = await eventually(
      'a change',
      async () => {
        all.push(...(await inside.call<Change[]>('changes')));
        return all.find((change) => holds(change.locators));
      },
      (change) => change !== undefined,
    );
    return (found?.at ?? Infinity) - end;
  };

  it('describes an address with its interface, gateway and MTU', async () => {
    expect(await only()).toMatchObject({
      address: '2001:db8:1::a',
      prefixLength: 64,
      interface: 'eth0',
      state: 'preferred',
      dadFailed: false,
      validLifetimeSeconds: Infinity,
      preferredLifetimeSeconds: Infinity,
      linkUp: true,
      gateway: '2001:db8:1::1',
      mtu: 1500,
      ours: false,
    });
  });

  it('S6-157 S6-161 reports carrier loss at once, and keeps the address', async () => {
    const ms = await after(
      () => router.run('ip link set eth0 down'),
      (locators) => locators.some((l) => l.address === '2001:db8:1::a' && !l.linkUp),
    );
    expect(ms).toBeLessThan(250);
    router.run('ip link set eth0 up');
    await eventually('carrier', only, (locator) => locator.linkUp);
  });

  it('reports an administrative link-down and the loss of its addresses at once', async () => {
    const ms = await after(
      () => host.run('ip link set eth0 down'),
      (locators) => locators.length === 0,
    );
    expect(ms).toBeLessThan(250);
  });

  it('S6-154 S6-161 reports a deleted address, and a new one from tentative to preferred', async () => {
    await after(
      () => host.run('ip addr del 2001:db8:1::a/64 dev eth0'),
      (locators) => locators.length === 0,
    );
    await after(
      () => host.run('ip addr add 2001:db8:2::a/64 dev eth0'),
      (locators) => locators.some((l) => l.state === 'tentative'),
    );
    await eventually('preferred', only, (locator) => locator.state === 'preferred');
  });

  it('S6-154 reports deprecation with the lifetimes that remain', async () => {
    await after(
      () => host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft 300 preferred_lft 0'),
      (locators) => locators.some((l) => l.state === 'deprecated'),
    );
    const { validLifetimeSeconds, preferredLifetimeSeconds } = await only();
    expect(validLifetimeSeconds).toBeGreaterThan(295);
    expect(validLifetimeSeconds).toBeLessThanOrEqual(300);
    expect(preferredLifetimeSeconds).toBe(0);
  });

  it('reports an address that another host has as failed in duplicate address detection', async () => {
    router.run('ip addr add 2001:db8:1::b/64 dev eth0 nodad');
    await after(
      () => host.run('ip addr add 2001:db8:1::b/64 dev eth0'),
      (locators) => locators.some((l) => l.address === '2001:db8:1::b' && l.dadFailed && l.state === 'tentative'),
    );
  });

  it('S6-154 follows the default route: replaced, better by metric, gone, of several next hops', async () => {
    const gateway = async (): Promise<string | undefined> => (await only()).gateway;
    host.run('ip -6 route replace default via 2001:db8:1::2 dev eth0');
    await eventually('the new gateway', gateway, (g) => g === '2001:db8:1::2');
    host.run('ip -6 route add default via 2001:db8:1::3 dev eth0 metric 10');
    await eventually('the better gateway', gateway, (g) => g === '2001:db8:1::3');
    host.run('ip -6 route del default via 2001:db8:1::3 dev eth0 metric 10');
    await eventually('the former gateway', gateway, (g) => g === '2001:db8:1::2');
    host.run('ip -6 route del default via 2001:db8:1::2 dev eth0');
    await eventually('no gateway', gateway, (g) => g === undefined);
    host.run('ip -6 route add default nexthop via 2001:db8:1::4 dev eth0 nexthop via 2001:db8:1::5 dev eth0');
    await eventually('one of both', gateway, (g) => g === '2001:db8:1::4');
  });

  it('leaves out loopback, the own device and interfaces that are not listed', async () => {
    host.run('ip addr add 2001:db8:9::1/128 dev lo');
    host.run('ip link add eth9 type veth peer name eth9p');
    host.run('ip addr add 2001:db8:9::2/64 dev eth9 nodad');
    const all = (): Promise<Seen[]> => inside.call<Seen[]>('locators');
    await eventually('eth9', all, (l) => l.length === 2);
    const picky = host.start();
    await picky.call('monitor', ['eth9']);
    expect((await picky.call<Seen[]>('locators')).map((l) => l.address)).toEqual(['2001:db8:9::2']);
  });

  it('lists again after the kernel dropped messages', async () => {
    inside.signal('SIGSTOP');
    host.shell(`for i in $(seq 1 1500); do echo "addr add 2001:db8:2::$i/64 dev eth0 nodad"; done | ip -batch -`);
    host.shell(`for i in $(seq 2 1500); do echo "addr del 2001:db8:2::$i/64 dev eth0"; done | ip -batch -`);
    inside.signal('SIGCONT');
    const all = (): Promise<Seen[]> => inside.call<Seen[]>('locators');
    const addresses = (locators: readonly Seen[]): string[] => locators.map((l) => l.address).sort();
    await eventually('the true picture', all, (l) => addresses(l).join() === '2001:db8:1::a,2001:db8:2::1');
  });
});
