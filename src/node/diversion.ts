import { addressKey, addressPairKey, isUnspecified, UNSPECIFIED } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import type { KeptIdentifiers } from './kept-identifiers.ts';
import { joined } from './netlink/attributes.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './netlink/message.ts';
import { RTM_DELROUTE, RTM_NEWROUTE, writeRoute } from './netlink/route.ts';
import type { RouteRequest } from './netlink/route.ts';
import { RTM_DELRULE, RTM_NEWRULE, writeRule } from './netlink/rule.ts';
import { PROTOCOL } from './own-mark.ts';
import { recallSockets } from './recall.ts';
import { GONE, perform, refusalOf } from './refusal.ts';

/** Routes that are set in one turn of the event loop; with more of them, everything else has its turn in between. */
const TOGETHER = 400;

/** RFC 6666: nobody is there. */
const DISCARD: Address = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** What diversion needs from around it. */
export interface DiversionOptions {
  readonly route: NetlinkExchange;
  readonly tunIndex: number;
  readonly kept: KeptIdentifiers;
  readonly numbers: InterceptionNumbers;
  readonly rtoMinMs: number;
  /** Of the routes into the TUN device; at least 1280 (RFC 8200 §5). */
  readonly mtu: () => number;
  readonly onProblem: (problem: LociError) => void;
}

/** Packets to `peer` that have this source; the unspecified one stands for those that have none yet. */
interface Way {
  readonly source: Address;
  readonly peer: Address;
}

/**
 * Sends packets between two identifiers into the TUN device instead of the kernel's own path, and back. One rule leads all
 * packets that do not carry our mark into a table that has a route for each diverted pair, and one for each peer for packets
 * that have no source yet. The kernel finds them in a tree, however many there are (ADR 0009).
 *
 * It is told at the end of this turn of the event loop: failures come with many pairs.
 */
export class Diversion {
  readonly #options: DiversionOptions;
  readonly #pairs = new Map<string, Way>();
  /** Own identifiers by peer, in the order of diversion: connections without a source get the first one. */
  readonly #own = new Map<string, readonly Address[]>();
  /** What the kernel does not know yet. */
  readonly #changed = new Map<string, Way>();
  readonly #afterwards: (() => void)[] = [];
  #rtoMinMs: number;
  #isScheduled = false;

  private constructor(options: DiversionOptions) {
    this.#options = options;
    this.#rtoMinMs = options.rtoMinMs;
  }

