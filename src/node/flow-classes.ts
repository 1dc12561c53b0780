import type { Address } from '../wire/address.ts';
import { accept, compare, HEADER, masked, META, meta, payload, tcpOption, update } from './netlink/nf-expressions.ts';
import { appendedRule, newSet } from './netlink/nf-tables.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const MPTCP_OPTION = 30; // RFC 8684 §3
const SOURCE_PORT_AT = 0;
const DESTINATION_PORT_AT = 2;
const DESTINATION_AT = 24; // RFC 8200 §3
const ADDRESS_BITS = 128;

/** Packets that go out and are alike to the policy: the first class that fits decides. */
export interface FlowClass {
  /** Where they go; anywhere when left out. */
  readonly prefix?: { readonly address: Address; readonly length: number } | undefined;
  /** TCP or UDP port at either end; any packet when left out. */
  readonly port?: number | undefined;
  /** False: they trigger nothing. */
  readonly counts: boolean;
}

/** The set in which the packets of a class are counted. */
export function setOfClass(index: number): string {
  return `class${String(index)}`;
}

/** RFC 6629 §7.3: SCTP and MPTCP have several paths by themselves, which a shim below would take from them. */
export function leftAlone(table: string): Uint8Array[] {
  return [
    appendedRule(table, 'output', meta(META.l4proto), compare('equal', Uint8Array.of(SCTP)), accept()),
    appendedRule(table, 'output', tcpOption(MPTCP_OPTION), accept()),
  ];
}

/** The sets in which classes count; `firstId` and the following are their numbers within the transaction. */
export function classSets(
  table: string,
  classes: readonly FlowClass[],
  { firstId, size, timeoutMs }: { firstId: number; size: number; timeoutMs: number },
): Uint8Array[] {
  return classes.flatMap(({ counts }, index) =>
    counts
      ? [
          newSet({
            table,
            name: setOfClass(index),
            id: firstId + index,
            addresses: 2,
            size,
            kind: 'dynamic',
            timeoutMs,
          }),
        ]
      : [],
  );
}

/** `counted` are the expressions that load the pair of a packet that is to be counted, `then` those for after that. */
export function classRules(
  table: string,
  classes: readonly FlowClass[],
  { counted, then, timeoutMs }: { counted: readonly Uint8Array[]; then: readonly Uint8Array[]; timeoutMs: number },
): Uint8Array[] {
  return classes.flatMap((flow, index) =>
    matches(flow).flatMap((match) => {
      const last = appendedRule(table, 'output', ...match, accept());
      if (!flow.counts) return [last];
      return [appendedRule(table, 'output', ...match, ...counted, update(setOfClass(index), timeoutMs), ...then), last];
    }),
  );
}

/** One list of expressions for each way of belonging to the class. */
function matches({ prefix, port }: FlowClass): Uint8Array[][] {
  const to = prefix === undefined ? [] : within(prefix.address, prefix.length);
  if (port === undefined) return [to];
  return [TCP, UDP].flatMap((protocol) =>
    [SOURCE_PORT_AT, DESTINATION_PORT_AT].map((offset) => [
      ...to,
      meta(META.l4proto),
      compare('equal', Uint8Array.of(protocol)),
      payload(HEADER.transport, offset, 2), // TCP and UDP have their ports at the same places
      compare('equal', Uint8Array.of(port >> 8, port & 0xff)),
    ]),
  );
}

function within(address: Address, length: number): Uint8Array[] {
  const mask = new Uint8Array(ADDRESS_BITS / 8);
  for (let bit = 0; bit < length; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  const wanted = mask.map((octet, i) => octet & (address[i] ?? 0));
  return [payload(HEADER.network, DESTINATION_AT, mask.length), masked(mask), compare('equal', wanted)];
}
