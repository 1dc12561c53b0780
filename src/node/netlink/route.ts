import type { Address } from '../../wire/address.ts';
import { UNSPECIFIED } from '../../wire/address.ts';
import type { Parsed } from '../../wire/parsed.ts';
import { attribute, AttributeCursor, LITTLE_ENDIAN, nestedAttribute, u32Attribute, viewOf } from './attributes.ts';
import { AF_INET6, NLM_F_ACK, NLM_F_DUMP, NLMSG_HDRLEN, request } from './message.ts';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

export const RT_TABLE_MAIN = 254;
export const RTN_UNICAST = 1;
/** `rtm_flags`: a cached clone of a route, not a route. */
export const RTM_F_CLONED = 0x200;

const FIXED_LENGTH = 12;
const NEXT_HOP_LENGTH = 8;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_PREF = 20;
const RTA_EXPIRES = 23;
const RTA_NH_ID = 30;
const RTAX_LOCK = 1; // bits of the metrics that the kernel must not replace
const RTAX_MTU = 2;
const RTAX_RTO_MIN = 13;
const USER_HZ = 100;

/** Where a route leads; the gateway is `undefined` for what is on the link. */
export interface NextHop {
  readonly index: number;
  readonly gateway: Address | undefined;
}

/** An IPv6 prefix. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** An IPv6 route, from RTM_NEWROUTE or RTM_DELROUTE. */
export interface RouteMessage {
  readonly family: number;
  readonly table: number;
  readonly destination: Prefix;
  /** Only packets from there; length 0 for all. */
  readonly source: Prefix;
  readonly type: number;
  readonly flags: number;
  readonly protocol: number;
  readonly priority: number;
  /** More than one for equal-cost routes; none for routes that reject. */
  readonly nextHops: readonly NextHop[];
  readonly nextHopId: number | undefined;
  readonly preferredSource: Address | undefined;
  /** RFC 4191 §2.1: 1 high, 0 medium, 3 low. */
  readonly preference: number;
  readonly rtoMinMs: number | undefined;
  readonly mtu: number | undefined;
  readonly expiresSeconds: number | undefined;
}

/** `struct rtmsg` and its attributes. Routes of other families come out with empty prefixes. */
export function parseRoute(message: Uint8Array): Parsed<RouteMessage> {
  if (message.length < NLMSG_HDRLEN + FIXED_LENGTH) return { ok: false, reason: 'truncated', at: message.length };
  const view = viewOf(message);
  const octet = (offset: number): number => view.getUint8(NLMSG_HDRLEN + offset);
  const attributes = new AttributeCursor(message, NLMSG_HDRLEN + FIXED_LENGTH);
  const ipv6 = octet(0) === AF_INET6;
  let table = octet(4);
  let destination = UNSPECIFIED;
  let source = UNSPECIFIED;
  let index: number | undefined;
  let gateway: Address | undefined;
  let several: NextHop[] | undefined;
  let priority = 0;
  let nextHopId: number | undefined;
  let preferredSource: Address | undefined;
  let preference = 0;
  let metrics: Metrics = { rtoMinMs: undefined, mtu: undefined };
  let expiresSeconds: number | undefined;
  while (attributes.next()) {
    if (attributes.type === RTA_TABLE) table = attributes.u32();
    else if (attributes.type === RTA_OIF) index = attributes.u32();
    else if (attributes.type === RTA_PRIORITY) priority = attributes.u32();
    else if (attributes.type === RTA_PREF) preference = attributes.u8();
    else if (attributes.type === RTA_NH_ID) nextHopId = attributes.u32();
    else if (attributes.type === RTA_METRICS) metrics = parseMetrics(attributes);
    else if (!ipv6) continue;
    else if (attributes.type === RTA_DST) destination = attributes.octets(16);
    else if (attributes.type === RTA_SRC) source = attributes.octets(16);
    else if (attributes.type === RTA_GATEWAY) gateway = attributes.octets(16);
    else if (attributes.type === RTA_PREFSRC) preferredSource = attributes.octets(16);
    else if (attributes.type === RTA_MULTIPATH) several = parseNextHops(message, attributes);
    else if (attributes.type === RTA_CACHEINFO) {
      const ticks = attributes.i32(8);
      if (ticks !== 0) expiresSeconds = ticks / USER_HZ;
    }
  }
  return attributes.finish({
    family: octet(0),
    table,
    destination: { address: destination, length: octet(1) },
    source: { address: source, length: octet(2) },
    type: octet(7),
    flags: view.getUint32(NLMSG_HDRLEN + 8, LITTLE_ENDIAN),
    protocol: octet(5),
    priority,
    nextHops: several ?? (index === undefined ? [] : [{ index, gateway }]),
    nextHopId,
    preferredSource,
    preference,
    ...metrics,
    expiresSeconds,
  });
}