  /** Throws a `LociError` `kernel` when the kernel has no routes by source. */
  static open(options: DiversionOptions): Diversion {
    const diversion = new Diversion(options);
    diversion.#try();
    perform(options.route, [diversion.#rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL)]);
    return diversion;
  }

  isDiverted(own: Address, peer: Address): boolean {
    return this.#pairs.has(addressPairKey(own, peer));
  }

  /** Sockets that are open already follow with their next packet. */
  divert(own: Address, peer: Address): void {
    if (this.isDiverted(own, peer)) return;
    const pair = { source: own.slice(), peer: peer.slice() };
    const others = this.#own.get(addressKey(peer)) ?? [];
    this.#pairs.set(addressPairKey(own, peer), pair);
    this.#own.set(addressKey(peer), [...others, pair.source]);
    this.#change(pair);
    if (others.length === 0) this.#change({ source: UNSPECIFIED, peer: pair.peer });
  }

  undivert(own: Address, peer: Address): void {
    const pair = this.#pairs.get(addressPairKey(own, peer));
    if (pair === undefined) return;
    const before = this.#own.get(addressKey(peer)) ?? [];
    const left = before.filter((other) => other !== pair.source);
    this.#pairs.delete(addressPairKey(own, peer));
    if (left.length === 0) this.#own.delete(addressKey(peer));
    else this.#own.set(addressKey(peer), left);
    this.#change(pair);
    if (before[0] !== left[0]) this.#change({ source: UNSPECIFIED, peer: pair.peer });
  }

  /** A route that is replaced loses what the kernel learnt for it by Packet Too Big. */
  forgetMtu(own: Address, peer: Address): void {
    const pair = this.#pairs.get(addressPairKey(own, peer));
    if (pair === undefined) return;
    this.#change(pair);
    this.#change({ source: UNSPECIFIED, peer: pair.peer });
  }

  /** `rto_min` of all diverted routes from now on. */
  setRtoMin(rtoMinMs: number): void {
    if (rtoMinMs === this.#rtoMinMs) return;
    this.#rtoMinMs = rtoMinMs;
    for (const { source, peer } of this.#pairs.values()) this.forgetMtu(source, peer);
  }

  /** Do `work` once the kernel knows everything that was asked for so far. */
  afterwards(work: () => void): void {
    this.#afterwards.push(work);
    this.#schedule();
  }

  close(): void {
    for (const { source, peer } of [...this.#pairs.values()]) this.undivert(source, peer);
    while (this.#changed.size > 0) this.#tell();
    this.#afterwards.length = 0;
    perform(this.#options.route, [this.#rule(RTM_DELRULE, 0)], GONE);
  }

  #change(way: Way): void {
    this.#changed.set(addressPairKey(way.source, way.peer), way);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#work();
    });
  }

  #work(): void {
    this.#tell();
    if (this.#changed.size > 0) {
      setImmediate(() => {
        this.#work();
      });
      return;
    }
    this.#isScheduled = false;
    for (const work of this.#afterwards.splice(0)) work();
  }

  /** Tell the kernel of some of the changes. */
  #tell(): void {
    const { route, numbers } = this.#options;
    const mtu = this.#options.mtu();
    const changes: Change[] = [];
    for (const [key, way] of this.#changed) {
      if (changes.length === TOGETHER) break;
      this.#changed.delete(key);
      changes.push(this.#changeOf(way, mtu));
    }
    if (changes.length === 0) return;
    const refusal = refusalOf(route, joined(changes.map(({ request }) => request)), []);
    if (refusal !== undefined) for (const change of changes) this.#insist(change); // behind an expected one there may be others
    if (changes.some(({ isSet }) => isSet)) this.#report(refusalOf(route, recallSockets(numbers), []));
  }

  #insist({ request, isSet, preferredSource }: Change): void {
    const { route, kept } = this.#options;
    let refusal = refusalOf(route, request, isSet ? [] : GONE);
    if (refusal?.code === 'EINVAL' && preferredSource !== undefined) {
      kept.keep(preferredSource); // a route may only name a source that some interface has
      refusal = refusalOf(route, request, []);
    }
    this.#report(refusal);
  }

  #report(refusal: LociError | undefined): void {
    if (refusal !== undefined) this.#options.onProblem(refusal);
  }

  /** Packets that have a source are diverted with their pair, those that have none get the first identifier. */
  #changeOf(way: Way, mtu: number): Change {
    const [preferredSource] = isUnspecified(way.source) ? (this.#own.get(addressKey(way.peer)) ?? []) : [];
    const isSet = preferredSource !== undefined || this.isDiverted(way.source, way.peer);
    const request = isSet
      ? writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, {
          ...this.#routeOf(way),
          preferredSource,
          rtoMinMs: this.#rtoMinMs,
          mtu,
        })
      : writeRoute(RTM_DELROUTE, 0, this.#routeOf(way));
    return { request, isSet, preferredSource };
  }

  #routeOf({ source, peer }: Way): RouteRequest {
    const { numbers, tunIndex } = this.#options;
    const destination = { address: peer, length: 128 };
    return { table: numbers.divertTable, destination, source, protocol: PROTOCOL, index: tunIndex };
  }

  #rule(type: number, flags: number): Uint8Array {
    const { divertPreference, divertTable, mark } = this.#options.numbers;
    return writeRule(type, flags, {
      priority: divertPreference,
      table: divertTable,
      protocol: PROTOCOL,
      mark: 0,
      mask: mark,
    });
  }

  /** Finds out now, not in the moment of a failure. */
  #try(): void {
    const request = this.#routeOf({ source: UNSPECIFIED, peer: DISCARD });
    const { route } = this.#options;
    const refusal = refusalOf(route, writeRoute(RTM_NEWROUTE, NLM_F_CREATE, request), []);
    if (refusal !== undefined)
      throw new LociError(
        'kernel',
        `the kernel takes no IPv6 routes by source (CONFIG_IPV6_SUBTREES): ${refusal.message}`,
        {
          cause: refusal,
        },
      );
    perform(route, [writeRoute(RTM_DELROUTE, 0, request)], GONE);
  }
}

interface Change {
  readonly request: Uint8Array;
  /** Set or replaced, not taken away. */
  readonly isSet: boolean;
  readonly preferredSource: Address | undefined;
}
