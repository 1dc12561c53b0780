import { addressKey, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { LociError } from './error.ts';
import type { InterceptionNumbers } from './interception-numbers.ts';
import type { KeptIdentifiers } from './kept-identifiers.ts';
import { joined } from './netlink/attributes.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './netlink/message.ts';
import { RTM_DELROUTE, RTM_NEWROUTE, writeRoute } from './netlink/route.ts';
import { RTM_DELRULE, RTM_NEWRULE, writeRule } from './netlink/rule.ts';
import { PROTOCOL } from './own-mark.ts';
import { recallSockets } from './recall.ts';
import { GONE, perform, refusalOf } from './refusal.ts';

/** Routes that are set in one turn of the event loop; with more of them, everything else has its turn in between. */
const TOGETHER = 400;

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

/** A peer to whom packets are diverted. */
interface Peer {
  readonly address: Address;
  /** Our identifiers of the diverted pairs, in the order of diversion: connections that have no source yet get the first one. */
  readonly own: Address[];
}

/**
 * Sends packets between two identifiers into the TUN device instead of the kernel's own path, and back. One rule leads all
 * packets that do not carry our mark into a table with a route to each peer of a diverted pair: the kernel finds it in a tree,
 * however many there are (ADR 0009). Packets to that peer from other addresses of this host come along.
 *
 * The kernel is told at the end of this turn of the event loop: failures come with many pairs.
 */
export class Diversion {
  readonly #options: DiversionOptions;
  readonly #peers = new Map<string, Peer>();
  /** Peers whose route is not as it should be. */
  readonly #changed = new Map<string, Peer>();
  readonly #afterwards: (() => void)[] = [];
  #rtoMinMs: number;
  #isScheduled = false;

  constructor(options: DiversionOptions) {
    this.#options = options;
    this.#rtoMinMs = options.rtoMinMs;
    perform(options.route, [this.#rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL)]);
  }

  isDiverted(own: Address, peer: Address): boolean {
    return this.#peers.get(addressKey(peer))?.own.some((one) => sameOctets(one, own)) === true;
  }

  /** Sockets that are open already follow with their next packet. */
  divert(own: Address, peer: Address): void {
    if (this.isDiverted(own, peer)) return;
    const known = this.#peers.get(addressKey(peer)) ?? { address: peer.slice(), own: [] };
    known.own.push(own.slice());
    this.#peers.set(addressKey(peer), known);
    if (known.own.length === 1) this.#change(known);
  }

  undivert(own: Address, peer: Address): void {
    const known = this.#peers.get(addressKey(peer));
    const at = known?.own.findIndex((one) => sameOctets(one, own)) ?? -1;
    if (known === undefined || at < 0) return;
    known.own.splice(at, 1);
    if (known.own.length === 0) this.#peers.delete(addressKey(peer));
    if (at === 0) this.#change(known);
  }

  /** A route that is replaced loses what the kernel learnt for it by Packet Too Big. */
  forgetMtu(own: Address, peer: Address): void {
    const known = this.#peers.get(addressKey(peer));
    if (known !== undefined && this.isDiverted(own, peer)) this.#change(known);
  }

  /** `rto_min` of all diverted routes from now on. */
  setRtoMin(rtoMinMs: number): void {
    if (rtoMinMs === this.#rtoMinMs) return;
    this.#rtoMinMs = rtoMinMs;
    for (const peer of this.#peers.values()) this.#change(peer);
  }

  /** Do `work` once the kernel knows everything that was asked for so far. */
  afterwards(work: () => void): void {
    this.#afterwards.push(work);
    this.#schedule();
  }

  close(): void {
    for (const peer of this.#peers.values()) {
      peer.own.length = 0;
      this.#change(peer);
    }
    this.#peers.clear();
    while (this.#changed.size > 0) this.#tell();
    this.#afterwards.length = 0;
    perform(this.#options.route, [this.#rule(RTM_DELRULE, 0)], GONE);
  }

  #change(peer: Peer): void {
    this.#changed.set(addressKey(peer.address), peer);
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
    for (const [key, peer] of this.#changed) {
      if (changes.length === TOGETHER) break;
      this.#changed.delete(key);
      changes.push(this.#changeOf(peer, mtu));
    }
    if (changes.length === 0) return;
    const refusal = refusalOf(route, joined(changes.map(({ request }) => request)), []);
    if (refusal !== undefined) for (const change of changes) this.#insist(change); // behind an expected one there may be others
    if (changes.some(({ source }) => source !== undefined)) this.#report(refusalOf(route, recallSockets(numbers), []));
  }

  #insist({ request, source }: Change): void {
    const { route, kept } = this.#options;
    let refusal = refusalOf(route, request, source === undefined ? GONE : []);
    if (refusal?.code === 'EINVAL' && source !== undefined) {
      kept.keep(source); // a route may only name a source that some interface has
      refusal = refusalOf(route, request, []);
    }
    this.#report(refusal);
  }

  #report(refusal: LociError | undefined): void {
    if (refusal !== undefined) this.#options.onProblem(refusal);
  }

  #changeOf({ address, own: [source] }: Peer, mtu: number): Change {
    const { numbers, tunIndex } = this.#options;
    const destination = { address, length: 128 };
    const route = { table: numbers.divertTable, destination, protocol: PROTOCOL, index: tunIndex };
    if (source === undefined) return { request: writeRoute(RTM_DELROUTE, 0, route), source };
    const full = { ...route, preferredSource: source, rtoMinMs: this.#rtoMinMs, mtu };
    return { request: writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, full), source };
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
}

interface Change {
  readonly request: Uint8Array;
  /** What connections without a source get; `undefined` when the route goes. */
  readonly source: Address | undefined;
}
