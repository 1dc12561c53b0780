import { encodeShim6, parseShim6 } from '../../../src/shim6/message-codec.ts';
import { parsePayloadHeader } from '../../../src/shim6/payload-header.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { internetChecksum } from '../../../src/wire/checksum.ts';
import type { Target } from '../targets.ts';
import { packetsOf } from './wire.ts';

const IPV6_HEADER_LENGTH = 40;
const CHECKSUM_AT = 4;
const messages = ['linshim6-cga.pcap', 'linshim6-hba.pcap', 'linshim6-ka.pcap']
  .flatMap(packetsOf)
  .filter((packet) => packet[6] === 140)
  .map((packet) => packet.slice(IPV6_HEADER_LENGTH));

/** RFC 5533 §5.3: the checksum covers as many octets as the length field says. */
export function repairChecksum(bytes: Uint8Array): void {
  const length = ((bytes[1] ?? 0) + 1) * 8;
  if (length > bytes.length) return;
  bytes.fill(0, CHECKSUM_AT, CHECKSUM_AT + 2);
  const checksum = internetChecksum(bytes.subarray(0, length));
  bytes[CHECKSUM_AT] = checksum >> 8;
  bytes[CHECKSUM_AT + 1] = checksum & 0xff;
}

export const shim6Targets: Readonly<Record<string, Target>> = {
  'Shim6 message': {
    run: (bytes) => {
      const parsed = parseShim6(bytes);
      if (!parsed.ok) return false;
      if (parsed.value.type === 'Unknown') return true;
      // Unknown options carry their offset and are written last, so octets are compared and not values.
      const written = encodeShim6(parsed.value);
      const again = parseShim6(written);
      if (!again.ok || again.value.type === 'Unknown' || !sameOctets(encodeShim6(again.value), written)) {
        throw new Error('does not read what it wrote');
      }
      return true;
    },
    corpus: messages,
    repair: repairChecksum,
  },
  'Shim6 payload header': {
    run: (bytes) => parsePayloadHeader(bytes).ok,
    corpus: [Uint8Array.of(6, 0, 0x92, 0x34, 0x56, 0x78, 0x9a, 0xbc)],
  },
};
