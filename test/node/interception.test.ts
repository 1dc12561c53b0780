import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_NUMBERS } from '../../src/node/interception-numbers.ts';
import type { Inside } from './support/namespace.ts';
import { CAN_BUILD_NETWORKS, connect, eventually, Namespace } from './support/namespace.ts';

/** How long many changes took, and how long of it nothing else had a turn, in milliseconds. */
interface Spell {
  readonly total: number;
  readonly longest: number;
}

const OWN1 = '2001:db8:1::a';
const OWN2 = '2001:db8:2::a';
const PEER = '2001:db8:9::b';

/** A host with two providers, and a peer behind both. */
describe.skipIf(!CAN_BUILD_NETWORKS)('interception', { timeout: 60_000 }, () => {
  let host: Namespace;
  let peer: Namespace;
  let inside: Inside;
  const programs: ChildProcess[] = [];

  beforeEach(() => {
    host = new Namespace('host');
    peer = new Namespace('peer');
    for (const n of ['1', '2']) {
      connect(host, peer, `eth${n}`);
      peer.run(`ip addr add 2001:db8:${n}::1/64 dev eth${n} nodad`);
      host.run(`ip addr add 2001:db8:${n}::a/64 dev eth${n} nodad`);
      host.run(`ip -6 route add default via 2001:db8:${n}::1 dev eth${n} metric ${n}00`);
    }
    peer.run(`ip addr add ${PEER}/128 dev lo`);
    inside = host.start();
  });

  afterEach(() => {
    for (const program of programs.splice(0)) program.kill('SIGKILL');
    host.remove();
    peer.remove();
  });

  const start = async (numbers: object = {}): Promise<unknown> => {
    await inside.call('monitor');
    await inside.call('tun');
    return inside.call('intercept', numbers);
  };
  const routeGet = (from: string, to: string, more = ''): string =>
    host.run(`ip -6 route get ${to} from ${from}${more}`);
  const rules = (): string => host.run('ip -6 rule');
  const table = (number: number): string => {
    try {
      return host.run(`ip -6 route show table ${String(number)}`);
    } catch {
      return ''; // ip fails on a table that does not exist
    }
  };
  /** Routes to peers, behind the tables of all locators. */
  const peers = (): string => table(1001 + DEFAULT_NUMBERS.maxLocators) + table(1002 + DEFAULT_NUMBERS.maxLocators);

  describe('routing by source address', () => {
    it('sends what comes from a locator through the gateway of its own interface', async () => {
      expect(routeGet(OWN2, '2001:db8:77::1')).toContain('dev eth1');
      await start();
      expect(routeGet(OWN1, '2001:db8:77::1')).toContain('via 2001:db8:1::1 dev eth1');
      expect(routeGet(OWN2, '2001:db8:77::1')).toContain('via 2001:db8:2::1 dev eth2');
      expect(rules()).toMatch(/2001:\tfrom 2001:db8:[12]::a lookup 1001 proto 76/);
      expect(rules()).toMatch(/2002:\tfrom 2001:db8:[12]::a lookup 1002 proto 76/);
      expect(await inside.call('problems')).toEqual([]);
    });

    it('leaves to the main table what it knows better than by its default route', async () => {
      host.run('ip -6 route add 2001:db8:55::/48 via 2001:db8:1::1 dev eth1');
      await start();
      expect(routeGet(OWN2, '2001:db8:55::1')).toContain('dev eth1');
    });

    it('follows the gateway, the interface and the address', async () => {
      await start();
      host.run('ip -6 route replace default via 2001:db8:2::2 dev eth2 metric 200');
      await eventually(
        'the new gateway',
        () => routeGet(OWN2, '2001:db8:77::1'),
        (text) => text.includes('via 2001:db8:2::2'),
      );
      host.run(`ip addr del ${OWN2}/64 dev eth2`);
      await eventually('no rule', rules, (text) => !text.includes(OWN2));
      host.run(`ip addr add ${OWN2}/64 dev eth2 nodad`);
      await eventually('the rule', rules, (text) => text.includes(OWN2));
      expect(routeGet(OWN2, '2001:db8:77::1')).toContain('via 2001:db8:2::2 dev eth2');
    });

    it('sets the routes again after the interface was down', async () => {
      host.run('sysctl -qw net.ipv6.conf.eth2.keep_addr_on_down=1');
      await start();
      await inside.call('establish', PEER);
      host.run('ip link set eth2 down');
      host.run('ip link set eth2 up');
      host.run('ip -6 route replace default via 2001:db8:2::1 dev eth2 metric 200');
      const all = (): string => table(1001) + table(1002);
      await eventually('both defaults', all, (text) => (text.match(/default via/g) ?? []).length === 2);
      expect(peers().match(/2001:db8:9::b via/g)).toHaveLength(2);
    });

    it('has default routes that end soon after a killed process, unless they are renewed', async () => {
      await start();
      expect(table(1001)).toMatch(/default via .* expires 1\dsec/);
      await new Promise((resolve) => setTimeout(resolve, 6500));
      expect(table(1001)).toMatch(/default via .* expires (9|1\d)sec/);
    });
  });

  describe('an established peer', () => {
    it('has a route with rto_min from each locator, until it is released as often', async () => {
      await start();
      await inside.call('establish', PEER, '2001:db8:1::77');
      await inside.call('establish', PEER);
      for (const n of [1, 2]) {
        expect(routeGet(`2001:db8:${String(n)}::a`, PEER)).toContain(
          `via 2001:db8:${String(n)}::1 dev eth${String(n)}`,
        );
      }
      expect(
        peers().match(/2001:db8:9::b via \S+ dev eth\d proto 76 metric 1024 mtu 1400 rto_min lock 50ms/g),
      ).toHaveLength(2);
      expect(peers()).toMatch(/2001:db8:1::77 dev eth1 .*rto_min/); // on the link: no gateway
      await inside.call('release', PEER);
      expect(peers()).toContain(PEER);
      await inside.call('release', PEER, '2001:db8:1::77');
      expect(peers()).not.toMatch(/rto_min/);
    });
  });

  describe('a diverted pair', () => {
    it('goes into the TUN device: bound, unbound, but not what carries our mark', async () => {
      await start();
      await inside.call('divert', OWN2, PEER);
      expect(routeGet(OWN2, PEER)).toContain('dev loci0');
      expect(host.run(`ip -6 route get ${PEER}`)).toMatch(new RegExp(`dev loci0 .*src ${OWN2}`));
      expect(routeGet(OWN2, PEER, ' mark 0x10000000')).toContain('dev eth2');
      expect(host.run(`ip -6 route get ${PEER} mark 0x10000000`)).toContain('dev eth1');
      expect(table(533)).toMatch(
        /2001:db8:9::b dev loci0 proto 76 src 2001:db8:2::a metric 1024 mtu 1400 rto_min lock 50ms/,
      );
      await inside.call('undivert', OWN2, PEER);
      expect(routeGet(OWN2, PEER)).toContain('dev eth2');
      expect(host.run(`ip -6 route get ${PEER}`)).toContain('dev eth1');
      expect(table(533)).toBe('');
    });

    it('shares the route with other pairs of the same peer: what has no source yet gets the first identifier', async () => {
      await start();
      await inside.call('divert', OWN1, PEER);
      await inside.call('divert', OWN2, PEER);
      expect(table(533)).toContain(`src ${OWN1}`);
      await inside.call('undivert', OWN1, PEER);
      expect(routeGet(OWN2, PEER)).toContain('dev loci0');
      expect(table(533)).toContain(`src ${OWN2}`);
      await inside.call('undivert', OWN2, PEER);
      expect(table(533)).toBe('');
    });

    it('costs other packets nothing with 10,000 pairs, which are diverted in many turns', async () => {
      await start();
      const lookUp = (): Promise<number> => inside.call<number>('lookUp', '2001:db8:77::1');
      const before = rules();
      const alone = Math.min(await lookUp(), await lookUp());
      const added = await inside.call<Spell>('divertMany', OWN2, 10_000);
      expect(Number(host.shell('ip -6 route show table 533 | wc -l'))).toBe(10_000);
      const among = Math.min(await lookUp(), await lookUp());
      expect(rules()).toBe(before);
      const removed = await inside.call<Spell>('divertMany', OWN2, 10_000, false);
      expect(table(533)).toBe('');
      const text = ({ total, longest }: Spell): string => `${total.toFixed(0)} ms, ${longest.toFixed(1)} ms in a row`;
      console.error(
        `10,000 pairs: diverted in ${text(added)}, restored in ${text(removed)}; ` +
          `look-up ${alone.toFixed(1)} µs before, ${among.toFixed(1)} µs with them`,
      );
      expect(among / alone).toBeLessThan(5); // two rules for each pair: above 50
      for (const { total, longest } of [added, removed]) expect(total / longest).toBeGreaterThan(2); // in one turn: 1
      expect(await inside.call('problems')).toEqual([]);
    });

    it('takes about a tenth of a millisecond', async () => {
      await start();
      const times: number[] = [];
      for (let i = 1; i <= 50; i++)
        times.push(await inside.call<number>('divert', OWN1, `2001:db8:9::${i.toString(16)}`));
      const median = times.sort((a, b) => a - b)[25] ?? Infinity;
      console.error(`divert: median ${median.toFixed(3)} ms, max ${(times.at(-1) ?? 0).toFixed(3)} ms`);
      expect(median).toBeLessThan(1);
    });

    it('works for an identifier whose address is gone, which is kept on the device', async () => {
      await start();
      await inside.call('divert', '2001:db8:3::a', PEER);
      expect(host.run('ip -6 -o addr show dev loci0')).toMatch(/2001:db8:3::a\/128 scope global nodad deprecated/);
      expect(routeGet('2001:db8:3::a', PEER)).toContain('dev loci0');
      expect(host.run(`ip -6 route get ${PEER}`)).toContain('src 2001:db8:3::a');
    });
  });

  it('keeps an identifier as a deprecated address that nothing new chooses', async () => {
    await start();
    await inside.call('keep', '2001:db8:3::a');
    expect(host.run('ip -6 -o addr show dev loci0')).toMatch(/2001:db8:3::a\/128 scope global nodad deprecated/);
    expect(host.run('ip -6 route get 2001:db8:77::1')).not.toContain('2001:db8:3::a');
    await inside.call('releaseIdentifier', '2001:db8:3::a');
    expect(host.run('ip -6 -o addr show dev loci0')).not.toContain('2001:db8:3::a');
  });

  it('moves an open TCP connection into the device and back without loss', async () => {
    await start();
    const counter = (): number => Number(host.run('cat /sys/class/net/eth2/statistics/tx_packets'));
    const diverted = (): Promise<number> => inside.call<number>('tunPackets');
    const server = spawn('ip', ['netns', 'exec', peer.name, process.execPath, '-e', SERVER, PEER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    programs.push(server);
    await new Promise((resolve) => server.stdout.once('data', resolve));
    let received = 0;
    server.stdout.on('data', (text: Buffer) => {
      received = Number(text.toString().trim().split('\n').at(-1));
    });
    const client = spawn('ip', ['netns', 'exec', host.name, process.execPath, '-e', CLIENT, PEER, OWN2], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    programs.push(client);
    let sent = -1;
    client.stdout.on('data', (text: Buffer) => {
      sent = Number(text.toString().trim());
    });
    await eventually(
      'traffic',
      () => received,
      (n) => n > 1000,
    );
    expect(await diverted()).toBe(0);
    await inside.call('divert', OWN2, PEER);
    const [sentThen, receivedThen] = [counter(), received];
    await eventually('packets in the device', diverted, (n) => n > 1);
    expect(counter() - sentThen).toBeLessThan(10); // what was under way, and Neighbour Discovery
    expect(received - receivedThen).toBeLessThan(1000);
    await inside.call('undivert', OWN2, PEER);
    await eventually(
      'the end',
      () => sent,
      (n) => n > 0,
      10_000,
    );
    await eventually(
      'every octet',
      () => received,
      (n) => n === sent,
    );
  });

  it('does not catch Neighbour Discovery, even to a diverted peer on the link', async () => {
    const onLink = '2001:db8:1::1';
    await start();
    await inside.call('divert', OWN1, onLink);
    expect(routeGet(OWN1, onLink)).toContain('dev loci0');
    host.run('ip -6 neigh flush dev eth1');
    peer.run('ip -6 neigh flush dev eth1');
    // Other traffic to the router, and its questions about us, are answered over the link.
    host.run(`ping -6 -c 1 -W 2 -I ${OWN1} 2001:db8:9::b`);
    expect(host.run('ip -6 neigh show dev eth1')).toMatch(/2001:db8:1::1 lladdr \S+ (router )?(REACHABLE|STALE|DELAY)/);
    expect(peer.run('ip -6 neigh show dev eth1')).toMatch(/2001:db8:1::a lladdr/);
  });

  describe('clashes', () => {
    it('are all named in one error', async () => {
      host.run('ip -6 rule add pref 100 from 2001:db8:5::/48 lookup 77');
      host.run('ip -6 rule add pref 5000 fwmark 0x10000000/0x10000000 lookup 1002');
      host.run('ip -6 route add 2001:db8:6::/48 dev eth1 table 533');
      await expect(start()).rejects.toMatchObject({
        code: 'clash',
        message: expect.stringMatching(
          /rule 100 .*rule 5000 .*table 1002.*rule 5000 .*mark.*table 533 has routes/s,
        ) as string,
      });
    });

    it('go away with other numbers', async () => {
      host.run('ip -6 rule add pref 100 from 2001:db8:5::/48 lookup 77');
      await start({ divertPreference: 111 });
      await inside.call('divert', OWN1, PEER);
      expect(rules()).toContain('111:\tfrom all fwmark 0/0x10000000 lookup 533');
      expect(routeGet(OWN1, PEER)).toContain('dev loci0');
    });
  });

  describe('tidiness', () => {
    const everything = async (): Promise<void> => {
      await start();
      await inside.call('ownAddresses');
      await inside.call('establish', PEER);
      await inside.call('divert', OWN2, PEER);
      await inside.call('divert', OWN1, PEER);
      await inside.call('keep', '2001:db8:3::a');
      const own = (): Promise<{ state: string }[]> => inside.call('own');
      await eventually('own addresses', own, (all) => all.length === 2 && all.every((o) => o.state === 'preferred'));
      await eventually('their rules', rules, (text) => (text.match(/384c::/g) ?? []).length >= 2);
      expect(await inside.call('problems')).toEqual([]);
    };

    it('leaves nothing at exit', async () => {
      const before = await host.settled();
      await everything();
      await inside.call('close');
      expect(host.snapshot()).toBe(before);
    });

    it('leaves nothing after SIGKILL and the clean-up of a later run, whatever its configuration', async () => {
      const before = await host.settled();
      await everything();
      await inside.killed();
      const other = host.start();
      const removed = await other.call<{ kind: string }[]>('cleanUp');
      expect(new Set(removed.map((leftover) => leftover.kind))).toEqual(new Set(['rule', 'route', 'address', 'label']));
      expect(host.snapshot()).toBe(before);
      expect(await other.call('cleanUp')).toEqual([]);
    });

    it('diverts nothing any more after SIGKILL', async () => {
      await everything();
      await inside.killed();
      expect(routeGet(OWN2, PEER)).toContain('dev eth2');
      expect(host.run(`ip -6 route get ${PEER}`)).toContain('dev eth1');
    });

    it('starts over the rules for single pairs that a former version left', async () => {
      host.run(`ip -6 rule add pref 100 from ${OWN1} to ${PEER} fwmark 0/0x10000000 lookup 533 protocol 76`);
      host.run(`ip -6 rule add pref 101 to ${PEER} fwmark 0/0x10000000 lookup 533 protocol 76`);
      const leftovers = await start();
      expect(leftovers).toHaveLength(2);
      expect(rules()).not.toContain(`to ${PEER}`);
    });

    it('starts over what a killed process left, with other numbers', async () => {
      await everything();
      await inside.killed();
      inside = host.start();
      const leftovers = await start({ locatorPreference: 3001, locatorTable: 3001, divertTable: 5330 });
      expect(leftovers).not.toEqual([]);
      expect(rules()).not.toMatch(/lookup (533|100\d) /);
      expect(rules()).toContain('lookup 3001');
    });
  });
});

const SERVER = `
let received = 0;
require('node:net').createServer((socket) => {
  socket.on('data', (octets) => { received += octets.length; });
  setInterval(() => console.log(received), 20);
}).listen(5000, process.argv[1], () => console.log(0));
`;
const CLIENT = `
const socket = require('node:net').connect({ host: process.argv[1], port: 5000, localAddress: process.argv[2] });
socket.setNoDelay(true);
let sent = 0;
const timer = setInterval(() => {
  sent += 100;
  socket.write(Buffer.alloc(100));
  if (sent < 20000) return;
  clearInterval(timer);
  console.log(sent);
}, 10);
`;
