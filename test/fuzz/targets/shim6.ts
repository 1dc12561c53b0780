import { DETECTION_LENGTH, parseDetection, writeDetection } from '../../../src/shim6/fast-detection.ts';
import {
  locatorListLength,
  locatorPreferencesLength,
  parseLocatorList,
  parseLocatorPreferences,
  writeLocatorList,
  writeLocatorPreferences,
} from '../../../src/shim6/locator-list.ts';
import { MESSAGE_TYPES, encodeShim6, parseShim6 } from '../../../src/shim6/message-codec.ts';
import { parsePayloadHeader } from '../../../src/shim6/payload-header.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { Writer } from '../../../src/wire/writer.ts';
import { messagesFor, sum } from '../scenes.ts';
import type { Target } from '../targets.ts';
import { packetsOf } from './wire.ts';

const IPV6_HEADER_LENGTH = 40;
const messages = ['linshim6-cga.pcap', 'linshim6-hba.pcap', 'linshim6-ka.pcap']
  .flatMap(packetsOf)
  .filter((packet) => packet[6] === 140)
  .map((packet) => packet.slice(IPV6_HEADER_LENGTH));

const unknown = Uint8Array.of(59, 0, 100, 0, 0, 0, 1, 2);
sum(unknown);

function detection(sendTimeoutMs: number): Uint8Array {
  const w = new Writer(DETECTION_LENGTH);
  writeDetection(w, { sendTimeoutMs });
  return w.finish();
}

export const shim6Targets: Readonly<Record<string, Target>> = {
  'Shim6 message': {
    run: (bytes) => {
      const parsed = parseShim6(bytes);
      if (!parsed.ok) return false;
      if (parsed.value.type === 'Unknown') return 'Unknown';
      // Unknown options carry their offset and are written last, so octets are compared and not values.
      const written = encodeShim6(parsed.value);
      const again = parseShim6(written);
      if (!again.ok || again.value.type === 'Unknown' || !sameOctets(encodeShim6(again.value), written)) {
        throw new Error('does not read what it wrote');
      }
      return parsed.value.type;
    },
    corpus: [...messages, ...messagesFor('ESTABLISHED'), unknown],
    repair: sum,
    reaches: [...Object.keys(MESSAGE_TYPES), 'Unknown'],
  },
  'locator list': {
    run: (bytes) => {
      const parsed = parseLocatorList(bytes);
      if (!parsed.ok) return false;
      const w = new Writer(locatorListLength(parsed.value));
      writeLocatorList(w, parsed.value);
      return w.finish().length === bytes.length;
    },
    corpus: [
      Uint8Array.of(0, 0, 0, 9, 2, 1, 2, ...new Uint8Array(5 + 32)),
      Uint8Array.of(0, 0, 0, 9, 1, 1, ...new Uint8Array(22)),
    ],
  },
  'locator preferences': {
    run: (bytes) => {
      const parsed = parseLocatorPreferences(bytes);
      if (!parsed.ok) return false;
      writeLocatorPreferences(new Writer(locatorPreferencesLength(parsed.value)), parsed.value);
      return String(parsed.value.elementLength);
    },
    corpus: [1, 2, 3, 5].map((length) => Uint8Array.of(0, 0, 0, 9, length, ...new Uint8Array(2 * length))),
    reaches: ['1', '2', '3'],
  },
  'fast detection': { run: (bytes) => parseDetection(bytes).ok, corpus: [1, 2].map((ms) => detection(ms)) },
  'Shim6 payload header': {
    run: (bytes) => parsePayloadHeader(bytes).ok,
    corpus: [Uint8Array.of(6, 0, 0x92, 0x34, 0x56, 0x78, 0x9a, 0xbc)],
  },
};
