import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DNS_TYPES, NXDOMAIN } from '../../src/hip/dns-message.ts';
import { HIP_RECORD, hipRecordLength, hipRecordOf, writeHipRecord } from '../../src/hip/dns-record.ts';
import { parseHostIdentity } from '../../src/hip/host-identity.ts';
import { DnsClient, parseDnsServer } from '../../src/node/dns.ts';
import type { DnsServer } from '../../src/node/dns.ts';
import { HipResolver } from '../../src/node/hip-resolver.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { Writer } from '../../src/wire/writer.ts';
import { ip } from '../cga/vectors.ts';
import { answerFrom, cnameData, encodeResponse, questionOf } from './dns-server.ts';
import type { Answer, ZoneRecord } from './dns-server.ts';
import { IDENTITIES } from './identities.ts';

type Reply = (query: Uint8Array) => readonly Uint8Array[];

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

/** A DNS server on loopback, over UDP and TCP at the same port, that answers as told. */
async function serving(overUdp: Reply, overTcp: Reply = () => []): Promise<DnsServer> {
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined); // the client hangs up when it has its answer
    socket.on('data', (chunk) => {
      for (const reply of overTcp(new Uint8Array(chunk.subarray(2)))) {
        const framed = Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]);
        socket.write(framed.subarray(0, 1));
        socket.write(framed.subarray(1));
      }
    });
  });
  await new Promise<void>((ready) => tcp.listen(0, '127.0.0.1', ready));
  const { port }: Pick<AddressInfo, 'port'> = Object.assign({ port: 0 }, tcp.address());
  const udp = createSocket('udp4');
  udp.on('message', (query, { port: from, address }) => {
    for (const reply of overUdp(new Uint8Array(query))) udp.send(reply, from, address);
  });
  await new Promise<void>((ready) => udp.bind(port, '127.0.0.1', ready));
  open.push(
    () =>
      new Promise((closed) =>
        udp.close(() => {
          closed();
        }),
      ),
    () =>
      new Promise((closed) =>
        tcp.close(() => {
          closed();
        }),
      ),
  );
  return { address: '127.0.0.1', port };
}

/** Answers from a zone, and counts the queries by type. */
function zoneReply(zone: readonly ZoneRecord[]): { readonly reply: Reply; readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    reply: (query) => {
      const { name, type } = questionOf(query);
      asked.push(`${name} ${String(type)}`);
      return [encodeResponse(query, answerFrom(zone, query))];
    },
  };
}

function hipData(index: number, servers: readonly string[] = []): Uint8Array {
  const vector = IDENTITIES[index];
  if (vector === undefined) throw new Error('no such identity');
  const identity = parseHostIdentity(vector.algorithm, vector.hostIdentity);
  const record = identity.ok ? hipRecordOf(ip(vector.hit), identity.value, servers) : undefined;
  if (record === undefined) throw new Error('no record');
  const w = new Writer(hipRecordLength(record));
  writeHipRecord(w, record);
  return w.finish();
}

const RSA = 0;
const P256 = 1;
const hip = (name: string, data: Uint8Array, ttlSeconds = 60): ZoneRecord => ({
  name,
  type: HIP_RECORD,
  ttlSeconds,
  data,
});
const aaaa = (name: string, address: string, ttlSeconds = 60): ZoneRecord => ({
  name,
  type: DNS_TYPES.AAAA,
  ttlSeconds,
  data: ip(address),
});
const a = (name: string, octets: readonly number[]): ZoneRecord => ({
  name,
  type: DNS_TYPES.A,
  ttlSeconds: 60,
  data: Uint8Array.from(octets),
});

const client = (...servers: readonly DnsServer[]): DnsClient => new DnsClient({ servers, timeoutMs: 300, attempts: 2 });

describe('queries over a real network', () => {
  it('take the answer to their own question alone', async () => {
    const zone = [hip('peer.example', hipData(RSA))];
    const server = await serving((query) => {
      const good = encodeResponse(query, answerFrom(zone, query));
      const otherId = good.with(0, (good[0] ?? 0) ^ 1);
      const otherQuestion = good.with(13, 'q'.charCodeAt(0));
      const empty = { answers: [] };
      return [
        query,
        otherId,
        otherQuestion,
        encodeResponse(query.with(1, (query[1] ?? 0) ^ 1), empty),
        good.slice(0, 9),
        good,
      ];
    });
    const response = await client(server).query('peer.example', HIP_RECORD);
    expect(response.answers).toHaveLength(1);
  });

  it('go over TCP when the answer does not fit', async () => {
    const full = { answers: Array.from({ length: 30 }, () => hip('peer.example', hipData(RSA))) };
    const truncated: Answer = { answers: [], isTruncated: true };
    const server = await serving(
      (query) => [encodeResponse(query, truncated)],
      (query) => [encodeResponse(query, full)],
    );
    expect((await client(server).query('peer.example', HIP_RECORD)).answers).toHaveLength(30);
  });

  it('go to the next server when one is silent, broken, refuses, or does not exist', async () => {
    const silent = await serving(() => []);
    const failing = await serving((query) => [encodeResponse(query, { answers: [], responseCode: 2 })]);
    const cut = await serving((query) => [encodeResponse(query, { answers: [], isTruncated: true })]);
    const nobody = { address: '127.0.0.1', port: 1 };
    const good = await serving(zoneReply([hip('peer.example', hipData(P256))]).reply);
    const response = await client(silent, failing, cut, nobody, good).query('peer.example', HIP_RECORD);
    expect(response.answers).toHaveLength(1);
  });

  it('are asked again when a datagram is lost, and fail with a sentence in the end', async () => {
    let heard = 0;
    const lossy = await serving((query) => (++heard < 2 ? [] : [encodeResponse(query, { answers: [] })]));
    expect((await client(lossy).query('peer.example', HIP_RECORD)).responseCode).toBe(0);
    expect(heard).toBe(2);
    const silent = await serving(() => []);
    await expect(client(silent).query('peer.example', HIP_RECORD)).rejects.toMatchObject({ code: 'dns' });
  });
});

