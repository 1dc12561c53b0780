import type { Address } from '../../wire/address.ts';
import { UNSPECIFIED } from '../../wire/address.ts';
import type { Parsed } from '../../wire/parsed.ts';
import { attribute, AttributeCursor, u32Attribute, viewOf } from './attributes.ts';
import { AF_INET6, NLM_F_ACK, NLM_F_DUMP, NLMSG_HDRLEN, request } from './message.ts';

export const RTM_NEWADDRLABEL = 72;
export const RTM_DELADDRLABEL = 73;
const RTM_GETADDRLABEL = 74;

const FIXED_LENGTH = 12;
const IFAL_ADDRESS = 1;
const IFAL_LABEL = 2;

/** An entry of the kernel's policy table, RFC 6724 §2.1: the label of a prefix. */
export interface LabelMessage {
  readonly prefix: Address;
  readonly prefixLength: number;
  readonly label: number;
}

/** `struct ifaddrlblmsg` and its attributes. */
export function parseLabel(message: Uint8Array): Parsed<LabelMessage> {
  if (message.length < NLMSG_HDRLEN + FIXED_LENGTH) return { ok: false, reason: 'truncated', at: message.length };
  const attributes = new AttributeCursor(message, NLMSG_HDRLEN + FIXED_LENGTH);
  let prefix: Address = UNSPECIFIED;
  let label = 0;
  while (attributes.next()) {
    if (attributes.type === IFAL_ADDRESS) prefix = attributes.octets(16);
    else if (attributes.type === IFAL_LABEL) label = attributes.u32();
  }
  return attributes.finish({ prefix, prefixLength: viewOf(message).getUint8(NLMSG_HDRLEN + 2), label });
}

/** RTM_NEWADDRLABEL or RTM_DELADDRLABEL. */
export function writeLabel(type: number, flags: number, { prefix, prefixLength, label }: LabelMessage): Uint8Array {
  const fixed = Uint8Array.of(AF_INET6, 0, prefixLength, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return request(type, NLM_F_ACK | flags, fixed, attribute(IFAL_ADDRESS, prefix), u32Attribute(IFAL_LABEL, label));
}

/** List the policy table. */
export function listLabels(): Uint8Array {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = AF_INET6;
  return request(RTM_GETADDRLABEL, NLM_F_DUMP, fixed);
}
