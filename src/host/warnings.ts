import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Probe } from '../reap/probe.ts';
import { TokenBucket } from '../locators/token-bucket.ts';
import { formatAddress } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEffect } from './host-io.ts';

/** What a peer can provoke is not told more often than this. */
const RATE = { perSecond: 1 / 10, burst: 5 };

/** Warnings about what peers and paths do. */
export class Warnings {
  readonly #bucket: TokenBucket;

  constructor(now: Instant) {
    this.#bucket = new TokenBucket(RATE, now);
  }

  /** RFC 5534 §5.2: the first report of a Probe, which came in on `on`, is about itself. A translator makes a difference. */
  compare({ sent: [itself] }: Probe, on: LocatorPair, now: Instant, out: HostEffect[]): void {
    if (itself === undefined) return;
    const told = { local: itself.destination, peer: itself.source };
    if (samePair(told, on) || !this.#bucket.take(now)) return;
    const message = `a Probe of ${arrow(told)} came in as ${arrow(on)}: something on the path changes addresses`;
    out.push({ type: 'event', event: { at: now, event: 'warning', message } });
  }
}

function arrow({ local, peer }: LocatorPair): string {
  return `${formatAddress(peer)} → ${formatAddress(local)}`;
}
