import type { Crypto } from '../crypto/ports.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { Context } from '../shim6/context.ts';
import type { OwnLocator } from '../shim6/context-io.ts';
import type { I2, I2bis } from '../shim6/messages.ts';
import type { QuotedPacket } from '../shim6/quoted.ts';
import type { ReceivedPacket } from '../shim6/received.ts';
import { Responder } from '../shim6/responder.ts';
import { randomTag } from '../shim6/tag.ts';
import type { ContextTag } from '../shim6/tag.ts';
import { PeerVerifier } from '../shim6/verification.ts';
import { addressKey, formatAddress, isGlobalUnicast, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { NEVER } from '../wire/time.ts';
import type { Instant } from '../wire/time.ts';
import { Contexts } from './contexts.ts';
import type { Identity } from './contexts.ts';
import { Deadlines } from './deadlines.ts';
import { Agreements, detectionOf, sendTimeoutSecondsOf } from './detection.ts';
import { Doorkeeper } from './doorkeeper.ts';
import { FastPath } from './fast-path.ts';
import { HostContext } from './host-context.ts';
import type { HostEffect, HostInput, HostLocator, HostSettings, Input } from './host-io.ts';
import { IcmpErrors } from './icmp-errors.ts';
import { Identities } from './identities.ts';
import type { Keys } from './identities.ts';
import { NewSessions } from './new-sessions.ts';
import { Paths } from './paths.ts';
import { PeerKeys } from './peer-keys.ts';
import { Reception } from './reception.ts';
import { SharedAddresses } from './shared-addresses.ts';
import type { Surroundings } from './surroundings.ts';
import { Sharing } from './sharing.ts';
import { Warnings } from './warnings.ts';
import type { RememberedContext } from './wish.ts';
import { locatorEvents, ownLocators } from './own-locators.ts';
import { admitted, announced } from './peer-policy.ts';
import type { PeerPolicy } from './peer-policy.ts';

/** While a context is in use its traffic is looked at about this often. */
const POLLED_MS = 6;

export interface HostConfiguration extends Keys {
  readonly crypto: Crypto;
  readonly settings: HostSettings;
  readonly policy?: PeerPolicy;
}

/**
 * A host without a network: Shim6 packets, observed traffic and locator changes in, packets and orders to the shell out.
 * The one place where the context machines, the REAP machines and the fast path meet.
 */
export class Host {
  readonly fastPath: FastPath = new FastPath();
  readonly contexts: Contexts = new Contexts();
  readonly paths: Paths = new Paths();
  readonly sessions: NewSessions;
  readonly doorkeeper: Doorkeeper;
  #configuration: HostConfiguration;
  readonly #surroundings: Surroundings<HostContext>;
  readonly #responder: Responder;
  readonly #verifier: PeerVerifier;
  readonly #identities: Identities;
  readonly #deadlines = new Deadlines<HostContext>();
  readonly #sharing: Sharing;
  #agreements: Agreements;
  readonly #errors: IcmpErrors;
  readonly #reception: Reception;
  readonly #drops = new Map<string, number>();
  #locators: readonly HostLocator[] = [];
  /** Ls(local) by identifier, made from these locators. */
  readonly #own = new Map<string, readonly OwnLocator[]>();
  readonly #addresses = new SharedAddresses();
  /** When the fast path's counts were last taken in. */
  #collectedAt: Instant = 0;
  /** When contexts are told about changed locators. */
  #announceAt: Instant = NEVER;

  constructor(configuration: HostConfiguration, now: Instant) {
    const { crypto, random, settings } = configuration;
    this.#configuration = configuration;
    this.#identities = new Identities(configuration);
    this.#responder = new Responder({ crypto, random, detectionMs: detectionOf(settings) });
    this.doorkeeper = new Doorkeeper(this.#responder, (reason) => this.#drop(reason));
    this.#verifier = new PeerVerifier(crypto);
    this.#sharing = new Sharing(settings.probeBudget, () => this.#locators, now);
    this.#agreements = new Agreements(settings, random);
    const keys = new PeerKeys(crypto);
    this.#reception = new Reception({
      contexts: this.contexts,
      responder: this.#responder,
      isIdentifier: (address) => this.#isIdentifier(address),
      admits: (message, packet) => admitted(this.#configuration.policy, message, packet, this.#locators),
      accept: (ulids, message, packet, at, out) => this.#accept(ulids, message, packet, at, out),
      quoting: (quoted) => this.#quoting(quoted),
      dropped: (reason) => this.#drop(reason),
    });
    this.#errors = new IcmpErrors({
      quoting: (quoted) => this.#quoting(quoted),
      hint: (pair, at, out) => this.#hint('icmp', pair, at, out),
      deliversAll: () => this.#configuration.settings.deliverAllErrors === true,
      dropped: (reason) => this.#drop(reason),
    });
    this.sessions = new NewSessions(
      {
        locators: () => this.#locators,
        paths: this.paths,
        context: (ulids) => this.contexts.of(ulids),
        areOneIdentity: (a, b) => this.#identities.of(a) === this.#identities.of(b),
        open: (ulids, pair, at, out) => this.#openOver(ulids, pair, at, out),
        hold: (ulids, on) => {
          this.fastPath.hold(ulids, on);
        },
      },
      now,
    );
    this.#surroundings = {
      locators: () => this.#locators,
      paths: this.paths,
      agreement: (peer) => this.#agreements.with(peer),
      peerKey: ({ context, ulids }) => keys.of(context.peerParameters, ulids.peer),
      sharing: this.#sharing,
      warnings: new Warnings(now),
      idleMs: () => this.#configuration.settings.idleMs,
      touched: (context) => this.#touched(context),
      changed: (context, at, out) => this.#resolveConfusion(context, at, out),
      gone: (context) => this.#forget(context),
      dropped: (reason) => this.#drop(reason),
    };
  }

  get locators(): readonly HostLocator[] {
    return this.#locators;
  }

  /** How often something was not acted upon, by reason. */
  get drops(): ReadonlyMap<string, number> {
    return this.#drops;
  }

  /** When `tick` is next due. Calling early is harmless. */
  get deadline(): Instant {
    return Math.min(
      this.#announceAt,
      this.#deadlines.first,
      this.#sharing.deadline,
      this.#errors.deadline,
      this.sessions.deadline,
    );
  }

  /** New settings: contexts that stand keep theirs, except for the time after which they are forgotten. */
  configure(settings: HostSettings): void {
    this.#configuration = { ...this.#configuration, settings };
    this.#agreements = new Agreements(settings, this.#configuration.random);
    for (const context of this.contexts) this.#deadlines.update(context);
  }

  /** The contexts that another process could go on with, see `resume`. */
  remember(): RememberedContext[] {
    return [...this.contexts].flatMap((context) => context.remember() ?? []);
  }

  /** Goes on with a context of another process of this host, unless there is one for these ULIDs or with this tag by now. */
  resume(memory: RememberedContext, now: Instant): HostEffect[] {
    const out: HostEffect[] = [];
    const { ulids, forkedInstanceId, tag, parameters } = memory;
    if (this.contexts.of(ulids, forkedInstanceId) !== undefined || this.contexts.tagged(tag) !== undefined) return out;
    this.#identities.adopt(ulids.local, parameters);
    this.#add(memory, tag, parameters, now).resume(memory, now, out);
    return out;
  }

  handle(input: HostInput, now: Instant): HostEffect[] {
    const out: HostEffect[] = [];
    this.#collect(now, out);
    switch (input.type) {
      case 'control':
        this.#reception.receive(input.packet, now, out);
        break;
      case 'traffic':
        this.contexts
          .of(input.ulids)
          ?.observe(input.sent, input.heard ? input.ulids : undefined, input.since ?? now, now, out);
        break;
      case 'locators':
        this.#setLocators(input.locators, now, out);
        break;
      case 'open':
        this.#open(input, now, out);
        break;
      case 'close':
        this.contexts.of(input.ulids, input.forkedInstanceId)?.tell({ type: 'discard', reason: 'command' }, now, out);
        break;
      case 'wish':
        this.contexts.of(input.ulids, input.forkedInstanceId)?.wish(input.wish, now, out);
        break;
      case 'held':
        this.sessions.held(input.octets, now, out);
        break;
      case 'unanswered':
        this.sessions.unanswered(input.ulids, now, out);
        break;
      case 'icmp':
        this.#errors.receive(input.source, input.octets, now, out);
        break;
      case 'send-error':
        this.#hint('send-error', input.pair, now, out);
        break;
      case 'lag':
        for (const context of this.contexts) context.tellReap({ type: 'lag', ms: input.ms }, now, out);
        break;
      case 'tick':
        if (now >= this.#announceAt) this.#announce(now, out);
        this.#errors.tick(now, out);
        this.#sharing.tick(now, out);
        for (const context of this.#deadlines.take(now)) {
          context.tick(now, out);
          this.#touched(context);
        }
        break;
    }
    if (now >= this.sessions.deadline) this.sessions.tick(now, out);
    return out;
  }

  /** What the fast path counted since last time. */
  #collect(now: Instant, out: HostEffect[]): void {
    const since = now - this.#collectedAt > POLLED_MS ? now : this.#collectedAt; // unknown when nobody looked
    for (const flow of this.fastPath.takeTouched()) {
      const sent = flow.sent > 0;
      const heardOn = flow.heard > 0 ? flow.heardOn : undefined;
      flow.sent = 0;
      flow.heard = 0;
      this.contexts.tagged(flow.tagLocal)?.observe(sent, heardOn, since, now, out);
    }
    this.#collectedAt = now;
  }

  #hint(cause: 'icmp' | 'send-error', pair: LocatorPair, now: Instant, out: HostEffect[]): void {
    for (const context of this.contexts.using(pair)) context.tellReap({ type: 'hint', cause }, now, out);
  }

  /** Its deadline may be another one, and what it is found by. */
  #touched(context: HostContext): void {
    if (this.contexts.tagged(context.tag) !== context) return;
    this.contexts.refresh(context);
    this.#deadlines.update(context);
    if (context.forkedInstanceId === 0) this.sessions.touched(context);
  }

  #open({ ulids, forkedInstanceId = 0, pair }: Input<'open'>, now: Instant, out: HostEffect[]): void {
    const exists = this.contexts.of(ulids, forkedInstanceId) !== undefined;
    if (exists || !this.#isIdentifier(ulids.local) || !isGlobalUnicast(ulids.peer)) return;
    if (this.#locators.filter((locator) => locator.parameters !== undefined).length < 2) return; // RFC 6629 §2
    this.#create({ ulids, forkedInstanceId }, now).tell({ type: 'start', ...(pair && { pair }) }, now, out);
  }

  /** For a peer that is known to have several locators: one own is enough. */
  #openOver(ulids: LocatorPair, pair: LocatorPair, now: Instant, out: HostEffect[]): boolean {
    const known = this.contexts.of(ulids);
    if (known?.context.state === 'E-FAILED') known.tell({ type: 'discard', reason: 'hold-down-over' }, now, out);
    const { policy } = this.#configuration;
    if (policy?.admits({ peer: ulids.peer }) === false || !this.#isIdentifier(ulids.local)) return false;
    const context = this.contexts.of(ulids) ?? this.#create({ ulids, forkedInstanceId: 0 }, now);
    context.tell({ type: 'start', pair }, now, out);
    return true;
  }

  /** RFC 5533 §7.13: an I2 that is not believed leaves nothing behind. */
  #accept(ulids: LocatorPair, message: I2 | I2bis, packet: ReceivedPacket, now: Instant, out: HostEffect[]): void {
    const taken = message.type === 'I2bis' ? message.packetContextTag : undefined; // §7.20: not the old tag again
    const { forkedInstanceId = 0 } = message.options;
    const context = this.#create({ ulids, forkedInstanceId }, now, taken);
    context.tell({ type: 'message', message, packet }, now, out);
    if (context.context.state === 'IDLE') this.#forget(context);
  }

  #forget(context: HostContext): void {
    this.contexts.remove(context);
    this.#deadlines.remove(context);
    this.#addresses.release(context.ulids.local);
    this.#addresses.release(context.ulids.peer);
    if (context.forkedInstanceId === 0) this.sessions.gone(context);
    this.fastPath.remove(context.flow);
  }

  #create(identity: Identity, now: Instant, taken?: ContextTag): HostContext {
    const { random } = this.#configuration;
    let tag = randomTag(random);
    while (this.contexts.tagged(tag) !== undefined || tag === taken) tag = randomTag(random); // RFC 5533 §7.1
    const own = this.#locators.find((locator) => sameOctets(locator.address, identity.ulids.local));
    return this.#add(identity, tag, own?.parameters, now);
  }

  #add(identity: Identity, tag: ContextTag, parameters: Uint8Array | undefined, now: Instant): HostContext {
    const { ulids: between, forkedInstanceId } = identity;
    const { random, settings } = this.#configuration;
    const ulids = { local: this.#addresses.acquire(between.local), peer: this.#addresses.acquire(between.peer) };
    const machine = new Context({
      ulids,
      forkedInstanceId,
      tag,
      random,
      responder: this.#responder,
      verifier: this.#verifier,
      lists: this.#identities.listsOf(ulids.local),
      parameters,
      locators: this.#ownLocators(ulids),
      detectionMs: detectionOf(settings),
      sendTimeoutSeconds: sendTimeoutSecondsOf(settings),
    });
    const flow = {
      ulids,
      isForked: forkedInstanceId !== 0,
      tagLocal: tag,
      tagPeer: undefined,
      pair: ulids,
      delivers: false,
      heardOn: undefined,
      sent: 0,
      heard: 0,
    };
    const context = new HostContext(machine, flow, this.#surroundings, now);
    this.contexts.add(context);
    this.#deadlines.update(context);
    this.fastPath.add(flow);
    this.doorkeeper.meet(ulids.peer);
    return context;
  }

  #setLocators(locators: readonly HostLocator[], now: Instant, out: HostEffect[]): void {
    const events = locatorEvents(this.#locators, locators, now);
    this.#locators = locators;
    this.#identities.follow(locators);
    this.#own.clear();
    if (events.length === 0) return;
    for (const event of events) out.push({ type: 'event', event });
    for (const context of [...this.contexts]) context.locatorsChanged(now, out);
    this.#announceAt = now; // with the next tick
    this.sessions.locatorsChanged(now);
  }

  #announce(now: Instant, out: HostEffect[]): void {
    this.#announceAt = NEVER;
    for (const context of [...this.contexts]) context.announce(this.#ownLocators(context.ulids), now, out);
  }

  #ownLocators(ulids: LocatorPair): readonly OwnLocator[] {
    const told = announced(this.#configuration.policy, ulids, this.#locators);
    const key = told.map(({ address }) => addressKey(address)).join() + addressKey(ulids.local);
    let own = this.#own.get(key);
    if (own === undefined) this.#own.set(key, (own = ownLocators(told, ulids.local, this.#identities.of(ulids.local))));
    return own;
  }

  #isIdentifier(address: Address): boolean {
    return this.#locators.some(
      (locator) =>
        locator.parameters !== undefined && locator.state !== 'tentative' && sameOctets(locator.address, address),
    );
  }

  #quoting(quoted: QuotedPacket): HostContext | undefined {
    return this.contexts.quoted(quoted).find((one) => one.context.matchesQuoted(quoted));
  }

  /** RFC 5533 §7.15: of two contexts with the same CT(peer) at the same peer, the older one is void. */
  #resolveConfusion(context: HostContext, now: Instant, out: HostEffect[]): void {
    for (const locator of context.peerLocators) this.doorkeeper.meet(locator.address);
    const other = this.contexts.confusedWith(context);
    if (other === undefined) return;
    const message = `context with ${formatAddress(other.ulids.peer)} was lost by the peer`;
    out.push({ type: 'event', event: { at: now, event: 'warning', message } });
    other.tell({ type: 'confused', restart: other.sentAt !== undefined }, now, out);
  }

  #drop(reason: string): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }
}
