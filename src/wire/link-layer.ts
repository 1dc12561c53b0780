import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './pcapng.ts';

const LINKTYPE_LINUX_SLL = 113;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_IPV6 = 229;
const LINKTYPE_LINUX_SLL2 = 276;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q, 802.1ad, and what preceded the latter: two octets of tag, then the real type. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const TAG_LENGTH = 4;

/** The IPv4 or IPv6 packet inside a captured frame, as a view of it; `undefined` for anything else. */
export function networkPacket(linkType: number, frame: Uint8Array): Uint8Array | undefined {
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      return withType(frame, 12, 14);
    case LINKTYPE_LINUX_SLL:
      return withType(frame, 14, 16);
    case LINKTYPE_LINUX_SLL2:
      return withType(frame, 0, 20);
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
      return withVersion(frame);
    default:
      return undefined;
  }
}

/** VLAN tags lie between the type and what it announces, also behind a cooked header. */
function withType(frame: Uint8Array, typeAt: number, payloadAt: number): Uint8Array | undefined {
  let type = u16(frame, typeAt);
  let start = payloadAt;
  for (; VLAN_TAGS.has(type); start += TAG_LENGTH) type = u16(frame, start + 2);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? withVersion(frame.subarray(start)) : undefined;
}

function withVersion(packet: Uint8Array): Uint8Array | undefined {
  const version = (packet[0] ?? 0) >> 4;
  return version === 4 || version === 6 ? packet : undefined;
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}
