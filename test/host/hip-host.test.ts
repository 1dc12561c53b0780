import { describe, expect, it } from 'vitest';
import { HOLE } from '../../src/sim/two-hosts.ts';
import { ESP, HIP, ICMPV6, NEXT_HEADER_AT, UDP } from '../../src/wire/ipv6.ts';
import { address, espSuites, HipHosts, locator, text } from './hip-hosts.ts';

describe('two hosts that speak HIP', () => {
  it('associate with the first packet, which is not lost, and carry data both ways in ESP (HIP-005, HIP-141, HIP-142)', () => {
    const hosts = new HipHosts(1);
    hosts.a.send(hosts.b.host.hit, text('first'));
    hosts.run(100);
    expect([hosts.state('a'), hosts.state('b')]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    hosts.b.send(hosts.a.host.hit, text('answer'));
    hosts.a.send(hosts.b.host.hit, text('second'));
    hosts.run(100);
    expect(hosts.payloads('b')).toEqual(['first', 'second']);
    expect(hosts.payloads('a')).toEqual(['answer']);
    const kinds = hosts.packets.map(({ nextHeader }) => nextHeader);
    expect(kinds.slice(0, 4)).toEqual([HIP, HIP, HIP, HIP]); // I1 R1 I2 R2
    expect(new Set(kinds.slice(4))).toEqual(new Set([ESP, HIP])); // UPDATEs verify the other addresses
    const seen = hosts.packets.map(({ payload }) => new TextDecoder('latin1').decode(payload)).join();
    expect(seen).not.toMatch(/first|second|answer/);
  });

  it('deliver packets with the HITs as addresses', () => {
    const hosts = new HipHosts(2);
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(100);
    const [arrival] = hosts.arrived.b;
    expect(arrival?.octets.subarray(8, 24)).toEqual(hosts.a.host.hit);
    expect(arrival?.octets.subarray(24, 40)).toEqual(hosts.b.host.hit);
  });

  it.each([8, 9, 11, 13, 15] as const)('agree on ESP suite %i when both want it', (suite) => {
    const hosts = new HipHosts(3, { espSuites: espSuites(suite) });
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(100);
    expect(hosts.payloads('b')).toEqual(['x']);
    const peer = hosts.a.host.peer(hosts.b.host.hit);
    expect(peer?.associations.map((sa) => sa.suite)).toEqual([suite, suite]);
  });

  it('move HIP and ESP into UDP once both have said that they take it', () => {
    const hosts = new HipHosts(4, { offersUdp: true });
    hosts.a.send(hosts.b.host.hit, text('first'));
    hosts.run(500);
    hosts.a.send(hosts.b.host.hit, text('second'));
    hosts.run(100);
    expect(hosts.payloads('b')).toEqual(['first', 'second']);
    expect(hosts.packets.at(-1)?.nextHeader).toBe(UDP);
  });

  it('fall back to UDP where nothing else gets through', () => {
    const hosts = new HipHosts(5, { offersUdp: true });
    const { send } = hosts.network;
    hosts.network.send = (packet) => {
      if (packet.nextHeader === UDP) send.call(hosts.network, packet);
    };
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(2000);
    expect(hosts.payloads('b')).toEqual(['x']);
  });

  it('associate over the second address of the peer when the first does not answer', () => {
    const hosts = new HipHosts(6);
    hosts.way = (source, destination) =>
      [source, destination].some((one) => one[5] === 0xb1) ? HOLE : { delayMs: 1, loss: 0 };
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(2000);
    expect(hosts.payloads('b')).toEqual(['x']);
  });

  it('associate and deliver although a sixth of the packets is lost', () => {
    for (let seed = 10; seed < 30; seed++) {
      const hosts = new HipHosts(seed);
      hosts.way = () => ({ delayMs: 5, loss: 1 / 6, jitterMs: 5 });
      hosts.a.send(hosts.b.host.hit, text('first'));
      hosts.run(40_000);
      expect(hosts.state('a'), `seed ${String(seed)}`).toBe('ESTABLISHED');
      for (let i = 0; i < 40; i++) hosts.a.send(hosts.b.host.hit, text(String(i)));
      hosts.run(100);
      expect(hosts.payloads('b').length, `seed ${String(seed)}`).toBeGreaterThan(15);
    }
  });

  it('have one association when both begin at the same time', () => {
    const hosts = new HipHosts(7);
    hosts.a.send(hosts.b.host.hit, text('from a'));
    hosts.b.send(hosts.a.host.hit, text('from b'));
    hosts.run(3000);
    expect(hosts.payloads('b')).toEqual(['from a']);
    expect(hosts.payloads('a')).toEqual(['from b']);
    expect([...hosts.a.host.peers]).toHaveLength(1);
    expect([...hosts.b.host.peers]).toHaveLength(1);
  });

  it('go on after the address in use was replaced', () => {
    const hosts = new HipHosts(8);
    hosts.a.send(hosts.b.host.hit, text('before'));
    hosts.run(100);
    hosts.b.send(hosts.a.host.hit, text('before'));
    hosts.run(100);
    hosts.a.setLocators([locator('2001:db8:a3::1')]);
    hosts.run(1000);
    hosts.b.send(hosts.a.host.hit, text('after'));
    hosts.a.send(hosts.b.host.hit, text('after'));
    hosts.run(1000);
    expect(hosts.payloads('a')).toEqual(['before', 'after']);
    expect(hosts.payloads('b')).toEqual(['before', 'after']);
    expect(hosts.packets.at(-1)?.destination).not.toEqual(address('2001:db8:a1::1'));
  });

  it('tell programs that a peer without known addresses cannot be reached', () => {
    const hosts = new HipHosts(9);
    hosts.a.handle({ type: 'peers', peers: [] });
    hosts.a.send(hosts.b.host.hit, text('x'));
    expect(hosts.packets).toEqual([]);
    expect(hosts.arrived.a.map(({ octets }) => octets[NEXT_HEADER_AT])).toEqual([ICMPV6]);
  });

  it('hold a bounded number of packets while there is no answer, and none after the attempt has failed', () => {
    const hosts = new HipHosts(31);
    hosts.way = () => HOLE;
    for (let i = 0; i < 100; i++) hosts.a.send(hosts.b.host.hit, text(String(i)));
    hosts.run(120_000);
    expect(hosts.a.events).toContainEqual(
      expect.objectContaining({ event: 'warning', message: expect.stringMatching(/no-answer$/) }),
    );
    expect(hosts.arrived.a).toHaveLength(16);
  });

  it('take nothing for a HIT that does not come from a HIT (HIP-139)', () => {
    const hosts = new HipHosts(33);
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(100);
    const packet = hosts.arrived.b[0]?.octets.slice();
    if (packet === undefined) throw new Error('nothing arrived');
    const sent = hosts.packets.length;
    packet.set(address('2001:db8:a1::1'), 8);
    hosts.a.handle({ type: 'held', octets: packet });
    hosts.run(1);
    expect(hosts.a.host.drops.get('not-between-hits')).toBe(1);
    expect(hosts.packets).toHaveLength(sent);
  });

  it('draw SPIs at random, others for each exchange (HIP-233, HIP-234, HIP-425)', () => {
    const spis: number[] = [];
    for (let seed = 40; seed < 48; seed++) {
      const hosts = new HipHosts(seed);
      hosts.a.send(hosts.b.host.hit, text('x'));
      hosts.run(100);
      spis.push(...(hosts.a.host.peer(hosts.b.host.hit)?.associations ?? []).map(({ spi }) => spi));
    }
    expect(new Set(spis).size).toBe(16);
    expect(Math.min(...spis)).toBeGreaterThan(255);
    expect(new Set(spis.map((spi) => spi >>> 28)).size).toBeGreaterThan(3);
  });

  it('end an association when asked to', () => {
    const hosts = new HipHosts(32);
    hosts.a.send(hosts.b.host.hit, text('x'));
    hosts.run(100);
    hosts.b.send(hosts.a.host.hit, text('x'));
    hosts.run(100);
    hosts.a.handle({ type: 'close', peer: hosts.b.host.hit });
    hosts.run(1000);
    expect(hosts.a.host.peer(hosts.b.host.hit)?.flow.out).toBeUndefined();
  });
});
