import { aligned, joined, LITTLE_ENDIAN, viewOf } from './attributes.ts';

/** Octets of `struct nlmsghdr`, in front of every netlink message. */
export const NLMSG_HDRLEN = 16;

export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

export const AF_INET6 = 10;

/** The exchange that the codecs need of a netlink socket: send messages, return the kernel's answers, throw its refusal. */
export interface NetlinkExchange {
  exchange(request: Uint8Array): Uint8Array[];
}

/** Type of a whole message, -1 when it is shorter than its header. */
export function messageType(message: Uint8Array): number {
  return message.length < NLMSG_HDRLEN ? -1 : viewOf(message).getUint16(4, LITTLE_ENDIAN);
}

export function messageFlags(message: Uint8Array): number {
  return message.length < NLMSG_HDRLEN ? 0 : viewOf(message).getUint16(6, LITTLE_ENDIAN);
}

/** A request: header, the fixed part of its family, attributes. The socket fills in the sequence number. */
export function request(
  type: number,
  flags: number,
  fixed: Uint8Array,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  const body = joined([fixed, new Uint8Array(aligned(fixed.length) - fixed.length), ...attributes]);
  const octets = new Uint8Array(NLMSG_HDRLEN + aligned(body.length));
  const view = viewOf(octets);
  view.setUint32(0, NLMSG_HDRLEN + body.length, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST | flags, LITTLE_ENDIAN);
  octets.set(body, NLMSG_HDRLEN);
  return octets;
}

/** A listed object as the request that deletes it: the kernel takes its own description back. */
export function deletion(listed: Uint8Array, type: number): Uint8Array {
  const octets = new Uint8Array(aligned(listed.length));
  octets.set(listed);
  const view = viewOf(octets);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, LITTLE_ENDIAN);
  view.setUint32(12, 0, LITTLE_ENDIAN); // the port number of whom it was listed to
  return octets;
}
