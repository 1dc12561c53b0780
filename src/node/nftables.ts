import type { Address } from '../wire/address.ts';
import { addressKey } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { LociError } from './error.ts';
import { classRules, classSets, leftAlone, setOfClass } from './flow-classes.ts';
import type { FlowClass } from './flow-classes.ts';
import { hostU32 } from './netlink/attributes.ts';
import { accept, compare, HEADER, lookup, masked, META, meta, payload, update } from './netlink/nf-expressions.ts';
import {
  appendedRule,
  baseChain,
  elements,
  listElements,
  listOnly,
  newSet,
  ownedTable,
  parseElements,
  transaction,
} from './netlink/nf-tables.ts';
import { NetlinkSocket } from './netlink.ts';

const TABLE = 'loci';
const WATCH = 'watch';
const ACTIVE = 'active';
const SEEN = 'seen';
const OWN = 'own';
const KNOWN = 'known';
const HEARD = 'heard';

const WATCH_SIZE = 65536;
const SEEN_SIZE = 16384;
const KNOWN_SIZE = 16384;
const QUIET_MS = 3000; // without a packet for so long, a watched pair is not listed until the next one
const SEEN_TIMEOUT_MS = 60_000;
const PRIORITY = -350; // before connection tracking and whatever drops

const HIP = 139;
const SHIM6 = 140;
const ICMPV6 = 58;
const ROUTER_SOLICITATION = 133; // RFC 4861 §4: Neighbour Discovery is 133 to 137
const REDIRECT = 137;
const LOOPBACK = 1; // in every network namespace
const SOURCE_AT = 8; // RFC 8200 §3
const DESTINATION_AT = 24;
const PAIR_LENGTH = 32;

/** Source and destination as they stand in packets. */
export interface ObservedPair {
  readonly source: Address;
  readonly destination: Address;
}

/** Gets a pair as 32 octets of `octets` from `at`: source, then destination. Valid only during the call. */
export type CountVisitor = (octets: Uint8Array, at: number, packets: number, bytes: number) => void;

/** What observation needs to know. */
export interface ObservationOptions {
  readonly tunIndex: number;
  /** The bit that our own sockets set on what they send. */
  readonly mark: number;
  /** TCP and UDP ports whose packets `seen` leaves out, as source or destination. */
  readonly exemptPorts: readonly number[];
  /** Of what remains, classes that are counted apart, or not at all; `seen` has the rest. */
  readonly classes?: readonly FlowClass[];
}

/** What a watched pair has counted: `base` before it was last quiet, `listed` since. */
interface Total {
  base: number;
  listed: number;
  changedAt: Instant;
}

/**
 * Counts packets that the kernel sends and receives on its own path, by pair of addresses, in a table of nf_tables that
 * vanishes with this socket. What we send ourselves, Shim6 and HIP, and what goes through the TUN device is left out.
 *
 * The first packet of a watched pair puts it into the set `active`, where it counts; what is quiet is removed from there. So
 * a poll costs by the pairs in use, however many are watched.
 */
export class PacketObservation {
  readonly #socket: NetlinkSocket;
  readonly #totals = new Map<string, Total>();
  readonly #active = new Map<string, Uint8Array>();
  readonly #strays: Uint8Array[] = [];
  readonly #own = new Map<string, Address>();
  readonly #known = new Map<string, Address>();

