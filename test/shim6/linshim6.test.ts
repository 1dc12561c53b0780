import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { parseQuoted } from '../../src/shim6/quoted.ts';
import { formatTag } from '../../src/shim6/tag.ts';
import { PeerVerifier } from '../../src/shim6/verification.ts';
import { toHex } from '../../src/wire/hex.ts';
import { hex, ip } from './spec-vectors.ts';

const option = z.object({ type: z.number(), length: z.number() });
const record = z.object({
  n: z.number(),
  src: z.string(),
  dst: z.string(),
  hex: z.string(),
  next_header: z.number().optional(),
  name: z.string().optional(),
  ct: z.string().optional(),
  nonce: z.string().optional(),
  options: z.array(option).optional(),
});
const capture = z.object({ messages: z.array(record) });

const FILES = ['hba', 'cga', 'ka', 'i1-retransmit', 'reap-backoff'];
const RECORDS = FILES.flatMap((file) => {
  const text = readFileSync(new URL(`../vectors/linshim6-${file}.json`, import.meta.url), 'utf8');
  return capture.parse(JSON.parse(text)).messages.map((message) => ({ file, ...message }));
});
const CONTROL = RECORDS.filter(({ next_header }) => next_header !== 58);
const ICMP = RECORDS.filter(({ next_header }) => next_header === 58);

/** The captures' names for message types, where they differ from ours. */
const NAMES: Readonly<Record<string, string>> = { UpdateAck: 'UpdateAcknowledgement' };

describe('messages of LinShim6 0.9.1', () => {
  it('are there', () => {
    expect(CONTROL.length).toBeGreaterThan(80);
    expect(ICMP.length).toBe(6);
  });

  it.each(CONTROL)(
    'S6-011 $file $n ($name) is read as the capture says and written back octet for octet',
    (message) => {
      const parsed = parseShim6(hex(message.hex));
      if (!parsed.ok || parsed.value.type === 'Unknown') throw new Error(`not accepted: ${JSON.stringify(parsed)}`);
      const { value } = parsed;
      const name = message.name ?? '';
      expect(value.type).toBe(NAMES[name] ?? name);
      expect(toHex(encodeShim6(value))).toBe(message.hex);
      if (value.type === 'Error') return;
      expect(value.options.unknown).toBeUndefined();
      const tag =
        'initiatorContextTag' in value
          ? value.initiatorContextTag
          : 'receiverContextTag' in value
            ? value.receiverContextTag
            : value.type === 'R2'
              ? value.responderContextTag
              : undefined;
      if (tag !== undefined && message.ct !== undefined) expect(formatTag(tag)).toBe(message.ct);
    },
  );

  it.each(CONTROL.filter(({ name, options = [] }) => name?.endsWith('2') === true && options.length > 0))(
    'S6-056 $file $n ($name): parameters, list and signature prove the ULID and its locators',
    (message) => {
      const parsed = parseShim6(hex(message.hex));
      if (!parsed.ok || (parsed.value.type !== 'I2' && parsed.value.type !== 'R2')) throw new Error('not I2 or R2');
      const { parameters, locatorList: list, signature } = parsed.value.options;
      if (parameters === undefined || list === undefined) throw new Error('no list');
      const verifier = new PeerVerifier(nodeCrypto);
      const ulid = ip(message.src);
      expect(verifier.ownsUlid(ulid, parameters)).toBe(true);
      expect(verifier.verify({ ulid, parameters, list, signature })).toEqual({ valid: true });
    },
  );
});

describe('ICMPv6 errors of a Linux kernel without Shim6', () => {
  it.each(ICMP)('S6-074 $file $n quotes an I1 that can be recognised', (message) => {
    const quoted = parseQuoted(hex(message.hex).subarray(8));
    expect(quoted).toMatchObject({ type: 'I1', source: ip(message.dst), destination: ip(message.src) });
    const nonce = CONTROL.map(({ hex: octets }) => parseShim6(hex(octets))).some(
      (parsed) => parsed.ok && parsed.value.type === 'I1' && parsed.value.initiatorNonce === quoted?.nonce,
    );
    expect(nonce).toBe(true);
  });
});
