import { dissect } from '../../src/dissect/capture.ts';
import type { DissectedMessage, Entry } from '../../src/dissect/entry.ts';
import { NO_KEYS } from '../../src/dissect/key-log.ts';
import type { KeyLog } from '../../src/dissect/key-log.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { encodeShim6 } from '../../src/shim6/message-codec.ts';
import type { KnownMessage } from '../../src/shim6/messages.ts';
import { writePayloadHeader } from '../../src/shim6/payload-header.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { Address } from '../../src/wire/address.ts';
import { SHIM6, writeIpv6Header } from '../../src/wire/ipv6.ts';
import {
  LINKTYPE_RAW,
  enhancedPacket,
  interfaceDescription,
  parseCapture,
  sectionHeader,
} from '../../src/wire/pcapng.ts';
import { Writer } from '../../src/wire/writer.ts';

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** An IPv6 packet. */
export function ipv6(
  source: Address,
  destination: Address,
  payload: Uint8Array,
  nextHeader: number = SHIM6,
): Uint8Array {
  const w = new Writer(40);
  const { length: payloadLength } = payload;
  writeIpv6Header(w, { trafficClass: 0, flowLabel: 0, payloadLength, nextHeader, hopLimit: 64, source, destination });
  return joined(w.finish(), payload);
}

/** A packet with this message. */
export function control(source: Address, destination: Address, message: KnownMessage): Uint8Array {
  return ipv6(source, destination, encodeShim6(message));
}

/** A packet of which `octets` follow a payload header. */
export function tagged(
  source: Address,
  destination: Address,
  tag: number,
  octets: Uint8Array,
  nextHeader = 17,
): Uint8Array {
  const w = new Writer(8);
  writePayloadHeader(w, { nextHeader, contextTag: contextTag(tag) });
  return ipv6(source, destination, joined(w.finish(), octets));
}

/** A pcapng file of raw packets, one a millisecond. */
export function captureOf(...packets: readonly Uint8Array[]): Uint8Array {
  return joined(
    sectionHeader(),
    interfaceDescription({ linkType: LINKTYPE_RAW }),
    ...packets.map((packet, i) => enhancedPacket(0, 1_700_000_000_000_000_000n + BigInt(i) * 1_000_000n, packet)),
  );
}

export function entriesOf(file: Uint8Array, keys: KeyLog = NO_KEYS): Entry[] {
  const parsed = parseCapture(file);
  if (!parsed.ok) throw new Error(`unreadable: ${parsed.reason} at ${String(parsed.at)}`);
  return [...dissect(parsed.value, { crypto: nodeCrypto, hipCrypto: nodeHipCrypto, keys })];
}

/** The messages in these packets. */
export function messagesOf(...packets: readonly Uint8Array[]): DissectedMessage[] {
  return messagesIn(captureOf(...packets));
}

export function messagesIn(file: Uint8Array, keys: KeyLog = NO_KEYS): DissectedMessage[] {
  return entriesOf(file, keys).map((entry) => {
    if (!('message' in entry)) throw new Error('the file is cut off');
    return entry;
  });
}

/** The one message in a packet. */
export function messageIn(packet: Uint8Array): DissectedMessage {
  const [message, second] = messagesOf(packet);
  if (message === undefined || second !== undefined) throw new Error('not one message');
  return message;
}
