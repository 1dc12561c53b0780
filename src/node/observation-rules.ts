import { classRules, classSets, leftAlone } from './flow-classes.ts';
import type { FlowClass } from './flow-classes.ts';
import { hostU32 } from './netlink/attributes.ts';
import {
  accept,
  compare,
  HEADER,
  limit,
  log,
  lookup,
  masked,
  META,
  meta,
  payload,
  update,
} from './netlink/nf-expressions.ts';
import { appendedRule, baseChain, newSet, ownedTable } from './netlink/nf-tables.ts';

export const TABLE = 'loci';
export const WATCH = 'watch';
export const ACTIVE = 'active';
export const SEEN = 'seen';
export const OWN = 'own';
export const KNOWN = 'known';
export const HEARD = 'heard';

const WATCH_SIZE = 65536;
const SEEN_SIZE = 16384;
export const KNOWN_SIZE = 16384;
const SEEN_TIMEOUT_MS = 60_000;
const STRANGERS_PER_SECOND = 5; // packets that are reported at most, of each class
const PRIORITY = -350; // before connection tracking and whatever drops

const HIP = 139;
const SHIM6 = 140;
const ICMPV6 = 58;
const ROUTER_SOLICITATION = 133; // RFC 4861 §4: Neighbour Discovery is 133 to 137
const REDIRECT = 137;
const LOOPBACK = 1; // in every network namespace
const SOURCE_AT = 8; // RFC 8200 §3
const DESTINATION_AT = 24;
export const PAIR_LENGTH = 32;

/** What the rules depend on. */
export interface RuleOptions {
  readonly tunIndex: number;
  /** The bit that our own sockets set on what they send. */
  readonly mark: number;
  /** TCP and UDP ports whose packets `seen` leaves out, as source or destination. */
  readonly exemptPorts: readonly number[];
  /** Of what remains, classes that are counted apart, or not at all; `seen` has the rest. */
  readonly classes?: readonly FlowClass[];
}

/** Groups of nfnetlink_log: for watched pairs that were quiet, and for all others that are counted. */
export interface LogGroups {
  readonly watched: number;
  readonly others: number;
}

/**
 * The table with its sets and rules. A packet of a watched pair counts in `active`, which it enters if need be; other packets
 * of own addresses count in `seen` or in the set of their class, those of known peers in `heard`. Without `groups` nothing is
 * logged.
 */
export function ruleset(
  { tunIndex, mark, exemptPorts, classes = [] }: RuleOptions,
  groups: LogGroups | undefined,
): Uint8Array[] {
  const logged = groups === undefined ? [] : [log(groups.watched)];
  const told = groups === undefined ? [] : [limit(STRANGERS_PER_SECOND), log(groups.others)];
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
    appendedRule(TABLE, chain, pair, lookup(WATCH), update(ACTIVE), ...logged, accept()),
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
    ...classRules(TABLE, all, { counted: [pair, lookup(OWN)], then: told, timeoutMs: SEEN_TIMEOUT_MS }),
    appendedRule(TABLE, 'output', pair, lookup(OWN), update(SEEN, SEEN_TIMEOUT_MS), ...told),
  ];
}
