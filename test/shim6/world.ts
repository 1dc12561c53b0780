import { generateHbaSet } from '../../src/cga/hba.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import type { Random, Signer } from '../../src/crypto/ports.ts';
import { samePair } from '../../src/locators/pair.ts';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { admit } from '../../src/shim6/admit.ts';
import type { ContextEffect, ContextInput, ContextMessage, OwnLocator } from '../../src/shim6/context-io.ts';
import { Context } from '../../src/shim6/context.ts';
import { NO_PREFERENCE } from '../../src/shim6/locator-list.ts';
import { parseShim6 } from '../../src/shim6/message-codec.ts';
import type { ErrorMessage, Shim6Message } from '../../src/shim6/messages.ts';
import { OwnLists } from '../../src/shim6/own-lists.ts';
import { parseQuoted } from '../../src/shim6/quoted.ts';
import { RateLimits } from '../../src/shim6/rate-limit.ts';
import type { Limits } from '../../src/shim6/rate-limit.ts';
import { pairBack, ulidsOf } from '../../src/shim6/received.ts';
import type { ReceivedPacket } from '../../src/shim6/received.ts';
import { Responder } from '../../src/shim6/responder.ts';
import { TAG_SPACE, randomTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import { PeerVerifier } from '../../src/shim6/verification.ts';
import { formatAddress, sameOctets } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { ip } from './spec-vectors.ts';

/** A seeded stream of octets (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 24;
  };
  return (length) => Uint8Array.from({ length }, next);
}

export interface HostOptions {
  readonly seed: number;
  /** One /64 per locator; the first one is the ULID's. */
  readonly prefixes: readonly string[];
  readonly detectionMs?: number;
  readonly sendTimeoutSeconds?: number;
  readonly tagSpace?: number;
  readonly limits?: Partial<Record<'R1' | 'R1bis' | 'Error', Limits>>;
  /** Replaces the HBA set. */
  readonly identity?: {
    readonly parametersOf: ParametersOf;
    readonly locators: readonly OwnLocator[];
    readonly signer?: Signer;
  };
}

/** CGA Parameter Data Structure of one ULID. */
export type ParametersOf = (ulid: Address) => Uint8Array | undefined;

/** The parts of a host that a context leans on, and a table of contexts as small as can be. */
export class TestHost {
  readonly name: string;
  readonly random: Random;
  readonly locators: readonly OwnLocator[];
  readonly parametersOf: ParametersOf;
  readonly lists: OwnLists;
  readonly verifier: PeerVerifier = new PeerVerifier(nodeCrypto);
  readonly responder: Responder;
  readonly options: HostOptions;
  contexts: Context[] = [];
  /** Everything that contexts and stateless answers did, in order. */
  log: ContextEffect[] = [];
  errors: ErrorMessage[] = [];

  constructor(name: string, options: HostOptions) {
    this.name = name;
    this.options = options;
    this.random = seeded(options.seed);
    const { identity = hbaIdentity(this.random, options.prefixes) } = options;
    this.locators = identity.locators;
    this.parametersOf = identity.parametersOf;
    this.lists = new OwnLists(this.random, options.identity?.signer);
    this.responder = new Responder({
      crypto: nodeCrypto,
      random: this.random,
      limits: new RateLimits(options.limits),
      detectionMs: options.detectionMs,
    });
  }

  address(index: number): Address {
    const locator = this.locators[index];
    if (locator === undefined) throw new Error('no such locator');
    return locator.address;
  }

  get context(): Context {
    const [context] = this.contexts;
    if (context === undefined || this.contexts.length > 1) throw new Error(`${String(this.contexts.length)} contexts`);
    return context;
  }

  get deadline(): number {
    return Math.min(...this.contexts.map((context) => context.deadline), Number.POSITIVE_INFINITY);
  }

  create(ulids: LocatorPair, forkedInstanceId = 0, avoid?: ContextTag): Context {
    const { random, responder, verifier, lists, locators } = this;
    const parameters = this.parametersOf(ulids.local);
    const { detectionMs, sendTimeoutSeconds, tagSpace = TAG_SPACE } = this.options;
    let tag = randomTag(random, tagSpace);
    while (tag === avoid || this.contexts.some((context) => context.tag === tag)) tag = randomTag(random, tagSpace);
    const shared = { random, responder, verifier, lists, parameters, locators, detectionMs, sendTimeoutSeconds };
    const context = new Context({ ulids, forkedInstanceId, tag, ...shared });
    this.contexts.push(context);
    return context;
  }

  tell(context: Context, input: ContextInput, now: number): ContextEffect[] {
    return this.perform(context, context.handle(input, now), now);
  }

