import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { internetChecksum } from '../../src/wire/checksum.ts';
import { toHex } from '../../src/wire/hex.ts';
import { Writer } from '../../src/wire/writer.ts';
import { encodeShim6, parseShim6, shim6Length } from '../../src/shim6/message-codec.ts';
import type { KnownMessage } from '../../src/shim6/messages.ts';
import { isPayloadHeader, parsePayloadHeader, writePayloadHeader } from '../../src/shim6/payload-header.ts';
import { contextTag, randomTag } from '../../src/shim6/tag.ts';
import { anyMessage } from './arbitraries.ts';
import { SPEC_VECTORS, hex } from './spec-vectors.ts';

describe('octets made by others', () => {
  it.each(SPEC_VECTORS)('S6-011 S6-012 writes $name as they do', ({ message, octets }) => {
    expect(toHex(encodeShim6(message))).toBe(toHex(hex(octets)));
  });

  it.each(SPEC_VECTORS)('S6-011 reads $name from them', ({ message, octets }) => {
    expect(parseShim6(hex(octets))).toEqual({ ok: true, value: message });
  });
});

describe('the payload extension header', () => {
  const octets = hex('1100fedc ba987654 d4310035 000a0000 6869');

  it('S6-009 is eight octets with P and the tag of the receiver', () => {
    const header = { nextHeader: 17, contextTag: contextTag(0x7edcba987654) };
    expect(isPayloadHeader(octets)).toBe(true);
    expect(parsePayloadHeader(octets)).toEqual({ ok: true, value: header });
    const w = new Writer(8);
    writePayloadHeader(w, header);
    expect(w.finish()).toEqual(octets.slice(0, 8));
  });

  it('S6-009 is refused when it claims another length, lacks P or is cut', () => {
    expect(parsePayloadHeader(hex('1101fedc ba987654'))).toMatchObject({ ok: false, reason: 'bad-length' });
    expect(parsePayloadHeader(hex('11007edc ba987654'))).toMatchObject({ ok: false, reason: 'bad-value' });
    expect(parsePayloadHeader(hex('1100fedc ba'))).toMatchObject({ ok: false, reason: 'truncated' });
    expect(isPayloadHeader(hex('3b010100 bc8f1234 56789abc 01020304'))).toBe(false);
  });
});

/** Recompute the checksum after a change, so that only the change is judged. */
function resummed(octets: Uint8Array): Uint8Array {
  octets.fill(0, 4, 6);
  const sum = internetChecksum(octets.subarray(0, ((octets[1] ?? 0) + 1) * 8));
  octets[4] = sum >> 8;
  octets[5] = sum & 0xff;
  return octets;
}

function changed(message: KnownMessage, change: (octets: Uint8Array) => void): ReturnType<typeof parseShim6> {
  const octets = encodeShim6(message);
  change(octets);
  return parseShim6(resummed(octets));
}

const tag = contextTag(7);
const keepalive = { type: 'Keepalive', receiverContextTag: tag, options: {} } as const;
const request = (options: object): KnownMessage => ({
  type: 'UpdateRequest',
  receiverContextTag: tag,
  requestNonce: 1,
  options,
});

describe('a control message', () => {
  it('S6-147 is refused with a bad checksum or a length past the end', () => {
    const octets = encodeShim6(keepalive);
    octets[9] = (octets[9] ?? 0) ^ 1;
    expect(parseShim6(octets)).toEqual({ ok: false, reason: 'bad-checksum', at: 4 });
    expect(parseShim6(encodeShim6(keepalive).subarray(0, 15))).toEqual({ ok: false, reason: 'truncated', at: 1 });
    expect(parseShim6(new Uint8Array(0))).toMatchObject({ ok: false });
  });

  it('is refused when S says HIP', () => {
    expect(changed(keepalive, (o) => o.fill(1, 3, 4))).toEqual({ ok: false, reason: 'bad-value', at: 3 });
  });

  it('may be followed by what its Next Header announces, which is not looked at', () => {
    const octets = new Uint8Array(32);
    octets.set(encodeShim6(keepalive));
    expect(parseShim6(octets)).toEqual({ ok: true, value: keepalive });
  });

  it('S6-014 S6-173 S6-177 ignores reserved bits', () => {
    expect(changed(keepalive, (o) => o.fill(0xff, 12, 16))).toEqual({ ok: true, value: keepalive });
    expect(changed(keepalive, (o) => o.fill(0x80, 6, 7))).toEqual({ ok: true, value: keepalive });
    expect(changed(keepalive, (o) => o.fill(0xfe, 3, 4))).toEqual({ ok: true, value: keepalive });
  });

  it('S6-148 keeps the number of an unknown type', () => {
    expect(changed(keepalive, (o) => o.fill(99, 2, 3))).toEqual({ ok: true, value: { type: 'Unknown', number: 99 } });
  });

  it.each([
    ['S6-075 I1', 1, 8],
    ['S6-080 R1', 2, 8],
    ['S6-087 I2', 3, 16],
    ['S6-101 R2', 4, 8],
    ['S6-108 R1bis', 5, 8],
    ['S6-115 I2bis', 6, 24],
    ['S6-132 Update Request', 64, 8],
    ['S6-141 Update Acknowledgement', 65, 8],
    ['Keepalive', 66, 8],
    ['Probe', 67, 48],
    ['Error', 68, 8],
  ])('%s is refused when shorter than its fixed part', (_name, type, length) => {
    const octets = new Uint8Array(length);
    octets[0] = 59;
    octets[1] = length / 8 - 1;
    octets[2] = type;
    if (type === 67 && length >= 16) octets[12] = 1; // one sent report
    expect(parseShim6(resummed(octets))).toMatchObject({ ok: false, reason: 'truncated' });
  });
});

