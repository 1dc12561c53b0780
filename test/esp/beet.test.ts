import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withInnerHeader, withoutInnerHeader } from '../../src/esp/beet.ts';
import { datagramKind } from '../../src/esp/udp-encapsulation.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { parseIpv6Header } from '../../src/wire/ipv6.ts';
import { INITIATOR, octets, RESPONDER } from './vectors.ts';

const inner = { source: INITIATOR, destination: RESPONDER };
const outer = { hopLimit: 61, trafficClass: 0xb8 };

describe('BEET mode', () => {
  it('restores a packet with the HITs, and hop limit and traffic class of the outer header (HIP-279, HIP-280)', () => {
    const packet = withInnerHeader({ nextHeader: 6, payload: octets(33) }, inner, outer);
    expect(parseIpv6Header(packet)).toEqual({
      ok: true,
      value: { ...inner, ...outer, flowLabel: 0, payloadLength: 33, nextHeader: 6 },
    });
  });

  it('gives back what it took (property, HIP-277)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 99 }), fc.integer({ min: 0, max: 255 }), (payload, nextHeader) => {
        expect(withoutInnerHeader(withInnerHeader({ nextHeader, payload }, inner, outer), inner)).toEqual({
          nextHeader,
          payload,
        });
      }),
    );
  });

  it('takes only packets between the addresses of the SA (HIP-249, HIP-278)', () => {
    const packet = withInnerHeader({ nextHeader: 6, payload: octets(33) }, inner, outer);
    expect(withoutInnerHeader(packet, { source: RESPONDER, destination: INITIATOR })).toBeUndefined();
    expect(withoutInnerHeader(packet, { ...inner, destination: INITIATOR })).toBeUndefined();
    expect(withoutInnerHeader(packet.subarray(0, 50), inner)).toBeUndefined();
    expect(withoutInnerHeader(octets(33), inner)).toBeUndefined();
  });

  it('leaves the upper-layer checksum as it is: over HITs (HIP-025, HIP-248)', () => {
    const datagram = octets(20);
    datagram.set([0, 0], 6);
    const sum = internetChecksum(datagram, pseudoHeaderSum(INITIATOR, RESPONDER, 20, 17));
    datagram.set([sum >> 8, sum & 0xff], 6);
    const carried = withoutInnerHeader(withInnerHeader({ nextHeader: 17, payload: datagram }, inner, outer), inner);
    const again = internetChecksum(carried?.payload ?? octets(0), pseudoHeaderSum(INITIATOR, RESPONDER, 20, 17));
    expect(again).toBe(0);
  });
});

describe('a datagram on port 10500', () => {
  it('is a HIP packet, ESP, a keepalive or nothing (HIP-260)', () => {
    expect(datagramKind(Uint8Array.of(0, 0, 0, 0, 59, 4, 1, 0x21))).toBe('control');
    expect(datagramKind(Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 1))).toBe('esp');
    expect(datagramKind(Uint8Array.of(0xff))).toBe('keepalive');
    expect([Uint8Array.of(0), Uint8Array.of(), Uint8Array.of(1, 2, 3, 4, 5, 6, 7)].map(datagramKind)).toEqual([
      ...['malformed', 'malformed', 'malformed'],
    ]);
  });
});
