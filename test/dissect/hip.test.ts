import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readKeyLog } from '../../src/cli/key-log.ts';
import type { Checks, DissectedMessage } from '../../src/dissect/entry.ts';
import { OutboundAssociation } from '../../src/esp/security-association.ts';
import { encodeHip } from '../../src/hip/packet-codec.ts';
import { udpPayload, writeChecksum } from '../../src/hip/packet-carriage.ts';
import type { HipPacket } from '../../src/hip/packet.ts';
import { ESP, HIP, UDP } from '../../src/wire/ipv6.ts';
import { fromHex } from '../../src/wire/hex.ts';
import { captureOf, ipv6, messageIn, messagesIn, messagesOf } from './captures.ts';
import { A1, B1 } from '../shim6/spec-vectors.ts';

const path = (name: string): string => new URL(`../vectors/${name}`, import.meta.url).pathname;
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(path(name)));
const KEYS_A = readKeyLog(path('cutehip-rfcpatched-rsa-keys-a.jsonl'));
const KEYS_B = readKeyLog(path('cutehip-rfcpatched-rsa-keys-b.jsonl'));
const CAPTURE = vector('cutehip-rfcpatched-rsa.pcap');
const INITIATOR = '2001:21:24da:567b:b532:7917:a150:365f';
const RESPONDER = '2001:21:7b9a:8a15:8e07:73d6:42af:fe53';

const checksOf = (messages: readonly DissectedMessage[]): [string, Checks | undefined][] =>
  messages.map(({ message, checks }) => [message, checks]);
const hipChecks = (good: Checks): Checks => ({
  puzzle: 'absent',
  keymat: 'absent',
  hipMac: 'absent',
  hipMac2: 'absent',
  signature: 'absent',
  ...good,
});
const SIGNED = hipChecks({ hipMac: 'good', signature: 'good' });

