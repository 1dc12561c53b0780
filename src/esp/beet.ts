import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import {
  DESTINATION_ADDRESS_AT,
  IPV6_HEADER_LENGTH,
  NEXT_HEADER_AT,
  PAYLOAD_LENGTH_AT,
  SOURCE_ADDRESS_AT,
  writeIpv6Header,
} from '../wire/ipv6.ts';
import { Writer } from '../wire/writer.ts';

/** The inner addresses of an SA: HITs. */
export interface InnerAddresses {
  readonly source: Address;
  readonly destination: Address;
}

/** What ESP carries of an inner packet. */
export interface InnerPayload {
  readonly nextHeader: number;
  readonly payload: Uint8Array;
}

/**
 * What is left of a packet of a program when its IPv6 header is discarded, RFC 7402 §B.1.5; `undefined` unless its
 * addresses are the SA's. Extension headers travel inside; the upper-layer checksum stays the one over HITs.
 */
export function withoutInnerHeader(packet: Uint8Array, inner: InnerAddresses): InnerPayload | undefined {
  if (packet.length < IPV6_HEADER_LENGTH || (packet[0] ?? 0) >> 4 !== 6) return undefined;
  const length = ((packet[PAYLOAD_LENGTH_AT] ?? 0) << 8) | (packet[PAYLOAD_LENGTH_AT + 1] ?? 0);
  const source = packet.subarray(SOURCE_ADDRESS_AT, DESTINATION_ADDRESS_AT);
  const destination = packet.subarray(DESTINATION_ADDRESS_AT, IPV6_HEADER_LENGTH);
  if (IPV6_HEADER_LENGTH + length !== packet.length) return undefined;
  if (!sameOctets(source, inner.source) || !sameOctets(destination, inner.destination)) return undefined;
  return { nextHeader: packet[NEXT_HEADER_AT] ?? 0, payload: packet.subarray(IPV6_HEADER_LENGTH) };
}

/** The packet for a program, RFC 7402 §B.1.6: the HITs, and what the outer header says of hop limit and traffic class. */
export function withInnerHeader(
  { nextHeader, payload }: InnerPayload,
  inner: InnerAddresses,
  outer: { readonly hopLimit: number; readonly trafficClass: number },
): Uint8Array {
  const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
  writeIpv6Header(w, { ...outer, ...inner, flowLabel: 0, payloadLength: payload.length, nextHeader });
  w.octets(payload);
  return w.finish();
}
