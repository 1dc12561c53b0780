import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './pcapng.ts';

const LINKTYPE_LINUX_SLL = 113;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_IPV6 = 229;
const LINKTYPE_LINUX_SLL2 = 276;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q and 802.1ad: four octets of tag in front of the real type. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8]);

/** The IPv4 or IPv6 packet inside a captured frame, as a view of it; `undefined` for anything else. */
export function networkPacket(linkType: number, frame: Uint8Array): Uint8Array | undefined {
  switch (linkType) {
    case LINKTYPE_ETHERNET: {
      let at = 12;
      while (VLAN_TAGS.has(u16(frame, at))) at += 4;
      return withType(frame, at, at + 2);
    }
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

function withType(frame: Uint8Array, typeAt: number, start: number): Uint8Array | undefined {
  const type = u16(frame, typeAt);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? withVersion(frame.subarray(start)) : undefined;
}

function withVersion(packet: Uint8Array): Uint8Array | undefined {
  const version = (packet[0] ?? 0) >> 4;
  return version === 4 || version === 6 ? packet : undefined;
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}
