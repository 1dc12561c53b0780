import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DNS_TYPES, encodeQuery, parseResponse } from '../../src/hip/dns-message.ts';
import { isDnsName, nameLength, readCompressedName, readName, sameName, writeName } from '../../src/hip/dns-name.ts';
import {
  formatHipRecord,
  hipRecordLength,
  hipRecordOf,
  identityOfRecord,
  parseHipRecord,
  writeHipRecord,
} from '../../src/hip/dns-record.ts';
import type { HipRecord } from '../../src/hip/dns-record.ts';
import { parseHostIdentity } from '../../src/hip/host-identity.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { toHex } from '../../src/wire/hex.ts';
import { Reader } from '../../src/wire/reader.ts';
import { Writer } from '../../src/wire/writer.ts';
import { hex, ip } from '../cga/vectors.ts';
import { cnameData, encodeResponse } from './dns-server.ts';
import { IDENTITIES } from './identities.ts';

function encoded(record: HipRecord): Uint8Array {
  const w = new Writer(hipRecordLength(record));
  writeHipRecord(w, record);
  return w.finish();
}

function parsed(bytes: Uint8Array): HipRecord {
  const result = parseHipRecord(bytes);
  if (!result.ok) throw new Error(`${result.reason} at ${String(result.at)}`);
  return result.value;
}

const octets = fc.uint8Array({ maxLength: 200 });
const label = fc.uint8Array({ minLength: 1, maxLength: 20 });

/** Names from labels of any octets, as their text. */
const name = fc.array(label, { maxLength: 6 }).map((labels) => {
  const wire = Uint8Array.of(...labels.flatMap((one) => [one.length, ...one]), 0);
  return { wire, text: readName(new Reader(wire)) };
});

/** RFC 8005 §7: its HIT is of the old prefix and not that of its key, so this is about syntax alone. */
const EXAMPLE = {
  hit: hex('200100107b1a74df365639cc39f1d578'),
  publicKeyAlgorithm: 2,
  publicKey: new Uint8Array(
    Buffer.from(
      'AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D',
      'base64',
    ),
  ),
  rendezvousServers: [],
};

