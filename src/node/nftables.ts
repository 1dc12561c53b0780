import type { Address } from '../wire/address.ts';
import { addressKey } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { LociError } from './error.ts';
import { setOfClass } from './flow-classes.ts';
import { elements, listElements, listOnly, parseElements, transaction } from './netlink/nf-tables.ts';
import { NetlinkSocket } from './netlink.ts';
import {
  ACTIVE,
  HEARD,
  KNOWN,
  KNOWN_SIZE,
  OWN,
  PAIR_LENGTH,
  ruleset,
  SEEN,
  TABLE,
  WATCH,
} from './observation-rules.ts';
import type { RuleOptions } from './observation-rules.ts';
import { PacketLog } from './packet-log.ts';
import { PairTable } from './pair-table.ts';

const QUIET_MS = 3000; // without a packet for so long, a watched pair is not listed until the next one

/** Source and destination as they stand in packets. */
export interface ObservedPair {
  readonly source: Address;
  readonly destination: Address;
}

/** Gets a pair as 32 octets of `octets` from `at`: source, then destination. Valid only during the call. */
export type CountVisitor = (octets: Uint8Array, at: number, packets: number, bytes: number) => void;

/** What observation needs to know. */
export interface ObservationOptions extends RuleOptions {
  /** False: do without nfnetlink_log, as on a kernel that has none. */
  readonly hasLog?: boolean;
}

/** Packets of watched pairs that were quiet, and of all others that are counted. */
interface Logs {
  readonly watched: PacketLog;
  readonly others: PacketLog;
}

/** What a watched pair has counted: `base` before it was last quiet, `listed` since. */
interface Total {
  readonly key: Uint8Array;
  base: number;
  listed: number;
  changedAt: Instant;
}

/**
 * Counts packets that the kernel sends and receives on its own path, by pair of addresses, in a table of nf_tables that
 * vanishes with this socket. What we send ourselves, Shim6 and HIP, and what goes through the TUN device is left out.
 *
 * The first packet of a watched pair puts it into the set `active`, where it counts; what is quiet is removed from there. So
 * a poll costs by the pairs in use, however many are watched. The same packet is logged: with no pair in use nobody polls.
 */
export class PacketObservation {
  readonly #socket: NetlinkSocket;
  readonly #logs: Logs | undefined;
  readonly #totals = new PairTable<Total>(PAIR_LENGTH);
  readonly #active = new Set<Total>();
  readonly #strays: Uint8Array[] = [];
  readonly #own = new Map<string, Address>();
  readonly #known = new Map<string, Address>();

  private constructor(options: ObservationOptions, logs: Logs | undefined) {
    this.#socket = NetlinkSocket.open('netfilter');
    this.#logs = logs;
    try {
      this.#socket.exchange(
        transaction(ruleset(options, logs && { watched: logs.watched.group, others: logs.others.group })),
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws a `LociError` that names the remedy where nf_tables is missing or refuses. */
  static open(options: ObservationOptions): PacketObservation {
    try {
      const logs = options.hasLog === false ? undefined : openLogs();
      try {
        return new PacketObservation(options, logs);
      } catch (error) {
        if (logs === undefined) throw error;
        return new PacketObservation(options, undefined); // a kernel may have the log, and no rules for it
      }
    } catch (error) {
      throw explained(error);
    }
  }

  /** Whether `rest` works: else the kernel has no nfnetlink_log (CONFIG_NETFILTER_NETLINK_LOG, CONFIG_NFT_LOG). */
  get canRest(): boolean {
    return this.#logs !== undefined;
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
    const fresh = pairs.map(keyOf).filter((key) => this.#totals.get(key) === undefined);
    this.#change(elements('add', TABLE, WATCH, fresh));
    for (const key of fresh) this.#totals.set(key, { key, base: 0, listed: 0, changedAt: 0 });
  }

  unwatch(...pairs: readonly ObservedPair[]): void {
    const known = this.#totalsOf(pairs);
    for (const { key } of known) this.#totals.delete(key);
    const listed = known.filter((total) => this.#active.delete(total));
    this.#change([
      ...elements('remove', TABLE, WATCH, known.map(keyIn)),
      ...elements('remove', TABLE, ACTIVE, listed.map(keyIn)),
    ]);
  }

  /** What watched pairs have counted: all that had packets in the last seconds, in no order; counts never fall. */
  counters(visit: CountVisitor): void {
    this.#logs?.watched.forget(); // whatever is logged from now on, this list may be without it
    const now = performance.now();
    this.#list(listElements(TABLE, ACTIVE), this.#counting(visit, now));
    this.#dropQuiet(now);
  }

  /**
   * When no pair was in use at the last call of `counters`: call `wake`, once, when one is, and return true. False when some
   * are, or the kernel cannot tell: ask again soon.
   */
  rest(wake: () => void): boolean {
    if (this.#logs === undefined || this.#active.size > 0) return false;
    this.#logs.watched.once(wake);
    return true;
  }

  /** The same of at least these pairs: cheaper when they are few of many. */
  countersOf(pairs: readonly ObservedPair[], visit: CountVisitor): void {
    if (pairs.length > LOOKED_UP_TOGETHER || pairs.length * 8 > this.#active.size) {
      this.counters(visit);
      return;
    }
    const listed = this.#totalsOf(pairs).filter((total) => this.#active.has(total));
    if (listed.length === 0) return;
    this.#list(listOnly(TABLE, ACTIVE, listed.map(keyIn)), this.#counting(visit, performance.now()));
  }

  /**
   * Call `wake`, once, when `seen` or `seenOf` would say something new, which they may have done since `forgetOthers`. False
   * when the kernel cannot tell.
   */
  restFromOthers(wake: () => void): boolean {
    this.#logs?.others.once(wake);
    return this.canRest;
  }

  /** What was sent on unwatched pairs up to now wakes nobody; `seen` and `seenOf` come next. */
  forgetOthers(): void {
    this.#logs?.others.forget();
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
    this.#logs?.watched.close();
    this.#logs?.others.close();
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

  #totalsOf(pairs: readonly ObservedPair[]): Total[] {
    return pairs.flatMap((pair) => this.#totals.get(keyOf(pair)) ?? []);
  }

  #counting(visit: CountVisitor, now: Instant): CountVisitor {
    return (octets, at, packets, bytes) => {
      const total = this.#totals.get(octets, at);
      if (total === undefined) {
        // Unwatched while a packet was under way, or before it was ever listed.
        this.#strays.push(octets.slice(at, at + PAIR_LENGTH));
        return;
      }
      if (packets !== total.listed) {
        total.listed = packets;
        total.changedAt = now;
        this.#active.add(total);
      }
      visit(octets, at, total.base + packets, bytes);
    };
  }

  #dropQuiet(now: Instant): void {
    const quiet = this.#strays.splice(0);
    for (const total of this.#active) {
      if (now - total.changedAt < QUIET_MS) continue;
      quiet.push(total.key);
      total.base += total.listed;
      total.listed = 0;
      this.#active.delete(total);
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

function openLogs(): Logs | undefined {
  const watched = PacketLog.open();
  const others = watched && PacketLog.open();
  if (watched !== undefined && others !== undefined) return { watched, others };
  watched?.close();
  return undefined;
}

function keyIn({ key }: Total): Uint8Array {
  return key;
}

/** The pair as it stands in packets, and in the sets. */
export function keyOf({ source, destination }: ObservedPair): Uint8Array {
  const key = new Uint8Array(PAIR_LENGTH);
  key.set(source);
  key.set(destination, 16);
  return key;
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
