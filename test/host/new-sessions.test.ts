import { describe, expect, it } from 'vitest';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { samePair } from '../../src/locators/pair.ts';
import { MESSAGE_TYPES } from '../../src/shim6/message-codec.ts';
import { sameOctets } from '../../src/wire/address.ts';
import { ADDRESS_UNREACHABLE, parseIcmpError } from '../../src/wire/icmpv6.ts';
import { SHIM6, UDP } from '../../src/wire/ipv6.ts';
import { GOOD, HOLE } from '../../src/sim/two-hosts.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { twoHosts } from './two-hosts.ts';

const SEEDS = [1, 2, 3, 4, 5];

/** Traffic for a second over an established context. */
function acquainted(seed: number): TwoHosts {
  const hosts = twoHosts(seed);
  hosts.traffic(hosts.a, 2, 1_000);
  hosts.run(50);
  hosts.establish();
  hosts.run(1_500);
  return hosts;
}

/** The same, and then provider 1 has died under traffic. */
function moved(seed: number): TwoHosts {
  const hosts = acquainted(seed);
  hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
  hosts.traffic(hosts.a, 2, 1_000);
  hosts.run(1_500);
  expect(hosts.events(hosts.a, 'selected')).toHaveLength(1);
  return hosts;
}

/** A program of host a sends a datagram; how long it took to arrive, if it did within a second. */
function send(hosts: TwoHosts, ulids: LocatorPair): number | undefined {
  const at = hosts.world.now;
  const before = hosts.b.arrivals.length;
  hosts.a.sim.send(ulids, new Uint8Array(32));
  hosts.run(1_000);
  const arrived = hosts.b.arrivals[before];
  return arrived === undefined ? undefined : arrived - at;
}

/** The packets of host a since then. */
function sentBy(hosts: TwoHosts, from: number): TwoHosts['packets'] {
  return hosts.packets.filter(
    (packet) => packet.at >= from && hosts.a.locators.some(({ address }) => sameOctets(address, packet.source)),
  );
}

const crossed = (hosts: TwoHosts): LocatorPair => ({
  local: hosts.pair(hosts.a, 1).local,
  peer: hosts.pair(hosts.a, 2).peer,
});

