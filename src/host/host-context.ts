import { samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { ReapEffect, ReapInput } from '../reap/input.ts';
import type { ReapState } from '../reap/probe.ts';
import type { Context } from '../shim6/context.ts';
import type { ContextEffect, ContextInput, OwnLocator, PeerFacts, PeerLocator } from '../shim6/context-io.ts';
import { pairBack } from '../shim6/received.ts';
import type { ContextTag } from '../shim6/tag.ts';
import { sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import type { Scheduled } from './deadlines.ts';
import type { Detected } from './detector.ts';
import { Detector } from './detector.ts';
import { pairText } from './context-event.ts';
import type { ContextEvent } from './context-event.ts';
import type { Aside, Flow } from './fast-path.ts';
import { LINGER_MS } from './host-io.ts';
import type { HostEffect, Profile } from './host-io.ts';
import { NOWHERE } from './indexed.ts';
import type { Indexed } from './indexed.ts';
import { restored } from './restored.ts';
import type { Surroundings } from './surroundings.ts';
import type { RememberedContext, Wish } from './wish.ts';

/** One context with its REAP machine and its flow: turns the effects of each into the inputs of the other. */
export class HostContext implements Scheduled, Detected {
  readonly ulids: LocatorPair;
  readonly context: Context;
  readonly flow: Flow;
  readonly born: Instant;
  place = -1;
  indexed: Indexed = NOWHERE;
  readonly #surroundings: Surroundings<HostContext>;
  #detector: Detector | undefined;
  #peer: readonly PeerLocator[] = [];
  #acknowledged: readonly Address[];
  #incoming: LocatorPair;
  /** It was ESTABLISHED before. */
  #hasStood = false;
  #chosenBecause = '';
  #diverted = false;
  #lingerUntil: Instant = NEVER;
  #sentAt: Instant | undefined;
  #heardAt: Instant | undefined;

  constructor(context: Context, flow: Flow, surroundings: Surroundings<HostContext>, now: Instant) {
    this.context = context;
    this.flow = flow;
    this.ulids = flow.ulids;
    this.born = now;
    this.#surroundings = surroundings;
    this.#acknowledged = [flow.ulids.local];
    this.#incoming = flow.ulids;
  }

  /** RFC 5533 §4.2: 0 for the context that packets between the ULIDs belong to. */
  get forkedInstanceId(): number {
    return this.context.forkedInstanceId;
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

  /** `undefined` before it was established. */
  get reap(): ReapState | undefined {
    return this.#detector?.state;
  }

  get profile(): Profile {
    return this.#detector?.profile ?? 'rfc';
  }

  get current(): LocatorPair {
    return this.flow.pair;
  }

  get incoming(): LocatorPair {
    return this.#incoming;
  }

  get isStanding(): boolean {
    return this.context.state === 'ESTABLISHED';
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
    return this.#detector?.isPresent(locator) === true;
  }

  get deadline(): Instant {
    return Math.min(this.context.deadline, this.#detector?.deadline ?? NEVER, this.#lingerUntil, this.#unusedAt);
  }

  get #unusedAt(): Instant {
    return Math.max(this.born, this.#sentAt ?? 0, this.#heardAt ?? 0) + this.#surroundings.idleMs();
  }

  tick(now: Instant, out: HostEffect[]): void {
    if (now >= this.context.deadline) this.tell({ type: 'tick' }, now, out);
    this.#detector?.tick(now, out);
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
    const isNew = !samePair(heardOn, this.#incoming);
    if (isNew) out.push(this.#event(now, { event: 'arrived', pair: pairText(heardOn) }));
    if (!samePair(heardOn, this.ulids)) this.#divert(now, out); // strict reverse-path filters want both ways alike
    this.#detector?.heard(heardOn, 'payload-received', now, out);
    if (isNew) this.#incoming = heardOn;
    this.#surroundings.touched(this);
  }

  wish(wish: Wish, now: Instant, out: HostEffect[]): void {
    this.#detector?.wish(wish, now, out);
    this.#surroundings.touched(this);
  }

  /** The locators of this host changed. REAP comes first: signing a new list for the peer takes its time. */
  locatorsChanged(now: Instant, out: HostEffect[]): void {
    this.#detector?.offerCandidates(now, out);
    const { current } = this;
    const local = this.#surroundings.locators().find(({ address }) => sameOctets(address, current.local));
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

  /** What another process could go on with. */
  remember(): RememberedContext | undefined {
    const memory = this.context.remember();
    return memory && this.#detector && { ...memory, wishes: this.#detector.wishes };
  }

  resume(memory: RememberedContext, now: Instant, out: HostEffect[]): void {
    for (const effect of this.context.resume(memory, now)) this.#perform(effect, memory.pair, now, out);
    this.#detector?.resume(memory.pair, memory.wishes, now, out);
    this.#surroundings.touched(this);
  }

  tell(input: ContextInput, now: Instant, out: HostEffect[]): void {
    const on = input.type === 'message' ? pairBack(input.packet) : this.#incoming;
    for (const effect of this.context.handle(input, now)) this.#perform(effect, on, now, out);
    this.#surroundings.touched(this);
  }

  /** A tagged packet that the fast path does not deliver in this state, RFC 5533 §12.2. */
  receivePayload(packet: Aside, now: Instant, out: HostEffect[]): void {
    const { source, destination } = packet;
    for (const effect of this.context.handle({ type: 'payload-header', source, destination }, now)) {
      if (effect.type === 'deliver') out.push({ type: 'deliver', octets: restored(packet, this.ulids) });
      else this.#perform(effect, this.#incoming, now, out);
    }
    this.#surroundings.touched(this);
  }

  tellReap(input: ReapInput, now: Instant, out: HostEffect[]): void {
    this.#detector?.tell(input, now, out);
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
        this.flow.delivers = effect.to === 'ESTABLISHED'; // else every packet provokes something
        this.flow.tagPeer = this.flow.delivers || effect.to === 'I2BIS-SENT' ? this.context.tagPeer : undefined;
        if (effect.to === 'I1-SENT') this.#stopDetecting(); // REAP will start anew
        this.#detector?.setFrozen(effect.to !== 'ESTABLISHED', now, out);
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
        this.#setKeepaliveTimeout(effect.seconds, now, out);
        return;
      case 'own-locators-acknowledged':
        this.#acknowledged = effect.locators;
        this.#detector?.offerCandidates(now, out);
        return;
      case 'keepalive-received':
        this.#heardAt = now;
        this.#surroundings.paths.heard(on, now);
        this.#detector?.heard(on, 'keepalive-received', now, out);
        return;
      case 'probe-received':
        this.#surroundings.warnings.compare(effect.probe, on, now, out);
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
        this.#stopDetecting();
        this.#order(out, { type: 'unwatch', ulids: this.ulids }, { type: 'peer', ulids: this.ulids, locators: [] });
        out.push(this.#event(now, { event: 'state', state: 'IDLE', reason: effect.reason }));
        this.#surroundings.gone(this, out);
        return;
      case 'deliver':
        return; // see `receivePayload`
      case 'drop':
        this.#surroundings.dropped(effect.reason);
        return;
    }
  }

  performed(effect: ReapEffect, now: Instant, out: HostEffect[]): void {
    switch (effect.type) {
      case 'send-keepalive':
        this.#transmit(effect.pair, this.context.keepalive(), out);
        return;
      case 'send-probe':
        this.#transmit(effect.pair, this.context.probe(effect.probe, effect.probe.pathTest), out);
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
        return;
      case 'confirmed':
        this.#surroundings.paths.confirmed(effect.pair, effect.rttMs, now);
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
      case 'concluded':
        return;
    }
  }

  /** `pair` is the one that the exchange has shown to work. */
  #established(peer: PeerFacts, pair: LocatorPair, now: Instant, out: HostEffect[]): void {
    this.flow.tagPeer = peer.contextTag;
    this.flow.delivers = true;
    if (this.#detector === undefined) {
      this.#beginOn(samePair(pair, this.ulids) ? this.ulids : pair, now, out);
      const { agreement, peerKey, sharing, locators } = this.#surroundings;
      this.#detector = new Detector(this, agreement(peer), peerKey(this), sharing, locators);
      this.#order(out, { type: 'watch', ulids: this.ulids });
    }
    if (peer.keepaliveTimeoutSeconds !== undefined) this.#setKeepaliveTimeout(peer.keepaliveTimeoutSeconds, now, out);
    this.#hasStood = true;
    this.#setPeer(peer.locators, now, out);
    this.#surroundings.changed(this, now, out);
  }

  /** What the exchange has shown to work, also when the context was on another pair before. */
  #beginOn(pair: LocatorPair, now: Instant, out: HostEffect[]): void {
    const { pair: before } = this.flow;
    this.flow.pair = pair;
    if (pair !== this.ulids) this.#divert(now, out);
    else if (this.#diverted) this.#lingerUntil = now + LINGER_MS;
    if (samePair(before, pair) || !this.#hasStood) return;
    this.flow.mtu = undefined;
    this.#chosenBecause = 'established anew';
    out.push(
      this.#event(now, { event: 'selected', from: pairText(before), to: pairText(pair), why: this.#chosenBecause }),
    );
  }

  #stopDetecting(): void {
    this.#detector?.close();
    this.#detector = undefined;
  }

  /** RFC 5534 §5.3; what both ends agreed on in milliseconds takes its place. */
  #setKeepaliveTimeout(seconds: number, now: Instant, out: HostEffect[]): void {
    if (this.profile === 'rfc') this.#detector?.setKeepaliveTimeout(seconds * 1000, now, out);
  }

  #setPeer(locators: readonly PeerLocator[], now: Instant, out: HostEffect[]): void {
    this.#peer = locators;
    this.#order(out, { type: 'peer', ulids: this.ulids, locators: locators.map((locator) => locator.address) });
    this.#detector?.setPeer(this.#surroundings.peerKey(this), now, out);
  }

  #transmit(pair: LocatorPair, octets: Uint8Array, out: HostEffect[]): void {
    out.push({ type: 'transmit', source: pair.local, destination: pair.peer, octets });
  }

  #divert(now: Instant, out: HostEffect[]): void {
    this.#lingerUntil = samePair(this.flow.pair, this.ulids) ? now + LINGER_MS : NEVER;
    if (this.#diverted || this.forkedInstanceId !== 0) return;
    this.#diverted = true;
    out.push({ type: 'divert', ulids: this.ulids }, this.#event(now, { event: 'diverted' }));
  }

  #stopDiverting(now: Instant, out: HostEffect[]): void {
    this.#lingerUntil = NEVER;
    if (!this.#diverted) return;
    this.#diverted = false;
    out.push({ type: 'restore', ulids: this.ulids }, this.#event(now, { event: 'returned' }));
  }

  /** What the shell does with packets between the ULIDs is for the default context to say. */
  #order(out: HostEffect[], ...orders: readonly HostEffect[]): void {
    if (this.forkedInstanceId === 0) out.push(...orders);
  }

  #event(at: Instant, event: ContextEvent): HostEffect {
    const { forkedInstanceId } = this;
    const fork = forkedInstanceId === 0 ? {} : { forkedInstanceId };
    return { type: 'event', event: { at, ulids: pairText(this.ulids), ...fork, ...event } };
  }
}