describe('a captured exchange of another implementation', () => {
  it.each([
    ['the Initiator', KEYS_A],
    ['the Responder', KEYS_B],
  ])('verifies down to every key, MAC, signature and puzzle with the keys of %s', (_, keys) => {
    expect(checksOf(messagesIn(CAPTURE, keys))).toEqual([
      ['I1', hipChecks({})],
      ['R1', hipChecks({ signature: 'good' })],
      ['I2', hipChecks({ puzzle: 'good', keymat: 'good', hipMac: 'good', signature: 'good' })],
      ['R2', hipChecks({ keymat: 'good', hipMac2: 'good', signature: 'good' })],
      ...Array.from({ length: 4 }, () => ['ESP', { icv: 'good' }]),
      ...Array.from({ length: 4 }, () => ['UPDATE', SIGNED]),
      ['CLOSE', SIGNED],
      ['CLOSE_ACK', SIGNED],
      ['CLOSE', SIGNED],
    ]);
  });

  it('verifies without keys what needs none', () => {
    expect(
      checksOf(messagesIn(CAPTURE)).map(([message, checks]) => [message, ...Object.values({ ...checks })]),
    ).toEqual([
      ['I1', 'absent', 'absent', 'absent', 'absent', 'absent'],
      ['R1', 'absent', 'absent', 'absent', 'absent', 'good'],
      ['I2', 'good', 'unknown', 'unknown', 'absent', 'good'],
      ['R2', 'absent', 'unknown', 'absent', 'unknown', 'good'],
      ...Array.from({ length: 4 }, () => ['ESP', 'unknown']),
      ...Array.from({ length: 7 }, (_, i) => [
        ['UPDATE', 'UPDATE', 'UPDATE', 'UPDATE', 'CLOSE', 'CLOSE_ACK', 'CLOSE'][i],
        ...['absent', 'absent', 'unknown', 'absent', 'good'],
      ]),
    ]);
  });

  it('tells of ESP that the ICV leaves out the high half of the number, and what is inside between which HITs', () => {
    const esp = messagesIn(CAPTURE, KEYS_A).filter(({ protocol }) => protocol === 'esp');
    expect(esp.map(({ fields, inner, src }) => ({ src, ...fields, inner }))).toEqual(
      [1, 1, 2, 2].map((sequence, i) => ({
        src: i % 2 === 0 ? '10.77.0.1' : '10.77.0.2',
        spi: i % 2 === 0 ? 'c5a514bd' : '0411e7c1',
        sequence,
        suite: 8,
        esn: false,
        payloadLength: 64,
        inner: {
          protocol: 58,
          src: i % 2 === 0 ? esp[0]?.inner?.src : esp[0]?.inner?.dst,
          dst: i % 2 === 0 ? esp[0]?.inner?.dst : esp[0]?.inner?.src,
        },
      })),
    );
    expect([esp[0]?.inner?.src, esp[0]?.inner?.dst].sort()).toEqual([INITIATOR, RESPONDER]);
  });

  it('names its parameters, with lengths and fields', () => {
    const [, r1, i2] = messagesIn(CAPTURE, KEYS_A);
    expect(r1?.options.map(({ name }) => name)).toEqual([
      'PUZZLE',
      'DH_GROUP_LIST',
      'DIFFIE_HELLMAN',
      'HIP_CIPHER',
      'HOST_ID',
      'HIT_SUITE_LIST',
      'TRANSPORT_FORMAT_LIST',
      'ESP_TRANSFORM',
      'HIP_SIGNATURE_2',
    ]);
    expect(r1?.options.find(({ name }) => name === 'ESP_TRANSFORM')).toMatchObject({ type: 4095, critical: true });
    expect(i2?.fields).toEqual({
      ...r1?.fields,
      senderHit: r1?.fields['receiverHit'],
      receiverHit: r1?.fields['senderHit'],
    });
    for (const { checksum, error } of messagesIn(CAPTURE).filter(({ protocol }) => protocol === 'hip')) {
      expect([checksum, error]).toEqual(['good', undefined]);
    }
  });

  it.each([
    ['a MAC', 0xf041, 4, 'hipMac'],
    ['a signature', 0xf101, 8, 'signature'],
    ['J', 0x0141, 4 + 4 + 32 + 31, 'puzzle'],
  ] as const)('finds %s that is wrong', (_, type, at, check) => {
    const wrong = CAPTURE.slice();
    const offset = i2ParameterAt(wrong, type) + at;
    wrong[offset] = (wrong[offset] ?? 0) ^ 1;
    const i2 = messagesIn(wrong, KEYS_A).find(({ message }) => message === 'I2');
    expect(i2?.checks?.[check]).toBe('bad');
    expect(i2?.checksum).toBe('bad');
  });

  it('finds ESP whose ICV is wrong', () => {
    const wrong = CAPTURE.slice();
    const at = indexOf(wrong, Uint8Array.of(0xc5, 0xa5, 0x14, 0xbd, 0, 0, 0, 2));
    wrong[at + 20] = (wrong[at + 20] ?? 0) ^ 1;
    const esp = messagesIn(wrong, KEYS_A).filter(({ protocol }) => protocol === 'esp');
    expect(esp.map(({ checks }) => checks?.icv)).toEqual(['good', 'good', 'bad', 'good']);
  });
});

/** Where in a file a parameter of the I2 begins: behind the SOLUTION that only an I2 has, or at it. */
function i2ParameterAt(file: Uint8Array, type: number): number {
  const solution = indexOf(file, Uint8Array.of(0x01, 0x41, 0x00, 0x44));
  return indexOf(file, Uint8Array.of(type >> 8, type & 0xff, ...(type === 0x0141 ? [0x00, 0x44] : [])), solution);
}

function indexOf(file: Uint8Array, wanted: Uint8Array, from = 0): number {
  for (let at = from; at <= file.length - wanted.length; at++) {
    if (wanted.every((octet, i) => file[at + i] === octet)) return at;
  }
  throw new Error('not in the file');
}

describe('HIP version 1', () => {
  it('is told by its version, with an error there', () => {
    const old = messagesIn(vector('openhip-v1-mobility-v6.pcap')).filter(({ protocol }) => protocol === 'hip');
    expect(old).toHaveLength(8);
    for (const { message, fields, error, checks, options } of old) {
      expect({ message, error, checks, options }).toEqual({
        message: 'Unknown',
        error: { reason: 'unknown-version', at: 3 },
        checks: undefined,
        options: [],
      });
      expect(fields).toMatchObject({ version: 1 });
    }
    expect(old.map(({ fields }) => fields['type'])).toEqual([1, 2, 3, 4, 16, 16, 16, 16]);
  });
});

