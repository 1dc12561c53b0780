import type { Address } from '../../wire/address.ts';
import type { Parsed } from '../../wire/parsed.ts';
import { attribute, AttributeCursor, hostU32, LITTLE_ENDIAN, u32Attribute, u8Attribute, viewOf } from './attributes.ts';
import { AF_INET6, NLM_F_ACK, NLM_F_DUMP, NLMSG_HDRLEN, request } from './message.ts';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

export const IFA_F_TEMPORARY = 0x01;
export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_NOPREFIXROUTE = 0x200;

const FIXED_LENGTH = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11; // Linux 5.18
const INFINITE = 0xffffffff;

/** An address of an interface, from RTM_NEWADDR or RTM_DELADDR. */
export interface AddressMessage {
  readonly family: number;
  readonly index: number;
  readonly address: Address;
  readonly prefixLength: number;
  readonly flags: number;
  /** `Infinity` when it does not end. */
  readonly validLifetimeSeconds: number;
  readonly preferredLifetimeSeconds: number;
  /** Who set it (`IFA_PROTO`); 0 where the kernel does not say. */
  readonly protocol: number;
}

/** `struct ifaddrmsg` and its attributes. IPv4 addresses fill the first four octets. */
export function parseAddressMessage(message: Uint8Array): Parsed<AddressMessage> {
  if (message.length < NLMSG_HDRLEN + FIXED_LENGTH) return { ok: false, reason: 'truncated', at: message.length };
  const view = viewOf(message);
  const family = view.getUint8(NLMSG_HDRLEN);
  const attributes = new AttributeCursor(message, NLMSG_HDRLEN + FIXED_LENGTH);
  const length = family === AF_INET6 ? 16 : 4;
  let far: Address | undefined;
  let local: Address | undefined;
  let flags = view.getUint8(NLMSG_HDRLEN + 2);
  let preferred = INFINITE;
  let valid = INFINITE;
  let protocol = 0;
  while (attributes.next()) {
    if (attributes.type === IFA_ADDRESS) far = attributes.octets(length);
    else if (attributes.type === IFA_LOCAL) local = attributes.octets(length);
    else if (attributes.type === IFA_FLAGS) flags = attributes.u32();
    else if (attributes.type === IFA_PROTO) protocol = attributes.u8();
    else if (attributes.type === IFA_CACHEINFO) {
      preferred = attributes.u32(0);
      valid = attributes.u32(4);
    }
  }
  const address = local ?? far; // with a peer address, IFA_ADDRESS is the peer's
  if (address === undefined) return { ok: false, reason: 'bad-value', at: NLMSG_HDRLEN };
  return attributes.finish({
    family,
    index: view.getUint32(NLMSG_HDRLEN + 4, LITTLE_ENDIAN),
    address,
    prefixLength: view.getUint8(NLMSG_HDRLEN + 1),
    flags,
    validLifetimeSeconds: lifetime(valid),
    preferredLifetimeSeconds: lifetime(preferred),
    protocol,
  });
}

/** RTM_NEWADDR or RTM_DELADDR of an IPv6 address. */
export function writeAddressMessage(type: number, flags: number, message: Omit<AddressMessage, 'family'>): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  fixed[1] = message.prefixLength;
  viewOf(fixed).setUint32(4, message.index, LITTLE_ENDIAN);
  return request(
    type,
    NLM_F_ACK | flags,
    fixed,
    attribute(IFA_LOCAL, message.address),
    attribute(IFA_ADDRESS, message.address),
    u32Attribute(IFA_FLAGS, message.flags),
    attribute(
      IFA_CACHEINFO,
      hostU32(seconds(message.preferredLifetimeSeconds), seconds(message.validLifetimeSeconds), 0, 0),
    ),
    u8Attribute(IFA_PROTO, message.protocol),
  );
}

/** List all IPv6 addresses. */
export function listAddresses(): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  return request(RTM_GETADDR, NLM_F_DUMP, fixed);
}

function lifetime(value: number): number {
  return value === INFINITE ? Number.POSITIVE_INFINITY : value;
}

function seconds(value: number): number {
  return value >= INFINITE ? INFINITE : Math.max(0, Math.floor(value));
}
