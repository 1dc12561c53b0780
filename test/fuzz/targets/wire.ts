import { readFileSync } from 'node:fs';
import { formatAddress, parseAddress, sameOctets } from '../../../src/wire/address.ts';
import { parseIcmpError } from '../../../src/wire/icmpv6.ts';
import { dissect } from '../../../src/dissect/capture.ts';
import { NO_KEYS } from '../../../src/dissect/key-log.ts';
import { nodeCrypto } from '../../../src/node/crypto.ts';
import { nodeHipCrypto } from '../../../src/node/hip-crypto.ts';
import { fromHex, toHex } from '../../../src/wire/hex.ts';
import { networkPacket } from '../../../src/wire/link-layer.ts';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  enhancedPacket,
  interfaceDescription,
  parseCapture,
  sectionHeader,
} from '../../../src/wire/pcapng.ts';
import type { Target } from '../targets.ts';

export const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** A file of `test/vectors/`. */
export function vector(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../vectors/${name}`, import.meta.url)));
}

/** The packets of a capture, each beginning with its network header. */
export function packetsOf(name: string): Uint8Array[] {
  const parsed = parseCapture(vector(name));
  if (!parsed.ok) throw new Error(`${name}: ${parsed.reason}`);
  return parsed.value.packets.map(({ octets }) => octets.slice());
}

const concat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const packets = packetsOf('linshim6-ka.pcap').slice(0, 3);
const frame = concat(new Uint8Array(12), Uint8Array.of(0x86, 0xdd), packets[0] ?? new Uint8Array(0));

const MEANS = { crypto: nodeCrypto, hipCrypto: nodeHipCrypto, keys: NO_KEYS };

export const wireTargets: Readonly<Record<string, Target>> = {
  'address text': {
    run: (bytes) => {
      const address = parseAddress(new TextDecoder().decode(bytes));
      if (address === undefined) return false;
      const again = parseAddress(formatAddress(address));
      if (again === undefined || !sameOctets(again, address)) throw new Error('does not read what it wrote');
      return true;
    },
    corpus: ['2001:db8::1', '::', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1', '64:ff9b::192.0.2.33', 'fe80::1'].map(text),
  },
  capture: {
    run: (bytes) => {
      const parsed = parseCapture(bytes);
      if (!parsed.ok) return false;
      for (const { interface: port, octets } of parsed.value.packets) networkPacket(port.linkType, octets);
      return true;
    },
    corpus: [
      concat(
        sectionHeader(),
        interfaceDescription({ linkType: LINKTYPE_RAW, name: 'wan1' }),
        interfaceDescription({ linkType: LINKTYPE_ETHERNET, name: 'wan2' }),
        ...packets.map((packet, i) => enhancedPacket(0, BigInt(i) << 32n, packet)),
        enhancedPacket(1, 1n, frame),
      ),
      vector('linshim6-ka.pcap').slice(0, 600),
    ],
  },
  'hexadecimal text': {
    run: (bytes) => {
      const octets = fromHex(new TextDecoder().decode(bytes));
      if (octets === undefined) return false;
      if (toHex(octets).length !== 2 * octets.length) throw new Error('does not write what it read');
      return true;
    },
    corpus: [text('00ff'), text(''), text('ABcd')],
  },
  /** A capture file in, one JSON document out. */
  'loci dissect': {
    isSlow: true,
    run: (bytes) => {
      const parsed = parseCapture(bytes);
      if (!parsed.ok) return false;
      const document: unknown = JSON.parse(JSON.stringify([...dissect(parsed.value, MEANS)]));
      return Array.isArray(document) && document.length > 0;
    },
    corpus: ['linshim6-ka.pcap', 'linshim6-cga.pcap'].map((name) => vector(name).slice(0, 3_000)),
  },
  'ICMPv6 error': {
    run: (bytes) => parseIcmpError(bytes).ok,
    corpus: [concat(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), ...packets.slice(0, 1))],
  },
};