  tick(now: number): ContextEffect[] {
    return [...this.contexts].flatMap((context) =>
      context.deadline <= now ? this.tell(context, { type: 'tick' }, now) : [],
    );
  }

  receive(packet: ReceivedPacket, now: number): ContextEffect[] {
    const admitted = admit(packet, this.responder, now);
    if (admitted.type !== 'message') return this.#note([admitted]);
    const { message } = admitted;
    if (message.type === 'Error') return this.#receiveError(message, now);
    const context = this.#find(message, packet);
    if (context !== undefined) return this.tell(context, { type: 'message', message, packet }, now);
    if (message.type === 'I1') return this.#note([this.responder.r1(message, packet, now)]);
    if ('receiverContextTag' in message) {
      return this.#note([this.responder.r1bis(message.receiverContextTag, packet, now)]);
    }
    if (message.type !== 'I2' && message.type !== 'I2bis') return this.#note([{ type: 'drop', reason: 'no-match' }]);
    if (!this.responder.accepts(message, packet, now)) return this.#note([{ type: 'drop', reason: 'validator' }]);
    const avoid = message.type === 'I2bis' ? message.packetContextTag : undefined;
    const created = this.create(ulidsOf(message, packet), message.options.forkedInstanceId ?? 0, avoid);
    const effects = this.tell(created, { type: 'message', message, packet }, now);
    if (created.state === 'IDLE') this.contexts = this.contexts.filter((one) => one !== created);
    return effects;
  }

  receiveTagged(tag: ContextTag, source: Address, destination: Address, now: number): ContextEffect[] {
    const context = this.contexts.find((one) => one.tag === tag);
    if (context !== undefined) return this.tell(context, { type: 'payload-header', source, destination }, now);
    return this.#note([this.responder.r1bis(tag, { source, destination }, now)]);
  }

  #receiveError(message: ErrorMessage, now: number): ContextEffect[] {
    this.errors.push(message);
    const quoted = parseQuoted(message.packet);
    const context = quoted && this.contexts.find((one) => one.matchesQuoted(quoted));
    if (quoted === undefined || context === undefined) return [];
    return this.tell(context, { type: 'error-message', code: message.code, quoted }, now);
  }

  #find(message: ContextMessage, packet: ReceivedPacket): Context | undefined {
    switch (message.type) {
      case 'I1':
      case 'I2':
      case 'I2bis': {
        const ulids = ulidsOf(message, packet);
        const instance = message.options.forkedInstanceId ?? 0;
        return this.contexts.find((one) => samePair(one.ulids, ulids) && one.forkedInstanceId === instance);
      }
      case 'R1':
      case 'R2':
      case 'R1bis':
        return this.contexts.find((one) => one.matches(message, packet));
      default:
        return this.contexts.find((one) => one.tag === message.receiverContextTag);
    }
  }

  perform(context: Context, effects: readonly ContextEffect[], now: number): ContextEffect[] {
    const all: ContextEffect[] = [];
    for (const effect of effects) {
      all.push(...this.#note([effect]));
      if (effect.type === 'discarded') this.contexts = this.contexts.filter((one) => one !== context);
      if (effect.type === 'established' || effect.type === 'peer-changed') all.push(...this.#unconfuse(context, now));
    }
    return all;
  }

  /** RFC 5533 §7.15. */
  #unconfuse(context: Context, now: number): ContextEffect[] {
    const confused = this.contexts.filter(
      (one) =>
        one !== context &&
        (one.state === 'ESTABLISHED' || one.state === 'I2BIS-SENT') &&
        one.tagPeer === context.tagPeer &&
        one.peerLocators.some((a) => context.peerLocators.some((b) => sameOctets(a.address, b.address))),
    );
    return confused.flatMap((one) => this.tell(one, { type: 'confused', restart: false }, now));
  }

  #note(effects: ContextEffect[]): ContextEffect[] {
    this.log.push(...effects);
    return effects;
  }
}

function hbaIdentity(
  random: Random,
  prefixes: readonly string[],
): { parametersOf: ParametersOf; locators: readonly OwnLocator[] } {
  const parts = prefixes.map((text) => ip(text).slice(0, 8));
  const { members } = generateHbaSet({ crypto: nodeCrypto, random, prefixes: parts, sec: 0 });
  return {
    parametersOf: (ulid) => {
      const member = members.find(({ address }) => sameOctets(address, ulid));
      return member && encodeCgaParameters(member.parameters);
    },
    locators: members.map(({ address }) => ({ ...NO_PREFERENCE, address, method: 'hba' })),
  };
}

