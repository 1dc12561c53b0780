import type { LocatorPair } from '../locators/pair.ts';
import { PAYLOAD_HEADER_LENGTH } from '../shim6/payload-header.ts';
import { IPV6_HEADER_LENGTH, writeIpv6Header } from '../wire/ipv6.ts';
import { Writer } from '../wire/writer.ts';
import type { Aside } from './fast-path.ts';

/** RFC 5533 §12.2: a tagged packet as the peer's program sent it. */
export function restored({ octets, hopLimit }: Aside, ulids: LocatorPair): Uint8Array {
  const payload = octets.subarray(PAYLOAD_HEADER_LENGTH);
  const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: payload.length,
    nextHeader: octets[0] ?? 0,
    hopLimit,
    source: ulids.peer,
    destination: ulids.local,
  });
  w.octets(payload);
  return w.finish();
}
