import type { Address } from '../../wire/address.ts';
import { UNSPECIFIED } from '../../wire/address.ts';
import type { Parsed } from '../../wire/parsed.ts';
import { attribute, AttributeCursor, u32Attribute, u8Attribute, viewOf } from './attributes.ts';
import { AF_INET6, NLM_F_ACK, NLM_F_DUMP, NLMSG_HDRLEN, request } from './message.ts';
import type { Prefix } from './route.ts';

export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

const FIXED_LENGTH = 12;
const FR_ACT_TO_TBL = 1;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;

/** A routing policy rule, from RTM_NEWRULE or RTM_DELRULE. */
export interface RuleMessage {
  readonly family: number;
  /** Called preference by iproute2. */
  readonly priority: number;
  readonly source: Prefix;
  readonly destination: Prefix;
  readonly mark: number;
  readonly mask: number;
  readonly inputInterface: string | undefined;
  readonly ipProtocol: number | undefined;
  readonly table: number;
  /** Who set it, as with routes. */
  readonly protocol: number;
  /** Routes with a prefix of at most this length do not count; `undefined` when all do. */
  readonly suppressPrefixLength: number | undefined;
  /** 1: look up `table`. */
  readonly action: number;
}

/** `struct fib_rule_hdr` and its attributes. */
export function parseRule(message: Uint8Array): Parsed<RuleMessage> {
  if (message.length < NLMSG_HDRLEN + FIXED_LENGTH) return { ok: false, reason: 'truncated', at: message.length };
  const view = viewOf(message);
  const octet = (offset: number): number => view.getUint8(NLMSG_HDRLEN + offset);
  const attributes = new AttributeCursor(message, NLMSG_HDRLEN + FIXED_LENGTH);
  const ipv6 = octet(0) === AF_INET6;
  let source: Address = UNSPECIFIED;
  let destination: Address = UNSPECIFIED;
  let priority = 0;
  let mark = 0;
  let mask = 0;
  let inputInterface: string | undefined;
  let ipProtocol: number | undefined;
  let table = octet(4);
  let protocol = 0;
  let suppressPrefixLength: number | undefined;
  while (attributes.next()) {
    if (attributes.type === FRA_PRIORITY) priority = attributes.u32();
    else if (attributes.type === FRA_FWMARK) mark = attributes.u32();
    else if (attributes.type === FRA_FWMASK) mask = attributes.u32();
    else if (attributes.type === FRA_IIFNAME) inputInterface = attributes.text();
    else if (attributes.type === FRA_TABLE) table = attributes.u32();
    else if (attributes.type === FRA_PROTOCOL) protocol = attributes.u8();
    else if (attributes.type === FRA_IP_PROTO) ipProtocol = attributes.u8();
    else if (attributes.type === FRA_SUPPRESS_PREFIXLEN) {
      const length = attributes.i32();
      suppressPrefixLength = length < 0 ? undefined : length;
    } else if (!ipv6) continue;
    else if (attributes.type === FRA_SRC) source = attributes.octets(16);
    else if (attributes.type === FRA_DST) destination = attributes.octets(16);
  }
  return attributes.finish({
    family: octet(0),
    priority,
    source: { address: source, length: octet(2) },
    destination: { address: destination, length: octet(1) },
    mark,
    mask,
    inputInterface,
    ipProtocol,
    table,
    protocol,
    suppressPrefixLength,
    action: octet(7),
  });
}

/** What of a rule this project writes. */
export interface RuleRequest {
  readonly priority: number;
  readonly table: number;
  readonly protocol: number;
  readonly source?: Address | undefined;
  readonly destination?: Address | undefined;
  readonly mark?: number | undefined;
  readonly mask?: number | undefined;
  readonly suppressPrefixLength?: number | undefined;
}

/** RTM_NEWRULE or RTM_DELRULE of an IPv6 rule that looks up a table, for one source and/or one destination. */
export function writeRule(type: number, flags: number, rule: RuleRequest): Uint8Array {
  const length = (address: Address | undefined): number => (address === undefined ? 0 : 128);
  const fixed = Uint8Array.of(
    AF_INET6,
    length(rule.destination),
    length(rule.source),
    0,
    0,
    0,
    0,
    FR_ACT_TO_TBL,
    0,
    0,
    0,
    0,
  );
  const attributes = [
    u32Attribute(FRA_PRIORITY, rule.priority),
    u32Attribute(FRA_TABLE, rule.table),
    u8Attribute(FRA_PROTOCOL, rule.protocol),
  ];
  if (rule.source !== undefined) attributes.push(attribute(FRA_SRC, rule.source));
  if (rule.destination !== undefined) attributes.push(attribute(FRA_DST, rule.destination));
  if (rule.mark !== undefined) attributes.push(u32Attribute(FRA_FWMARK, rule.mark));
  if (rule.mask !== undefined) attributes.push(u32Attribute(FRA_FWMASK, rule.mask));
  if (rule.suppressPrefixLength !== undefined) {
    attributes.push(u32Attribute(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength));
  }
  return request(type, NLM_F_ACK | flags, fixed, ...attributes);
}

/** List the IPv6 rules. */
export function listRules(): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  return request(RTM_GETRULE, NLM_F_DUMP, fixed);
}