describe('options', () => {
  const unknown = (critical: boolean): object => ({
    unknown: [{ type: 0x1234, critical, body: hex('616263'), at: 16 }],
  });

  it('S6-034 S6-035 S6-036 are padded with zeros that Length does not count', () => {
    for (let length = 0; length < 20; length++) {
      const body = new Uint8Array(length).fill(0xee);
      const octets = encodeShim6(request({ signature: body }));
      expect(octets.length % 8).toBe(0);
      expect(octets.length).toBe(16 + 8 * Math.ceil((4 + length) / 8));
      expect(octets[19]).toBe(length);
      expect(octets.subarray(20 + length).every((octet) => octet === 0)).toBe(true);
    }
  });

  it('S6-037 are accepted whatever their padding holds', () => {
    const message = request({ signature: hex('0102') });
    expect(changed(message, (o) => o.fill(0xff, 22))).toEqual({ ok: true, value: message });
  });

  it('S6-038 survive when unknown, with their place', () => {
    for (const critical of [false, true]) {
      const message = request(unknown(critical));
      expect(parseShim6(encodeShim6(message))).toEqual({ ok: true, value: message });
    }
  });

  it('S6-038 count as unknown where they are not defined', () => {
    const parsed = changed({ ...keepalive, options: { forkedInstanceId: 5 } }, () => undefined);
    expect(parsed).toMatchObject({
      ok: true,
      value: { options: { unknown: [{ type: 7, critical: false, at: 16, body: hex('00000005') }] } },
    });
  });

  it('S6-147 refuse a message when one is cut, left over or there twice', () => {
    const octets = hex('3b024000 00007edc ba987654 00000001 00060040 00000000');
    expect(parseShim6(resummed(octets))).toMatchObject({ ok: false, reason: 'truncated' });
    const twice = hex('3b034000 00007edc ba987654 00000001 000a0004 61626364 000a0004 61626364');
    expect(parseShim6(resummed(twice))).toEqual({ ok: false, reason: 'duplicate', at: 24 });
  });

  it('S6-189 refuse a Keepalive Timeout of another length', () => {
    const octets = hex('3b024000 00007edc ba987654 00000001 00140002 001e0000');
    expect(parseShim6(resummed(octets))).toMatchObject({ ok: false, reason: 'truncated' });
  });

  it('pass over a private option of another version', () => {
    const octets = hex('3b020100 00001234 56789abc 01020304 98de0004 02000064');
    expect(parseShim6(resummed(octets))).toMatchObject({
      ok: true,
      value: { type: 'I1', options: { unknown: [{ type: 0x4c6f, body: hex('02000064') }] } },
    });
  });

  it('write fast detection as version, flags and milliseconds', () => {
    const i1: KnownMessage = {
      type: 'I1',
      initiatorContextTag: contextTag(1),
      initiatorNonce: 2,
      options: { detection: { sendTimeoutMs: 100 } },
    };
    expect(toHex(encodeShim6(i1).subarray(16))).toBe('98de000401000064');
    expect(parseShim6(encodeShim6(i1))).toEqual({ ok: true, value: i1 });
  });
});

