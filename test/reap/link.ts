import type { LocatorPair } from '../../src/locators/pair.ts';
import type { ReapEffect, ReapInput } from '../../src/reap/input.ts';
import type { ReapProfile } from '../../src/reap/profile.ts';
import type { Probe } from '../../src/reap/probe.ts';
import { Reap } from '../../src/reap/reap.ts';
import { parseAddress, sameOctets } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

export type Name = 'A' | 'B';

/** What one direction of one path does to a packet at a time: `undefined` loses it, else its one-way delay. */
export type Path = (now: number) => number | undefined;

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

export const A: readonly [Address, Address] = [address('2001:db8:a1::1'), address('2001:db8:a2::1')];
export const B: readonly [Address, Address] = [address('2001:db8:b1::2'), address('2001:db8:b2::2')];

/** Octets that depend on a seed only (xorshift32). */
export function seeded(seed: number): (length: number) => Uint8Array {
  let x = (seed * 2_654_435_761 + 1_013_904_223) >>> 0 || 1;
  return (length) =>
    Uint8Array.from({ length }, () => {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      return (x >>> 11) & 0xff;
    });
}

export function seededUniform(seed: number): () => number {
  const octets = seeded(seed ^ 0x5bd1e995);
  return () => {
    const [a = 0, b = 0, c = 0] = octets(3);
    return (a * 65_536 + b * 256 + c) / 0x100_0000;
  };
}

type Packet =
  { readonly kind: 'payload' } | { readonly kind: 'keepalive' } | { readonly kind: 'probe'; readonly probe: Probe };

export interface Logged {
  readonly at: number;
  readonly host: Name;
  readonly effect: ReapEffect;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export interface TwoHostsOptions {
  readonly profile: ReapProfile;
  readonly seed: number;
  readonly locators?: readonly [a: number, b: number];
  /** By sender and by the index of the locator pair, `11` … `22`: A's index, then B's. */
  readonly path?: (from: Name, pair: string) => Path;
  readonly order?: (name: Name) => readonly string[];
}

/** Two machines over a virtual network, with programs that send payload. */
export class TwoHosts {
  readonly log: Logged[] = [];
  readonly arrived: { readonly at: number; readonly host: Name; readonly pair: string }[] = [];
  readonly sent: { readonly at: number; readonly host: Name; readonly pair: string; readonly packet: Packet }[] = [];
  readonly uniform: () => number;
  readonly machines: Record<Name, Reap>;
  now = 0;
  #order = 0;
  readonly #events: Event[] = [];
  readonly #path: (from: Name, pair: string) => Path;
  readonly #stoppedUntil: Record<Name, number> = { A: 0, B: 0 };
  readonly #waiting: Record<Name, (() => void)[]> = { A: [], B: [] };
  readonly #ticks: Record<Name, number> = { A: Infinity, B: Infinity };

  constructor(options: TwoHostsOptions) {
    this.uniform = seededUniform(options.seed);
    this.#path = options.path ?? (() => () => 0.15);
    const [a, b] = options.locators ?? [2, 2];
    const all = ['11', '22', '12', '21'].filter((key) => Number(key[0]) <= a && Number(key[1]) <= b);
    const make = (name: Name, seed: number): Reap => {
      const pair = pairOf(name, '11');
      const machine = new Reap({ profile: options.profile, random: seeded(seed), pair });
      const pairs = (options.order?.(name) ?? all).map((key) => pairOf(name, key));
      machine.handle({ type: 'candidates', pairs }, 0);
      if (options.profile.graceMs > 0) machine.handle({ type: 'rtt', pair, ms: 0.4 }, 0);
      return machine;
    };
    this.machines = { A: make('A', 2 * options.seed + 11), B: make('B', 2 * options.seed + 12) };
  }

  at(at: number, run: () => void): void {
    const event = { at, order: this.#order++, run };
    let i = this.#events.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = this.#events[parent];
      if (above === undefined || !before(event, above)) break;
      this.#events[i] = above;
      i = parent;
    }
    this.#events[i] = event;
  }

  /** A program on `host` sends payload every `everyMs`, with jitter, from `from` to `until`. */
  program(host: Name, everyMs: number, from = 0, until: number = Infinity, isSending?: () => boolean): void {
    const next = (at: number): void => {
      if (at >= until) return;
      this.at(at, () => {
        if (isSending?.() ?? true) this.payload(host);
        next(this.now + everyMs * (0.8 + 0.4 * this.uniform()));
      });
    };
    next(from + everyMs * this.uniform());
  }

