import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { append, encodeHip, parseHip } from '../../src/hip/packet-codec.ts';
import { hasGoodChecksum, writeChecksum } from '../../src/hip/packet-carriage.ts';
import { mac2Range, macRange, signedRange, signedRange2 } from '../../src/hip/packet-ranges.ts';
import type { HipPacket, ParsedHip, ReceivedPacket } from '../../src/hip/packet.ts';
import { isCritical, parameterNumber, parameterOf, parametersOf, unknownCritical } from '../../src/hip/parameter.ts';
import type { HipParameter } from '../../src/hip/parameter.ts';
import { encodeParameters, parseDecrypted, rawParameters } from '../../src/hip/parameter-list.ts';
import { sameOctets } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { anyPacket, anyParameters } from './wire-arbitraries.ts';
import { hex, hipPacketsOf, ipv4 } from './wire-capture.ts';

const HITS = { senderHit: new Uint8Array(16).fill(1), receiverHit: new Uint8Array(16).fill(2) };

function packet(...parameters: readonly HipParameter[]): HipPacket {
  return { type: 'UPDATE', isAnonymous: false, ...HITS, parameters };
}

/** A packet with these parameters as they stand, in this order. */
function withOctets(...parameters: readonly Uint8Array[]): Uint8Array {
  const octets = Uint8Array.from([...encodeHip(packet()), ...parameters.flatMap((parameter) => [...parameter])]);
  octets[1] = octets.length / 8 - 1;
  return octets;
}

function accepted(result: ParsedHip): ReceivedPacket {
  if (!result.ok) throw new Error(`${result.reason} at ${String(result.at)}`);
  return result.value;
}

/** A received parameter without where it was. */
function said({ at: _, octets: __, ...parameter }: ReceivedPacket['parameters'][number]): unknown {
  return parameter;
}

