/**
 * Sends I1 messages to DESTINATION as fast as it is told, each with a right checksum, from a random address in a random /64 of
 * PREFIX (the first 20 bits count). OWN is an address of this host. Commands: `{perSecond, seconds}`, answered by `flooded`.
 */
import { argument, monotonicNow, numberIn, onCommand, say } from '../../../src/cli/demo/lines.ts';
import { batch, ERROR, FIELDS, HEADROOM, LENGTH, OFFSET, SOCKET } from '../../../src/host/ports.ts';
import { RawSender } from '../../../src/node/packets.ts';
import { systemRandom } from '../../../src/node/random.ts';
import { fromHex } from '../../../src/wire/hex.ts';
import { SOURCE_ADDRESS_AT } from '../../../src/wire/ipv6.ts';
import { i1 } from './junk.ts';
import { address, packet } from './packets.ts';

const [destination, own, prefix] = [argument(0, 'DESTINATION'), argument(1, 'OWN'), argument(2, 'PREFIX')];
/** Sent together; so many different ones exist. */
const TOGETHER = 100;
const BATCHES = 64;
const STRIDE = 256;

const sender = new RawSender(0);
const socket = sender.descriptor(address(own));
const ulidPair = { sender: address(`${prefix}::1`), receiver: address(destination) };
const slots = batch(TOGETHER * BATCHES, STRIDE);
const { slab, meta } = slots;
for (let slot = 0; slot < slots.slots; slot++) {
  const detection = { sendTimeoutMs: 50 };
  const options = [{}, { detection }, { detection, ulidPair }][slot % 3];
  const octets = fromHex(packet(own, destination, i1(systemRandom, options))) ?? new Uint8Array();
  slab.set(octets, slot * STRIDE + HEADROOM);
  meta[slot * FIELDS + OFFSET] = (slot % TOGETHER) * STRIDE + HEADROOM; // from the start of its batch
  meta[slot * FIELDS + LENGTH] = octets.length;
  meta[slot * FIELDS + SOCKET] = socket;
}
const batches = Array.from({ length: BATCHES }, (_, i) => ({
  slab: slab.subarray(i * TOGETHER * STRIDE, (i + 1) * TOGETHER * STRIDE),
  meta: meta.subarray(i * TOGETHER * FIELDS, (i + 1) * TOGETHER * FIELDS),
  slots: TOGETHER,
  stride: STRIDE,
}));
const start = address(`${prefix}::`);
let state = 140;

/** One batch, from sources that were not used before. */
function sendBatch(number: number): number {
  const one = batches[number % BATCHES];
  if (one === undefined) return 0;
  const view = new DataView(one.slab.buffer, one.slab.byteOffset, one.slab.byteLength);
  for (let slot = 0; slot < TOGETHER; slot++) {
    const at = slot * STRIDE + HEADROOM + SOURCE_ADDRESS_AT;
    one.slab.set(start.subarray(0, 2), at);
    for (let word = 2; word < 16; word += 2) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      view.setUint16(at + word, word === 2 ? (state >>> 16) & 0xfff : state >>> 16);
    }
  }
  sender.send(one, TOGETHER);
  let accepted = 0;
  for (let slot = 0; slot < TOGETHER; slot++) if (one.meta[slot * FIELDS + ERROR] === 0) accepted++;
  return accepted;
}

onCommand((command) => {
  const perSecond = numberIn(command, 'perSecond');
  const from = monotonicNow();
  const until = from + numberIn(command, 'seconds') * 1_000;
  let [sent, accepted] = [0, 0];
  const step = (): void => {
    const now = monotonicNow();
    if (now >= until) {
      say('flooded', { sent, accepted, perSecond: Math.round((1_000 * accepted) / (now - from)) });
      return;
    }
    const due = ((now - from) / 1_000) * perSecond;
    for (let burst = 0; burst < 20 && sent < due; burst++, sent += TOGETHER) accepted += sendBatch(sent / TOGETHER);
    if (sent < due) setImmediate(step);
    else setTimeout(step, 1);
  };
  step();
});
say('ready');
