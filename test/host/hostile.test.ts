import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { KnownMessage } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { parseAddress, sameOctets } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import type { HostEffect } from '../../src/host/host-io.ts';
import { establishedPair, twoHosts } from './two-hosts.ts';

const stranger = parseAddress('2001:db8:ffff::1') ?? new Uint8Array(16);
const tag = contextTag(0x123456789abc);

function feed(hosts: ReturnType<typeof twoHosts>, source: Address, octets: Uint8Array): HostEffect[] {
  const { local: destination } = hosts.ulids(hosts.a);
  const packet = { source, destination, hopLimit: 64, octets };
  return hosts.a.sim.host.handle({ type: 'control', packet }, hosts.world.now);
}

function answers(effects: readonly HostEffect[]): Extract<HostEffect, { type: 'transmit' }>[] {
  return effects.filter((effect): effect is Extract<HostEffect, { type: 'transmit' }> => effect.type === 'transmit');
}

const i1 = (nonce: number): KnownMessage => ({
  type: 'I1',
  initiatorContextTag: tag,
  initiatorNonce: nonce,
  options: {},
});

/** What the R1 for an I1 with `tag` and nonce 7 says. */
function askR1(hosts: ReturnType<typeof twoHosts>): { responderNonce: number; responderValidator: Uint8Array } {
  const r1 = parseShim6(answers(feed(hosts, stranger, encodeShim6(i1(7))))[0]?.octets ?? new Uint8Array());
  if (!r1.ok || r1.value.type !== 'R1') throw new Error('no R1');
  const { responderNonce, options } = r1.value;
  return { responderNonce, responderValidator: options.responderValidator ?? new Uint8Array() };
}

describe('a host and strangers', () => {
  it('S6-076 S6-079 answers an I1 with an R1 of at most three times its size and keeps nothing', () => {
    const hosts = twoHosts(1);
    const request = encodeShim6(i1(7));
    const [answer, ...more] = answers(feed(hosts, stranger, request));
    expect(more).toEqual([]);
    expect(answer && sameOctets(answer.destination, stranger)).toBe(true);
    expect(answer?.octets.length).toBeLessThanOrEqual(3 * request.length);
    expect(hosts.a.sim.host.contexts.size).toBe(0);
  });

  it('S6-076 limits what a flood of I1 from one /64 can make it send, and keeps nothing of it', () => {
    const hosts = twoHosts(1);
    let sent = 0;
    for (let i = 0; i < 50_000; i++) {
      const source = stranger.slice();
      source[15] = i & 0xff;
      source[14] = i >> 8;
      sent += answers(feed(hosts, source, encodeShim6(i1(i)))).length;
    }
    expect(sent).toBeLessThan(1_000);
    expect(hosts.a.sim.host.contexts.size).toBe(0);
    expect(hosts.a.sim.host.drops.get('rate')).toBe(50_000 - sent);
  });

  it('S6-089 S6-274 makes no context for an I2 with a forged or a missing validator', () => {
    const hosts = twoHosts(1);
    const { responderNonce, responderValidator: genuine } = askR1(hosts);
    for (const responderValidator of [undefined, new Uint8Array(20), genuine.slice(0, 19), genuine]) {
      const other = responderValidator === genuine ? contextTag(tag + 1) : tag; // a genuine one, but for another tag
      const i2 = { type: 'I2', initiatorContextTag: other, initiatorNonce: 7, responderNonce } as const;
      expect(answers(feed(hosts, stranger, encodeShim6({ ...i2, options: { responderValidator } })))).toEqual([]);
      expect(hosts.a.sim.host.contexts.size).toBe(0);
    }
  });

  it('S6-091 makes a context for a valid I2 only', () => {
    const hosts = twoHosts(1);
    const { responderNonce, responderValidator } = askR1(hosts);
    const i2 = { type: 'I2', initiatorContextTag: tag, initiatorNonce: 7, responderNonce } as const;
    const [r2] = answers(feed(hosts, stranger, encodeShim6({ ...i2, options: { responderValidator } })));
    expect(r2?.octets[2]).toBe(4);
    expect(hosts.a.sim.host.contexts.size).toBe(1);
  });

  it('S6-106 answers a payload header with an unknown tag by R1bis, and limits that', () => {
    const hosts = twoHosts(1);
    const payload = new Uint8Array([17, 0, 0x92, 0x34, 0x56, 0x78, 0x9a, 0xbc, ...new Uint8Array(64)]);
    expect(answers(feed(hosts, stranger, payload))[0]?.octets[2]).toBe(5);
    let sent = 0;
    for (let i = 0; i < 1_000; i++) sent += answers(feed(hosts, stranger, payload)).length;
    expect(sent).toBeLessThan(60);
  });

  it('S6-147 never throws, never makes or loses a context, never answers elsewhere, whatever octets come', () => {
    const { hosts, source } = establishedPair();
    const junk = fc.uint8Array({ maxLength: 1300 });
    fc.assert(
      fc.property(junk, fc.boolean(), (octets, fromPeer) => {
        const from = fromPeer ? source : stranger;
        const before = hosts.a.sim.host.contexts.size;
        for (const answer of answers(feed(hosts, from, octets))) {
          expect(sameOctets(answer.destination, from)).toBe(true);
          expect(answer.octets.length).toBeLessThanOrEqual(octets.length + 48);
        }
        expect(hosts.a.sim.host.contexts.size).toBe(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it('S6-106 S6-110 recovers a context that the peer has lost when traffic shows it (RFC 5533 §7.5)', () => {
    const { hosts } = establishedPair();
    hosts.traffic(hosts.a, 5, 4_000);
    hosts.ways.way = (provider) => ({ delayMs: 0.2, loss: provider === 1 ? 1 : 0 });
    hosts.run(500);
    const [lost] = [...hosts.b.sim.host.contexts];
    hosts.b.sim.handle({ type: 'close', ulids: lost?.ulids ?? hosts.ulids(hosts.b) });
    expect(hosts.b.sim.host.contexts.size).toBe(0);
    const before = hosts.b.arrivals.length;
    hosts.run(2_000);
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED');
    expect(hosts.state(hosts.b)).toBe('ESTABLISHED');
    expect(hosts.b.arrivals.length - before).toBeGreaterThan(300);
  });

  it('a rejected peer gets no answer at all', () => {
    const { hosts } = establishedPair();
    const before = hosts.a.sim.host.drops.get('not-an-identifier') ?? 0;
    const elsewhere = { source: stranger, destination: stranger, hopLimit: 64, octets: encodeShim6(i1(1)) };
    expect(hosts.a.sim.host.handle({ type: 'control', packet: elsewhere }, hosts.world.now)).toEqual([]);
    expect(hosts.a.sim.host.drops.get('not-an-identifier')).toBe(before + 1);
  });
});
