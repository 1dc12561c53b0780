import type { Instant } from '../wire/time.ts';
import { Writer } from '../wire/writer.ts';
import { Reader } from '../wire/reader.ts';
import type { World } from './world.ts';

/** First octet of a datagram: what it is for. */
export const DATAGRAM = 0;
export const SEGMENT = 1;
export const ACKNOWLEDGEMENT = 2;

const SEGMENT_OCTETS = 3_500;
const WINDOW = 256;
/** As the routes to peers set it. */
const RTO_MIN_MS = 50;
const DUPLICATES = 3;

/** Sends numbered segments at a given rate until they are acknowledged: a reliable stream reduced to what matters here. */
export class StreamSender {
  readonly #world: World;
  readonly #send: (payload: Uint8Array) => void;
  readonly #intervalMs: number;
  #produced = 0;
  #next = 0;
  #acknowledged = 0;
  #duplicates = 0;
  #rtoMs = RTO_MIN_MS;
  #timer = 0;
  #isStopped = false;

  constructor(world: World, megabitsPerSecond: number, send: (payload: Uint8Array) => void) {
    this.#world = world;
    this.#send = send;
    this.#intervalMs = (SEGMENT_OCTETS * 8) / (megabitsPerSecond * 1000);
    this.#produce();
  }

  get octets(): number {
    return this.#acknowledged * SEGMENT_OCTETS;
  }

  stop(): void {
    this.#isStopped = true;
  }

  acknowledge(payload: Uint8Array): void {
    const r = new Reader(payload);
    r.u8();
    const expected = r.u32();
    if (expected > this.#acknowledged) {
      this.#acknowledged = expected;
      this.#next = Math.max(this.#next, expected);
      this.#duplicates = 0;
      this.#rtoMs = RTO_MIN_MS;
      this.#arm();
      this.#fill();
    } else if (expected < this.#next && ++this.#duplicates === DUPLICATES) {
      this.#transmit(expected);
    }
  }

  #produce(): void {
    if (this.#isStopped) return;
    if (this.#produced - this.#acknowledged < 2 * WINDOW) this.#produced++;
    this.#fill();
    this.#world.after(this.#intervalMs, () => this.#produce());
  }

  #fill(): void {
    while (this.#next < this.#produced && this.#next - this.#acknowledged < WINDOW) this.#transmit(this.#next++);
  }

  #transmit(number: number): void {
    const w = new Writer(SEGMENT_OCTETS);
    w.u8(SEGMENT);
    w.u32(number);
    w.zeros(SEGMENT_OCTETS - 5);
    this.#send(w.finish());
    if (this.#timer === 0) this.#arm();
  }

  #arm(): void {
    const timer = ++this.#timer;
    this.#world.after(this.#rtoMs, () => {
      if (timer === this.#timer) this.#expire();
    });
  }

  #expire(): void {
    if (this.#isStopped || this.#acknowledged === this.#next) {
      this.#timer = 0;
      return;
    }
    this.#rtoMs *= 2;
    this.#next = this.#acknowledged; // all that is under way counts as lost
    this.#transmit(this.#next++);
    this.#arm();
  }
}

/** Puts segments in order and acknowledges each. */
export class StreamReceiver {
  readonly #early = new Set<number>();
  readonly #acknowledge: (payload: Uint8Array) => void;
  #expected = 0;
  /** When octets in order came in. */
  readonly progress: Instant[] = [];

  constructor(acknowledge: (payload: Uint8Array) => void) {
    this.#acknowledge = acknowledge;
  }

  get octets(): number {
    return this.#expected * SEGMENT_OCTETS;
  }

  receive(payload: Uint8Array, now: Instant): void {
    const r = new Reader(payload);
    r.u8();
    const number = r.u32();
    if (number >= this.#expected) this.#early.add(number);
    const before = this.#expected;
    while (this.#early.delete(this.#expected)) this.#expected++;
    if (this.#expected > before) this.progress.push(now);
    const w = new Writer(5);
    w.u8(ACKNOWLEDGEMENT);
    w.u32(this.#expected);
    this.#acknowledge(w.finish());
  }
}
