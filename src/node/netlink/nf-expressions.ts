import { attribute, joined, nestedAttribute, textAttribute } from './attributes.ts';

/** Registers of nf_tables of 4 octets each; a longer value takes several in a row. */
export const REGISTER = 8; // NFT_REG32_00

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NF_ACCEPT = 1;
const NFT_REG_VERDICT = 0;
const NFT_DYNSET_OP_UPDATE = 1;
const NFT_EXTHDR_F_PRESENT = 1;
const NFT_EXTHDR_OP_TCPOPT = 1;

export const META = { mark: 3, iif: 4, oif: 5, l4proto: 16 } as const;
export const HEADER = { network: 1, transport: 2 } as const;
const COMPARISON = { equal: 0, unequal: 1, atMost: 3, atLeast: 5 } as const;

/** 32 bits in network order, as nf_tables wants its numbers. */
export function networkU32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** 64 bits in network order. */
export function networkU64(value: number): Uint8Array {
  return Uint8Array.of(...networkU32(Math.floor(value / 0x1_0000_0000)), ...networkU32(value % 0x1_0000_0000));
}

/** A number of an attribute in network order. */
export function number(type: number, value: number): Uint8Array {
  return attribute(type, networkU32(value));
}

/** A value as it is compared or looked up: NFTA_DATA_VALUE inside `type`. */
export function value(type: number, octets: Uint8Array): Uint8Array {
  return nestedAttribute(type, attribute(NFTA_DATA_VALUE, octets));
}

/** An expression outside of a list, such as the one that each element of a set gets. */
export function expressionOf(type: number, name: string, ...parameters: readonly Uint8Array[]): Uint8Array {
  return nestedAttribute(type, textAttribute(NFTA_EXPR_NAME, name), nestedAttribute(NFTA_EXPR_DATA, ...parameters));
}

function expression(name: string, ...parameters: readonly Uint8Array[]): Uint8Array {
  return expressionOf(NFTA_LIST_ELEM, name, ...parameters);
}

/** Load octets of a header. */
export function payload(header: number, offset: number, length: number): Uint8Array {
  return expression('payload', number(1, REGISTER), number(2, header), number(3, offset), number(4, length));
}

/** Load something about the packet. */
export function meta(key: number): Uint8Array {
  return expression('meta', number(1, REGISTER), number(2, key));
}

/** Go on only if the TCP header has this option. */
export function tcpOption(kind: number): Uint8Array {
  const present = expression(
    'exthdr',
    number(1, REGISTER),
    attribute(2, Uint8Array.of(kind)),
    number(3, 0),
    number(4, 1),
    number(5, NFT_EXTHDR_F_PRESENT),
    number(6, NFT_EXTHDR_OP_TCPOPT),
  );
  return joined([present, compare('equal', Uint8Array.of(1))]);
}

/** Go on only if what was loaded compares so. */
export function compare(how: keyof typeof COMPARISON, octets: Uint8Array): Uint8Array {
  return expression('cmp', number(1, REGISTER), number(2, COMPARISON[how]), value(3, octets));
}

/** Keep only the bits of `mask` of what was loaded. */
export function masked(mask: Uint8Array): Uint8Array {
  const nothing = new Uint8Array(mask.length);
  return expression(
    'bitwise',
    number(1, REGISTER),
    number(2, REGISTER),
    number(3, mask.length),
    value(4, mask),
    value(5, nothing),
  );
}

/** Go on only if what was loaded is in the set. */
export function lookup(set: string): Uint8Array {
  return expression('lookup', textAttribute(1, set), number(2, REGISTER));
}

/**
 * Put what was loaded into the set, with a counter, or count there; with `timeoutMs`, until that long after the last packet.
 * Goes no further when the set is full.
 */
export function update(set: string, timeoutMs?: number): Uint8Array {
  return expression(
    'dynset',
    textAttribute(1, set),
    number(3, NFT_DYNSET_OP_UPDATE),
    number(4, REGISTER),
    ...(timeoutMs === undefined ? [] : [attribute(6, networkU64(timeoutMs))]),
    expressionOf(7, 'counter'),
  );
}

/** Go on at most so often. */
export function limit(perSecond: number): Uint8Array {
  return expression('limit', attribute(1, networkU64(perSecond)), attribute(2, networkU64(1)), number(3, 1));
}

/** Report the packet to the program that has this group of nfnetlink_log, if there is one. */
export function log(group: number): Uint8Array {
  return expression('log', attribute(1, Uint8Array.of(group >> 8, group & 0xff)));
}

/** Leave the chain. */
export function accept(): Uint8Array {
  const verdict = nestedAttribute(NFTA_DATA_VERDICT, number(NFTA_VERDICT_CODE, NF_ACCEPT));
  return expression('immediate', number(1, NFT_REG_VERDICT), nestedAttribute(2, verdict));
}
