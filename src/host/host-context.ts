import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { rankPairs } from '../locators/rank.ts';
import type { Reap } from '../reap/reap.ts';
import type { ReapEffect, ReapInput } from '../reap/input.ts';
import type { Context } from '../shim6/context.ts';
import type { ContextEffect, ContextInput, OwnLocator, PeerFacts, PeerLocator } from '../shim6/context-io.ts';
import { pairBack } from '../shim6/received.ts';
import type { ContextTag } from '../shim6/tag.ts';
import { addressKey, formatAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { Scheduled } from './deadlines.ts';
import type { HostEvent, PairText } from './events.ts';
import type { Flow } from './fast-path.ts';
import { LINGER_MS } from './host-io.ts';
import type { HostEffect, HostLocator, Profile } from './host-io.ts';
import { NOWHERE } from './indexed.ts';
import type { Indexed } from './indexed.ts';
import type { Paths } from './paths.ts';

/** What a context needs from the host around it. */
export interface Surroundings {
  locators(): readonly HostLocator[];
  /** A Reap machine for what both ends agreed on. */
  reap(pair: LocatorPair, peer: PeerFacts, now: Instant): { readonly machine: Reap; readonly profile: Profile };
  readonly paths: Paths;
  /** Without a packet for so long it is forgotten, RFC 5533 §9. */
  idleMs(): number;
  /** It changed: its deadline, its current pair, its tags. */
  touched(context: HostContext): void;
  /** One probe more within the budget of the host? */
  mayProbe(now: Instant): boolean;
  /** CT(peer) or Ls(peer) changed: look for confusion, RFC 5533 §7.15. */
  changed(context: HostContext, now: Instant, out: HostEffect[]): void;
  /** Nothing is left of it. */
  gone(context: HostContext, out: HostEffect[]): void;
  dropped(reason: string): void;
}

/** One context with its REAP machine and its flow: turns the effects of each into the inputs of the other. */
export class HostContext implements Scheduled {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId = 0;
  readonly context: Context;
  readonly flow: Flow;
  readonly born: Instant;
  place = -1;
  indexed: Indexed = NOWHERE;
  readonly #surroundings: Surroundings;
  #reap: Reap | undefined;
  #profile: Profile = 'rfc';
  #peer: readonly PeerLocator[] = [];
  #acknowledged: readonly Address[];
  #probed = new Set<string>();
  #incoming: LocatorPair;
  #chosenBecause = '';
  #diverted = false;
  #lingerUntil: Instant = NEVER;
  #sentAt: Instant | undefined;
  #heardAt: Instant | undefined;

  constructor(context: Context, flow: Flow, surroundings: Surroundings, now: Instant) {
    this.context = context;
    this.flow = flow;
    this.ulids = flow.ulids;
    this.born = now;
    this.#surroundings = surroundings;
    this.#acknowledged = [flow.ulids.local];
    this.#incoming = flow.ulids;
  }

  get tag(): ContextTag {
    return this.context.tag;
  }

  get tagPeer(): ContextTag | undefined {
    return this.context.tagPeer;
  }

  get peerLocators(): readonly PeerLocator[] {
    return this.#peer;
  }

  get reap(): Reap | undefined {
    return this.#reap;
  }

  get profile(): Profile {
    return this.#profile;
  }

  get diverted(): boolean {
    return this.#diverted;
  }

  get sentAt(): Instant | undefined {
    return this.#sentAt;
  }

  get heardAt(): Instant | undefined {
    return this.#heardAt;
  }

  /** Why the pair in use was chosen. */
  get chosenBecause(): string {
    return this.#chosenBecause;
  }

  /** Own locators that may be a source for this peer (RFC 5533 §10.5). */
  get usableLocators(): readonly Address[] {
    return this.#acknowledged;
  }

  /** All pairs that could be used. */
  get pairs(): LocatorPair[] {
    return this.#acknowledged.flatMap((local) => this.#peer.map((peer) => ({ local, peer: peer.address })));
  }

  isProbed(locator: Address): boolean {
    return this.#probed.has(addressKey(locator));
  }

  get deadline(): Instant {
    return Math.min(this.context.deadline, this.#reap?.deadline ?? NEVER, this.#lingerUntil, this.#unusedAt);
  }

  get #unusedAt(): Instant {
    return Math.max(this.born, this.#sentAt ?? 0, this.#heardAt ?? 0) + this.#surroundings.idleMs();
  }

  tick(now: Instant, out: HostEffect[]): void {
    if (now >= this.context.deadline) this.tell({ type: 'tick' }, now, out);
    if (this.#reap !== undefined && now >= this.#reap.deadline) this.tellReap({ type: 'tick' }, now, out);
    if (now >= this.#lingerUntil) this.#stopDiverting(now, out);
    if (now >= this.#unusedAt) this.tell({ type: 'discard', reason: 'unused' }, now, out);
  }

  /** Payload that was seen since `since`, on the kernel's path or by the fast path. */
  observe(sent: boolean, heardOn: LocatorPair | undefined, since: Instant, now: Instant, out: HostEffect[]): void {
    if (sent) {
      this.#sentAt = now;
      this.tellReap({ type: 'payload-sent', at: since }, now, out);
    }
    if (heardOn === undefined) return;
    this.#heardAt = now;
    this.#surroundings.paths.heard(heardOn, now);
    if (!samePair(heardOn, this.#incoming)) {
      this.#incoming = heardOn;
      out.push(this.#event(now, { event: 'arrived', pair: pairText(heardOn) }));
    }
    if (!samePair(heardOn, this.ulids)) this.#divert(now, out); // strict reverse-path filters want both ways alike
    this.tellReap({ type: 'payload-received', pair: heardOn }, now, out);
  }

  /** The locators of this host changed. REAP comes first: signing a new list for the peer takes its time. */
  locatorsChanged(now: Instant, out: HostEffect[]): void {
    this.#offerCandidates(now, out);
    const current = this.#reap?.pair ?? this.ulids;
    const local = this.#locator(current.local);
    if (local?.operational !== true) this.tellReap({ type: 'pair-dead', cause: 'address-lost' }, now, out);
    else if (local.state === 'deprecated') this.tellReap({ type: 'deprecate', pair: current }, now, out);
  }

  /** RFC 5533 §10: let the peer know. */
  announce(own: readonly OwnLocator[], now: Instant, out: HostEffect[]): void {
    this.tell({ type: 'own-locators', locators: own }, now, out);
  }

  /** A packet that we sent on `pair` was too big. */
  learnMtu(pair: LocatorPair, mtu: number): void {
    if (samePair(pair, this.flow.pair)) this.flow.mtu = mtu;
  }

  tell(input: ContextInput, now: Instant, out: HostEffect[]): void {
    const on = input.type === 'message' ? pairBack(input.packet) : this.#incoming;
    for (const effect of this.context.handle(input, now)) this.#perform(effect, on, now, out);
    this.#surroundings.touched(this);
  }

  tellReap(input: ReapInput, now: Instant, out: HostEffect[]): void {
    for (const effect of this.#reap?.handle(input, now) ?? []) this.#performReap(effect, now, out);
    this.#surroundings.touched(this);
  }

  /** `on` is the pair on which the message came that caused the effect. */
  #perform(effect: ContextEffect, on: LocatorPair, now: Instant, out: HostEffect[]): void {
    switch (effect.type) {
      case 'transmit':
        out.push(effect);
        this.tellReap({ type: 'payload-sent' }, now, out); // RFC 5534 §6.1: control messages count as payload
        return;
      case 'state':
        this.flow.delivers = effect.to === 'ESTABLISHED' || effect.to === 'I2BIS-SENT';
        this.flow.tagPeer = this.flow.delivers ? this.context.tagPeer : undefined;
        if (effect.to === 'ESTABLISHED') this.tellReap({ type: 'thaw' }, now, out);
        else this.tellReap({ type: 'freeze' }, now, out);
        if (effect.to !== 'IDLE') out.push(this.#event(now, { event: 'state', state: effect.to })); // `discarded` says why
        return;
      case 'established':
        this.#established(effect.peer, effect.pair, now, out);
        return;
      case 'peer-changed':
        this.flow.tagPeer = effect.peer.contextTag;
        this.#setPeer(effect.peer.locators, now, out);
        this.#surroundings.changed(this, now, out);
        return;
      case 'peer-locators':
        this.#setPeer(effect.locators, now, out);
        return;
      case 'peer-withdrew':
        this.tellReap({ type: 'pair-dead', cause: 'peer-broken' }, now, out);
        return;
      case 'keepalive-timeout':
        this.tellReap({ type: 'peer-timeout', keepaliveTimeoutMs: effect.seconds * 1000 }, now, out);
        return;
      case 'own-locators-acknowledged':
        this.#acknowledged = effect.locators;
        this.#offerCandidates(now, out);
        return;
      case 'keepalive-received':
        this.#heardAt = now;
        this.#surroundings.paths.heard(on, now);
        this.tellReap({ type: 'keepalive-received', pair: on }, now, out);
        return;
      case 'probe-received':
        this.tellReap({ type: 'probe-received', pair: on, probe: effect.probe }, now, out);
        return;
      case 'control-received':
        this.tellReap({ type: 'payload-received', pair: on }, now, out);
        return;
      case 'failed':
        this.#surroundings.dropped(effect.state);
        return;
      case 'discarded':
        this.#stopDiverting(now, out);
        out.push({ type: 'unwatch', ulids: this.ulids }, { type: 'peer', ulids: this.ulids, locators: [] });
        out.push(this.#event(now, { event: 'state', state: 'IDLE', reason: effect.reason }));
        this.#surroundings.gone(this, out);
        return;
      case 'deliver':
        return; // RFC 5533 §12.2: only tells the fast path, which follows `state`
      case 'drop':
        this.#surroundings.dropped(effect.reason);
        return;
    }
  }

  #performReap(effect: ReapEffect, now: Instant, out: HostEffect[]): void {
    switch (effect.type) {
      case 'send-keepalive':
        this.#transmit(effect.pair, this.context.keepalive(), out);
        return;
      case 'send-probe':
        if (this.#surroundings.mayProbe(now))
          this.#transmit(effect.pair, this.context.probe(effect.probe, effect.probe.pathTest), out);
        else this.#surroundings.dropped('probe-budget');
        return;
      case 'selected':
        this.#chosenBecause = effect.why;
        this.flow.pair = effect.to;
        this.flow.mtu = undefined;
        if (this.#diverted) out.push({ type: 'forget-mtu', ulids: this.ulids });
        this.tell({ type: 'current-pair', pair: effect.to }, now, out);
        if (samePair(effect.to, this.ulids)) this.#lingerUntil = now + LINGER_MS;
        else this.#divert(now, out);
        out.push(
          this.#event(now, {
            event: 'selected',
            from: pairText(effect.from),
            to: pairText(effect.to),
            why: effect.why,
          }),
        );
        this.#offerCandidates(now, out); // the order depends on the pair in use
        return;
      case 'confirmed':
        this.#surroundings.paths.confirmed(effect.pair, effect.rttMs, now);
        this.#probed.add(addressKey(effect.pair.peer));
        out.push(this.#event(now, { event: 'confirmed', pair: pairText(effect.pair), rttMs: effect.rttMs }));
        return;
      case 'state':
        out.push(this.#event(now, { event: 'reap', state: effect.state }));
        return;
      case 'suspect':
        this.#surroundings.paths.suspected(effect.pair, now);
        out.push(this.#event(now, { event: 'suspect', cause: effect.cause, pair: pairText(effect.pair) }));
        return;
      case 'false-alarm':
        this.#surroundings.paths.cleared(effect.pair);
        out.push(this.#event(now, { event: 'false-alarm', pair: pairText(effect.pair) }));
        return;
    }
  }

  /** `pair` is the one that the exchange has shown to work. */
  #established(peer: PeerFacts, pair: LocatorPair, now: Instant, out: HostEffect[]): void {
    this.flow.tagPeer = peer.contextTag;
    this.flow.delivers = true;
    if (this.#reap === undefined) {
      this.flow.pair = pair;
      if (!samePair(pair, this.ulids)) this.#divert(now, out);
      const { machine, profile } = this.#surroundings.reap(this.flow.pair, peer, now);
      this.#reap = machine;
      this.#profile = profile;
      out.push({ type: 'watch', ulids: this.ulids });
    }
    if (peer.keepaliveTimeoutSeconds !== undefined) {
      this.tellReap({ type: 'peer-timeout', keepaliveTimeoutMs: peer.keepaliveTimeoutSeconds * 1000 }, now, out);
    }
    this.#setPeer(peer.locators, now, out);
    this.#surroundings.changed(this, now, out);
  }

  #setPeer(locators: readonly PeerLocator[], now: Instant, out: HostEffect[]): void {
    this.#peer = locators;
    out.push({ type: 'peer', ulids: this.ulids, locators: locators.map((locator) => locator.address) });
    this.#offerCandidates(now, out);
  }

  /** RFC 5534 §4.2: what REAP may try, best first; and where it should go back to. */
  #offerCandidates(now: Instant, out: HostEffect[]): void {
    if (this.#reap === undefined) return;
    const own = this.#surroundings
      .locators()
      .filter((locator) => this.#acknowledged.some((known) => sameOctets(known, locator.address)));
    const peer = this.#peer.map((locator) => ({ ...locator, verified: true }));
    const pairs = rankPairs({ own, peer, current: this.#reap.pair });
    this.tellReap({ type: 'candidates', pairs }, now, out);
    const local = this.#locator(this.ulids.local);
    const remote = this.#peer.find((locator) => sameOctets(locator.address, this.ulids.peer));
    const ulidsUsable = local?.operational === true && local.state === 'preferred' && remote?.broken === false;
    this.tellReap({ type: 'prefer', pair: ulidsUsable ? this.ulids : undefined }, now, out);
  }

  #locator(address: Address): HostLocator | undefined {
    return this.#surroundings.locators().find((locator) => sameOctets(locator.address, address));
  }

  #transmit(pair: LocatorPair, octets: Uint8Array, out: HostEffect[]): void {
    out.push({ type: 'transmit', source: pair.local, destination: pair.peer, octets });
  }

  #divert(now: Instant, out: HostEffect[]): void {
    this.#lingerUntil = samePair(this.flow.pair, this.ulids) ? now + LINGER_MS : NEVER;
    if (this.#diverted) return;
    this.#diverted = true;
    out.push({ type: 'divert', ulids: this.ulids }, this.#event(now, { event: 'diverted' }));
  }

  #stopDiverting(now: Instant, out: HostEffect[]): void {
    this.#lingerUntil = NEVER;
    if (!this.#diverted) return;
    this.#diverted = false;
    out.push({ type: 'restore', ulids: this.ulids }, this.#event(now, { event: 'returned' }));
  }

  #event(at: Instant, event: Told<ContextEvent>): HostEffect {
    return { type: 'event', event: { at, ulids: pairText(this.ulids), ...event } };
  }
}

/** Events that concern one context, without what is the same in all of them. */
type ContextEvent = Extract<HostEvent, { readonly ulids: PairText }>;
type Told<E> = E extends unknown ? Omit<E, 'at' | 'ulids'> : never;

export function pairText(pair: LocatorPair): PairText {
  return [formatAddress(pair.local), formatAddress(pair.peer)];
}
