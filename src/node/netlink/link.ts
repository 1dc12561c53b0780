import type { Parsed } from '../../wire/parsed.ts';
import { AttributeCursor, LITTLE_ENDIAN, viewOf } from './attributes.ts';
import { NLM_F_DUMP, NLMSG_HDRLEN, request } from './message.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_LOWER_UP = 0x10000;

const FIXED_LENGTH = 16;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_CARRIER = 33;
const IFLA_INFO_KIND = 1;

/** A network interface, from RTM_NEWLINK or RTM_DELLINK. What a message does not carry is `undefined`. */
export interface LinkMessage {
  /** AF_UNSPEC; bridges and IPv6 report parts of a link under their own family. */
  readonly family: number;
  readonly index: number;
  readonly flags: number;
  readonly name: string | undefined;
  readonly mtu: number | undefined;
  /** RFC 2863 §3.1.14: 6 is up. */
  readonly operState: number | undefined;
  readonly carrier: boolean | undefined;
  /** Such as `veth` or `tun`; `undefined` for hardware. */
  readonly kind: string | undefined;
}

/** `struct ifinfomsg` and its attributes. */
export function parseLink(message: Uint8Array): Parsed<LinkMessage> {
  if (message.length < NLMSG_HDRLEN + FIXED_LENGTH) return { ok: false, reason: 'truncated', at: message.length };
  const view = viewOf(message);
  const attributes = new AttributeCursor(message, NLMSG_HDRLEN + FIXED_LENGTH);
  let name: string | undefined;
  let mtu: number | undefined;
  let operState: number | undefined;
  let carrier: boolean | undefined;
  let kind: string | undefined;
  while (attributes.next()) {
    if (attributes.type === IFLA_IFNAME) name = attributes.text();
    else if (attributes.type === IFLA_MTU) mtu = attributes.u32();
    else if (attributes.type === IFLA_OPERSTATE) operState = attributes.u8();
    else if (attributes.type === IFLA_CARRIER) carrier = attributes.u8() !== 0;
    else if (attributes.type === IFLA_LINKINFO) {
      const inner = attributes.nested();
      if (inner.find(IFLA_INFO_KIND)) kind = inner.text();
      attributes.accept(inner);
    }
  }
  return attributes.finish({
    family: view.getUint8(NLMSG_HDRLEN),
    index: view.getInt32(NLMSG_HDRLEN + 4, LITTLE_ENDIAN),
    flags: view.getUint32(NLMSG_HDRLEN + 8, LITTLE_ENDIAN),
    name,
    mtu,
    operState,
    carrier,
    kind,
  });
}

/** List all interfaces. */
export function listLinks(): Uint8Array {
  return request(RTM_GETLINK, NLM_F_DUMP, new Uint8Array(FIXED_LENGTH));
}