describe('peers from DNS', () => {
  it('HIP-381 are those whose Host Identity proves the HIT, with all addresses of the host', async () => {
    const forged = hipData(RSA).with(10, 0xee);
    const zone = [
      hip('peer.example', hipData(RSA)),
      hip('peer.example', forged),
      hip('peer.example', Uint8Array.of(1)),
      hip('peer.example', hipData(P256)),
      aaaa('peer.example', '2001:db8:a::1'),
      aaaa('peer.example', '2001:db8:b::1'),
      a('peer.example', [192, 0, 2, 1]),
    ];
    const server = await serving(zoneReply(zone).reply);
    const peers = await new HipResolver(client(server)).peersOf('peer.example.');
    expect(peers.map(({ hit }) => formatAddress(hit))).toEqual([IDENTITIES[RSA]?.hit, IDENTITIES[P256]?.hit]);
    for (const { locators, isBehindRendezvous } of peers) {
      expect(locators.map(formatAddress)).toEqual(['2001:db8:a::1', '2001:db8:b::1', '::ffff:192.0.2.1']);
      expect(isBehindRendezvous).toBe(false);
    }
  });

  it('HIP-385 are reached through the rendezvous servers of their own record, in its order', async () => {
    const zone = [
      hip('peer.example', hipData(RSA, ['rvs2.example', 'rvs1.example'])),
      hip('peer.example', hipData(P256)),
      aaaa('peer.example', '2001:db8::1'),
      aaaa('rvs1.example', '2001:db8:1::1'),
      aaaa('rvs2.example', '2001:db8:2::1'),
    ];
    const server = await serving(zoneReply(zone).reply);
    const [far, near] = await new HipResolver(client(server)).peersOf('peer.example');
    expect(far?.locators.map(formatAddress)).toEqual(['2001:db8:2::1', '2001:db8:1::1']);
    expect(far?.isBehindRendezvous).toBe(true);
    expect(near?.locators.map(formatAddress)).toEqual(['2001:db8::1']);
  });

  it('HIP-385 that name themselves as rendezvous server are reached directly', async () => {
    const zone = [hip('peer.example', hipData(RSA, ['PEER.example'])), aaaa('peer.example', '2001:db8::1')];
    const server = await serving(zoneReply(zone).reply);
    const [peer] = await new HipResolver(client(server)).peersOf('peer.example');
    expect(peer?.isBehindRendezvous).toBe(false);
    expect(peer?.locators.map(formatAddress)).toEqual(['2001:db8::1']);
  });

  it('are found behind aliases', async () => {
    const zone = [
      { name: 'www.example', type: DNS_TYPES.CNAME, ttlSeconds: 5, data: cnameData('peer.example') },
      hip('peer.example', hipData(RSA)),
      aaaa('peer.example', '2001:db8::1'),
    ];
    const server = await serving(zoneReply(zone).reply);
    const [peer] = await new HipResolver(client(server)).peersOf('www.example');
    expect(peer?.locators.map(formatAddress)).toEqual(['2001:db8::1']);
  });

  it('HIP-382 are none for names that do not exist or have no HIP records, without another query', async () => {
    const { reply, asked } = zoneReply([aaaa('plain.example', '2001:db8::1')]);
    const resolver = new HipResolver(client(await serving(reply)));
    expect(await resolver.peersOf('nobody.example')).toEqual([]);
    expect(await resolver.peersOf('plain.example')).toEqual([]);
    expect(asked).toEqual(['nobody.example 55', 'plain.example 55']);
    expect(NXDOMAIN).toBe(3);
  });

  it('HIP-384 are kept as long as the shortest of their records lives, and asked for anew afterwards', async () => {
    const { reply, asked } = zoneReply([
      hip('peer.example', hipData(RSA), 60),
      aaaa('peer.example', '2001:db8::1', 20),
    ]);
    let now = 0;
    const resolver = new HipResolver(client(await serving(reply)), () => now);
    const first = await resolver.peersOf('peer.example');
    now = 19_999;
    expect(await resolver.peersOf('PEER.example.')).toEqual(first);
    expect(asked).toHaveLength(3);
    now = 20_000;
    expect(await resolver.peersOf('peer.example')).toEqual(first);
    expect(asked).toHaveLength(6);
  });

  it('are not asked for by what is no name', async () => {
    const { reply, asked } = zoneReply([]);
    const resolver = new HipResolver(client(await serving(reply)));
    await expect(resolver.peersOf('no name')).rejects.toMatchObject({ code: 'dns' });
    expect(asked).toEqual([]);
  });
});

describe('resolvers in text', () => {
  it('are addresses with or without a port', () => {
    expect(parseDnsServer('192.0.2.53')).toEqual({ address: '192.0.2.53', port: 53 });
    expect(parseDnsServer('192.0.2.53:5353')).toEqual({ address: '192.0.2.53', port: 5353 });
    expect(parseDnsServer('2001:db8::53')).toEqual({ address: '2001:db8::53', port: 53 });
    expect(parseDnsServer('[2001:db8::53]:5353')).toEqual({ address: '2001:db8::53', port: 5353 });
    const bad = ['', 'dns.example', '192.0.2.53:0', '192.0.2.53:65536', '[2001:db8::53', '192.0.2.256', '[zz]:53'];
    expect(bad.map(parseDnsServer)).toEqual(bad.map(() => undefined));
  });
});
