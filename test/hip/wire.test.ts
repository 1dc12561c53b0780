import { createCipheriv, createDecipheriv, createHmac, createPublicKey, constants, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { append, encodeHip, parseHip } from '../../src/hip/packet-codec.ts';
import { hasGoodChecksum, udpPayload, writeChecksum } from '../../src/hip/packet-carriage.ts';
import { mac2Range, macRange, signedRange, signedRange2 } from '../../src/hip/packet-ranges.ts';
import type { ReceivedPacket } from '../../src/hip/packet.ts';
import { parameterOf } from '../../src/hip/parameter.ts';
import { encodeParameters, parseDecrypted } from '../../src/hip/parameter-list.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { hex, hipKeysOf, hipPacketsOf, ipv4 } from './wire-capture.ts';
import { HOST_ID_P384, HOST_ID_RSA } from './wire-examples.ts';

const ip = (text: string): Uint8Array => parseAddress(text) ?? new Uint8Array(0);
const parsed = (octets: Uint8Array): ReceivedPacket => {
  const result = parseHip(octets);
  if (!result.ok) throw new Error(`${result.reason} at ${String(result.at)}`);
  return result.value;
};
function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is none');
  return value;
}

const EXCHANGE = hipPacketsOf('cutehip-rfcpatched-rsa.pcap');
const KEYS = hipKeysOf('cutehip-rfcpatched-rsa-keys-a.jsonl');
const packets = EXCHANGE.map(({ octets }) => parsed(octets));
const [I1, R1, I2, R2] = [0, 1, 2, 3].map((i) => required(packets[i]));
const later = packets.slice(4);

describe('the I1 of RFC 7401 Appendix C', () => {
  const I1 = {
    type: 'I1',
    isAnonymous: false,
    senderHit: ip('2001:20::1'),
    receiverHit: ip('2001:20::2'),
    parameters: [{ type: 'DH_GROUP_LIST', groups: [3, 4, 8] }],
  } as const;

  it.each([
    ['IPv6', '1a5e', ip('2001:db8::1'), ip('2001:db8::2')],
    ['IPv4', 'f1ce', ipv4(192, 0, 2, 1), ipv4(192, 0, 2, 2)],
  ])('has the published checksum over %s (HIP-019)', (_, checksum, source, destination) => {
    const octets = encodeHip(I1);
    writeChecksum(octets, source, destination);
    expect(toHex(octets)).toBe(
      `3b050121${checksum}0000200100200000000000000000000000012001002000000000000000000000000201ff000303040800`,
    );
    expect(hasGoodChecksum(octets, source, destination)).toBe(true);
    octets[47] = 1;
    expect(hasGoodChecksum(octets, source, destination)).toBe(false);
  });
});

describe('an exchange of another implementation', () => {
  it('is parsed, each packet with its type and HITs', () => {
    expect(packets.map(({ type }) => type)).toEqual(
      ['I1', 'R1', 'I2', 'R2', 'UPDATE', 'UPDATE', 'UPDATE', 'UPDATE', 'CLOSE', 'CLOSE_ACK'].concat('CLOSE'),
    );
    const hits = new Set(packets.map(({ senderHit, receiverHit }) => `${toHex(senderHit)}>${toHex(receiverHit)}`));
    expect([...hits].sort()).toEqual([...KEYS.keys()].sort());
  });

  it('has good checksums over IPv4 (HIP-019)', () => {
    for (const { octets, source, destination } of EXCHANGE) {
      expect(hasGoodChecksum(octets, source, destination)).toBe(true);
      expect(hasGoodChecksum(octets, source, ipv4(10, 77, 0, 3))).toBe(false);
    }
  });

  it('is written again octet by octet (HIP-027, HIP-030, HIP-031)', () => {
    for (const [i, { octets, source, destination }] of EXCHANGE.entries()) {
      const again = encodeHip(required(packets[i]));
      writeChecksum(again, source, destination);
      expect(toHex(again)).toBe(toHex(octets));
    }
  });

  it('keeps of each parameter where it was and its octets', () => {
    for (const { octets, parameters } of packets) {
      let at = 40;
      for (const parameter of parameters) {
        expect(parameter.at).toBe(at);
        expect(toHex(parameter.octets)).toBe(toHex(octets.subarray(at, at + parameter.octets.length)));
        at += parameter.octets.length;
      }
      expect(at).toBe(octets.length);
    }
  });

  it('has the lengths of SHA-256 in PUZZLE and SOLUTION, and the same I in both (HIP-046, HIP-047)', () => {
    const puzzle = required(parameterOf(required(R1), 'PUZZLE'));
    const solution = required(parameterOf(required(I2), 'SOLUTION'));
    expect([puzzle.octets.length, solution.octets.length]).toEqual([40, 72]);
    expect(toHex(solution.i)).toBe(toHex(puzzle.i));
    expect([solution.k, solution.opaque, solution.j.length]).toEqual([puzzle.k, puzzle.opaque, 32]);
    expect(required(I1).parameters.map(({ type }) => type)).toEqual(['DH_GROUP_LIST']);
  });

  it('has its HIP_MACs over the named range (HIP-067)', () => {
    for (const packet of [required(I2), ...later])
      expect(toHex(macOf(packet, macRange(packet.octets)))).toBe(toHex(required(parameterOf(packet, 'HIP_MAC')).mac));
  });

  it('has its HIP_MAC_2 over R2 and the HOST_ID of R1 (HIP-068)', () => {
    const r2 = required(R2);
    const hostId = required(parameterOf(required(R1), 'HOST_ID')).octets;
    expect(toHex(macOf(r2, mac2Range(r2.octets, hostId)))).toBe(toHex(required(parameterOf(r2, 'HIP_MAC_2')).mac));
    expect(macRange(r2.octets)).toHaveLength(mac2Range(r2.octets, hostId).length - hostId.length);
  });

  it('has its signatures over the named ranges (HIP-069, HIP-070)', () => {
    const r1 = required(R1);
    const responder = rsaKey(required(parameterOf(r1, 'HOST_ID')).hostIdentity);
    expect(isSigned(responder, signedRange2(r1.octets), parameterOf(r1, 'HIP_SIGNATURE_2')?.signature)).toBe(true);
    expect(isSigned(responder, macRange(r1.octets), parameterOf(r1, 'HIP_SIGNATURE_2')?.signature)).toBe(false);
    const initiator = rsaKey(required(parameterOf(required(I2), 'HOST_ID')).hostIdentity);
    for (const packet of [required(I2), required(R2), ...later]) {
      const key = toHex(packet.senderHit) === toHex(r1.senderHit) ? responder : initiator;
      expect(isSigned(key, signedRange(packet.octets), parameterOf(packet, 'HIP_SIGNATURE')?.signature)).toBe(true);
    }
  });
});

