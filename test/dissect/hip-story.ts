import { readFileSync } from 'node:fs';
import { readKeyLog } from '../../src/cli/key-log.ts';
import type { DissectedMessage } from '../../src/dissect/entry.ts';
import { encodeHip } from '../../src/hip/packet-codec.ts';
import { udpPayload } from '../../src/hip/packet-carriage.ts';
import { UDP } from '../../src/wire/ipv6.ts';
import { A1, B1, hex } from '../shim6/spec-vectors.ts';
import { captureOf, ipv6, messagesIn } from './captures.ts';

/** A keepalive of RFC 9028 §4.10 in UDP, as a capture. */
const KEEPALIVE = udpPayload(
  encodeHip({
    type: 'NOTIFY',
    isAnonymous: false,
    senderHit: hex('200100222a0a7b7ff99d30bf6f0d0507'),
    receiverHit: hex('20010021d4bf8284dae7d34668c99a15'),
    parameters: [{ type: 'NOTIFICATION', notifyType: 16_385, notificationData: new Uint8Array(0) }],
  }),
);
const DATAGRAM = Uint8Array.of(0xd4, 0x31, 0x29, 0x04, 0, 8 + KEEPALIVE.length, 0, 0, ...KEEPALIVE);

const path = (name: string): string => new URL(`../vectors/${name}`, import.meta.url).pathname;

/** One of each message of HIP, and ESP: an exchange of another implementation, and a keepalive. */
export function hipStory(): DissectedMessage[] {
  const capture = new Uint8Array(readFileSync(path('cutehip-rfcpatched-rsa.pcap')));
  const exchange = messagesIn(capture, readKeyLog(path('cutehip-rfcpatched-rsa-keys-a.jsonl')));
  return [...exchange, ...messagesIn(captureOf(ipv6(A1, B1, DATAGRAM, UDP)))];
}

/** The JSON of an entry with long octets cut off, as documents show it. */
export function shortened(entry: DissectedMessage): unknown {
  return JSON.parse(JSON.stringify(entry), (_, value: unknown) =>
    typeof value === 'string' && /^[0-9a-f]{41,}$/.test(value) ? `${value.slice(0, 16)}…` : value,
  );
}
