import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OwnAddress } from '../../src/node/own-address.ts';
import type { Inside } from './support/namespace.ts';
import { CAN_BUILD_NETWORKS, connect, eventually, Namespace } from './support/namespace.ts';

type Seen = Omit<OwnAddress, 'address'> & { readonly address: string };

describe.skipIf(!CAN_BUILD_NETWORKS)('own addresses', { timeout: 60_000 }, () => {
  const OWN = '2001:db8:1:0:384c::';
  let host: Namespace;
  let router: Namespace;
  let inside: Inside;

  beforeEach(() => {
    host = new Namespace('host');
    router = new Namespace('router');
    connect(host, router, 'eth0');
    router.run('ip addr add 2001:db8:1::1/64 dev eth0 nodad');
    host.run('ip addr add 2001:db8:1::a/64 dev eth0 nodad');
    host.run('ip -6 route add default via 2001:db8:1::1 dev eth0');
    inside = host.start();
  });

  afterEach(() => {
    host.remove();
    router.remove();
  });

  const start = async (program = inside): Promise<void> => {
    await program.call('monitor');
    await program.call('ownAddresses');
  };
  const own = (): Promise<Seen[]> => inside.call<Seen[]>('own');
  const inState = (state: string) => (all: readonly Seen[]) => all.length === 1 && all[0]?.state === state;
  const addresses = (): string => host.run('ip -6 -o addr show dev eth0');

  it('adds one for a prefix, tentative first, and the kernel chooses it for new connections', async () => {
    await start();
    expect(await own()).toMatchObject([{ address: OWN, interface: 'eth0', collisionCount: 0, state: 'tentative' }]);
    await eventually('preferred', own, inState('preferred'));
    expect(addresses()).toMatch(/2001:db8:1:0:384c::\/64 scope global noprefixroute/);
    expect(host.run('ip -6 route get 2001:db8:77::1')).toContain(`src ${OWN} `);
  });

  it('stays the preferred source when newer and closer addresses come', async () => {
    await start();
    await eventually('preferred', own, inState('preferred'));
    host.run('ip addr add 2001:db8:1::b/64 dev eth0 nodad');
    host.run('ip addr add 2001:db8:1::77/128 dev eth0 nodad');
    await eventually(
      'labels',
      () => host.run('ip addrlabel'),
      (text) => text.includes('2001:db8:1::77/128'),
    );
    expect(host.run('ip -6 route get 2001:db8:77::1')).toContain(`src ${OWN} `);
    expect(host.run('ip -6 route get 2001:db8:1::78')).toContain(`src ${OWN} `);
    host.run('ip addr del 2001:db8:1::b/64 dev eth0');
    await eventually(
      'the label gone',
      () => host.run('ip addrlabel'),
      (text) => !text.includes('2001:db8:1::b/128'),
    );
  });

  it('is preferred also to temporary addresses, where the operator prefers those (RFC 8981)', async () => {
    host.run('sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2');
    host.run('ip addr add 2001:db8:1::c/64 dev eth0 nodad mngtmpaddr valid_lft 9000 preferred_lft 8000');
    await eventually(
      'a temporary address',
      addresses,
      (text) => /temporary dynamic/.test(text) && !/tentative/.test(text),
    );
    expect(host.run('ip -6 route get 2001:db8:77::1')).not.toContain(OWN);
    await start();
    await eventually('preferred', own, inState('preferred'));
    const source = (): string => host.run('ip -6 route get 2001:db8:77::1');
    await eventually('chosen', source, (text) => text.includes(`src ${OWN} `));
  });

  it('takes the lifetimes of its prefix, is deprecated with it, and preferred again with it', async () => {
    host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft 1000 preferred_lft 500');
    await start();
    await eventually('preferred', own, inState('preferred'));
    expect(addresses()).toMatch(/384c::\/64.*valid_lft (1000|99\d)sec preferred_lft (500|49\d)sec/);
    host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft 900 preferred_lft 0');
    await eventually('deprecated', own, inState('deprecated'));
    expect(addresses()).toMatch(/384c::\/64.*deprecated.*valid_lft (900|89\d)sec preferred_lft 0sec/);
    host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft forever preferred_lft forever');
    await eventually('preferred', own, inState('preferred'));
    expect(addresses()).toMatch(/384c::\/64.*valid_lft forever preferred_lft forever/);
  });

  it('raises the collision count when another host has the address', async () => {
    router.run(`ip addr add ${OWN}/64 dev eth0 nodad`);
    await start();
    await eventually('preferred', own, inState('preferred'));
    expect(await own()).toMatchObject([{ address: '2001:db8:1:0:384c::1', collisionCount: 1 }]);
    expect(addresses()).not.toContain(`${OWN}/`);
  });

  it('raises it also for addresses with lifetimes, which the kernel deletes on a collision', async () => {
    router.run(`ip addr add ${OWN}/64 dev eth0 nodad`);
    host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft 1000 preferred_lft 500');
    await start();
    await eventually('preferred', own, inState('preferred'));
    expect(await own()).toMatchObject([{ address: '2001:db8:1:0:384c::1', collisionCount: 1 }]);
  });

  it('gives up after three collisions and says so', async () => {
    for (const end of ['::', '::1', '::2']) router.run(`ip addr add 2001:db8:1:0:384c${end}/64 dev eth0 nodad`);
    await start();
    await eventually('given up', own, inState('collided'), 10_000);
    expect(await inside.call<string[]>('problems')).toEqual([expect.stringContaining('dad-failed')]);
    expect(addresses()).not.toContain('384c');
  });

  it('goes with its prefix and comes back with it', async () => {
    await start();
    await eventually('preferred', own, inState('preferred'));
    host.run('ip addr del 2001:db8:1::a/64 dev eth0');
    await eventually('gone', addresses, (text) => !text.includes('384c'));
    expect(await own()).toEqual([]);
    host.run('ip addr add 2001:db8:1::a/64 dev eth0 nodad');
    await eventually('back', own, inState('preferred'));
  });

  it('is not fought for when the operator deletes it', async () => {
    await start();
    await eventually('preferred', own, inState('preferred'));
    host.run(`ip addr del ${OWN}/64 dev eth0`);
    await eventually('deleted', own, inState('deleted'));
    host.run('ip addr change 2001:db8:1::a/64 dev eth0 valid_lft 1000 preferred_lft 500');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(addresses()).not.toContain('384c');
  });

  it('comes back after the link was down, also where the operator keeps addresses then', async () => {
    host.run('sysctl -qw net.ipv6.conf.eth0.keep_addr_on_down=1');
    await start();
    await eventually('preferred', own, inState('preferred'));
    host.run('ip link set eth0 down');
    host.run('ip link set eth0 up');
    await eventually(
      'usable',
      () => host.run('ip -6 -o addr show dev eth0 scope global -tentative'),
      (t) => t.includes('384c::'),
    );
    await eventually('preferred', own, inState('preferred'));
  });

  it('adopts what a killed process left, and removes what does not fit any more', async () => {
    host.run('ip addr add 2001:db8:2::a/64 dev eth0 nodad');
    await start();
    await eventually('both', own, (all) => all.length === 2 && all.every((o) => o.state === 'preferred'));
    await inside.killed();
    expect(addresses()).toContain(`${OWN}/64`);
    host.run('ip addr del 2001:db8:2::a/64 dev eth0');
    inside = host.start();
    await start();
    expect(await own()).toMatchObject([{ address: OWN, state: 'preferred' }]); // without another DAD
    await eventually('the stray gone', addresses, (text) => !text.includes('2001:db8:2:'));
    expect(addresses()).toContain(`${OWN}/64`);
  });

  it('removes all at exit', async () => {
    const before = await host.settled();
    await start();
    await eventually('preferred', own, inState('preferred'));
    await inside.call('closeOwn');
    expect(host.snapshot()).toBe(before);
  });

  it('leaves a prefix of another length than 64 alone', async () => {
    host.run('ip addr add 2001:db8:2::a/48 dev eth0 nodad');
    host.run('ip addr add 2001:db8:3::a/128 dev eth0 nodad');
    await start();
    expect((await own()).map((o) => o.address)).toEqual([OWN]);
  });
});