describe('packets', () => {
  it('are read as they were written, their parameters in the order of types (HIP-027, HIP-028)', () => {
    fc.assert(
      fc.property(anyPacket, (sent) => {
        const octets = encodeHip(sent);
        const { parameters, octets: kept, ...header } = accepted(parseHip(octets));
        const { parameters: given, ...wanted } = sent;
        expect(header).toEqual(wanted);
        expect(parameters.map(said)).toEqual(given.toSorted((a, b) => parameterNumber(a) - parameterNumber(b)));
        expect(sameOctets(kept, octets)).toBe(true);
        expect(toHex(encodeHip({ ...header, parameters }))).toBe(toHex(octets));
      }),
    );
  });

  it('are read without a throw whatever the octets, and what is accepted is written again alike', () => {
    const corpus = hipPacketsOf('cutehip-rfcpatched-rsa.pcap').map(({ octets }) => octets);
    const near = fc
      .tuple(fc.constantFrom(...corpus), fc.array(fc.tuple(fc.nat(900), fc.nat(255)), { maxLength: 4 }))
      .map(([octets, changes]) => {
        const copy = octets.slice();
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 200 })), (octets) => {
        const parsed = parseHip(octets);
        for (const range of [macRange, signedRange, signedRange2])
          expect(range(octets).length).toBeLessThanOrEqual(octets.length);
        expect(mac2Range(octets, new Uint8Array(8)).length).toBeLessThanOrEqual(octets.length + 8);
        if (!parsed.ok) {
          expect(parsed.at).toBeLessThanOrEqual(octets.length);
          return;
        }
        const again = encodeHip(parsed.value);
        expect(accepted(parseHip(again)).parameters.map(said)).toEqual(parsed.value.parameters.map(said));
      }),
      { numRuns: 2000 },
    );
  });

  it('have zeros in reserved fields and the fixed bits when sent, and no header behind (HIP-016, HIP-017, HIP-018, HIP-024)', () => {
    fc.assert(
      fc.property(anyPacket, (sent) => {
        const octets = encodeHip(sent);
        expect([octets[0], octets[3], octets[6]]).toEqual([59, 0x21, 0]);
        expect((octets[2] ?? 0) & 0x80).toBe(0);
        expect((octets[7] ?? 0) & 0xfe).toBe(0);
        for (const raw of rawParameters(octets.subarray(40))) {
          if (raw === undefined) throw new Error('cut off');
          expect(raw.octets.length % 8).toBe(0); // HIP-030
          expect(raw.octets.subarray(4 + raw.contents.length).every((octet) => octet === 0)).toBe(true);
        }
      }),
    );
  });

  it('may have anything in reserved fields, fixed bits and padding when received (HIP-016, HIP-017, HIP-018, HIP-032)', () => {
    const octets = encodeHip(packet({ type: 'SEQ', updateId: 7 }, { type: 'HIP_CIPHER', ciphers: [2, 4, 5] }));
    const expected = accepted(parseHip(octets));
    const odd = octets.slice();
    odd[2] = 0x80 | 16;
    odd[3] = 0x2e;
    odd[6] = 0xff;
    odd[7] = 0xfe;
    odd[octets.length - 1] = 0xff;
    const received = accepted(parseHip(odd));
    expect(received.type).toBe('UPDATE');
    expect(received.isAnonymous).toBe(false);
    expect(received.parameters.map(said)).toEqual(expected.parameters.map(said));
    odd[7] = 1;
    expect(accepted(parseHip(odd)).isAnonymous).toBe(true);
  });

  it('end where their Header Length says; another Next Header and what follows are ignored (HIP-013)', () => {
    const octets = encodeHip(packet({ type: 'SEQ', updateId: 7 }));
    const longer = Uint8Array.from([...octets, 1, 2, 3]);
    longer[0] = 6;
    const received = accepted(parseHip(longer));
    expect(received.octets).toHaveLength(octets.length);
    expect(received.parameters).toHaveLength(1);
  });

  it.each([
    ['cut off in its header', (octets: Uint8Array) => octets.slice(0, 39), 'truncated', 39],
    ['nothing at all', () => new Uint8Array(0), 'truncated', 0],
    ['shorter than its Header Length', (octets: Uint8Array) => octets.slice(0, -8), 'truncated', 1],
    ['a Header Length without room for both HITs (HIP-014)', set(1, 3), 'bad-length', 1],
    ['of version 1', set(3, 0x11), 'unknown-version', 3],
    ['of version 3', set(3, 0x31), 'unknown-version', 3],
    ['of an unknown type (HIP-015)', set(2, 5), 'unknown-type', 2],
    ['with a parameter that runs past its end', set(43, 13), 'truncated', 40],
  ])('are refused when %s', (_, change, reason, at) => {
    const octets = encodeHip(packet({ type: 'ESP_INFO', keymatIndex: 0, oldSpi: 1, newSpi: 2 }));
    expect(parseHip(change(octets))).toEqual({ ok: false, reason, at });
  });

  it('cannot be sent longer than a Header Length can say', () => {
    const echo = { type: 'ECHO_REQUEST_UNSIGNED', opaque: new Uint8Array(2004) } as const;
    expect(encodeHip(packet(echo))).toHaveLength(2048);
    expect(() => encodeHip(packet({ ...echo, opaque: new Uint8Array(2005) }))).toThrow(RangeError);
    expect(() => append(encodeHip(packet(echo)), { type: 'HIP_MAC', mac: new Uint8Array(1) })).toThrow(RangeError);
  });

  it('have a checksum that fails when any octet changes (HIP-019)', () => {
    const octets = encodeHip(packet({ type: 'SEQ', updateId: 7 }));
    writeChecksum(octets, ipv4(192, 0, 2, 1), HITS.senderHit);
    expect(hasGoodChecksum(octets, ipv4(192, 0, 2, 1), HITS.senderHit)).toBe(true);
    for (const at of octets.keys()) {
      const spoilt = octets.map((octet, i) => (i === at ? octet ^ 0x10 : octet));
      expect(hasGoodChecksum(spoilt, ipv4(192, 0, 2, 1), HITS.senderHit)).toBe(false);
    }
  });
});

function set(at: number, value: number): (octets: Uint8Array) => Uint8Array {
  return (octets) => octets.map((octet, i) => (i === at ? value : octet));
}

