import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { parseQuoted } from '../shim6/quoted.ts';
import type { QuotedPacket } from '../shim6/quoted.ts';
import type { Address } from '../wire/address.ts';
import {
  icmpErrorPacket,
  PACKET_TOO_BIG,
  PARAMETER_PROBLEM,
  parseIcmpError,
  UNRECOGNIZED_NEXT_HEADER,
} from '../wire/icmpv6.ts';
import type { IcmpError } from '../wire/icmpv6.ts';
import { parseIpv6Header } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { HostContext } from './host-context.ts';
import type { HostEffect } from './host-io.ts';
import { concernOf, translated } from './icmp-translation.ts';

/** How long Shim6 has for finding another pair before a program hears that this one does not work. */
const ACTS_WITHIN_MS = 1_000;
/** Errors kept back at most; further ones are delivered at once. */
const MAX_KEPT = 64;

/** What errors need from the host around them. */
export interface ErrorSurroundings {
  /** The context that sent the quoted packet. */
  quoting(quoted: QuotedPacket): HostContext | undefined;
  /** Something speaks against a pair, RFC 5534 §3.3. */
  hint(pair: LocatorPair, now: Instant, out: HostEffect[]): void;
  /** Whether programs get every error, also those on which Shim6 acts (RFC 5533 §8). */
  deliversAll(): boolean;
  dropped(reason: string): void;
}

interface Kept {
  readonly packet: Uint8Array;
  readonly context: HostContext;
  readonly pair: LocatorPair;
  readonly until: Instant;
}

/**
 * ICMPv6 errors about packets of contexts, RFC 5533 §8: hints for REAP, and for the programs whose packets carried a tag, as
 * if there had been none. Errors of the path are delivered only when the context has found no other pair in time. Errors
 * about packets without a tag reach the programs by themselves.
 */
export class IcmpErrors {
  readonly #surroundings: ErrorSurroundings;
  #kept: Kept[] = [];

  constructor(surroundings: ErrorSurroundings) {
    this.#surroundings = surroundings;
  }

  /** When `tick` is next due. */
  get deadline(): Instant {
    return this.#kept[0]?.until ?? NEVER;
  }

  /** `octets` start at the type of the error, which came from `source`, usually a router. */
  receive(source: Address, octets: Uint8Array, now: Instant, out: HostEffect[]): void {
    const parsed = parseIcmpError(octets);
    if (!parsed.ok) {
      this.#surroundings.dropped('icmp');
      return;
    }
    const error = parsed.value;
    const quoted = parseQuoted(error.invokingPacket);
    const concern = concernOf(error);
    if (concern === 'path') this.#hint(error, now, out);
    if (quoted?.type === 'Payload') this.#answer(source, error, quoted, concern, now, out);
    else if (quoted !== undefined && error.type === PARAMETER_PROBLEM && error.code === UNRECOGNIZED_NEXT_HEADER) {
      this.#surroundings.quoting(quoted)?.tell({ type: 'icmp-unknown-next-header', quoted }, now, out);
    }
  }

  tick(now: Instant, out: HostEffect[]): void {
    if (now < this.deadline) return;
    const due = this.#kept.filter(({ until }) => until <= now);
    this.#kept = this.#kept.filter(({ until }) => until > now);
    for (const { packet, context, pair } of due) {
      if (samePair(context.flow.pair, pair)) out.push({ type: 'deliver', octets: packet }); // else Shim6 has acted
    }
  }

  #hint({ invokingPacket }: IcmpError, now: Instant, out: HostEffect[]): void {
    const header = parseIpv6Header(invokingPacket);
    if (!header.ok) return;
    this.#surroundings.hint({ local: header.value.source, peer: header.value.destination }, now, out);
  }

  #answer(
    source: Address,
    error: IcmpError,
    quoted: QuotedPacket,
    concern: ReturnType<typeof concernOf>,
    now: Instant,
    out: HostEffect[],
  ): void {
    const context = this.#surroundings.quoting(quoted);
    const inner = context === undefined ? undefined : translated(error, context.ulids);
    if (context === undefined || inner === undefined || concern === 'shim6') {
      this.#surroundings.dropped('icmp');
      return;
    }
    const pair = { local: quoted.source, peer: quoted.destination };
    if (error.type === PACKET_TOO_BIG) context.learnMtu(pair, error.parameter);
    const packet = icmpErrorPacket(source, context.ulids.local, inner);
    if (concern !== 'path' || this.#surroundings.deliversAll() || this.#kept.length >= MAX_KEPT) {
      out.push({ type: 'deliver', octets: packet });
    } else this.#kept.push({ packet, context, pair, until: now + ACTS_WITHIN_MS });
  }
}