const HITS = {
  senderHit: fromHex('200100222a0a7b7ff99d30bf6f0d0507'),
  receiverHit: fromHex('20010021d4bf8284dae7d34668c99a15'),
};
const packet = (change: Partial<HipPacket>): HipPacket => ({
  type: 'NOTIFY',
  isAnonymous: false,
  senderHit: HITS.senderHit ?? A1,
  receiverHit: HITS.receiverHit ?? B1,
  parameters: [{ type: 'NOTIFICATION', notifyType: 16_385, notificationData: new Uint8Array(0) }],
  ...change,
});

function overIp(change: Partial<HipPacket>): Uint8Array {
  const octets = encodeHip(packet(change));
  writeChecksum(octets, A1, B1);
  return ipv6(A1, B1, octets, HIP);
}

function overUdp(payload: Uint8Array, destinationPort = 10_500): Uint8Array {
  const length = 8 + payload.length;
  const header = [0xd4, 0x31, destinationPort >> 8, destinationPort & 0xff, length >> 8, length & 0xff, 0, 0];
  return ipv6(A1, B1, Uint8Array.from([...header, ...payload]), UDP);
}

describe('HIP packets', () => {
  it('inside UDP have ports and no checksum of their own', () => {
    const message = messageIn(overUdp(udpPayload(encodeHip(packet({})))));
    expect(message).toMatchObject({
      protocol: 'hip',
      message: 'NOTIFY',
      checksum: 'none',
      udp: { srcPort: 0xd431, dstPort: 10_500 },
      options: [{ name: 'NOTIFICATION', fields: { notifyType: 'NAT_KEEPALIVE' } }],
    });
  });

  it('are not looked for on other ports, nor in keepalives of a translator', () => {
    const control = udpPayload(encodeHip(packet({})));
    expect(messagesOf(overUdp(control, 500), overUdp(Uint8Array.of(0xff)), overUdp(Uint8Array.of(0, 0, 0, 0)))).toEqual(
      [],
    );
  });

  it('have every parameter told that can be told, and what is wrong at which octet', () => {
    const locators = [
      { trafficType: 0, isPreferred: true, lifetimeSeconds: 60, locator: { locatorType: 1, spi: 256, address: A1 } },
      { trafficType: 1, isPreferred: false, lifetimeSeconds: 60, locator: { locatorType: 0, address: B1 } },
    ] as const;
    const update = overIp({
      type: 'UPDATE',
      parameters: [
        { type: 'LOCATOR_SET', locators },
        { type: 'SEQ', updateId: 7 },
      ],
    });
    expect(messageIn(update)).toMatchObject({
      message: 'UPDATE',
      checksum: 'good',
      options: [
        {
          type: 193,
          critical: true,
          name: 'LOCATOR_SET',
          fields: {
            locators: [
              { spi: '00000100', address: '2001:db8:a:1::1', trafficType: 0, preferred: true, lifetimeSeconds: 60 },
              { address: '2001:db8:b:1::1', trafficType: 1, preferred: false, lifetimeSeconds: 60 },
            ],
          },
        },
        { name: 'SEQ', fields: { updateId: 7 } },
      ],
    });
    const cut = messageIn(update.slice(0, -8));
    expect(cut).toMatchObject({ message: 'UPDATE', checksum: 'none', error: { reason: 'truncated', at: 1 } });
    expect(cut.options.map(({ name }) => name)).toEqual(['LOCATOR_SET']);
    expect(messageIn(update.slice(0, 43))).toMatchObject({ message: 'Unknown', error: { reason: 'truncated', at: 3 } });
    expect(messageIn(update.slice(0, 60))).toMatchObject({ message: 'UPDATE', fields: {}, options: [] });
  });

  it('of unknown type, or with parameters that are unknown, are told as far as possible', () => {
    const contents = Uint8Array.of(1, 2);
    const relayed = overIp({
      parameters: [
        { type: 'UNKNOWN', number: 64_002, contents },
        { type: 'UNKNOWN', number: 40_001, contents },
      ],
    });
    expect(messageIn(relayed).options).toEqual([
      { type: 40_001, critical: true, length: 2, body: '0102' },
      { type: 64_002, critical: false, length: 2, name: 'RELAY_TO', body: '0102' },
    ]);
    const other = overIp({}).map((octet, i) => (i === 42 ? 20 : octet));
    expect(messageIn(other)).toMatchObject({
      message: 'Unknown',
      fields: { type: 20 },
      error: { reason: 'unknown-type', at: 2 },
    });
  });

  it('of IPv4 in fragments are told as such', () => {
    const whole = encodeHip(packet({}));
    const ip = (flags: number, offset: number, payload: Uint8Array): Uint8Array => {
      const header = [0x45, 0, 0, 20 + payload.length, 0, 1, flags, offset, 64, HIP, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
      return Uint8Array.from([...header, ...payload]);
    };
    const [first, later] = messagesOf(ip(0x20, 0, whole.slice(0, 40)), ip(0, 5, whole.slice(40)));
    expect(first).toMatchObject({ src: '192.0.2.1', message: 'NOTIFY', error: { reason: 'fragment', at: 1 } });
    expect(later).toMatchObject({ dst: '192.0.2.2', message: 'Unknown', error: { reason: 'fragment', at: 0 } });
  });

  it('that are spoilt on the way have a bad checksum, and nothing is learnt from them', () => {
    const spoilt = overIp({}).map((octet, i) => (i === 60 ? octet ^ 1 : octet));
    expect(messageIn(spoilt).checksum).toBe('bad');
  });
});

describe('ESP', () => {
  const keys = { encryption: new Uint8Array(20).fill(3), authentication: new Uint8Array(0) };
  const hits = { sender: packet({}).senderHit, receiver: packet({}).receiverHit };
  const sa = { spi: 0x1122_3344, suite: 13, keys, source: hits.sender, destination: hits.receiver } as const;
  const log = {
    keymats: [],
    hipKeys: [],
    associations: [{ spi: sa.spi, suite: 13, ...keys, hits }],
  };
  const outbound = new OutboundAssociation({ ...sa, sequence: 0xffff_fffen }, () => new Uint8Array(16));
  const sealed = Array.from({ length: 3 }, () => outbound.seal(6, new Uint8Array(20)) ?? new Uint8Array(0));

  it('is opened with 64-bit numbers, over protocol 50 and inside UDP, also when the low half wraps (HIP-243)', () => {
    const [first = A1, second = A1, third = A1] = sealed;
    const messages = messagesIn(captureOf(ipv6(A1, B1, first, ESP), overUdp(second), overUdp(third)), log);
    expect(
      messages.map(({ fields, checks, udp }) => [fields['sequence'], fields['esn'], checks?.icv, udp?.dstPort]),
    ).toEqual([
      [0xffff_ffff, true, 'good', undefined],
      [0x1_0000_0000, true, 'good', 10_500],
      [0x1_0000_0001, true, 'good', 10_500],
    ]);
    expect(messages[0]?.inner).toEqual({
      protocol: 6,
      src: '2001:22:2a0a:7b7f:f99d:30bf:6f0d:507',
      dst: '2001:21:d4bf:8284:dae7:d346:68c9:9a15',
    });
    expect(messages[0]?.fields).toMatchObject({ suite: 13, payloadLength: 20 });
  });

  it('has its SPI and number told without keys; cut off, nothing', () => {
    const [first = A1] = sealed;
    expect(messageIn(ipv6(A1, B1, first, ESP))).toMatchObject({
      protocol: 'esp',
      message: 'ESP',
      length: first.length,
      checksum: 'none',
      fields: { spi: '11223344', sequence: 0xffff_ffff },
      checks: { icv: 'unknown' },
    });
    expect(messageIn(ipv6(A1, B1, first.slice(0, 7), ESP))).toMatchObject({ error: { reason: 'truncated', at: 7 } });
  });
});

const TSHARK = spawnSync('tshark', ['--version']).status === 0;
describe.skipIf(!TSHARK && process.env['CI'] === undefined)('tshark', () => {
  it('finds HIP and ESP in the same frames, with the same checksums and SPIs', () => {
    const args = ['-n', '-r', path('cutehip-rfcpatched-rsa.pcap'), '-Y', 'hip || esp', '-T', 'fields'];
    const fields = ['frame.number', 'ip.src', 'hip.checksum.status', 'esp.spi'].flatMap((field) => ['-e', field]);
    const { stdout } = spawnSync('tshark', [...args, ...fields], { encoding: 'utf8' });
    const ours = messagesIn(CAPTURE).map(({ frame, src, checksum, fields: { spi } }) =>
      [
        frame,
        src,
        checksum === 'good' ? '1' : '',
        spi === undefined ? '' : `0x${JSON.stringify(spi).slice(1, -1)}`,
      ].join('\t'),
    );
    expect(stdout.split('\n').filter(Boolean)).toEqual(ours);
  });
});
