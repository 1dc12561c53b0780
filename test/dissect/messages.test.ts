import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entryText } from '../../src/dissect/text.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { toHex } from '../../src/wire/hex.ts';
import { anyMessage } from '../shim6/arbitraries.ts';
import { A1, B1, SPEC_VECTORS, hbaParameters, hex } from '../shim6/spec-vectors.ts';
import { summed } from '../e2e/support/packets.ts';
import { control, entriesOf, captureOf, ipv6, messageIn, messagesIn, messagesOf } from './captures.ts';
import { STORY } from './story.ts';

/** The examples of the glossary, by the heading that they stand under. */
const EXAMPLES = [
  ...readFileSync('docs/glossary.md', 'utf8').matchAll(/^### (\w+)\n[^#]*?^```json\n([\s\S]*?)^```/gm),
].map(([, name = '', text = '']): { name: string; entry: unknown } => ({ name, entry: JSON.parse(text) }));

const dissected = (text: string): ReturnType<typeof messageIn> => messageIn(ipv6(A1, B1, hex(text)));
const repaired = (text: string): ReturnType<typeof messageIn> => messageIn(ipv6(A1, B1, summed(hex(text))));

describe('the examples of the glossary', () => {
  it('are one of each message', () => {
    expect(EXAMPLES.map(({ name }) => name).sort()).toEqual(
      [...new Set(messagesIn(STORY).map(({ message }) => message))].sort(),
    );
    expect(EXAMPLES).toHaveLength(12);
  });

  it.each(EXAMPLES)('$name is what dissecting gives', ({ name, entry }) => {
    expect(entry).toMatchObject({ message: name });
    expect(messagesIn(STORY)).toContainEqual(entry);
  });
});

describe('messages that other encoders made', () => {
  it.each(SPEC_VECTORS)('S6-012 $name has a good checksum and no fault', ({ message, octets }) => {
    const entry = dissected(octets);
    expect(entry).toMatchObject({ message: message.type, checksum: 'good', length: hex(octets).length });
    expect(entry).not.toHaveProperty('error');
  });
});

describe('options', () => {
  const I1 = '3b LL 01 00 0000 1234 56789abc 01020304';
  const withOptions = (units: string, options: string): ReturnType<typeof messageIn> =>
    repaired(I1.replace('LL', units) + options);

  it('of unknown types are shown, critical ones as such', () => {
    expect(withOptions('03', '4651 0004 61626364 4650 0002 6162 0000').options).toEqual([
      { type: 0x2328, critical: true, length: 4, body: '61626364' },
      { type: 0x2328, critical: false, length: 2, body: '6162' },
    ]);
  });

  it('that their message may not have are shown with their names, and are no fault', () => {
    const entry = withOptions('02', '0014 0004 0000001e');
    expect(entry.options).toEqual([
      {
        type: 10,
        critical: false,
        length: 4,
        name: 'keepaliveTimeout',
        fields: { timeoutSeconds: 30 },
        body: '0000001e',
      },
    ]);
    expect(entry.error).toBeUndefined();
  });

  it('with contents that make no sense have no fields, and a fault where they stand', () => {
    const entry = withOptions('02', '000e 0003 010203 00');
    expect(entry.options).toEqual([{ type: 7, critical: false, length: 3, name: 'forkedInstanceId', body: '010203' }]);
    expect(entry.error).toEqual({ reason: 'truncated', at: 20 });
  });

  it('that come twice are both shown', () => {
    const entry = withOptions('03', '000e 0004 00000001 000e 0004 00000002');
    expect(entry.options.map(({ fields }) => fields)).toEqual([{ forkedInstanceId: 1 }, { forkedInstanceId: 2 }]);
    expect(entry.error).toEqual({ reason: 'duplicate', at: 24 });
  });

  it('up to one that runs past the end are shown', () => {
    const entry = withOptions('03', '000e 0004 00000001 000e 0005 00000002');
    expect(entry.options).toHaveLength(1);
    expect(entry.error).toEqual({ reason: 'truncated', at: 28 });
  });

  it('tell the parameters of an HBA set with its prefixes', () => {
    const [entry] = messagesOf(
      control(A1, B1, {
        type: 'I2',
        initiatorContextTag: contextTag(1),
        initiatorNonce: 1,
        responderNonce: 2,
        options: { parameters: hbaParameters },
      }),
    );
    expect(entry?.options[0]).toMatchObject({
      name: 'parameters',
      body: toHex(hbaParameters),
      fields: {
        modifier: '000102030405060708090a0b0c0d0e0f',
        subnetPrefix: '2001:db8:a:1::/64',
        collisionCount: 0,
        multiPrefix: {
          hasPublicKey: false,
          prefixes: ['2001:db8:a:1::/64', '2001:db8:a:2::/64', '2001:db8:a:3::/64'],
        },
      },
    });
  });
});

describe('a message with a fault', () => {
  it.each([
    ['a bad checksum alone', '3b010100 bc8e1234 56789abc 01020304', 'I1', 'bad', undefined],
    ['one octet', '3b', 'Unknown', 'none', { reason: 'truncated', at: 1 }],
    ['two octets', '3b01', 'Unknown', 'none', { reason: 'truncated', at: 2 }],
    [
      'fewer octets than its length says',
      '3b040200 1e0b0000 01020304 0000002a',
      'R1',
      'none',
      { reason: 'truncated', at: 1 },
    ],
    ['no room for its fixed part', '3b000100 00000000', 'I1', 'bad', { reason: 'truncated', at: 6 }],
    ['S set: a HIP packet', '3b010101 bc8e1234 56789abc 01020304', 'I1', 'good', { reason: 'bad-value', at: 3 }],
    [
      'a payload header that is too long',
      '1101fedc ba987654 00000000 00000000',
      'Payload',
      'none',
      { reason: 'bad-length', at: 1 },
    ],
    ['a payload header that is cut off', '1100fedc ba98', 'Payload', 'none', { reason: 'truncated', at: 2 }],
    ['an Error without a packet', '3b004400 80ff0000', 'Error', 'good', { reason: 'truncated', at: 8 }],
  ])('is told with %s', (_what, octets, message, checksum, error) => {
    const entry = dissected(octets);
    expect(entry).toMatchObject({ message, checksum });
    expect(entry.error).toEqual(error);
  });

  it('has its fixed part and options as far as they go when the capture cut it', () => {
    const entry = dissected('3b040200 1e0b0000 01020304 0000002a 000e0004 00000001');
    expect(entry.fields).toEqual({ initiatorNonce: 0x01020304, responderNonce: 0x2a });
    expect(entry.options).toHaveLength(1);
    expect(entry.length).toBe(40);
  });

  it('has no fields where the fixed part is forbidden: a Probe without a report', () => {
    const entry = repaired('3b014300 0000 1234 56789abc 00000000');
    expect(entry).toMatchObject({ message: 'Probe', fields: {}, error: { reason: 'bad-value', at: 12 } });
  });

  it('of a type that no RFC defines has its octets', () => {
    expect(repaired('3b017b00 0000 0102 03040506 0708090a')).toMatchObject({
      message: 'Unknown',
      checksum: 'good',
      fields: { type: 0x7b, contents: '0102030405060708090a' },
      options: [],
    });
  });

  it('does not hide the frames behind it', () => {
    const [first, second] = messagesOf(
      ipv6(A1, B1, hex('3b')),
      ipv6(A1, B1, hex('3b010100 bc8f1234 56789abc 01020304')),
    );
    expect(first?.error).toBeDefined();
    expect(second).toMatchObject({ frame: 2, message: 'I1', checksum: 'good' });
  });
});

describe('whatever octets come', () => {
  const file = (payload: Uint8Array): Uint8Array => captureOf(ipv6(A1, B1, payload));

  it('a message is good and without fault exactly when a receiver would accept its form', () => {
    const mutated = fc.tuple(
      anyMessage,
      fc.array(fc.tuple(fc.nat(2_047), fc.nat(255)), { maxLength: 4 }),
      fc.boolean(),
    );
    const octets = mutated.map(([message, changes, right]) => {
      const bytes = encodeShim6(message);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return right ? summed(bytes) : bytes;
    });
    fc.assert(
      fc.property(octets, (bytes) => {
        const [entry] = messagesIn(file(bytes));
        if (entry?.message === 'Payload') return;
        const accepted = entry?.checksum === 'good' && entry.error === undefined;
        expect(accepted).toBe(parseShim6(bytes).ok);
      }),
    );
  });

  it('one entry comes of each Shim6 packet, and one line of it', () => {
    const payloads = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      anyMessage.map(encodeShim6),
      fc.tuple(anyMessage, fc.nat(300)).map(([message, length]) => encodeShim6(message).slice(0, length)),
    );
    fc.assert(
      fc.property(fc.array(payloads.filter(({ length }) => length > 0)), (list) => {
        const entries = entriesOf(captureOf(...list.map((payload) => ipv6(A1, B1, payload))));
        expect(entries.map(({ frame }) => frame)).toEqual(list.map((_, i) => i + 1));
        expect(JSON.parse(JSON.stringify(entries))).toEqual(entries);
        for (const entry of entries) expect(entryText(entry)).toMatch(/^[\x20-\x7e]+$/);
      }),
    );
  });
});
