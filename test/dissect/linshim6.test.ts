import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DissectedMessage } from '../../src/dissect/entry.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import { messagesIn } from './captures.ts';

const Option = z.object({
  type: z.number(),
  critical: z.number(),
  length: z.number(),
  value: z.string().optional(),
  generation: z.number().optional(),
  verif: z.array(z.number()).optional(),
  locators: z.array(z.string()).optional(),
});
const Report = z.object({ src: z.string(), dst: z.string(), nonce: z.string(), data: z.string() });
const Message = z.object({
  n: z.number(),
  src: z.string(),
  dst: z.string(),
  next_header: z.number().optional(),
  name: z.string(),
  len: z.number(),
  checksum_ok: z.boolean(),
  ct: z.string().optional(),
  nonce: z.string().optional(),
  inonce: z.string().optional(),
  rnonce: z.string().optional(),
  options: z.array(Option).optional(),
  sent: z.array(Report).optional(),
  received: z.array(Report).optional(),
  sta: z.number().optional(),
});
type Message = z.infer<typeof Message>;

const FILES = ['hba', 'cga', 'ka', 'i1-retransmit', 'reap-backoff'].map((name) => `linshim6-${name}`);
const path = (name: string): string => new URL(`../vectors/${name}`, import.meta.url).pathname;

function expectations(name: string): Message[] {
  const { messages } = z
    .object({ messages: z.array(z.looseObject({ next_header: z.number().optional() })) })
    .parse(JSON.parse(readFileSync(path(`${name}.json`), 'utf8')));
  return messages.filter(({ next_header }) => next_header !== 58).map((message) => Message.parse(message));
}

const dissected = (name: string): DissectedMessage[] => messagesIn(new Uint8Array(readFileSync(path(`${name}.pcap`))));
const canonical = (text: string): string => formatAddress(parseAddress(text) ?? new Uint8Array(16));
const nonceOf = (hex: string): number => parseInt(hex, 16);

/** Tags and nonces as somebody else's decoder names them. */
function foreignFields({ name, ct, nonce, inonce, rnonce }: Message): unknown {
  const tag =
    name === 'I1' || name === 'I2'
      ? 'initiatorContextTag'
      : name === 'R2'
        ? 'responderContextTag'
        : 'receiverContextTag';
  const nonceName = name.startsWith('Update') ? 'requestNonce' : 'initiatorNonce';
  const initiator = inonce ?? nonce;
  return {
    ...(ct === undefined ? {} : { [tag]: ct }),
    ...(initiator === undefined ? {} : { [nonceName]: nonceOf(initiator) }),
    ...(rnonce === undefined ? {} : { responderNonce: nonceOf(rnonce) }),
  };
}

describe.each(FILES)('%s', (name) => {
  const expected = expectations(name);
  const messages = dissected(name);

  it('has the messages that its description has, with their addresses, lengths, tags and nonces', () => {
    expect(messages.length).toBeGreaterThan(9);
    expect(messages.map(({ frame }) => frame)).toEqual(expected.map(({ n }) => n));
    for (const [i, message] of messages.entries()) {
      const one = expected[i] ?? expected[0];
      if (one === undefined) throw new Error('nothing expected');
      expect(message).toMatchObject({
        src: canonical(one.src),
        dst: canonical(one.dst),
        protocol: 'shim6',
        message: one.name === 'UpdateAck' ? 'UpdateAcknowledgement' : one.name,
        length: one.len,
        checksum: one.checksum_ok ? 'good' : 'bad',
        fields: foreignFields(one),
      });
      expect(message.error).toBeUndefined();
    }
  });

  it('has the reports of their probes', () => {
    const reports = (list: Message['sent'] = []): unknown[] =>
      list.map(({ src, dst, nonce, data }) => ({
        src: canonical(src),
        dst: canonical(dst),
        nonce: nonceOf(nonce),
        data: nonceOf(data),
      }));
    const probes = messages.filter(({ message }) => message === 'Probe');
    const foreign = expected.filter((one) => one.name === 'Probe');
    expect(probes.map(({ fields: { state, sent, received } }) => ({ state, sent, received }))).toEqual(
      foreign.map(({ sta = 0, sent, received }) => ({
        state: ['Operational', 'Exploring', 'InboundOk'][sta],
        sent: reports(sent),
        received: reports(received),
      })),
    );
  });

  it('has their options', () => {
    for (const [i, { options }] of messages.entries()) {
      const foreign = expected[i]?.options ?? [];
      expect(options.map(({ type, critical, length }) => ({ type, critical, length }))).toEqual(
        foreign.map(({ type, critical, length }) => ({ type, critical: critical !== 0, length })),
      );
      for (const [k, { name: option, body, fields }] of options.entries()) {
        const { value, generation, verif = [], locators } = foreign[k] ?? {};
        expect(option).toBeDefined();
        if (value !== undefined && locators === undefined) expect(body).toBe(value);
        if (locators === undefined) continue;
        const list = locators.map((address, j) => ({
          address: canonical(address),
          method: verif[j] === 1 ? 'hba' : 'cga',
        }));
        expect(fields).toEqual({ generation, locators: list });
      }
    }
  });
});

describe('signatures of LinShim6', () => {
  it.each([
    ['linshim6-cga', ['good', 'good', 'good', 'good', 'good', 'good', 'good']],
    ['linshim6-ka', ['good', 'good', 'good', 'good', 'good']],
    ['linshim6-hba', ['absent', 'absent', 'absent', 'absent', 'absent', 'absent']],
  ])('%s: lists in I2, R2 and Update Requests, the latter with the parameters of earlier messages', (name, results) => {
    const checks = dissected(name).flatMap((message) =>
      message.checks === undefined ? [] : [message.checks.signature],
    );
    expect(checks).toEqual(results);
  });
});

const TSHARK = spawnSync('tshark', ['--version']).status === 0;
describe.skipIf(!TSHARK && process.env['CI'] === undefined)('tshark', () => {
  it.each(FILES)('numbers the same frames of %s, and finds the same checksums', (name) => {
    const fields = ['frame.number', 'frame.time_epoch', 'ipv6.src', 'ipv6.dst', 'shim6.checksum.status'];
    const args = ['-n', '-r', path(`${name}.pcap`), '-Y', 'shim6 && !icmpv6', '-T', 'fields'];
    const { stdout } = spawnSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])], {
      encoding: 'utf8',
    });
    const rows = stdout.split('\n').filter(Boolean);
    const ours = dissected(name).map(({ frame, time, src, dst, checksum }) =>
      [frame, time.toFixed(6), src, dst, checksum === 'good' ? 1 : 0].join('\t'),
    );
    expect(rows.map((row) => row.replace(/(\.\d{6})\d*/, '$1'))).toEqual(ours);
  });
});
