/**
 * A hop that delays and loses: what the router routes into the TUN device DEVICE comes back out of it later, or never.
 * Commands: `{delayMs, loss}` from now on; `{silenceMs}` loses everything for that time. Losses come from SEED.
 */
import { z } from 'zod';
import {
  CHECKSUM_OFFSET,
  CHECKSUM_START,
  FIELDS,
  GSO_SIZE,
  HEADROOM,
  LENGTH,
  OFFSET,
  batch,
} from '../../host/ports.ts';
import { TUN_STRIDE, TunDevice } from '../../node/tun.ts';
import { seededRandom } from '../../sim/random.ts';
import { argument, monotonicNow, onCommand, say } from './lines.ts';

const MTU = 1500;
const SLOTS = 32;

const Command = z.union([
  z.object({ delayMs: z.number().min(0), loss: z.number().min(0).max(1) }),
  z.object({ silenceMs: z.number().min(0) }),
]);

/** A packet on its way, with what the kernel still has to do to it. */
interface Delayed {
  readonly due: number;
  readonly octets: Uint8Array;
  readonly columns: readonly [gsoSize: number, checksumStart: number, checksumOffset: number];
}

const device = TunDevice.open(argument(0, 'DEVICE'), MTU);
const random = seededRandom(Number(argument(1, 'SEED')));
const incoming = batch(SLOTS, TUN_STRIDE);
const outgoing = batch(SLOTS, TUN_STRIDE);
const queue: Delayed[] = [];
const counts = { passed: 0, lost: 0 };
let delayMs = 0;
let loss = 0;
let silentUntil = 0;
let timer: NodeJS.Timeout | undefined;

function isLost(now: number): boolean {
  if (now < silentUntil) return true;
  const [low = 0, high = 0] = random(2);
  return (low + 256 * high) / 65_536 < loss;
}

function take(): void {
  for (let count = SLOTS; count === SLOTS;) {
    count = device.read(incoming);
    const now = monotonicNow();
    for (let row = 0; row < count * FIELDS; row += FIELDS) {
      if (isLost(now)) {
        counts.lost++;
        continue;
      }
      const column = (field: number): number => incoming.meta[row + field] ?? 0;
      queue.push({
        due: now + delayMs,
        octets: incoming.slab.slice(column(OFFSET), column(OFFSET) + column(LENGTH)),
        columns: [column(GSO_SIZE), column(CHECKSUM_START), column(CHECKSUM_OFFSET)],
      });
    }
  }
  release();
}

/** Packets stay in order: one that became due earlier waits for those before it. */
function release(): void {
  const now = monotonicNow();
  for (let count = SLOTS; count === SLOTS;) {
    count = 0;
    for (let head = queue[0]; head !== undefined && head.due <= now && count < SLOTS; head = queue[0]) {
      queue.shift();
      fill(count++, head);
    }
    counts.passed += count;
    device.write(outgoing, count);
  }
  const head = queue[0];
  if (head === undefined || timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    release();
  }, head.due - now);
}

function fill(slot: number, { octets, columns }: Delayed): void {
  const offset = slot * TUN_STRIDE + HEADROOM;
  outgoing.slab.set(octets, offset);
  const row = slot * FIELDS;
  outgoing.meta[row + OFFSET] = offset;
  outgoing.meta[row + LENGTH] = octets.length;
  [GSO_SIZE, CHECKSUM_START, CHECKSUM_OFFSET].forEach((field, i) => {
    outgoing.meta[row + field] = columns[i] ?? 0;
  });
}

device.onReadable(take);
say('ready', { device: device.name });
onCommand((line) => {
  const command = Command.parse(line);
  if ('silenceMs' in command) silentUntil = monotonicNow() + command.silenceMs;
  else ({ delayMs, loss } = command);
  say('done', counts);
});