describe('HIP resource records', () => {
  it('HIP-391 HIP-388 are written as RFC 8005 §7 shows, with none, one and two rendezvous servers', () => {
    const key = Buffer.from(EXAMPLE.publicKey).toString('base64');
    const servers = ['rvs1.example.com', 'rvs2.example.com'];
    for (const rendezvousServers of [[], servers.slice(0, 1), servers]) {
      const record = { ...EXAMPLE, rendezvousServers };
      const words = [
        '(',
        '2',
        '200100107B1A74DF365639CC39F1D578',
        key,
        ...rendezvousServers.map((one) => `${one}.`),
        ')',
      ];
      expect(formatHipRecord(record)).toBe(words.join(' '));
      const wire = encoded(record);
      expect(toHex(wire.slice(0, 20))).toBe(`10020084${toHex(EXAMPLE.hit)}`);
      expect(parsed(wire)).toEqual(record);
    }
    const one = encoded({ ...EXAMPLE, rendezvousServers: ['a.b'] });
    expect(toHex(one.slice(-5))).toBe('0161016200');
  });

  it('are read as they were written, whatever they hold', () => {
    const record = fc.record({
      hit: octets,
      publicKeyAlgorithm: fc.nat({ max: 255 }),
      publicKey: octets,
      rendezvousServers: fc.array(
        name.map(({ text }) => text),
        { maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(record, (one) => {
        expect(parsed(encoded(one))).toEqual(one);
      }),
    );
  });

  it('are written back octet for octet when they were accepted, and never make the parser throw', () => {
    fc.assert(
      fc.property(octets, (bytes) => {
        const result = parseHipRecord(bytes);
        if (result.ok) expect(encoded(result.value)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['HIP-386 a compressed server', '000000 00 c000'],
    ['HIP-391 a HIT that is cut off', '10020000 2001'],
    ['HIP-391 a key that is cut off', '00020004 010203'],
    ['a server without its end', '00000000 0161'],
    ['a server of more than 255 octets', `00000000 ${`3f${'61'.repeat(63)}`.repeat(4)}00`],
    ['nothing', ''],
  ])('are refused with %s', (_what, text) => {
    expect(parseHipRecord(hex(text.replace(/ /g, ''))).ok).toBe(false);
  });

  it('HIP-381 name the Host Identity that proves the HIT, with or without 04 in it', () => {
    for (const { algorithm, hostIdentity, hit } of IDENTITIES) {
      const read = parseHostIdentity(algorithm, hostIdentity);
      if (!read.ok) throw new Error(read.reason);
      const record = hipRecordOf(ip(hit), read.value);
      if (algorithm === 9) {
        expect(record).toBeUndefined();
        continue;
      }
      const found = record && identityOfRecord(nodeHipCrypto, parsed(encoded(record)));
      expect(found).toEqual({ hit: ip(hit), identity: read.value });
    }
  });

  it('HIP-381 HIP-390 name nobody when the HIT is not that of the key, or the key of no use', () => {
    const [rsa, p256] = IDENTITIES;
    if (rsa === undefined || p256 === undefined) throw new Error('no identities');
    const record = { hit: ip(rsa.hit), publicKeyAlgorithm: 2, publicKey: rsa.hostIdentity, rendezvousServers: [] };
    expect(identityOfRecord(nodeHipCrypto, record)?.hit).toEqual(ip(rsa.hit));
    const useless: readonly HipRecord[] = [
      EXAMPLE,
      { ...record, hit: ip(p256.hit) },
      { ...record, hit: ip(rsa.hit).slice(1) },
      { ...record, publicKey: rsa.hostIdentity.slice(1) },
      ...[0, 1, 3, 4, 5].map((publicKeyAlgorithm) => ({ ...record, publicKeyAlgorithm })),
    ];
    expect(useless.map((one) => identityOfRecord(nodeHipCrypto, one))).toEqual(useless.map(() => undefined));
  });
});

describe('domain names', () => {
  it('are the same octets after a way through text, whatever the labels hold', () => {
    fc.assert(
      fc.property(name, ({ wire, text }) => {
        const w = new Writer(nameLength(text));
        writeName(w, text);
        expect(w.finish()).toEqual(wire);
      }),
    );
  });

  it('may end in a dot, and are refused when they are none', () => {
    const good = [
      '.',
      'a',
      'a.',
      'a.b',
      'xn--bcher-kva.example',
      '_hip._udp.a',
      'a\\.b.c',
      'a\\046b',
      `${'a'.repeat(63)}.b`,
    ];
    const bad = [
      '',
      '..',
      'a..b',
      '.a',
      'a b',
      'bücher',
      `${'a'.repeat(64)}.b`,
      'a\\300',
      'a\\',
      'a\\3',
      `${'a.'.repeat(128)}`,
    ];
    expect(good.map(isDnsName)).toEqual(good.map(() => true));
    expect(bad.map(isDnsName)).toEqual(bad.map(() => false));
    expect([sameName('A.example', 'a.EXAMPLE'), sameName('a', 'b')]).toEqual([true, false]);
  });

  it('follow pointers to the front only, and never for ever', () => {
    const at = (text: string, start: number): string | undefined => {
      const message = hex(text);
      const r = new Reader(message.subarray(start), start);
      const read = readCompressedName(r, message);
      return r.failed ? undefined : read;
    };
    expect(at('016100' + '0162c000', 3)).toBe('b.a');
    expect(at('016100' + '0162c000' + 'c003', 7)).toBe('b.a');
    expect(at('c000', 0)).toBeUndefined(); // itself
    expect(at('c002c000', 0)).toBeUndefined(); // forward
    expect(at('0161c000', 2)).toBeUndefined(); // in a circle
    expect(at('05616161' + 'c000', 4)).toBeUndefined(); // into the middle of what is cut off
    expect(at('4161', 0)).toBeUndefined(); // a label type that does not exist
  });
});

describe('DNS messages', () => {
  const query = encodeQuery(0x1234, 'Peer.example', 55);

  it('ask one question, recursively, with room for large answers', () => {
    expect(toHex(query)).toBe(
      '1234' +
        '0100' +
        '0001' +
        '0000' +
        '0000' +
        '0001' +
        '0450656572076578616d706c6500' +
        '0037' +
        '0001' +
        '00' +
        '0029' +
        '04d0' +
        '00000000' +
        '0000',
    );
  });

  it('tell records with compressed owners, and where aliases lead', () => {
    const answers = [
      { name: 'Peer.example', type: DNS_TYPES.CNAME, ttlSeconds: 60, data: cnameData('host.example') },
      { name: 'host.example', type: 55, ttlSeconds: 0x8000_0000, data: encoded(EXAMPLE) },
    ];
    const response = parseResponse(encodeResponse(query, { answers }));
    if (!response.ok) throw new Error(response.reason);
    expect(response.value).toMatchObject({ id: 0x1234, responseCode: 0, isTruncated: false });
    expect(response.value.question).toEqual({ name: 'Peer.example', type: 55 });
    const [alias, record] = response.value.answers;
    expect(alias).toMatchObject({ name: 'Peer.example', target: 'host.example', ttlSeconds: 60 });
    expect(record).toMatchObject({ name: 'host.example', type: 55, ttlSeconds: 0, data: encoded(EXAMPLE) }); // RFC 2181 §8
  });

  it('are refused when they are queries, ask more than one question, or are cut off', () => {
    const response = encodeResponse(query, {
      answers: [{ name: 'Peer.example', type: 55, ttlSeconds: 1, data: encoded(EXAMPLE) }],
    });
    expect(parseResponse(query).ok).toBe(false);
    expect(parseResponse(response.with(5, 2)).ok).toBe(false);
    for (let length = 0; length < response.length; length++) {
      expect(parseResponse(response.slice(0, length)).ok).toBe(false);
    }
    expect(parseResponse(encodeResponse(query, { answers: [], isTruncated: true, responseCode: 3 }))).toMatchObject({
      ok: true,
      value: { isTruncated: true, responseCode: 3, answers: [] },
    });
  });

  it('never make the parser throw', () => {
    fc.assert(
      fc.property(octets, (bytes) => {
        expect(typeof parseResponse(bytes).ok).toBe('boolean');
      }),
    );
  });
});