/** Whether a message speaks of a route in `table`, which is less than 256; without a look at the rest. */
export function isOfTable(message: Uint8Array, table: number): boolean {
  return message[NLMSG_HDRLEN + 4] === table;
}

interface Metrics {
  readonly rtoMinMs: number | undefined;
  readonly mtu: number | undefined;
}

function parseMetrics(attributes: AttributeCursor): Metrics {
  const inner = attributes.nested();
  let rtoMinMs: number | undefined;
  let mtu: number | undefined;
  while (inner.next()) {
    if (inner.type === RTAX_RTO_MIN) rtoMinMs = inner.u32();
    else if (inner.type === RTAX_MTU) mtu = inner.u32();
  }
  attributes.accept(inner);
  return { rtoMinMs, mtu };
}

/** A list of `struct rtnexthop`: length, flags, hops, interface index, attributes. */
function parseNextHops(message: Uint8Array, attributes: AttributeCursor): NextHop[] {
  const view = viewOf(message);
  const hops: NextHop[] = [];
  const end = attributes.at + attributes.length;
  for (let at = attributes.at; at < end;) {
    const length = at + NEXT_HOP_LENGTH <= end ? view.getUint16(at, LITTLE_ENDIAN) : 0;
    const inner = new AttributeCursor(
      message,
      at + NEXT_HOP_LENGTH,
      length < NEXT_HOP_LENGTH ? at : Math.min(at + length, end),
    );
    if (inner.malformed || at + length > end) {
      attributes.within(end, at); // refuses
      break;
    }
    const gateway = inner.find(RTA_GATEWAY) ? inner.octets(16) : undefined;
    hops.push({ index: view.getInt32(at + 4, LITTLE_ENDIAN), gateway });
    attributes.accept(inner);
    at += (length + 3) & ~3;
  }
  return hops;
}

/** What of a route this project writes. */
export interface RouteRequest {
  readonly table: number;
  readonly destination: Prefix;
  readonly protocol: number;
  readonly index: number;
  readonly gateway?: Address | undefined;
  readonly preferredSource?: Address | undefined;
  readonly rtoMinMs?: number | undefined;
  readonly mtu?: number | undefined;
  readonly expiresSeconds?: number | undefined;
}

/** RTM_NEWROUTE or RTM_DELROUTE of an IPv6 unicast route. */
export function writeRoute(type: number, flags: number, route: RouteRequest): Uint8Array {
  const fixed = Uint8Array.of(AF_INET6, route.destination.length, 0, 0, 0, route.protocol, 0, RTN_UNICAST, 0, 0, 0, 0);
  const attributes = [u32Attribute(RTA_TABLE, route.table), u32Attribute(RTA_OIF, route.index)];
  if (route.destination.length > 0) attributes.push(attribute(RTA_DST, route.destination.address));
  if (route.gateway !== undefined) attributes.push(attribute(RTA_GATEWAY, route.gateway));
  if (route.preferredSource !== undefined) attributes.push(attribute(RTA_PREFSRC, route.preferredSource));
  if (route.expiresSeconds !== undefined) attributes.push(u32Attribute(RTA_EXPIRES, route.expiresSeconds));
  const metrics: Uint8Array[] = [];
  if (route.mtu !== undefined) metrics.push(u32Attribute(RTAX_MTU, route.mtu));
  if (route.rtoMinMs !== undefined) {
    // TCP looks at this metric only when it is locked
    metrics.push(u32Attribute(RTAX_LOCK, 1 << RTAX_RTO_MIN), u32Attribute(RTAX_RTO_MIN, route.rtoMinMs));
  }
  if (metrics.length > 0) attributes.push(nestedAttribute(RTA_METRICS, ...metrics));
  return request(type, NLM_F_ACK | flags, fixed, ...attributes);
}

/** List the IPv6 routes of all tables. */
export function listRoutes(): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  return request(RTM_GETROUTE, NLM_F_DUMP, fixed);
}

/** Ask which route packets to `destination` take, and with which source, as `ip -6 route get` does. */
export function lookUpRoute(destination: Address): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  fixed[1] = 128;
  return request(RTM_GETROUTE, NLM_F_ACK, fixed, attribute(RTA_DST, destination));
}
