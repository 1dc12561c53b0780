import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIP, isIPv6 } from 'node:net';
import { NXDOMAIN, encodeQuery, parseResponse } from '../hip/dns-message.ts';
import type { DnsResponse } from '../hip/dns-message.ts';
import { sameName } from '../hip/dns-name.ts';
import { random32 } from '../crypto/ports.ts';
import { LociError } from './error.ts';
import { systemRandom } from './random.ts';

/** A resolver to ask. */
export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

export interface DnsOptions {
  /** Asked in this order; left out, those of the system. */
  readonly servers?: readonly DnsServer[];
  /** How long each attempt waits. */
  readonly timeoutMs?: number;
  /** Rounds over all servers. */
  readonly attempts?: number;
}

const DNS_PORT = 53;

/** Queries of types that Node's resolver does not know, RFC 1035 §4.2: over UDP, and over TCP where the answer is too long. */
export class DnsClient {
  readonly #servers: readonly DnsServer[];
  readonly #timeoutMs: number;
  readonly #attempts: number;

  constructor({ servers = systemServers(), timeoutMs = 2_000, attempts = 2 }: DnsOptions = {}) {
    this.#servers = servers;
    this.#timeoutMs = timeoutMs;
    this.#attempts = attempts;
  }

  /** The response of the first server that gives a usable one: NOERROR or NXDOMAIN. */
  async query(name: string, type: number): Promise<DnsResponse> {
    for (let attempt = 0; attempt < this.#attempts; attempt++)
      for (const server of this.#servers) {
        const response = await this.#ask(server, name, type);
        if (response !== undefined && (response.responseCode === 0 || response.responseCode === NXDOMAIN))
          return response;
      }
    throw new LociError('dns', `no resolver answers the query for ${name}; check the resolvers that are configured`);
  }

  async #ask(server: DnsServer, name: string, type: number): Promise<DnsResponse | undefined> {
    const id = random32(systemRandom) & 0xffff;
    const query = encodeQuery(id, name, type);
    const isOurs = ({ id: got, question }: DnsResponse): boolean =>
      got === id && question.type === type && sameName(question.name, name);
    const response = await overUdp(server, query, isOurs, this.#timeoutMs);
    return response?.isTruncated === true ? overTcp(server, query, isOurs, this.#timeoutMs) : response;
  }
}

type Match = (response: DnsResponse) => boolean;

/** A socket of its own, connected: whoever wants to answer in the server's place has to guess port and identifier (RFC 5452). */
function overUdp(
  server: DnsServer,
  query: Uint8Array,
  isOurs: Match,
  timeoutMs: number,
): Promise<DnsResponse | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    const timer = setTimeout(done, timeoutMs);
    function done(response?: DnsResponse): void {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => undefined); // nobody waits for it any more
      socket.close();
      resolve(response);
    }
    socket.on('error', () => {
      done(); // unreachable, refused: the next server
    });
    socket.on('message', (datagram) => {
      const parsed = parseResponse(new Uint8Array(datagram));
      if (parsed.ok && isOurs(parsed.value)) done(parsed.value);
    });
    socket.connect(server.port, server.address, () => {
      socket.send(query);
    });
  });
}

/** RFC 1035 §4.2.2: each message behind its length. */
function overTcp(
  server: DnsServer,
  query: Uint8Array,
  isOurs: Match,
  timeoutMs: number,
): Promise<DnsResponse | undefined> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const socket = connect(server.port, server.address, () => {
      socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 0xff]), query]));
    });
    const timer = setTimeout(done, timeoutMs);
    function done(response?: DnsResponse): void {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => undefined); // nobody waits for it any more
      socket.destroy();
      resolve(response);
    }
    socket.on('error', () => {
      done();
    });
    socket.on('end', () => {
      done();
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const parsed = parseResponse(new Uint8Array(received.subarray(2, 2 + received.readUInt16BE(0))));
      done(parsed.ok && isOurs(parsed.value) ? parsed.value : undefined);
    });
  });
}

/** Text such as `192.0.2.53`, `2001:db8::53`, `192.0.2.53:5353` or `[2001:db8::53]:5353`; `undefined` when it is none of these. */
export function parseDnsServer(text: string): DnsServer | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.%\w]+)\]|(\d+\.\d+\.\d+\.\d+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const address = bracketed ?? plain ?? (isIPv6(text) ? text : undefined);
  const number = port === undefined ? DNS_PORT : Number(port);
  if (address === undefined || isIP(address) === 0 || number < 1 || number > 0xffff) return undefined;
  return { address, port: number };
}

function systemServers(): DnsServer[] {
  return getServers().flatMap((text) => parseDnsServer(text) ?? []);
}
