import type { Parsed } from '../../wire/parsed.ts';
import { attribute, AttributeCursor, joined, nestedAttribute, textAttribute } from './attributes.ts';
import {
  AF_INET6,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLMSG_HDRLEN,
  request,
} from './message.ts';
import { networkU64, number, value } from './nf-expressions.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFT_MSG = {
  newTable: 0,
  newChain: 3,
  newRule: 6,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
} as const;
const NFGENMSG_LENGTH = 4;

const NFT_TABLE_F_OWNER = 0x2; // Linux 5.12: the table goes with the socket that made it
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_EXPR = 7;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_EXPR_DATA = 2;
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;
const TYPE_IPV6_ADDRESS = 8; // how `nft` prints a key; two of them concatenated: 6 bits each
const TYPE_BITS = 6;

/** `struct nfgenmsg`: family, version, resource in network order. */
function fixed(family: number, resource: number): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

function message(kind: keyof typeof NFT_MSG, flags: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return request((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG[kind], flags, fixed(AF_INET6, 0), ...attributes);
}

/** Changes that the kernel makes all together, or not at all. */
export function transaction(changes: readonly Uint8Array[]): Uint8Array {
  const mark = (type: number): Uint8Array => request(type, 0, fixed(0, NFNL_SUBSYS_NFTABLES));
  return joined([mark(NFNL_MSG_BATCH_BEGIN), ...changes, mark(NFNL_MSG_BATCH_END)]);
}

/** A table of family ip6 that vanishes with the socket. */
export function ownedTable(table: string): Uint8Array {
  return message(
    'newTable',
    NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    textAttribute(1, table),
    number(2, NFT_TABLE_F_OWNER),
  );
}

/** A set of addresses, or of pairs of addresses. */
export interface SetRequest {
  readonly table: string;
  readonly name: string;
  /** Within the transaction. */
  readonly id: number;
  readonly addresses: 1 | 2;
  readonly size: number;
  /** `static`: elements that we put in; `dynamic`: put in by rules, with a counter, for `timeoutMs` or until they are removed. */
  readonly kind: 'static' | 'dynamic';
  readonly timeoutMs?: number;
}

export function newSet({ table, name, id, addresses, size, kind, timeoutMs }: SetRequest): Uint8Array {
  // With EVAL the kernel takes its resizable hash table: listing costs by what is in it, not by what could be.
  const flags = kind === 'static' ? 0 : timeoutMs === undefined ? NFT_SET_EVAL : NFT_SET_EVAL | NFT_SET_TIMEOUT;
  const type = addresses === 1 ? TYPE_IPV6_ADDRESS : (TYPE_IPV6_ADDRESS << TYPE_BITS) | TYPE_IPV6_ADDRESS;
  const attributes = [
    textAttribute(1, table),
    textAttribute(2, name),
    number(3, flags),
    number(4, type),
    number(5, 16 * addresses),
    nestedAttribute(9, number(1, size)),
    number(10, id),
  ];
  if (timeoutMs !== undefined) attributes.push(attribute(11, networkU64(timeoutMs)));
  return message('newSet', NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ...attributes);
}

/** Where the kernel calls a chain: NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT. */
export const HOOK = { input: 1, output: 3 } as const;

/** A filter chain that accepts what its rules do not decide. */
export function baseChain(table: string, name: keyof typeof HOOK, priority: number): Uint8Array {
  return message(
    'newChain',
    NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    textAttribute(1, table),
    textAttribute(3, name),
    nestedAttribute(4, number(1, HOOK[name]), number(2, priority)),
    textAttribute(7, 'filter'),
  );
}

/** A rule at the end of a chain. */
export function appendedRule(table: string, chain: string, ...expressions: readonly Uint8Array[]): Uint8Array {
  return message(
    'newRule',
    NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND,
    textAttribute(1, table),
    textAttribute(2, chain),
    nestedAttribute(4, ...expressions),
  );
}

const TOGETHER = 1000; // elements: the length of an attribute has 16 bits

/** Put elements into a set, or take them out; adding what is there is harmless. */
export function elements(how: 'add' | 'remove', table: string, set: string, keys: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < keys.length; at += TOGETHER) {
    const list = keys
      .slice(at, at + TOGETHER)
      .map((key) => nestedAttribute(NFTA_LIST_ELEM, value(NFTA_SET_ELEM_KEY, key)));
    const attributes = [
      textAttribute(1, table),
      textAttribute(2, set),
      nestedAttribute(NFTA_SET_ELEM_LIST_ELEMENTS, ...list),
    ];
    if (how === 'add') messages.push(message('newElement', NLM_F_ACK | NLM_F_CREATE, ...attributes));
    else messages.push(message('deleteElement', NLM_F_ACK, ...attributes));
  }
  return messages;
}

/** List all elements of a set. */
export function listElements(table: string, set: string): Uint8Array {
  return message('getElement', NLM_F_DUMP, textAttribute(1, table), textAttribute(2, set));
}

/** Look up some elements of a set; the kernel answers with a message for each, or ENOENT. */
export function listOnly(table: string, set: string, keys: readonly Uint8Array[]): Uint8Array {
  const list = keys.map((key) => nestedAttribute(NFTA_LIST_ELEM, value(NFTA_SET_ELEM_KEY, key)));
  const attributes = [
    textAttribute(1, table),
    textAttribute(2, set),
    nestedAttribute(NFTA_SET_ELEM_LIST_ELEMENTS, ...list),
  ];
  return message('getElement', NLM_F_ACK, ...attributes);
}

/**
 * Visits the elements that one answer carries: where their key begins in `answer`, and what their counter says.
 * Returns how many there were. Makes no object per element.
 */
export function parseElements(
  answer: Uint8Array,
  keyLength: number,
  visit: (at: number, packets: number, octets: number) => void,
): Parsed<number> {
  if (answer.length < NLMSG_HDRLEN + NFGENMSG_LENGTH) return { ok: false, reason: 'truncated', at: answer.length };
  const outer = new AttributeCursor(answer, NLMSG_HDRLEN + NFGENMSG_LENGTH);
  const list = new AttributeCursor(answer);
  const element = new AttributeCursor(answer);
  const inner = new AttributeCursor(answer);
  const deepest = new AttributeCursor(answer);
  let count = 0;
  while (outer.find(NFTA_SET_ELEM_LIST_ELEMENTS)) {
    list.within(outer.at, outer.at + outer.length);
    while (list.find(NFTA_LIST_ELEM)) {
      element.within(list.at, list.at + list.length);
      let at = -1;
      let packets = 0;
      let octets = 0;
      while (element.next()) {
        inner.within(element.at, element.at + element.length);
        if (element.type === NFTA_SET_ELEM_KEY) {
          if (inner.next() && inner.length >= keyLength) at = inner.at;
        } else if (element.type === NFTA_SET_ELEM_EXPR && inner.find(NFTA_EXPR_DATA)) {
          deepest.within(inner.at, inner.at + inner.length);
          while (deepest.next()) {
            if (deepest.type === NFTA_COUNTER_BYTES) octets = deepest.u64BigEndian();
            else if (deepest.type === NFTA_COUNTER_PACKETS) packets = deepest.u64BigEndian();
          }
        }
      }
      if (at < 0) continue;
      visit(at, packets, octets);
      count++;
    }
  }
  for (const cursor of [list, element, inner, deepest]) outer.accept(cursor);
  return outer.finish(count);
}