describe('a new session with a peer that is known from before', () => {
  it.each(SEEDS)('begins at once over the other path when the old context is gone, seed %i', (seed) => {
    const hosts = moved(seed);
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.run(100);
    expect(hosts.state(hosts.a)).toBeUndefined();
    expect(send(hosts, hosts.ulids(hosts.a))).toBeLessThan(100);
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
  });

  it.each(SEEDS)(
    'begins at home when home had answered tests again before the old context was gone, seed %i',
    (seed) => {
      const hosts = moved(seed);
      hosts.ways.way = () => GOOD;
      hosts.traffic(hosts.a, 2, 3_000);
      hosts.run(3_000);
      expect(hosts.sending(hosts.a)?.[0]).toMatch(/^2001:db8:a2:/); // not yet trusted
      hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
      hosts.b.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.b) });
      hosts.run(100);
      expect(send(hosts, hosts.ulids(hosts.a))).toBeLessThan(100);
      expect(hosts.state(hosts.a)).toBeUndefined();
    },
  );

  it.each(SEEDS)('begins the same way between identifiers that never had a context, seed %i', (seed) => {
    const hosts = moved(seed);
    expect(send(hosts, crossed(hosts))).toBeLessThan(100);
  });

  it('S6-070 sends an I1 over the pair that worked last, with the identifiers in it', () => {
    const hosts = moved(1);
    const from = hosts.world.now;
    send(hosts, crossed(hosts));
    const [i1] = sentBy(hosts, from).filter(({ payload }) => payload[2] === MESSAGE_TYPES.I1);
    const pair = hosts.pair(hosts.a, 2);
    expect(i1 && samePair({ local: i1.source, peer: i1.destination }, pair)).toBe(true);
    const { local, peer } = crossed(hosts);
    expect(Buffer.from(i1?.payload ?? []).includes(Buffer.from([...local, ...peer]))).toBe(true);
  });

  it.each(SEEDS)('tries further pairs 250 ms apart, and takes the one that answers, seed %i', (seed) => {
    const hosts = moved(seed);
    // the pair that worked last is dead as well: only own provider 1 to the peer's provider 2 carries anything
    const only = crossed(hosts);
    const ends = [only.local, only.peer];
    hosts.ways.special = (source, destination) =>
      [source, destination].every((one) => ends.some((end) => sameOctets(end, one))) ? GOOD : HOLE;
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.run(100);
    const took = send(hosts, hosts.ulids(hosts.a));
    expect(took).toBeGreaterThan(240);
    expect(took).toBeLessThan(900);
  });

  it('is refused within a second when no path is left, and at once when that is known', () => {
    const hosts = moved(2);
    hosts.ways.way = () => HOLE;
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.run(100);
    expect(send(hosts, hosts.ulids(hosts.a))).toBeUndefined();
    hosts.run(20);
    const { errors } = hosts.a.sim;
    expect(errors).toHaveLength(1);
    const error = parseIcmpError(errors[0]?.subarray(40) ?? new Uint8Array());
    expect(error.ok && [error.value.type, error.value.code]).toEqual([1, ADDRESS_UNREACHABLE]);
    expect(errors[0]?.subarray(8, 24)).toEqual(hosts.ulids(hosts.a).local);
    hosts.a.sim.send(hosts.ulids(hosts.a), new Uint8Array(32));
    hosts.run(1);
    expect(errors).toHaveLength(2);
  });

  it('is refused when its context exists, but has found no path for some time', () => {
    const hosts = acquainted(3);
    hosts.ways.way = () => HOLE;
    hosts.traffic(hosts.a, 20, 600);
    hosts.run(600);
    const before = hosts.a.sim.errors.length;
    hosts.run(200);
    hosts.a.sim.send(hosts.ulids(hosts.a), new Uint8Array(32));
    hosts.run(1);
    expect(before).toBe(0);
    expect(hosts.a.sim.errors.length).toBe(1);
  });

  it.each(SEEDS)('moves when its packets find no answer on a path that was not known to be dead, seed %i', (seed) => {
    const hosts = acquainted(seed);
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.ways.way = (provider) => (provider === 1 ? HOLE : GOOD);
    hosts.run(100);
    expect(send(hosts, hosts.ulids(hosts.a))).toBeUndefined(); // nobody has noticed
    hosts.a.sim.handle({ type: 'unanswered', ulids: hosts.ulids(hosts.a) });
    hosts.run(300);
    expect(send(hosts, hosts.ulids(hosts.a))).toBeLessThan(10);
  });

  it('stays where it is when the path answers after all', () => {
    const hosts = acquainted(4);
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.run(100);
    const from = hosts.world.now;
    hosts.a.sim.handle({ type: 'unanswered', ulids: hosts.ulids(hosts.a) });
    hosts.run(1_000);
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
    send(hosts, hosts.ulids(hosts.a));
    expect(sentBy(hosts, from).filter(({ nextHeader }) => nextHeader === UDP)).toHaveLength(1);
    expect(hosts.events(hosts.a, 'diverted')).toEqual([]);
  });

  it('takes the path of its identifiers again when that is alive', () => {
    const hosts = moved(5);
    hosts.ways.way = () => GOOD;
    hosts.traffic(hosts.a, 5, 12_000);
    hosts.run(13_000);
    expect(hosts.events(hosts.a, 'returned')).toHaveLength(1);
    hosts.a.sim.handle({ type: 'close', ulids: hosts.ulids(hosts.a) });
    hosts.run(100);
    const from = hosts.world.now;
    expect(send(hosts, hosts.ulids(hosts.a))).toBeLessThan(5);
    expect(sentBy(hosts, from).filter(({ nextHeader }) => nextHeader === UDP)).toHaveLength(1);
  });

  it('is none of our business with a peer that is not known', () => {
    const hosts = twoHosts(6);
    hosts.ways.way = () => HOLE;
    hosts.a.sim.handle({ type: 'unanswered', ulids: hosts.ulids(hosts.a) });
    expect(send(hosts, hosts.ulids(hosts.a))).toBeUndefined();
    expect(hosts.packets.filter(({ nextHeader }) => nextHeader === SHIM6)).toEqual([]);
    expect(hosts.a.sim.errors).toEqual([]);
  });
});
