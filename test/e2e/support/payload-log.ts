/**
 * Notes when a host sends payload on which of its links: INDEX INDEX … are those of provider 1, 2, …, counted by what leaves.
 * `{clear: true}` forgets; any other command is answered by `noted` with the changes of link since then.
 */
import { FIELDS, LENGTH, OFFSET, batch } from '../../../src/host/ports.ts';
import { CAPTURE, Capture } from '../../../src/node/packets.ts';
import { fieldOf, onCommand, say } from '../../../src/cli/demo/lines.ts';
import { IPV6_HEADER_LENGTH, NEXT_HEADER_AT, SHIM6, TCP, UDP } from '../../../src/wire/ipv6.ts';

const ETHERNET_HEADER = 14;
const PACKET_OUTGOING = 4;
const PAYLOAD_BIT = 0x80; // P, RFC 5533 §5.1
const SLOTS = 64;

interface Sending {
  readonly at: number; // milliseconds of the kernel's time stamp
  readonly provider: number;
}

const frames = batch(SLOTS, 65_536 + 256);
const captures = process.argv.slice(2).map((index) => Capture.open(Number(index)));
let sendings: Sending[] = [];

function isPayload(frame: Uint8Array): boolean {
  const protocol = frame[ETHERNET_HEADER + NEXT_HEADER_AT];
  if (protocol === UDP || protocol === TCP) return true;
  return protocol === SHIM6 && ((frame[ETHERNET_HEADER + IPV6_HEADER_LENGTH + 2] ?? 0) & PAYLOAD_BIT) !== 0;
}

function drain(capture: Capture, provider: number): void {
  for (let count = SLOTS; count === SLOTS;) {
    count = capture.receive(frames);
    for (let row = 0; row < count * FIELDS; row += FIELDS) {
      const column = (field: number): number => frames.meta[row + field] ?? 0;
      if (column(CAPTURE.direction) !== PACKET_OUTGOING) continue;
      if (!isPayload(frames.slab.subarray(column(OFFSET), column(OFFSET) + column(LENGTH)))) continue;
      sendings.push({ at: column(CAPTURE.seconds) * 1e3 + column(CAPTURE.nanoseconds) / 1e6, provider });
    }
  }
}

const drainAll = (): void => {
  captures.forEach((capture, i) => {
    drain(capture, i + 1);
  });
};

captures.forEach((capture, i) => {
  capture.onReadable(() => {
    drain(capture, i + 1);
  });
});
onCommand((command) => {
  drainAll();
  if (fieldOf(command, 'clear') === true) {
    sendings = [];
    say('cleared');
    return;
  }
  sendings.sort((a, b) => a.at - b.at);
  const changes: { at: number; from: number; to: number }[] = [];
  let last = sendings[0];
  for (const sending of sendings) {
    if (last !== undefined && sending.provider !== last.provider)
      changes.push({ at: sending.at, from: last.provider, to: sending.provider });
    last = sending;
  }
  const counts = captures.map((_, i) => sendings.filter(({ provider }) => provider === i + 1).length);
  say('noted', { changes, counts, first: sendings[0]?.provider ?? 0 });
});
say('ready');