function macOf({ senderHit, receiverHit }: ReceivedPacket, range: Uint8Array): Uint8Array {
  const { mac } = required(KEYS.get(`${toHex(senderHit)}>${toHex(receiverHit)}`));
  return createHmac('sha256', mac).update(range).digest();
}

/** From the form of RFC 3110 with a short exponent. */
function rsaKey(identity: Uint8Array): ReturnType<typeof createPublicKey> {
  const end = 1 + (identity[0] ?? 0);
  const url = (octets: Uint8Array): string => Buffer.from(octets).toString('base64url');
  const jwk = { kty: 'RSA', e: url(identity.subarray(1, end)), n: url(identity.subarray(end)) };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

function isSigned(key: ReturnType<typeof createPublicKey>, range: Uint8Array, signature?: Uint8Array): boolean {
  const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  return verify('sha256', range, options, required(signature));
}

describe('the examples of MAC ranges', () => {
  const initiator = hex('20010022e5363e4604d179f553e22632');
  const responder = hex('20010021d4bf8284dae7d34668c99a15');
  const sixteen = hex('0102030405060708090a0b0c0d0e0f10');

  it('give HIP_MAC of a CLOSE, before it is appended and from the whole packet (HIP-067, HIP-120)', () => {
    const key = hex('aed7771e71412338b7d7a14e877a61caf6f4f14af07ab464db352100816734e5');
    const close = encodeHip({
      type: 'CLOSE',
      isAnonymous: false,
      senderHit: initiator,
      receiverHit: responder,
      parameters: [{ type: 'ECHO_REQUEST_SIGNED', opaque: sixteen }],
    });
    expect(toHex(close)).toBe(
      `3b07122100000000${toHex(initiator)}${toHex(responder)}03810010${toHex(sixteen)}00000000`,
    );
    const mac = createHmac('sha256', key).update(close).digest();
    expect(mac.toString('hex')).toBe('0192f59996c028ee17077a7878af2ce640656ddb8497c7ad630760c50fe4f993');
    const maced = append(close, { type: 'HIP_MAC', mac });
    expect(maced).toHaveLength(104);
    expect(toHex(maced.subarray(64))).toBe(`f0410020${mac.toString('hex')}00000000`);
    expect(maced[1]).toBe(0x0c);
    const signed = append(maced, { type: 'HIP_SIGNATURE', algorithm: 5, signature: new Uint8Array(256) });
    writeChecksum(signed, ipv4(192, 0, 2, 1), ipv4(192, 0, 2, 2));
    const whole = append(signed, { type: 'ECHO_REQUEST_UNSIGNED', opaque: sixteen });
    expect(toHex(macRange(whole))).toBe(toHex(close));
    expect(toHex(signedRange(whole))).toBe(toHex(maced));
  });

  it('give HIP_MAC_2 of an R2, with the HOST_ID in its whole length (HIP-068)', () => {
    const r2 = encodeHip({
      type: 'R2',
      isAnonymous: false,
      senderHit: responder,
      receiverHit: initiator,
      parameters: [{ type: 'ESP_INFO', keymatIndex: 96, oldSpi: 0, newSpi: 0x11223344 }],
    });
    const range = mac2Range(r2, HOST_ID_RSA);
    expect(range).toHaveLength(328);
    expect(range[1]).toBe(40);
    const key = hex('161f1a9632a42213697571f755269545af22250201a1972aa892d2098002c1f7');
    expect(createHmac('sha256', key).update(range).digest('hex')).toBe(
      '099a56882e38eafbbabdd75fb9013278c5bc05063fea589de605ae3484143651',
    );
  });
});

describe('HOST_ID', () => {
  it('is the key of RFC 8002 Appendix A with its length, no domain identifier and algorithm 5', () => {
    const list = parseDecrypted(HOST_ID_RSA);
    const hostId = required(list.ok ? parameterOf({ parameters: list.value }, 'HOST_ID') : undefined);
    expect([hostId.algorithm, hostId.hostIdentity.length, hostId.domainIdentifierType]).toEqual([5, 260, 0]);
    expect(toHex(encodeParameters([hostId]))).toBe(toHex(HOST_ID_RSA));
  });
});

describe('ENCRYPTED', () => {
  const key = hex('9503316597256b91a4e4516aefa04e5e');
  const iv = hex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf');
  const cipher = createCipheriv('aes-128-cbc', key, iv);
  const ciphertext = Uint8Array.from([...cipher.update(HOST_ID_P384), ...cipher.final()]);
  const encrypted = encodeParameters([{ type: 'ENCRYPTED', ivAndCiphertext: Uint8Array.from([...iv, ...ciphertext]) }]);

  it('counts the padding of the cipher, and its reserved field is zero (HIP-073, HIP-074)', () => {
    expect(encrypted).toHaveLength(152);
    expect(toHex(encrypted.subarray(0, 40))).toBe(`0281009400000000${toHex(iv)}b52159f53f44a12afa6b69331e24ad2f`);
    expect(toHex(encrypted.subarray(-16))).toBe('feef7250aee486aaa0c18f821bf1e527');
  });

  it('gives its parameters when decrypted, with and without padding of the cipher (HIP-073)', () => {
    const decipher = createDecipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
    const plaintext = new Uint8Array(decipher.update(ciphertext));
    expect(plaintext).toHaveLength(128);
    for (const octets of [plaintext, plaintext.subarray(0, 112), padded(plaintext.subarray(0, 112), 8)]) {
      const inside = parseDecrypted(octets);
      expect(inside).toMatchObject({ ok: true, value: [{ type: 'HOST_ID', at: 0, algorithm: 7 }] });
    }
  });

  it('does not take the end of a parameter for padding', () => {
    const echo = encodeParameters([{ type: 'ECHO_REQUEST_SIGNED', opaque: new Uint8Array(12).fill(16) }]);
    expect(parseDecrypted(echo)).toMatchObject({ ok: true, value: [{ opaque: new Uint8Array(12).fill(16) }] });
  });

  it.each([
    ['padding of another value', padded(HOST_ID_P384, 16).map((octet, i) => (i === 127 ? 15 : octet))],
    ['padding of another length', padded(HOST_ID_P384, 24)],
  ])('is refused with %s', (_, plaintext) => {
    expect(parseDecrypted(plaintext)).toEqual({ ok: false, reason: 'truncated', at: 112 });
  });
});

function padded(octets: Uint8Array, by: number): Uint8Array {
  const whole = new Uint8Array(octets.length + by).fill(by);
  whole.set(octets);
  return whole;
}

describe('inside UDP', () => {
  it('a packet stands behind four zero octets with a Checksum of zero', () => {
    const [first] = EXCHANGE;
    const { octets, source, destination } = required(first);
    const payload = udpPayload(octets);
    expect(payload).toHaveLength(4 + octets.length);
    expect(toHex(payload.subarray(0, 12))).toBe(`00000000${toHex(octets.subarray(0, 4))}00000000`);
    const inside = parsed(payload.subarray(4));
    const again = inside.octets.slice();
    writeChecksum(again, source, destination);
    expect(toHex(again)).toBe(toHex(octets));
  });
});

describe('HIP version 1', () => {
  const old = hipPacketsOf('openhip-v1-mobility-v6.pcap');

  it('is refused by its version, whatever the packet says else', () => {
    expect(old).toHaveLength(8);
    for (const { octets } of old) expect(parseHip(octets)).toEqual({ ok: false, reason: 'unknown-version', at: 3 });
  });

  it('has the checksum of version 2 over IPv6 (HIP-019)', () => {
    const results = old.map(({ octets, source, destination }) => hasGoodChecksum(octets, source, destination));
    expect(results.slice(0, 4)).toEqual([true, true, true, true]);
  });
});
