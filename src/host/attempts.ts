import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { ADDRESS_UNREACHABLE, DESTINATION_UNREACHABLE, icmpErrorPacket } from '../wire/icmpv6.ts';
import { ICMPV6, IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU, NEXT_HEADER_AT } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { HostEffect } from './host-io.ts';

/** From the I1 over one pair to that over the next: as RFC 8305 §5 has it between connection attempts. */
const STAGGER_MS = 250;
const MAX_HELD = 16;
const MAX_ATTEMPTS = 64;
/** RFC 4443 §2.4 (c): as much of the packet as fits. */
const MAX_QUOTED = IPV6_MINIMUM_MTU - IPV6_HEADER_LENGTH - 8;
const INFORMATIONAL = 128; // RFC 4443 §2.1

/** A context that is to come to stand over one of several pairs, and the packets that wait for it. */
interface Attempt {
  readonly ulids: LocatorPair;
  readonly pairs: LocatorPair[];
  readonly held: Uint8Array[];
  /** Whether packets come to us. */
  holds: boolean;
  nextAt: Instant;
  readonly until: Instant;
}

export interface AttemptSurroundings {
  /** Send an I1 over this pair; false when there shall be no context. */
  open(ulids: LocatorPair, pair: LocatorPair, now: Instant, out: HostEffect[]): boolean;
  /** Packets between these are held from now on. */
  holding(ulids: LocatorPair, now: Instant, out: HostEffect[]): void;
  failed(ulids: LocatorPair, now: Instant, out: HostEffect[]): void;
}

/** Contexts that are opened over any of several pairs at the time a program needs them, RFC 5533 §7.7 and §13. */
export class Attempts {
  readonly #surroundings: AttemptSurroundings;
  readonly #attempts = new Map<string, Attempt>();

  constructor(surroundings: AttemptSurroundings) {
    this.#surroundings = surroundings;
  }

  get deadline(): Instant {
    let first = NEVER;
    for (const { nextAt, until } of this.#attempts.values()) first = Math.min(first, nextAt, until);
    return first;
  }

  has(ulids: LocatorPair): boolean {
    return this.#attempts.has(pairKey(ulids));
  }

  isHolding(ulids: LocatorPair): boolean {
    return this.#attempts.get(pairKey(ulids))?.holds === true;
  }

  /** Try `pairs` in turn. Without `holds`, packets stay on the kernel's path while the first one is tried. */
  begin(
    ulids: LocatorPair,
    { pairs, holds, withinMs }: { pairs: readonly LocatorPair[]; holds: boolean; withinMs: number },
    now: Instant,
    out: HostEffect[],
  ): void {
    if (this.has(ulids) || this.#attempts.size >= MAX_ATTEMPTS) return;
    const attempt = { ulids, pairs: [...pairs], held: [], holds, nextAt: now, until: now + withinMs };
    this.#attempts.set(pairKey(ulids), attempt);
    this.#advance(attempt, now, out);
  }

  /** Keep a packet until the attempt has ended; false when there is no attempt. */
  hold(ulids: LocatorPair, packet: Uint8Array): boolean {
    const attempt = this.#attempts.get(pairKey(ulids));
    if (attempt === undefined) return false;
    if (attempt.held.length < MAX_HELD) attempt.held.push(packet); // programs send again what is lost
    return true;
  }

  /** The context stands: what waited goes out. */
  established(ulids: LocatorPair, out: HostEffect[]): void {
    const attempt = this.#attempts.get(pairKey(ulids));
    if (attempt === undefined) return;
    this.#attempts.delete(pairKey(ulids));
    for (const octets of attempt.held) out.push({ type: 'forward', octets });
  }

  tick(now: Instant, out: HostEffect[]): void {
    for (const attempt of [...this.#attempts.values()]) {
      if (now >= attempt.until) this.#fail(attempt, now, out);
      else if (now >= attempt.nextAt) {
        this.#advance(attempt, now, out);
        if (attempt.holds) continue;
        attempt.holds = true;
        this.#surroundings.holding(attempt.ulids, now, out);
      }
    }
  }

  #advance(attempt: Attempt, now: Instant, out: HostEffect[]): void {
    const pair = attempt.pairs.shift();
    attempt.nextAt = pair === undefined ? NEVER : now + STAGGER_MS;
    if (pair === undefined || this.#surroundings.open(attempt.ulids, pair, now, out)) return;
    this.#fail(attempt, now, out);
  }

  #fail(attempt: Attempt, now: Instant, out: HostEffect[]): void {
    const { ulids, held } = attempt;
    this.#attempts.delete(pairKey(ulids));
    for (const packet of held) refuse(ulids, packet, out);
    this.#surroundings.failed(ulids, now, out);
  }
}

/** Tell the program that the peer cannot be reached, RFC 4443 §3.1. Never about an error (§2.4 (e.1)). */
export function refuse({ local }: LocatorPair, packet: Uint8Array, out: HostEffect[]): void {
  if (packet[NEXT_HEADER_AT] === ICMPV6 && (packet[IPV6_HEADER_LENGTH] ?? 0) < INFORMATIONAL) return;
  const invokingPacket = packet.subarray(0, MAX_QUOTED);
  const error = { type: DESTINATION_UNREACHABLE, code: ADDRESS_UNREACHABLE, parameter: 0, invokingPacket };
  out.push({ type: 'deliver', octets: icmpErrorPacket(local, local, error) });
}
