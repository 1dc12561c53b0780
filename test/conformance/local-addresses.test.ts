import { describe, expect, it } from 'vitest';
import { parseShim6 } from '../../src/shim6/message-codec.ts';
import type { UpdateRequest } from '../../src/shim6/messages.ts';
import { GOOD, HOLE } from '../../src/sim/two-hosts.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { IPV6_HEADER_LENGTH, SHIM6, UDP, writeIpv6Header } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { twoHosts } from '../host/two-hosts.ts';

interface Told {
  readonly from: string;
  readonly request: UpdateRequest;
}

/** The Update Requests that host a got through to b. */
function told({ packets }: TwoHosts, since: number): Told[] {
  return packets.flatMap(({ source, nextHeader, payload, lost, at }) => {
    if (lost || at < since || nextHeader !== SHIM6) return [];
    const parsed = parseShim6(payload);
    return parsed.ok && parsed.value.type === 'UpdateRequest'
      ? [{ from: formatAddress(source), request: parsed.value }]
      : [];
  });
}

function established(seed: number): TwoHosts {
  const hosts = twoHosts(seed);
  hosts.traffic(hosts.a, 2);
  hosts.traffic(hosts.b, 2);
  hosts.establish();
  hosts.run(500);
  return hosts;
}

/** What b believes of the locators of a: address and whether it is BROKEN. */
const believed = (hosts: TwoHosts): [string, boolean][] =>
  [...hosts.b.sim.host.contexts]
    .slice(0, 1) // the one that was there from the start
    .flatMap(({ peerLocators }) =>
      peerLocators.map(({ address, broken }): [string, boolean] => [formatAddress(address), broken]),
    );

describe('RFC 5534 §3.1 a local address goes', () => {
  it('S6-270 the identifier itself: the peer is told over the other locator that it is BROKEN', () => {
    const hosts = established(1);
    const [first, second] = hosts.a.locators.map(({ address }) => formatAddress(address));
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    const since = hosts.world.now;
    hosts.change(hosts.a, hosts.a.locators.slice(1));
    hosts.run(1_000);
    const [update, ...more] = told(hosts, since);
    expect(more).toEqual([]);
    expect(update?.from).toBe(second);
    expect(update?.request.options.locatorPreferences?.elements.map(({ broken }) => broken)).toContain(true);
    expect(believed(hosts)).toEqual([
      [first, true],
      [second, false],
    ]);
  });

  it('S6-270 another locator: the peer gets a list without it', () => {
    const hosts = established(2);
    const [first, second] = hosts.a.locators.map(({ address }) => formatAddress(address));
    expect(believed(hosts).map(([address]) => address)).toEqual([first, second]);
    const since = hosts.world.now;
    hosts.change(hosts.a, hosts.a.locators.slice(0, 1));
    hosts.run(1_000);
    const [update] = told(hosts, since);
    expect(update?.from).toBe(first);
    const listed = update?.request.options.locatorList?.locators.map(({ address }) => formatAddress(address));
    expect(listed).toEqual([first]);
    expect(believed(hosts)).toEqual([[first, false]]);
  });

  it('S6-270 its link goes down but the address stays: BROKEN, and not any more when it is up again', () => {
    const hosts = established(3);
    const [first, second] = hosts.a.locators;
    if (first === undefined || second === undefined) throw new Error('no locators');
    const texts = [first, second].map(({ address }) => formatAddress(address));
    hosts.change(hosts.a, [first, { ...second, operational: false }]);
    hosts.run(1_000);
    expect(believed(hosts)).toEqual([
      [texts[0], false],
      [texts[1], true],
    ]);
    hosts.change(hosts.a, [first, second]);
    hosts.run(1_000);
    expect(believed(hosts)).toEqual([
      [texts[0], false],
      [texts[1], false],
    ]);
  });

  it('S6-270 is told again until it is acknowledged', () => {
    const hosts = established(4);
    const [, second] = hosts.a.locators.map(({ address }) => formatAddress(address));
    hosts.ways.way = (_, direction) => (direction === 'b-a' ? HOLE : GOOD);
    hosts.change(hosts.a, hosts.a.locators.slice(0, 1));
    hosts.run(30_000);
    const requests = told(hosts, 0);
    expect(requests.length).toBeGreaterThan(2);
    expect(new Set(requests.map(({ request }) => request.requestNonce)).size).toBe(1);
    hosts.ways.way = () => GOOD;
    hosts.run(60_000);
    expect(believed(hosts).map(([address]) => address)).not.toContain(second);
    const count = told(hosts, 0).length;
    hosts.run(300_000);
    expect(told(hosts, 0)).toHaveLength(count);
  });
});

describe('RFC 5534 §3.2 what the neighbour says', () => {
  /** Neighbour Unreachability Detection fails: the kernel sends an error to itself for what waited (RFC 4861 §7.2.2). */
  function nextHopFails(hosts: TwoHosts): void {
    const { local: source, peer: destination } = hosts.pair(hosts.a, 1);
    const w = new Writer(8 + IPV6_HEADER_LENGTH);
    w.u8(1); // destination unreachable
    w.u8(3); // address unreachable
    w.zeros(6);
    const numbers = { trafficClass: 0, flowLabel: 0, payloadLength: 64, nextHeader: UDP, hopLimit: 64 };
    writeIpv6Header(w, { ...numbers, source, destination });
    hosts.a.sim.handle({ type: 'icmp', source, octets: w.finish() });
  }

  it('S6-156 a next hop that does not answer leads to a test at once, and to another pair when it fails', () => {
    const hosts = twoHosts(5);
    hosts.establish();
    hosts.run(500); // nobody sends: no timer of REAP would notice anything
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    const since = hosts.world.now;
    nextHopFails(hosts);
    hosts.run(500);
    const [suspicion] = hosts.events(hosts.a, 'suspect').filter(({ at }) => at >= since);
    expect(suspicion).toMatchObject({ cause: 'icmp' });
    const [move] = hosts.events(hosts.a, 'selected');
    expect((move?.at ?? Infinity) - since).toBeLessThan(500);
    const { local, peer } = hosts.pair(hosts.a, 2);
    expect(hosts.sending(hosts.a)).toEqual([formatAddress(local), formatAddress(peer)]);
  });

  it('S6-156 one that answers after all moves nothing', () => {
    const hosts = established(6);
    for (let i = 0; i < 20; i++) {
      nextHopFails(hosts);
      hosts.run(50);
    }
    expect(hosts.events(hosts.a, 'selected')).toEqual([]);
    expect(hosts.events(hosts.a, 'suspect')).toEqual([]);
  });
});