  private constructor(options: ObservationOptions) {
    this.#socket = NetlinkSocket.open('netfilter');
    try {
      this.#socket.exchange(transaction(ruleset(options)));
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Throws a `LociError` that names the remedy where nf_tables is missing or refuses. */
  static open(options: ObservationOptions): PacketObservation {
    try {
      return new PacketObservation(options);
    } catch (error) {
      throw explained(error);
    }
  }

  /** The addresses whose new correspondents `seen` reports. */
  setOwn(addresses: readonly Address[]): void {
    this.#fill(OWN, this.#own, addresses);
  }

  /** The peers whose packets on unwatched pairs `heard` reports. */
  setKnown(addresses: readonly Address[]): void {
    this.#fill(KNOWN, this.#known, addresses.slice(0, KNOWN_SIZE));
  }

  /** Count packets of these pairs from now on; of a conversation, both directions are a pair. */
  watch(...pairs: readonly ObservedPair[]): void {
    const fresh = pairs.map(keyOf).filter((key) => !this.#totals.has(addressKey(key)));
    this.#change(elements('add', TABLE, WATCH, fresh));
    for (const key of fresh) this.#totals.set(addressKey(key), { base: 0, listed: 0, changedAt: 0 });
  }

  unwatch(...pairs: readonly ObservedPair[]): void {
    const known = pairs.map(keyOf).filter((key) => this.#totals.delete(addressKey(key)));
    const listed = known.filter((key) => this.#active.delete(addressKey(key)));
    this.#change([...elements('remove', TABLE, WATCH, known), ...elements('remove', TABLE, ACTIVE, listed)]);
  }

  /** What watched pairs have counted: all that had packets in the last seconds, in no order; counts never fall. */
  counters(visit: CountVisitor): void {
    const now = performance.now();
    this.#list(listElements(TABLE, ACTIVE), this.#counting(visit, now));
    this.#dropQuiet(now);
  }

  /** The same of at least these pairs: cheaper when they are few of many. */
  countersOf(pairs: readonly ObservedPair[], visit: CountVisitor): void {
    if (pairs.length > LOOKED_UP_TOGETHER || pairs.length * 8 > this.#active.size) {
      this.counters(visit);
      return;
    }
    const listed = pairs.map(keyOf).filter((key) => this.#active.has(addressKey(key)));
    if (listed.length === 0) return;
    this.#list(listOnly(TABLE, ACTIVE, listed), this.#counting(visit, performance.now()));
  }

  /** Unwatched pairs with an own source that were sent to in the last minute: for one slow poll. */
  seen(visit: CountVisitor): void {
    this.#list(listElements(TABLE, SEEN), visit);
  }

  /** The same of one of the classes. */
  seenOf(index: number, visit: CountVisitor): void {
    this.#list(listElements(TABLE, setOfClass(index)), visit);
  }

  /** Unwatched pairs on which a known peer was heard in the last minute. */
  heard(visit: CountVisitor): void {
    this.#list(listElements(TABLE, HEARD), visit);
  }

  close(): void {
    this.#socket.close();
  }

  #fill(set: string, present: Map<string, Address>, addresses: readonly Address[]): void {
    const wanted = new Map(addresses.map((address) => [addressKey(address), address]));
    const gone = [...present].filter(([key]) => !wanted.has(key)).map(([, address]) => address);
    const fresh = [...wanted].filter(([key]) => !present.has(key)).map(([, address]) => address);
    this.#change([...elements('remove', TABLE, set, gone), ...elements('add', TABLE, set, fresh)]);
    present.clear();
    for (const [key, address] of wanted) present.set(key, address.slice());
  }

  #counting(visit: CountVisitor, now: Instant): CountVisitor {
    return (octets, at, packets, bytes) => {
      const key = octets.subarray(at, at + PAIR_LENGTH);
      const text = addressKey(key);
      const total = this.#totals.get(text);
      if (total === undefined) {
        this.#strays.push(key.slice()); // unwatched while a packet was under way, or before it was ever listed
        return;
      }
      if (packets !== total.listed) {
        total.listed = packets;
        total.changedAt = now;
        if (!this.#active.has(text)) this.#active.set(text, key.slice());
      }
      visit(octets, at, total.base + packets, bytes);
    };
  }

  #dropQuiet(now: Instant): void {
    const quiet = this.#strays.splice(0);
    for (const [text, key] of this.#active) {
      const total = this.#totals.get(text);
      if (total === undefined || now - total.changedAt < QUIET_MS) continue;
      quiet.push(key);
      total.base += total.listed;
      total.listed = 0;
      this.#active.delete(text);
    }
    this.#change(elements('remove', TABLE, ACTIVE, quiet));
  }

  #list(request: Uint8Array, visit: CountVisitor): void {
    for (const answer of this.#socket.exchange(request)) {
      const parsed = parseElements(answer, PAIR_LENGTH, (at, packets, bytes) => {
        visit(answer, at, packets, bytes);
      });
      if (!parsed.ok)
        throw new LociError('nf-tables', `an answer of nf_tables is malformed at octet ${String(parsed.at)}`);
    }
  }

  #change(changes: readonly Uint8Array[]): void {
    if (changes.length > 0) this.#socket.exchange(transaction(changes));
  }
}

const LOOKED_UP_TOGETHER = 100; // answers must fit the receive buffer of the socket, one message each

function keyOf({ source, destination }: ObservedPair): Uint8Array {
  const key = new Uint8Array(PAIR_LENGTH);
  key.set(source);
  key.set(destination, 16);
  return key;
}

function ruleset({ tunIndex, mark, exemptPorts, classes = [] }: ObservationOptions): Uint8Array[] {
  const pair = payload(HEADER.network, SOURCE_AT, PAIR_LENGTH);
  const destination = (length: number): Uint8Array => payload(HEADER.network, DESTINATION_AT, length);
  const between = (first: number, last: number): Uint8Array[] => [
    compare('atLeast', Uint8Array.of(first)),
    compare('atMost', Uint8Array.of(last)),
  ];
  const common = (chain: 'input' | 'output'): Uint8Array[] => [
    baseChain(TABLE, chain, PRIORITY),
    appendedRule(
      TABLE,
      chain,
      meta(chain === 'input' ? META.iif : META.oif),
      compare('equal', hostU32(tunIndex)),
      accept(),
    ),
    appendedRule(TABLE, chain, meta(META.mark), masked(hostU32(mark)), compare('unequal', hostU32(0)), accept()),
    appendedRule(TABLE, chain, meta(META.l4proto), ...between(HIP, SHIM6), accept()),
    appendedRule(
      TABLE,
      chain,
      meta(META.l4proto),
      compare('equal', Uint8Array.of(ICMPV6)),
      payload(HEADER.transport, 0, 1),
      ...between(ROUTER_SOLICITATION, REDIRECT),
      accept(),
    ),
    appendedRule(TABLE, chain, pair, lookup(ACTIVE), accept()), // counts there: the way of almost all packets
    appendedRule(TABLE, chain, pair, lookup(WATCH), update(ACTIVE), accept()),
  ];
  const all = [...classes, ...exemptPorts.map((port) => ({ port, counts: false }))];
  return [
    ownedTable(TABLE),
    newSet({ table: TABLE, name: WATCH, id: 1, addresses: 2, size: WATCH_SIZE, kind: 'static' }),
    newSet({ table: TABLE, name: ACTIVE, id: 4, addresses: 2, size: WATCH_SIZE, kind: 'dynamic' }),
    newSet({
      table: TABLE,
      name: SEEN,
      id: 2,
      addresses: 2,
      size: SEEN_SIZE,
      kind: 'dynamic',
      timeoutMs: SEEN_TIMEOUT_MS,
    }),
    newSet({ table: TABLE, name: OWN, id: 3, addresses: 1, size: 1024, kind: 'static' }),
    ...classSets(TABLE, all, { firstId: 7, size: SEEN_SIZE, timeoutMs: SEEN_TIMEOUT_MS }),
    newSet({ table: TABLE, name: KNOWN, id: 5, addresses: 1, size: KNOWN_SIZE, kind: 'static' }),
    newSet({
      table: TABLE,
      name: HEARD,
      id: 6,
      addresses: 2,
      size: SEEN_SIZE,
      kind: 'dynamic',
      timeoutMs: SEEN_TIMEOUT_MS,
    }),
    ...common('input'),
    appendedRule(
      TABLE,
      'input',
      payload(HEADER.network, SOURCE_AT, 16),
      lookup(KNOWN),
      pair,
      update(HEARD, SEEN_TIMEOUT_MS),
    ),
    ...common('output'),
    appendedRule(TABLE, 'output', meta(META.oif), compare('equal', hostU32(LOOPBACK)), accept()),
    appendedRule(TABLE, 'output', destination(1), compare('equal', Uint8Array.of(0xff)), accept()), // multicast
    appendedRule(
      TABLE,
      'output',
      destination(2),
      masked(Uint8Array.of(0xff, 0xc0)),
      compare('equal', Uint8Array.of(0xfe, 0x80)),
      accept(),
    ),
    ...leftAlone(TABLE),
    ...classRules(TABLE, all, [pair, lookup(OWN)], SEEN_TIMEOUT_MS),
    appendedRule(TABLE, 'output', pair, lookup(OWN), update(SEEN, SEEN_TIMEOUT_MS)),
  ];
}

const REMEDY: Readonly<Record<string, string>> = {
  EPERM: 'run with the capability CAP_NET_ADMIN, and not beside another locid in the same network namespace',
  EEXIST: `another program has made a table ip6 ${TABLE}: remove it with \`nft delete table ip6 ${TABLE}\``,
  EOPNOTSUPP: 'the kernel is too old for tables with an owner: Linux 5.12 is needed',
};

function explained(error: unknown): unknown {
  if (!(error instanceof LociError) || error.code === 'addon-missing') return error;
  const remedy =
    REMEDY[error.code] ?? 'load it with `modprobe nf_tables`, or build the kernel with CONFIG_NF_TABLES_IPV6';
  return new LociError('nf-tables', `packets cannot be observed by nf_tables (${error.code}): ${remedy}`, {
    cause: error,
  });
}
