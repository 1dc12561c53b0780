import type { HipCrypto, Random } from '../crypto/ports.ts';
import { random32 } from '../crypto/ports.ts';
import { SMALLEST_SPI } from '../esp/security-association.ts';
import { admitHip } from '../hip/admit.ts';
import { Association } from '../hip/association.ts';
import type { AssociationEffect, AssociationInput, Carriage, HipPath, OwnHipLocator } from '../hip/association-io.ts';
import { isHit } from '../hip/orchid.ts';
import type { OwnIdentity } from '../hip/orchid.ts';
import type { ReceivedPacket } from '../hip/packet.ts';
import { HipResponder } from '../hip/responder.ts';
import type { HipSettings } from '../hip/settings.ts';
import { addressKey, formatAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { parseIpv6Header } from '../wire/ipv6.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Deadlines } from './deadlines.ts';
import { detectionOf } from './detection.ts';
import type { DetectionSettings } from './detection.ts';
import type { Esp } from './esp-ports.ts';
import type { HostEvent, PairText } from './events.ts';
import type { HipDetection } from './hip-detection.ts';
import { HipDetections } from './hip-detections.ts';
import { HipFlows } from './hip-flows.ts';
import type { HipHostEffect, HipHostInput } from './hip-io.ts';
import { pathsTo, unreachable } from './hip-paths.ts';
import { HipPeer } from './hip-peer.ts';
import type { HostLocator } from './host-io.ts';
import { locatorEvents } from './own-locators.ts';
import type { Path } from './paths.ts';

/** While packets flow, their counts are taken in about this often, for REAP. */
const COLLECTED_MS = 5;
/** Counts that are older say nothing of when the packets came. */
const POLLED_MS = COLLECTED_MS + 1;

export interface HipHostConfiguration {
  readonly crypto: HipCrypto;
  readonly random: Random;
  readonly settings: HipSettings;
  readonly identity: OwnIdentity;
  /** Where R1 counters start; larger after every start. */
  readonly firstGeneration: bigint;
  readonly esp: Esp;
  /** How failures are noticed, by REAP over HIP: not at all when left out. */
  readonly detection?: DetectionSettings;
  /** The descriptor for packets of a path; negative when there is none. */
  readonly socket: (path: HipPath) => number;
}

/**
 * A host without a network that speaks HIP: associations by HIT, their SAs, and the packets that wait for them. The one place
 * where HIP and ESP meet.
 */
export class HipHost {
  readonly flows: HipFlows = new HipFlows();
  readonly #configuration: HipHostConfiguration;
  readonly #responder: HipResponder;
  readonly #peers = new Map<string, HipPeer>();
  readonly #known = new Map<string, readonly Address[]>();
  readonly #deadlines = new Deadlines<HipPeer>();
  readonly #drops = new Map<string, number>();
  readonly #detections: HipDetections | undefined;
  /** When the data path's counts were last taken in. */
  #collectedAt: Instant = -Infinity;
  #locators: readonly HostLocator[] = [];

  constructor(configuration: HipHostConfiguration) {
    const { crypto, random, identity, firstGeneration, detection } = configuration;
    const settings = { ...configuration.settings, detectionMs: detection && detectionOf(detection) };
    this.#configuration = { ...configuration, settings };
    this.#detections =
      detection &&
      new HipDetections(detection, random, {
        locators: () => this.#locators,
        offersUdp: settings.offersUdp,
        tell: (peer, input, now, out) => this.#tell(peer, input, now, out),
        dropped: (reason) => this.#drop(reason),
      });
    this.#responder = new HipResponder({ crypto, random, settings, identities: [identity], firstGeneration });
  }

  get hit(): Address {
    return this.#configuration.identity.hit;
  }

  get peers(): Iterable<HipPeer> {
    return this.#peers.values();
  }

  get locators(): readonly HostLocator[] {
    return this.#locators;
  }

  /** What REAP knows of locator pairs. */
  get seen(): Iterable<Path> {
    return this.#detections?.paths ?? [];
  }

  /** How often something was not acted upon, by reason. */
  get drops(): ReadonlyMap<string, number> {
    return this.#drops;
  }

  /** When `tick` is next due. Calling early is harmless. */
  get deadline(): Instant {
    if (this.#detections === undefined) return this.#deadlines.first;
    const collection = this.flows.isTouched ? this.#collectedAt + COLLECTED_MS : NEVER;
    return Math.min(this.#deadlines.first, this.#detections.deadline, collection);
  }

  peer(hit: Address): HipPeer | undefined {
    return this.#peers.get(addressKey(hit));
  }

  handle(input: HipHostInput, now: Instant): HipHostEffect[] {
    const out: HipHostEffect[] = [];
    this.#collect(now, out);
    switch (input.type) {
      case 'control':
        this.#receive(input.octets, input.path, now, out);
        break;
      case 'locators':
        this.#setLocators(input.locators, now, out);
        break;
      case 'peers':
        this.#known.clear();
        for (const { hit, locators } of input.peers) this.#known.set(addressKey(hit), locators);
        break;
      case 'held':
        this.#hold(input.octets, now, out);
        break;
      case 'solved':
        this.#tell(
          this.peer(input.peer),
          input.j === undefined ? { type: 'unsolvable', i: input.i } : { type: 'solved', i: input.i, j: input.j },
          now,
          out,
        );
        break;
      case 'rekey':
        this.#tell(this.peer(input.peer), { type: 'rekey', withDh: input.withDh }, now, out);
        break;
      case 'close':
        this.#tell(this.peer(input.peer), { type: 'close' }, now, out);
        break;
      case 'lag':
        for (const { detection } of this.#peers.values()) detection?.tell(input, now, out);
        break;
      case 'tick':
        this.#detections?.tick(now, out);
        for (const peer of this.#deadlines.take(now)) {
          this.#tell(peer, input, now, out);
          this.#detect(peer, (detection) => detection.tick(now, out));
        }
        break;
    }
    return out;
  }

  /** What the data path counted since last time. */
  #collect(now: Instant, out: HipHostEffect[]): void {
    const since = now - this.#collectedAt > POLLED_MS ? now : this.#collectedAt; // unknown when nobody looked
    for (const flow of this.flows.takeTouched()) {
      const peer = this.peer(flow.peer);
      const { sent, heardOn } = flow;
      const heard = [...flow.heard];
      flow.sent = 0;
      flow.heard.clear();
      if (sent > 0) this.#tell(peer, { type: 'payload-sent', octets: sent }, now, out);
      for (const [spi, octets] of heard) this.#tell(peer, { type: 'payload-received', spi, octets }, now, out);
      const on = heard.length > 0 ? heardOn : undefined;
      this.#detect(peer, (detection) => detection.observe(sent > 0, on, since, now, out));
    }
    this.#collectedAt = now;
  }

  #receive(octets: Uint8Array, path: HipPath, now: Instant, out: HipHostEffect[]): void {
    const admitted = admitHip(octets, path);
    if (!admitted.ok) {
      this.#perform(undefined, admitted.effects, now, out);
      return;
    }
    const { packet } = admitted;
    const peer = this.peer(packet.senderHit);
    if (peer !== undefined) this.#tell(peer, { type: 'packet', packet, path }, now, out);
    else if (packet.type === 'I1') this.#perform(undefined, this.#responder.answer(packet, path, now), now, out);
    else if (packet.type === 'I2') this.#accept(packet, path, now, out);
    else this.#drop('no-association');
  }

  /** RFC 7401 §6.9: an I2 that is not believed leaves nothing behind. */
  #accept(packet: ReceivedPacket, path: HipPath, now: Instant, out: HipHostEffect[]): void {
    if (!sameOctets(packet.receiverHit, this.hit)) {
      this.#drop('hit');
      return;
    }
    const peer = this.#create(packet.senderHit);
    this.#tell(peer, { type: 'packet', packet, path }, now, out);
    if (peer.association.state === 'UNASSOCIATED') this.#forget(peer);
  }

  /** RFC 7401 §6.1: payload for a peer begins an association; the first packets wait. */
  #hold(octets: Uint8Array, now: Instant, out: HipHostEffect[]): void {
    const header = parseIpv6Header(octets);
    if (!header.ok || !sameOctets(header.value.source, this.hit) || !isHit(header.value.destination)) {
      this.#drop('not-between-hits');
      return;
    }
    const { destination: hit } = header.value;
    const paths = this.paths(hit);
    if (paths.length === 0 || !this.#configuration.settings.accepts(hit)) {
      this.#drop('no-path');
      out.push({ type: 'deliver', octets: unreachable(octets, this.hit, hit) });
      return;
    }
    const peer = this.peer(hit) ?? this.#create(hit);
    peer.wait(octets);
    this.#tell(peer, { type: 'connect', paths }, now, out);
  }

  /** Ways to a peer, best first. */
  paths(hit: Address): HipPath[] {
    const carriages: Carriage[] = this.#configuration.settings.offersUdp ? ['raw', 'udp'] : ['raw'];
    return pathsTo(this.#known.get(addressKey(hit)) ?? [], this.#locators, carriages);
  }

  #create(hit: Address): HipPeer {
    const { crypto, random, settings, identity, esp, socket } = this.#configuration;
    const association = new Association({
      own: identity,
      peerHit: hit,
      crypto,
      random,
      settings,
      responder: this.#responder,
      newSpi: () => this.#newSpi(),
      locators: this.#ownLocators(),
    });
    const peer = new HipPeer(identity.hit, hit, association, { esp, flows: this.flows, socket });
    this.#peers.set(addressKey(hit), peer);
    return peer;
  }

  #forget(peer: HipPeer): void {
    peer.close();
    this.#peers.delete(addressKey(peer.hit));
    this.#deadlines.remove(peer);
  }

  /** RFC 7402 §3.2.1: random, above 255, and nobody's yet. */
  #newSpi(): number {
    for (;;) {
      const spi = random32(this.#configuration.random);
      if (spi >= SMALLEST_SPI && ![...this.#peers.values()].some((peer) => peer.hasSpi(spi))) return spi;
    }
  }

  #setLocators(locators: readonly HostLocator[], now: Instant, out: HipHostEffect[]): void {
    const changed = locatorEvents(this.#locators, locators, now).length > 0;
    this.#locators = locators;
    if (!changed) return;
    const own = this.#ownLocators();
    for (const peer of [...this.#peers.values()])
      this.#detect(peer, (detection) => detection.locatorsChanged(now, out));
    this.#responder.announce(own, now);
    for (const peer of [...this.#peers.values()]) this.#tell(peer, { type: 'own-locators', locators: own }, now, out);
  }

  /** What peers are told, RFC 8046 §4: the first one is preferred. */
  #ownLocators(): OwnHipLocator[] {
    const usable = this.#locators.filter(({ state, operational }) => state !== 'tentative' && operational);
    const best = usable.find(({ state, backup }) => state === 'preferred' && backup !== true) ?? usable[0];
    return usable.map((locator) => ({ address: locator.address, isPreferred: locator === best }));
  }

  #tell(peer: HipPeer | undefined, input: AssociationInput, now: Instant, out: HipHostEffect[]): void {
    if (peer === undefined) return;
    this.#perform(peer, peer.association.handle(input, now), now, out);
    this.#preferUdp(peer, now, out);
    if (this.#peers.get(addressKey(peer.hit)) === peer) this.#deadlines.update(peer);
  }

  /** REAP of a peer, if there is any, and what it means for deadlines. */
  #detect(peer: HipPeer | undefined, act: (detection: HipDetection) => void): void {
    if (peer?.detection === undefined) return;
    act(peer.detection);
    if (this.#peers.get(addressKey(peer.hit)) === peer) this.#deadlines.update(peer);
  }

  #perform(peer: HipPeer | undefined, effects: readonly AssociationEffect[], now: Instant, out: HipHostEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'transmit') out.push(effect);
      else if (effect.type === 'drop') this.#drop(effect.reason);
      else if (peer !== undefined) this.#performFor(peer, effect, now, out);
    }
  }

  #performFor(peer: HipPeer, effect: AssociationEffect, now: Instant, out: HipHostEffect[]): void {
    const { own, hit } = peer;
    const ulids: PairText = [formatAddress(own), formatAddress(hit)];
    const event = (one: HostEvent): void => void out.push({ type: 'event', event: one });
    switch (effect.type) {
      case 'state':
        if (effect.to !== 'ESTABLISHED' && effect.to !== 'R2-SENT') peer.stopDetecting();
        event({ at: now, event: 'state', state: effect.to, ulids });
        break;
      case 'solve-puzzle':
        out.push({ type: 'solve', peer: hit, task: effect.task, until: effect.until });
        break;
      case 'install-sa': {
        peer.install(effect.sa);
        const { path } = peer;
        out.push({ type: 'keys', own, peer: hit, path, sa: effect.sa });
        break;
      }
      case 'retire-sa':
        peer.retire(effect.direction, effect.spi);
        break;
      case 'established':
        peer.establishedAt = now;
        if (peer.path === undefined) peer.take(effect.path, undefined);
        this.#detections?.begin(peer, effect.peer, peer.association.path ?? effect.path);
        this.#flush(peer, out);
        peer.takesUdp = effect.peer.udp;
        break;
      case 'path-selected': {
        const from = peer.path;
        peer.take(effect.path, effect.credit);
        if (from !== undefined && pathText(from).join() !== pathText(effect.path).join())
          event({
            at: now,
            event: 'selected',
            from: pathText(from),
            to: pathText(effect.path),
            why: peer.detection?.why ?? 'hip',
            ulids,
          });
        this.#flush(peer, out);
        peer.detection?.chosen(effect.path, now, out);
        break;
      }
      case 'peer-locators':
        this.#known.set(
          addressKey(hit),
          effect.locators.filter(({ status }) => status !== 'DEPRECATED').map(({ address }) => address),
        );
        peer.detection?.peerChanged(effect.locators, now, out);
        break;
      case 'reap-parameter':
        peer.detection?.receive(effect.octets, effect.path, now, out);
        break;
      case 'failed':
        event({ at: now, event: 'warning', message: `no association with ${formatAddress(hit)}: ${effect.reason}` });
        for (const octets of peer.release()) out.push({ type: 'deliver', octets: unreachable(octets, this.hit, hit) });
        break;
      case 'discarded':
        this.#forget(peer);
        break;
      case 'transmit':
      case 'drop':
      case 'notified':
      case 'control-received':
      case 'parameter-problem':
        break;
    }
  }

  #flush(peer: HipPeer, out: HipHostEffect[]): void {
    if (peer.flow.out === undefined) return;
    for (const octets of peer.release()) out.push({ type: 'forward', octets });
  }

  /** Batches of ESP go several times faster in UDP: one system call takes many packets. */
  #preferUdp(peer: HipPeer, now: Instant, out: HipHostEffect[]): void {
    const { path } = peer;
    if (!peer.takesUdp || !this.#configuration.settings.offersUdp || path === undefined) return;
    peer.takesUdp = false; // once: whoever chooses paths later knows better
    if (path.carriage === 'raw') this.#tell(peer, { type: 'select', path: { ...path, carriage: 'udp' } }, now, out);
  }

  #drop(reason: string): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }
}

function pathText({ local, peer }: HipPath): PairText {
  return [formatAddress(local), formatAddress(peer)];
}
