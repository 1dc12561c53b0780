import { DNS_TYPES, NXDOMAIN } from '../hip/dns-message.ts';
import type { DnsRecord, DnsResponse } from '../hip/dns-message.ts';
import { isDnsName, nameKey, sameName } from '../hip/dns-name.ts';
import { HIP_RECORD, identityOfRecord, parseHipRecord } from '../hip/dns-record.ts';
import type { NamedIdentity } from '../hip/dns-record.ts';
import type { Address } from '../wire/address.ts';
import { ipv4Mapped } from '../wire/ipv4.ts';
import type { DnsClient } from './dns.ts';
import { LociError } from './error.ts';
import { nodeHipCrypto } from './hip-crypto.ts';

/** A peer that DNS names, RFC 8005. */
export interface DnsPeer extends NamedIdentity {
  /** Where I1s go: the rendezvous servers of this identity in their order, or the host itself. IPv4 is IPv4-mapped. */
  readonly locators: readonly Address[];
  readonly isBehindRendezvous: boolean;
}

interface Kept {
  readonly peers: readonly DnsPeer[];
  readonly until: number;
}

const MAX_KEPT = 1_000;
/** Links of a chain of CNAMEs that are followed. */
const MAX_LINKS = 8;
const MAX_RENDEZVOUS_SERVERS = 4;

/** Peers by name from DNS, kept as long as their records live (RFC 8005 §4.2). */
export class HipResolver {
  readonly #client: Pick<DnsClient, 'query'>;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();

  /** `now`: milliseconds of a clock that does not jump. */
  constructor(client: Pick<DnsClient, 'query'>, now: () => number = () => performance.now()) {
    this.#client = client;
    this.#now = now;
  }

  /**
   * The peers of a name: one for each record whose Host Identity proves its HIT (§4.1), none for a name without HIP records. Throws
   * a `LociError` when no resolver answers.
   */
  async peersOf(name: string): Promise<readonly DnsPeer[]> {
    if (!isDnsName(name)) throw new LociError('dns', 'a peer is named by what is no domain name');
    const key = nameKey(name);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#now() < kept.until) return kept.peers;
    this.#kept.delete(key);
    const asked = this.#now(); // what is kept must not outlive its records, however long the answers took
    const { peers, ttlSeconds } = await this.#lookUp(name);
    if (ttlSeconds > 0 && peers.length > 0) this.#keep(key, { peers, until: asked + ttlSeconds * 1_000 });
    return peers;
  }

  #keep(key: string, kept: Kept): void {
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(key, kept);
  }

  async #lookUp(name: string): Promise<{ readonly peers: readonly DnsPeer[]; readonly ttlSeconds: number }> {
    const found = answersOf(await this.#client.query(name, HIP_RECORD), name, HIP_RECORD);
    const records = found.flatMap(({ data }) => {
      const parsed = parseHipRecord(data);
      const identity = parsed.ok ? identityOfRecord(nodeHipCrypto, parsed.value) : undefined;
      return parsed.ok && identity !== undefined ? { identity, servers: parsed.value.rendezvousServers } : [];
    });
    if (records.length === 0) return { peers: [], ttlSeconds: 0 }; // NXDOMAIN, or nothing usable: no more queries (§3)
    const ttls = found.map(({ ttlSeconds }) => ttlSeconds);
    const peers: DnsPeer[] = [];
    for (const { identity, servers } of records) {
      const others = servers.filter((server) => !sameName(server, name));
      const names = others.length === 0 ? [name] : others.slice(0, MAX_RENDEZVOUS_SERVERS);
      const addresses = await Promise.all(names.map((one) => this.#addressesOf(one)));
      ttls.push(...addresses.flatMap((records) => records.map(({ ttlSeconds }) => ttlSeconds)));
      const locators = addresses.flatMap((records) => records.map(addressIn));
      peers.push({ ...identity, locators, isBehindRendezvous: others.length > 0 });
    }
    return { peers, ttlSeconds: Math.min(...ttls) };
  }

  /** IPv6 first. */
  async #addressesOf(name: string): Promise<readonly DnsRecord[]> {
    const types = [DNS_TYPES.AAAA, DNS_TYPES.A] as const;
    const responses = await Promise.all(types.map((type) => this.#client.query(name, type)));
    return responses.flatMap((response, i) =>
      answersOf(response, name, types[i] ?? DNS_TYPES.A).filter(
        ({ type, data }) => data.length === (type === DNS_TYPES.A ? 4 : 16),
      ),
    );
  }
}

function addressIn({ type, data }: DnsRecord): Address {
  return type === DNS_TYPES.A ? ipv4Mapped(data) : data;
}

/** The records of the type that belong to the name, or to where its CNAMEs lead. */
function answersOf({ responseCode, answers }: DnsResponse, name: string, type: number): readonly DnsRecord[] {
  if (responseCode === NXDOMAIN) return [];
  let owner = name;
  let longest = Number.POSITIVE_INFINITY;
  for (let link = 0; link < MAX_LINKS; link++) {
    const alias = answers.find((record) => record.type === DNS_TYPES.CNAME && sameName(record.name, owner));
    if (alias === undefined) break;
    owner = alias.target;
    longest = Math.min(longest, alias.ttlSeconds);
  }
  return answers
    .filter((record) => record.type === type && sameName(record.name, owner))
    .map((record) => ({ ...record, ttlSeconds: Math.min(record.ttlSeconds, longest) }));
}