describe('parameters', () => {
  const seq = encodeParameters([{ type: 'SEQ', updateId: 7 }]);
  const ack = encodeParameters([{ type: 'ACK', peerUpdateIds: [1, 2] }]);
  const unknown = (number: number): Uint8Array =>
    encodeParameters([{ type: 'UNKNOWN', number, contents: new Uint8Array(3) }]);

  it('out of the order of their types make a packet malformed (HIP-029)', () => {
    expect(parseHip(withOctets(seq, ack)).ok).toBe(true);
    expect(parseHip(withOctets(ack, seq))).toEqual({ ok: false, reason: 'out-of-order', at: 56 });
    expect(parseHip(withOctets(unknown(900), seq))).toEqual({ ok: false, reason: 'out-of-order', at: 48 });
    expect(parseHip(withOctets(seq, unknown(900), unknown(900), ack)).ok).toBe(false);
  });

  it('that may come once do not come twice (HIP-084)', () => {
    expect(parseHip(withOctets(seq, seq))).toEqual({ ok: false, reason: 'duplicate', at: 48 });
    const request = encodeParameters([{ type: 'ECHO_REQUEST_SIGNED', opaque: new Uint8Array(4) }]);
    expect(parseHip(withOctets(request, request))).toMatchObject({ ok: false, reason: 'duplicate' });
  });

  it('that may come several times are all kept, in their order', () => {
    const echoes = [1, 2].map((value) => ({ type: 'ECHO_REQUEST_UNSIGNED', opaque: Uint8Array.of(value) }) as const);
    const received = accepted(parseHip(encodeHip(packet(...echoes, { type: 'SEQ', updateId: 7 }))));
    expect(parametersOf(received, 'ECHO_REQUEST_UNSIGNED').map(({ opaque }) => opaque[0])).toEqual([1, 2]);
    expect(parameterOf(received, 'ECHO_REQUEST_UNSIGNED')?.opaque).toEqual(Uint8Array.of(1));
    expect(parameterOf(received, 'ACK')).toBeUndefined();
  });

  it('of unknown types survive; the first critical one is told (HIP-034, HIP-035)', () => {
    const octets = withOctets(unknown(128), seq, unknown(386), unknown(40_001), unknown(40_003));
    const received = accepted(parseHip(octets));
    expect(parametersOf(received, 'UNKNOWN').map(({ number }) => number)).toEqual([128, 386, 40_001, 40_003]);
    expect(unknownCritical(received)).toMatchObject({ number: 40_001, at: 40 + 8 + 8 + 8 });
    expect(toHex(encodeHip(received))).toBe(toHex(octets));
    expect(unknownCritical(accepted(parseHip(withOctets(unknown(128), seq))))).toBeUndefined();
  });

  it('are critical by the lowest bit of their number (HIP-033)', () => {
    expect(isCritical({ type: 'SEQ', updateId: 7 })).toBe(true);
    expect(isCritical({ type: 'NOTIFICATION', notifyType: 1, notificationData: new Uint8Array(0) })).toBe(false);
  });

  it('are padded to multiples of eight octets (HIP-030)', () => {
    const lengths = [3, 4, 5, 12, 20, 36, 68].map(
      (length) => encodeParameters([{ type: 'HIP_MAC', mac: new Uint8Array(length) }]).length,
    );
    expect(lengths).toEqual([8, 8, 16, 16, 24, 40, 72]);
  });

  it.each([
    ['DI Length without DI-Type (HIP-063)', '02c1 0008 0000 0002 0005 6161 00000000', 'bad-value', 46],
    ['HIT suite with a low nibble (HIP-064)', '02cb 0002 1021 0000', 'bad-value', 45],
    ['public value shorter than its length', '0201 0005 03 0003 aaaa 000000 00000000', 'truncated', 47],
    ['public value longer than its length', '0201 0007 03 0003 aaaaaaaa 0000000000', 'trailing', 50],
    ['half an ACK', '01c1 0006 00000001 0002 000000000000', 'truncated', 48],
    ['half a cipher', '0243 0003 0002 00 00', 'truncated', 46],
    ['J shorter than I', '0141 0007 00000000 010203 0000000000', 'trailing', 50],
    ['no room for an SPI', '0041 0008 0000 0000 00000000 00000000', 'truncated', 52],
    [
      'locator without lifetime (HIP-305)',
      '00c1 0018 00000401 00000000 20010db8000000000000000000000001 00000000',
      'bad-value',
      48,
    ],
    ['IPv6 locator of another length', '00c1 0014 00000301 00000001 200100000000000000000001', 'bad-length', 46],
    ['locator cut off', '00c1 0014 00000401 00000001 200100000000000000000001', 'truncated', 52],
  ])('with %s make a packet malformed', (_, text, reason, at) => {
    expect(parseHip(withOctets(hex(text)))).toEqual({ ok: false, reason, at });
  });

  it('hold at most six ciphers, suites or modes when sent; of more that come the first six count (HIP-055, HIP-056, HIP-257)', () => {
    const seven = [1, 2, 3, 4, 5, 6, 7];
    for (const parameter of [
      { type: 'HIP_CIPHER', ciphers: seven },
      { type: 'ESP_TRANSFORM', suites: seven },
      { type: 'NAT_TRAVERSAL_MODE', modes: seven },
    ] as const) {
      expect(() => encodeParameters([parameter])).toThrow(RangeError);
    }
    const list = '0001 0002 0003 0004 0005 0006 0007';
    const received = accepted(
      parseHip(
        withOctets(
          hex(`0243 000e ${list} 000000000000`),
          hex(`0260 0010 0000 ${list} 00000000`),
          hex(`0fff 0010 0000 ${list} 00000000`),
        ),
      ),
    );
    expect(parameterOf(received, 'HIP_CIPHER')?.ciphers).toEqual([1, 2, 3, 4, 5, 6]);
    expect(parameterOf(received, 'NAT_TRAVERSAL_MODE')?.modes).toEqual([1, 2, 3, 4, 5, 6]);
    expect(parameterOf(received, 'ESP_TRANSFORM')?.suites).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('keep what is reserved in R1_COUNTER to echo it; other reserved fields are ignored, and zero when sent (HIP-039, HIP-047, HIP-074)', () => {
    const received = accepted(
      parseHip(
        withOctets(
          hex('0081 000c 01020304 8000000000000005'),
          hex('0141 0006 0a ff 1234 aa bb 00000000 0000'),
          hex('0340 0004 ffff 0001'),
        ),
      ),
    );
    expect(parameterOf(received, 'R1_COUNTER')).toMatchObject({
      reserved: 0x01020304,
      generation: 0x8000000000000005n,
    });
    const again = ['0081000c010203048000000000000005', '014100060a001234aabb000000000000', '0340000400000001'];
    expect(toHex(encodeHip(received).subarray(40))).toBe(again.join(''));
  });

  it.each([
    ['I and J differ in length', { type: 'SOLUTION', k: 0, opaque: 0, i: new Uint8Array(32), j: new Uint8Array(20) }],
    [
      'the domain identifier is longer than its length can say',
      {
        type: 'HOST_ID',
        algorithm: 7,
        hostIdentity: new Uint8Array(0),
        domainIdentifierType: 1,
        domainIdentifier: new Uint8Array(0x1000),
      },
    ],
    ['they are longer than their length can say', { type: 'HIP_MAC', mac: new Uint8Array(0x1_0000) }],
  ] as const)('cannot be sent when %s', (_, parameter) => {
    expect(() => encodeParameters([parameter])).toThrow(RangeError);
  });

  it('encrypted and with padding of the cipher are read as they were written', () => {
    fc.assert(
      fc.property(anyParameters, fc.constantFrom(0, 8, 16), (parameters, padding) => {
        const plaintext = encodeParameters(parameters);
        const padded = Uint8Array.from([...plaintext, ...new Uint8Array(padding).fill(padding)]);
        const inside = parseDecrypted(padded);
        expect(inside.ok && toHex(encodeParameters(inside.value))).toBe(toHex(plaintext));
      }),
    );
  });
});

describe('ranges', () => {
  it('end in front of what they are for, whatever stands behind, and have a Checksum of zero', () => {
    fc.assert(
      fc.property(anyPacket, fc.uint8Array({ minLength: 16, maxLength: 16 }), (sent, address) => {
        const whole = encodeHip(sent);
        writeChecksum(whole, address, address);
        const below = (number: number): Uint8Array =>
          encodeHip({ ...sent, parameters: sent.parameters.filter((one) => parameterNumber(one) < number) });
        expect(toHex(macRange(whole))).toBe(toHex(below(61_505)));
        expect(toHex(signedRange(whole))).toBe(toHex(below(61_697)));
        const anonymous = signedRange2(whole);
        expect(anonymous).toHaveLength(below(61_633).length);
        expect(anonymous.subarray(24, 40).every((octet) => octet === 0)).toBe(true);
      }),
    );
  });

  it('of HIP_SIGNATURE_2 have zeros for Opaque and I, but K and Lifetime as they are (HIP-070)', () => {
    const i = new Uint8Array(32).fill(0xee);
    const r1 = { ...packet({ type: 'PUZZLE', k: 10, lifetime: 37, opaque: 0xabcd, i }), type: 'R1' } as const;
    const range = signedRange2(encodeHip(r1));
    expect(toHex(range.subarray(40, 48))).toBe('010100240a250000');
    expect(range.subarray(48).every((octet) => octet === 0)).toBe(true);
    const unsigned = append(encodeHip(r1), { type: 'HIP_SIGNATURE_2', algorithm: 5, signature: i });
    expect(toHex(signedRange2(unsigned))).toBe(toHex(range));
  });
});