describe('locator lists and preferences', () => {
  it('S6-043 start the locators on a multiple of eight', () => {
    const lengths = [1, 2, 3, 7, 8, 16].map((count) => {
      const locators = Array.from({ length: count }, () => ({ address: new Uint8Array(16), method: 1 }));
      return shim6Length(request({ locatorList: { generation: 1, locators } })) - 16;
    });
    expect(lengths).toEqual([32, 48, 64, 128, 152, 288]);
  });

  it('S6-043 refuse an empty list and one whose Length does not fit its count', () => {
    const list = request({ locatorList: { generation: 1, locators: [{ address: new Uint8Array(16), method: 1 }] } });
    expect(changed(list, (o) => o.fill(0, 24, 25))).toMatchObject({ ok: false });
    expect(changed(list, (o) => o.fill(2, 24, 25))).toMatchObject({ ok: false });
    expect(changed(list, (o) => o.fill(255, 24, 25))).toMatchObject({ ok: false });
  });

  it('S6-048 use the first three octets of longer elements', () => {
    const octets = hex('3b034000 00007edc ba987654 00000001 0006000d 11223344 04010a05 ee020b06 ee000000 00000000');
    octets[1] = 4;
    const parsed = parseShim6(resummed(octets.slice(0, 40)));
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        options: {
          locatorPreferences: {
            elementLength: 3,
            elements: [
              { broken: true, transient: false, priority: 10, weight: 5 },
              { broken: false, transient: true, priority: 11, weight: 6 },
            ],
          },
        },
      },
    });
  });

  it('S6-048 refuse elements of no length and a rest that is no element', () => {
    const octets = '3b034000 00007edc ba987654 00000001 00060007 11223344';
    expect(parseShim6(resummed(hex(`${octets} 00010000 00000000`)))).toMatchObject({ ok: false, reason: 'bad-value' });
    const three = hex('3b034000 00007edc ba987654 00000001 00060008 11223344 02010000 00000000');
    expect(parseShim6(resummed(three))).toMatchObject({ ok: false, reason: 'bad-length' });
  });
});

describe('Probe', () => {
  const report = { source: new Uint8Array(16), destination: new Uint8Array(16), nonce: 1, data: 0xffffffff };
  const probe = (sent: number, received: number): KnownMessage => ({
    type: 'Probe',
    receiverContextTag: tag,
    state: 'InboundOk',
    sent: Array.from({ length: sent }, () => report),
    received: Array.from({ length: received }, () => report),
    pathTest: false,
    options: {},
  });

  it('S6-273 S6-178 is refused with Sta 3 or without a sent report', () => {
    expect(changed(probe(1, 0), (o) => o.fill(0xc0, 13, 14))).toEqual({ ok: false, reason: 'bad-value', at: 13 });
    expect(changed(probe(1, 0), (o) => o.fill(0, 12, 13))).toMatchObject({ ok: false, at: 12 });
  });

  it('S6-147 is refused when the reports run past the header', () => {
    expect(changed(probe(1, 0), (o) => o.fill(0x11, 12, 13))).toMatchObject({ ok: false, reason: 'truncated' });
  });

  it('S6-181 ignores the reserved bits', () => {
    expect(changed(probe(1, 1), (o) => o.fill(0xff, 14, 16))).toEqual({ ok: true, value: probe(1, 1) });
  });

  it('S6-008 stays below 1280 octets with all reports', () => {
    expect(shim6Length(probe(15, 15))).toBe(1216);
    expect(() => encodeShim6(probe(16, 0))).toThrow(RangeError);
  });

  it('asks for a report at once with the Path Test option', () => {
    const asking: KnownMessage = { ...probe(1, 0), type: 'Probe', pathTest: true } as KnownMessage;
    const octets = encodeShim6(asking);
    expect(toHex(octets.subarray(56))).toBe('98e0000000000000');
    expect(parseShim6(octets)).toEqual({ ok: true, value: asking });
  });
});

describe('tags', () => {
  it('S6-054 use all 47 bits', () => {
    expect(randomTag((length) => new Uint8Array(length).fill(0xff))).toBe(0x7fff_ffff_ffff);
    expect(() => contextTag(0x8000_0000_0000)).toThrow(RangeError);
  });

  it('S6-153 can be confined to seven bits for tests', () => {
    expect(randomTag((length) => new Uint8Array(length).fill(0xff), 128)).toBe(127);
  });
});

describe('for all values', () => {
  it('reading what was written gives it back', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const octets = encodeShim6(message);
        expect(octets.length).toBe(shim6Length(message));
        expect(internetChecksum(octets)).toBe(0);
        expect(parseShim6(octets)).toEqual({ ok: true, value: message });
      }),
      { numRuns: 400 },
    );
  });

  it('random octets never throw, and what is accepted is written back to something that reads the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 80 }), (octets, type) => {
        const packet = new Uint8Array(Math.max(8, octets.length & ~7));
        packet.set(octets.subarray(0, packet.length));
        packet[1] = packet.length / 8 - 1;
        packet[2] = type;
        packet[3] = (packet[3] ?? 0) & 0xfe;
        parseShim6(octets);
        const parsed = parseShim6(resummed(packet));
        if (!parsed.ok || parsed.value.type === 'Unknown') return;
        const again = parseShim6(encodeShim6(parsed.value));
        if (parsed.value.type === 'Error') expect(again).toEqual(parsed);
        else if (parsed.value.options.unknown === undefined) expect(again).toEqual(parsed);
        else expect(again.ok).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('damaged messages never throw', () => {
    const damage = fc.array(fc.tuple(fc.nat(1300), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(anyMessage, damage, (message, changes) => {
        const octets = encodeShim6(message);
        for (const [at, value] of changes) if (at < octets.length && at !== 1) octets[at] = value;
        parseShim6(resummed(octets));
      }),
      { numRuns: 500 },
    );
  });
});