/** A packet under way. */
interface Flying extends ReceivedPacket {
  readonly at: number;
}

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly source: Address;
  readonly destination: Address;
  readonly message: Shim6Message;
  readonly octets: Uint8Array;
}

/** Hosts on a network with delay, loss and reordering, in virtual time. */
export class World {
  now = 1_000_000;
  readonly hosts: readonly TestHost[];
  readonly trace: Sent[] = [];
  /** Those of the trace that arrived. */
  readonly arrived: ReceivedPacket[] = [];
  /** Lose this one? By default nothing is lost. */
  loses: (sent: Sent) => boolean = () => false;
  delay: (sent: Sent) => number = () => 10;
  #flying: Flying[] = [];

  constructor(...hosts: TestHost[]) {
    this.hosts = hosts;
  }

  /** Perform what a host decided: its transmissions go onto the network. */
  perform(host: TestHost, effects: readonly ContextEffect[]): void {
    for (const effect of effects) {
      if (effect.type !== 'transmit') continue;
      const { source, destination, octets } = effect;
      const parsed = parseShim6(octets);
      if (!parsed.ok) throw new Error(`${host.name} sent what cannot be read: ${parsed.reason}`);
      const sent = { at: this.now, from: host.name, source, destination, message: parsed.value, octets };
      this.trace.push(sent);
      if (this.loses(sent)) continue;
      this.#flying.push({ source, destination, octets, at: this.now + this.delay(sent) });
    }
  }

  inject(packet: ReceivedPacket, after = 0): void {
    this.#flying.push({ ...packet, at: this.now + after });
  }

  tell(host: TestHost, context: Context, input: ContextInput): ContextEffect[] {
    const effects = host.tell(context, input, this.now);
    this.perform(host, effects);
    return effects;
  }

  start(host: TestHost, ulids: LocatorPair, pair?: LocatorPair): Context {
    const context = host.create(ulids);
    this.tell(host, context, pair === undefined ? { type: 'start' } : { type: 'start', pair });
    return context;
  }

  /** Let time pass: packets arrive, deadlines come due. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const arrival = Math.min(...this.#flying.map(({ at }) => at), Number.POSITIVE_INFINITY);
      const deadline = Math.min(...this.hosts.map((host) => host.deadline));
      const next = Math.min(arrival, deadline);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (arrival <= deadline) this.#arrive(arrival);
      else for (const host of this.hosts) this.perform(host, host.tick(this.now));
    }
    this.now = end;
  }

  /** Messages sent so far, as `A:I1`. */
  get story(): string {
    return this.trace.map(({ from, message }) => `${from}:${message.type}`).join(' ');
  }

  #arrive(at: number): void {
    const index = this.#flying.findIndex((packet) => packet.at === at);
    const [packet] = this.#flying.splice(index, 1);
    if (packet === undefined) return;
    this.arrived.push(packet);
    for (const host of this.hosts) {
      if (!host.locators.some(({ address }) => sameOctets(address, packet.destination))) continue;
      this.perform(host, host.receive(packet, this.now));
    }
  }
}

/** Two multihomed hosts, their ULID pair seen from each, and a network between them. */
export function twoHosts(options: { readonly a?: Partial<HostOptions>; readonly b?: Partial<HostOptions> } = {}): {
  world: World;
  a: TestHost;
  b: TestHost;
  ab: LocatorPair;
  ba: LocatorPair;
} {
  const a = new TestHost('A', { seed: 1, prefixes: ['2001:db8:a:1::', '2001:db8:a:2::'], ...options.a });
  const b = new TestHost('B', { seed: 2, prefixes: ['2001:db8:b:1::', '2001:db8:b:2::'], ...options.b });
  const ab = { local: a.address(0), peer: b.address(0) };
  return { world: new World(a, b), a, b, ab, ba: { local: ab.peer, peer: ab.local } };
}

/** Two hosts after I1, R1, I2, R2. */
export function established(options: Parameters<typeof twoHosts>[0] = {}): ReturnType<typeof twoHosts> {
  const built = twoHosts(options);
  built.world.start(built.a, built.ab);
  built.world.run(1000);
  if (built.a.context.state !== 'ESTABLISHED' || built.b.context.state !== 'ESTABLISHED')
    throw new Error('not established');
  return built;
}

/** The packet in which `sent` arrived. */
export function packetOf({ source, destination, octets }: Sent): ReceivedPacket {
  return { source, destination, octets };
}

export function texts(addresses: readonly Address[]): string[] {
  return addresses.map(formatAddress);
}

export { pairBack };