  /** The kernel sends, whether or not the daemon runs. */
  payload(host: Name): void {
    const pair = this.machines[host].pair;
    this.#transmit(host, pair, { kind: 'payload' });
    const at = this.now;
    this.#whenRunning(host, () => {
      this.input(host, { type: 'payload-sent', at });
    });
  }

  input(host: Name, input: ReapInput): void {
    const machine = this.machines[host];
    for (const effect of machine.handle(input, this.now)) {
      this.log.push({ at: this.now, host, effect });
      if (effect.type === 'send-keepalive') this.#transmit(host, effect.pair, { kind: 'keepalive' });
      if (effect.type === 'send-probe') this.#transmit(host, effect.pair, { kind: 'probe', probe: effect.probe });
    }
    this.#arm(host);
  }

  /** The daemon of a host is stopped; at the end it sees everything at once and reports its own lag first. */
  stop(host: Name, at: number, ms: number): void {
    this.at(at, () => {
      this.#stoppedUntil[host] = at + ms;
      this.at(at + ms, () => {
        this.input(host, { type: 'lag', ms });
        for (const waiting of this.#waiting[host].splice(0)) waiting();
        this.input(host, { type: 'tick' });
      });
    });
  }

  run(until: number): this {
    for (;;) {
      const event = this.#events[0];
      if (event === undefined || event.at > until) break;
      this.#pop();
      this.now = event.at;
      event.run();
    }
    this.now = until;
    return this;
  }

  moves(host?: Name): Logged[] {
    return this.log.filter((l) => l.effect.type === 'selected' && (host === undefined || l.host === host));
  }

  /** The moves as text, to compare and to read. */
  trace(): string[] {
    return this.moves().map(({ at, host, effect }) =>
      effect.type === 'selected' ? `${at.toFixed(1)} ${host} to ${keyOf(host, effect.to)}: ${effect.why}` : '',
    );
  }

  count(type: ReapEffect['type'], host?: Name): number {
    return this.log.filter((l) => l.effect.type === type && (host === undefined || l.host === host)).length;
  }

  pair(host: Name): string {
    return keyOf(host, this.machines[host].pair);
  }

  #transmit(host: Name, pair: LocatorPair, packet: Packet): void {
    const key = keyOf(host, pair);
    this.sent.push({ at: this.now, host, pair: key, packet });
    const delay = this.#path(host, key)(this.now);
    if (delay === undefined) return;
    const peer: Name = host === 'A' ? 'B' : 'A';
    this.at(this.now + delay, () => {
      this.#whenRunning(peer, () => {
        this.#receive(peer, key, packet);
      });
    });
  }

  #receive(host: Name, key: string, packet: Packet): void {
    const pair = pairOf(host, key);
    if (packet.kind === 'payload') {
      this.arrived.push({ at: this.now, host, pair: key });
      this.input(host, { type: 'payload-received', pair });
    } else if (packet.kind === 'keepalive') this.input(host, { type: 'keepalive-received', pair });
    else this.input(host, { type: 'probe-received', pair, probe: packet.probe });
  }

  #whenRunning(host: Name, run: () => void): void {
    if (this.now < this.#stoppedUntil[host]) this.#waiting[host].push(run);
    else run();
  }

  #arm(host: Name): void {
    const at = Math.max(this.now, this.machines[host].deadline);
    if (at >= this.#ticks[host] || at === Infinity) return;
    this.#ticks[host] = at;
    this.at(at, () => {
      if (this.#ticks[host] !== at) return;
      this.#ticks[host] = Infinity;
      if (this.now < this.#stoppedUntil[host]) return;
      if (this.machines[host].deadline <= this.now) this.input(host, { type: 'tick' });
      else this.#arm(host);
    });
  }

  #pop(): void {
    const last = this.#events.pop();
    if (last === undefined || this.#events.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = this.#events[child];
      const right = this.#events[child + 1];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child++;
      const smallest = this.#events[child];
      if (smallest === undefined || !before(smallest, last)) break;
      this.#events[i] = smallest;
      i = child;
    }
    this.#events[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A pair by its key, as `name` sees it. */
export function pairOf(name: Name, key: string): LocatorPair {
  const a = A[key[0] === '1' ? 0 : 1];
  const b = B[key[1] === '1' ? 0 : 1];
  return name === 'A' ? { local: a, peer: b } : { local: b, peer: a };
}

export function keyOf(name: Name, pair: LocatorPair): string {
  const [a, b] = name === 'A' ? [pair.local, pair.peer] : [pair.peer, pair.local];
  return `${sameOctets(a, A[0]) ? '1' : '2'}${sameOctets(b, B[0]) ? '1' : '2'}`;
}
