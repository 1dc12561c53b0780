/**
 * Watches one interface: counts who sends payload and who control messages, and writes all frames to FILE (pcapng) when one is named.
 * Any command is answered with the counts; `{finish: true}` completes the file first.
 */
import { createWriteStream } from 'node:fs';
import { FIELDS, LENGTH, OFFSET, batch } from '../../host/ports.ts';
import { CAPTURE, Capture } from '../../node/packets.ts';
import { IPV6_HEADER_LENGTH, NEXT_HEADER_AT, SHIM6, TCP, UDP } from '../../wire/ipv6.ts';
import { LINKTYPE_ETHERNET, enhancedPacket, interfaceDescription, sectionHeader } from '../../wire/pcapng.ts';
import { argument, fieldOf, onCommand, say } from './lines.ts';

const SLOTS = 64;
const STRIDE = 65_536 + 256; // TCP super-packets are seen whole
const ETHERNET_HEADER = 14;
const PACKET_OUTGOING = 4;
const PAYLOAD_BIT = 0x80; // P, RFC 5533 §5.1

const name = argument(0, 'INTERFACE');
const index = Number(argument(1, 'INDEX'));
const file = process.argv[4];

const frames = batch(SLOTS, STRIDE);
const capture = Capture.open(index);
const output = file === undefined ? undefined : createWriteStream(file);
const counts = { payloadOut: 0, payloadIn: 0, controlOut: 0, controlIn: 0 };

output?.write(sectionHeader());
output?.write(interfaceDescription({ linkType: LINKTYPE_ETHERNET, name }));

function drain(): void {
  for (let count = SLOTS; count === SLOTS;) {
    count = capture.receive(frames);
    for (let slot = 0; slot < count; slot++) look(slot * FIELDS);
  }
}

function look(row: number): void {
  const column = (field: number): number => frames.meta[row + field] ?? 0;
  const frame = frames.slab.subarray(column(OFFSET), column(OFFSET) + column(LENGTH));
  const outgoing = column(CAPTURE.direction) === PACKET_OUTGOING;
  if (isPayload(frame)) counts[outgoing ? 'payloadOut' : 'payloadIn']++;
  else counts[outgoing ? 'controlOut' : 'controlIn']++;
  if (output === undefined || output.writableEnded) return;
  const time = BigInt(column(CAPTURE.seconds)) * 1_000_000_000n + BigInt(column(CAPTURE.nanoseconds));
  output.write(enhancedPacket(0, time, frame));
}

/** UDP and TCP, as they are or behind a Shim6 payload extension header. Everything else is control. */
function isPayload(frame: Uint8Array): boolean {
  const protocol = frame[ETHERNET_HEADER + NEXT_HEADER_AT];
  if (protocol === UDP || protocol === TCP) return true;
  return protocol === SHIM6 && ((frame[ETHERNET_HEADER + IPV6_HEADER_LENGTH + 2] ?? 0) & PAYLOAD_BIT) !== 0;
}

capture.onReadable(drain);
say('ready');
onCommand((command) => {
  drain();
  if (fieldOf(command, 'finish') !== true || output === undefined) say('counted', counts);
  else
    output.end((error?: Error | null) => {
      if (error) throw error; // the file is not what it should be
      say('counted', counts);
    });
});
