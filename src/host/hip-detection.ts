import type { Association } from '../hip/association.ts';
import type { AssociationInput, Carriage, HipPath, PeerHipLocator } from '../hip/association-io.ts';
import { TRAFFIC_SIGNALLING } from '../hip/locator-set.ts';
import { encodeReapMessage, parseReapMessage } from '../hip/reap-message.ts';
import type { ReapMessage } from '../hip/reap-message.ts';
import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { rankPairs } from '../locators/rank.ts';
import type { ReapEffect, ReapInput } from '../reap/input.ts';
import type { ReapState } from '../reap/probe.ts';
import { addressKey, formatAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { pairText } from './context-event.ts';
import type { ContextEvent } from './context-event.ts';
import { Detector } from './detector.ts';
import type { Agreement, Detected } from './detector.ts';
import type { HipHostEffect } from './hip-io.ts';
import type { HostLocator, Profile } from './host-io.ts';
import type { CandidateLocator } from './pair-choice.ts';
import type { Paths } from './paths.ts';
import type { Sharing } from './sharing.ts';

/** Pairs on which the carriage of the peer's REAP is remembered. */
const MAX_HEARD = 64;

/** The association that is watched. */
export interface Associated {
  readonly own: Address;
  readonly hit: Address;
  /** Where payload goes. */
  readonly path: HipPath | undefined;
  readonly association: Pick<Association, 'state' | 'peerLocators'>;
}

export interface HipDetectionSurroundings {
  readonly sharing: Sharing<HipHostEffect>;
  readonly paths: Paths;
  readonly locators: () => readonly HostLocator[];
  /** Both carriages are allowed between the two hosts. */
  readonly hasChoice: () => boolean;
  readonly tell: (input: AssociationInput, now: Instant, out: HipHostEffect[]) => void;
  readonly dropped: (reason: string) => void;
}

/** REAP for one association, docs/reap-over-hip.md: turns the effects of each into the inputs of the other. */
export class HipDetection implements Detected<HipHostEffect> {
  readonly #peer: Associated;
  readonly #surroundings: HipDetectionSurroundings;
  readonly #detector: Detector<HipHostEffect>;
  readonly #base: LocatorPair;
  #current: LocatorPair;
  #incoming: LocatorPair;
  #home: LocatorPair;
  #peerLocators: readonly CandidateLocator[];
  /** When the peer's REAP last came in on a pair, by carriage. */
  readonly #heard = new Map<string, Map<Carriage, Instant>>();
  /** Explorations of a pair since the suspicion. */
  readonly #tries = new Map<string, number>();
  #suspectedAt: Instant = -Infinity;
  #why: string | undefined;

  /** `base` is the pair on which the base exchange took place. */
  constructor(peer: Associated, base: LocatorPair, agreement: Agreement, surroundings: HipDetectionSurroundings) {
    this.#peer = peer;
    this.#surroundings = surroundings;
    this.#base = { local: base.local, peer: base.peer };
    this.#current = this.#base;
    this.#incoming = this.#base;
    this.#home = this.#base;
    this.#peerLocators = candidates(peer.association.peerLocators);
    const { sharing, locators } = surroundings;
    this.#detector = new Detector(this, agreement, addressKey(peer.hit), sharing, locators);
  }

  /** The pair to go back to: that of the base exchange, or the best one when that is gone. */
  get ulids(): LocatorPair {
    return this.#home;
  }

  get current(): LocatorPair {
    return this.#current;
  }

  get incoming(): LocatorPair {
    return this.#incoming;
  }

  get isStanding(): boolean {
    const { state } = this.#peer.association;
    return state === 'ESTABLISHED' || state === 'R2-SENT';
  }

  get usableLocators(): readonly Address[] {
    return this.#surroundings.locators().map(({ address }) => address);
  }

  get peerLocators(): readonly CandidateLocator[] {
    return this.#peerLocators;
  }

  get state(): ReapState {
    return this.#detector.state;
  }

  get profile(): Profile {
    return this.#detector.profile;
  }

  get deadline(): Instant {
    return this.#detector.deadline;
  }

  /** All pairs that could be used, best first. */
  get pairs(): readonly LocatorPair[] {
    return this.#detector.pairs;
  }

  /** Why REAP is just choosing another path. */
  get why(): string | undefined {
    return this.#why;
  }

  close(): void {
    this.#detector.close();
  }

  tick(now: Instant, out: HipHostEffect[]): void {
    this.#detector.tick(now, out);
  }

  tell(input: ReapInput, now: Instant, out: HipHostEffect[]): void {
    this.#detector.tell(input, now, out);
  }

  /** Payload that was seen since `since`. */
  observe(sent: boolean, heardOn: LocatorPair | undefined, since: Instant, now: Instant, out: HipHostEffect[]): void {
    if (sent) this.#detector.tell({ type: 'payload-sent', at: since }, now, out);
    if (heardOn === undefined) return;
    this.#surroundings.paths.heard(heardOn, now);
    const isNew = !samePair(heardOn, this.#incoming);
    if (isNew) this.#event(now, { event: 'arrived', pair: pairText(heardOn) }, out);
    this.#detector.heard(heardOn, 'payload-received', now, out);
    if (isNew) this.#incoming = heardOn;
  }

  /** REAP of the peer, authentic and no replay. */
  receive(octets: Uint8Array, path: HipPath, now: Instant, out: HipHostEffect[]): void {
    const parsed = parseReapMessage(octets);
    if (!parsed.ok) return this.#surroundings.dropped('malformed');
    const pair = { local: path.local, peer: path.peer };
    if (!isAbout(parsed.value, pair)) return this.#surroundings.dropped('reap-addresses');
    this.#note(pair, path.carriage, now);
    this.#surroundings.paths.heard(pair, now);
    if (parsed.value.type === 'Keepalive') this.#detector.heard(pair, 'keepalive-received', now, out);
    else this.#detector.tell({ type: 'probe-received', pair, probe: parsed.value.probe }, now, out);
  }

  /** The locators of this host changed: REAP comes first, the UPDATE for the peer takes its time. */
  locatorsChanged(now: Instant, out: HipHostEffect[]): void {
    this.#settle(now, out);
    const local = this.#surroundings.locators().find(({ address }) => sameOctets(address, this.#current.local));
    if (local?.operational !== true) this.#detector.tell({ type: 'pair-dead', cause: 'address-lost' }, now, out);
    else if (local.state === 'deprecated') this.#detector.tell({ type: 'deprecate', pair: this.#current }, now, out);
  }

  /** The peer's addresses changed. */
  peerChanged(locators: readonly PeerHipLocator[], now: Instant, out: HipHostEffect[]): void {
    this.#peerLocators = candidates(locators);
    this.#settle(now, out);
    if (!this.#isThere(this.#current.peer)) this.#detector.tell({ type: 'pair-dead', cause: 'peer-broken' }, now, out);
  }

  /** The association chose a path. REAP knows better, except that its own path is gone. */
  chosen(path: HipPath, now: Instant, out: HipHostEffect[]): void {
    if (samePair(path, this.#current) || !this.#isUsable(this.#current)) return;
    const { carriage, peerPort } = path;
    this.#surroundings.tell({ type: 'select', path: { ...this.#current, carriage, peerPort } }, now, out);
  }

  performed(effect: ReapEffect, now: Instant, out: HipHostEffect[]): void {
    switch (effect.type) {
      case 'send-keepalive':
        this.#send(this.#pathOn(effect.pair), { type: 'Keepalive' }, now, out);
        return;
      case 'send-probe':
        this.#send(this.#pathOf(effect), { type: 'Probe', probe: effect.probe }, now, out);
        return;
      case 'selected':
        this.#current = { local: effect.to.local, peer: effect.to.peer };
        this.#select(effect.why, now, out);
        return;
      case 'confirmed':
        this.#surroundings.paths.confirmed(effect.pair, effect.rttMs, now);
        this.#event(now, { event: 'confirmed', pair: pairText(effect.pair), rttMs: effect.rttMs }, out);
        this.#surroundings.tell({ type: 'verified', address: effect.pair.peer }, now, out);
        return;
      case 'state':
        this.#event(now, { event: 'reap', state: effect.state }, out);
        if (effect.state === 'Operational') this.#select('the other carriage works', now, out);
        return;
      case 'suspect':
        this.#suspectedAt = now;
        this.#tries.clear();
        this.#surroundings.paths.suspected(effect.pair, now);
        this.#event(now, { event: 'suspect', cause: effect.cause, pair: pairText(effect.pair) }, out);
        return;
      case 'false-alarm':
        this.#surroundings.paths.cleared(effect.pair);
        this.#event(now, { event: 'false-alarm', pair: pairText(effect.pair) }, out);
        return;
      case 'concluded':
        return;
    }
  }

  /** Tell the association where to send, unless it does so already. */
  #select(why: string, now: Instant, out: HipHostEffect[]): void {
    const path = this.#pathOn(this.#current);
    const before = this.#peer.path;
    if (before !== undefined && samePair(before, path) && before.carriage === path.carriage) return;
    this.#why = why;
    this.#surroundings.tell({ type: 'select', path }, now, out);
    this.#why = undefined;
  }

  /** With the carriage in use, unless since the suspicion REAP came through in the other one alone. */
  #pathOn(pair: LocatorPair): HipPath {
    const heard = [...(this.#heard.get(pairKey(pair)) ?? [])].filter(([, at]) => at >= this.#suspectedAt);
    const usual = this.#usual;
    const [only] = heard;
    if (only === undefined || heard.some(([carriage]) => carriage === usual)) return this.#path(pair, usual);
    return this.#path(pair, only[0]);
  }

  /** Answers go back as the question came; every second exploration of a pair tries the other carriage. */
  #pathOf({ pair, purpose }: Extract<ReapEffect, { readonly type: 'send-probe' }>): HipPath {
    const key = pairKey(pair);
    const last = [...(this.#heard.get(key) ?? [])].sort(([, a], [, b]) => b - a)[0];
    if (purpose === 'answer' && last !== undefined) return this.#path(pair, last[0]);
    if (purpose !== 'explore' || !this.#surroundings.hasChoice()) return this.#path(pair, this.#usual);
    const tries = this.#tries.get(key) ?? 0;
    this.#tries.set(key, tries + 1);
    return this.#path(pair, tries % 2 === 0 ? this.#usual : other(this.#usual));
  }

  get #usual(): Carriage {
    return this.#peer.path?.carriage ?? 'raw';
  }

  #path({ local, peer }: LocatorPair, carriage: Carriage): HipPath {
    const { path } = this.#peer;
    return { local, peer, carriage, peerPort: path?.carriage === carriage ? path.peerPort : undefined };
  }

  #note(pair: LocatorPair, carriage: Carriage, now: Instant): void {
    const key = pairKey(pair);
    let heard = this.#heard.get(key);
    if (heard === undefined && this.#heard.size >= MAX_HEARD) this.#heard.clear();
    if (heard === undefined) this.#heard.set(key, (heard = new Map<Carriage, Instant>()));
    heard.set(carriage, now);
  }

  #send(path: HipPath, message: ReapMessage, now: Instant, out: HipHostEffect[]): void {
    const octets = encodeReapMessage(message);
    this.#surroundings.tell({ type: 'reap-parameter', path, octets }, now, out);
  }

  /** What there is to choose from is new. */
  #settle(now: Instant, out: HipHostEffect[]): void {
    const peer = this.#peerLocators.map((locator) => ({ ...locator, verified: true }));
    const [best] = rankPairs({ own: this.#surroundings.locators(), peer });
    const isGone =
      !this.usableLocators.some((address) => sameOctets(address, this.#base.local)) || !this.#isThere(this.#base.peer);
    this.#home = isGone ? (best ?? this.#base) : this.#base;
    this.#detector.offerCandidates(now, out);
  }

  #isUsable({ local, peer }: LocatorPair): boolean {
    const own = this.#surroundings.locators().find(({ address }) => sameOctets(address, local));
    return own?.operational === true && this.#isThere(peer);
  }

  #isThere(peer: Address): boolean {
    return this.#peerLocators.some(({ address }) => sameOctets(address, peer));
  }

  #event(at: Instant, event: ContextEvent, out: HipHostEffect[]): void {
    const { own, hit } = this.#peer;
    out.push({ type: 'event', event: { at, ulids: [formatAddress(own), formatAddress(hit)], ...event } });
  }
}

/** The preferred one first; withdrawn ones, and those for signalling alone, are no place for payload. */
function candidates(locators: readonly PeerHipLocator[]): CandidateLocator[] {
  const usable = locators.filter(
    ({ status, trafficType }) => status !== 'DEPRECATED' && trafficType !== TRAFFIC_SIGNALLING,
  );
  const hasPreferred = usable.some(({ isPreferred }) => isPreferred);
  return usable.map(({ address, isPreferred }) => ({
    address,
    broken: false,
    priority: hasPreferred && !isPreferred ? 1 : 0,
    weight: 0,
  }));
}

/** The first report of a Probe is about itself: a packet moved to other addresses says nothing. */
function isAbout(message: ReapMessage, { local, peer }: LocatorPair): boolean {
  if (message.type === 'Keepalive') return true;
  const [itself] = message.probe.sent;
  return itself !== undefined && sameOctets(itself.source, peer) && sameOctets(itself.destination, local);
}

function other(carriage: Carriage): Carriage {
  return carriage === 'udp' ? 'raw' : 'udp';
}
