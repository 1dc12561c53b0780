import { newEcdsaSecret, portableHipCrypto, portableSigner } from '../../src/crypto/portable-hip.ts';
import type { HipCrypto, Random } from '../../src/crypto/ports.ts';
import { SUITES } from '../../src/esp/suites.ts';
import { admitHip } from '../../src/hip/admit.ts';
import { Association } from '../../src/hip/association.ts';
import type {
  AssociationEffect,
  AssociationInput,
  AssociationStateName,
  HipPath,
  OwnHipLocator,
  SaHalf,
} from '../../src/hip/association-io.ts';
import { compareHits, ownIdentity } from '../../src/hip/orchid.ts';
import type { OwnIdentity } from '../../src/hip/orchid.ts';
import type { ReceivedPacket } from '../../src/hip/packet.ts';
import { solvePuzzle } from '../../src/hip/puzzle.ts';
import { HipResponder } from '../../src/hip/responder.ts';
import { HIP_DEFAULTS } from '../../src/hip/settings.ts';
import type { HipSettings } from '../../src/hip/settings.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { seededRandom } from '../../src/sim/random.ts';
import { addressKey, parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';

export const ip = (text: string): Address => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
};
export const A1: Address = ip('2001:db8:a:1::1');
export const A2: Address = ip('2001:db8:a:2::1');
export const A3: Address = ip('2001:db8:a:3::1');
export const B1: Address = ip('2001:db8:b:1::1');
export const B2: Address = ip('2001:db8:b:2::1');
export const B3: Address = ip('2001:db8:b:3::1');

const SUITE_LIST = Object.values(SUITES).map(({ id, encryptionKeyLength, authenticationKeyLength }) => ({
  id,
  encryptionKeyLength,
  authenticationKeyLength,
}));

export const SETTINGS: HipSettings = {
  ...HIP_DEFAULTS,
  espSuites: [13, 8, 9].flatMap((id) => SUITE_LIST.find((suite) => suite.id === id) ?? []),
};

/** Two signers, once: the first has the smaller HIT, so tests know who wins. */
const identityRandom = seededRandom(7);
const signers = [0, 1].map(() => portableSigner(newEcdsaSecret('P-256', identityRandom), identityRandom));
const [SMALL, LARGE] = signers
  .map((signer) => ownIdentity(nodeHipCrypto, signer))
  .sort((a, b) => compareHits(a.hit, b.hit));
if (SMALL === undefined || LARGE === undefined) throw new Error('no identities');
export const small: OwnIdentity = SMALL;
export const large: OwnIdentity = LARGE;

/** OpenSSL for what is fast, chance from the seed: keys of Diffie-Hellman too. */
function cryptoFor(random: Random): HipCrypto {
  const portable = portableHipCrypto(random);
  return { ...nodeHipCrypto, dhKeyPair: (group) => portable.dhKeyPair(group) };
}

export interface Sent {
  readonly from: End;
  readonly packet: ReceivedPacket;
  readonly octets: Uint8Array;
  readonly path: HipPath;
  readonly at: number;
}

/** One host with one association, and what it would have done to the world. */
export class End {
  readonly name: string;
  readonly own: OwnIdentity;
  readonly crypto: HipCrypto;
  readonly responder: HipResponder;
  readonly random: Random;
  readonly settings: HipSettings;
  locators: readonly OwnHipLocator[];
  association: Association;
  readonly effects: AssociationEffect[] = [];
  readonly sas: Map<string, SaHalf> = new Map<string, SaHalf>();
  out: SaHalf | undefined;
  readonly #peer: OwnIdentity;
  #spi = 0x1000;

  constructor(
    name: string,
    own: OwnIdentity,
    peer: OwnIdentity,
    locators: readonly Address[],
    seed: number,
    settings: HipSettings,
  ) {
    this.name = name;
    this.own = own;
    this.#peer = peer;
    this.settings = settings;
    this.random = seededRandom(seed);
    this.crypto = cryptoFor(this.random);
    this.locators = preferringFirst(locators);
    this.#spi = seed * 0x10000;
    this.responder = new HipResponder({
      crypto: this.crypto,
      random: this.random,
      settings,
      identities: [own],
      firstGeneration: BigInt(seed) * 1000n,
    });
    this.association = this.fresh();
  }

  /** As after a restart: nothing is known any more. */
  fresh(): Association {
    return new Association({
      own: this.own,
      peerHit: this.#peer.hit,
      crypto: this.crypto,
      random: this.random,
      settings: this.settings,
      responder: this.responder,
      newSpi: () => ++this.#spi,
      locators: this.locators,
    });
  }

  /** Effects of one kind so far. */
  all<Type extends AssociationEffect['type']>(type: Type): Extract<AssociationEffect, { readonly type: Type }>[] {
    return this.effects.filter(
      (effect): effect is Extract<AssociationEffect, { readonly type: Type }> => effect.type === type,
    );
  }

  get drops(): string[] {
    return this.all('drop').map(({ reason }) => reason);
  }

  get states(): AssociationStateName[] {
    return this.all('state').map(({ to }) => to);
  }

  get in(): SaHalf | undefined {
    return [...this.sas.values()].findLast(({ direction }) => direction === 'in');
  }
}

export interface WorldOptions {
  readonly seed?: number;
  readonly a?: Partial<HipSettings>;
  readonly b?: Partial<HipSettings>;
  readonly aLocators?: readonly Address[];
  readonly bLocators?: readonly Address[];
  /** The initiator has the larger HIT. */
  readonly isALarge?: boolean;
  /** Ms one way, and how many packets of a hundred are lost, doubled or late. */
  readonly delay?: number;
  readonly lossPercent?: number;
  /** What happens to a packet; otherwise by `lossPercent`. */
  readonly filter?: (sent: Sent) => boolean;
  /** Ms that a puzzle takes; `Infinity`: it is never solved. */
  readonly solving?: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Two hosts and the network between them, in virtual time. */
export class World {
  readonly a: End;
  readonly b: End;
  readonly log: Sent[] = [];
  now = 0;
  delay: number;
  filter: ((sent: Sent) => boolean) | undefined;
  /** Addresses that nothing reaches and that nothing leaves. */
  readonly dead: Set<string> = new Set<string>();
  readonly #random: Random;
  readonly #loss: number;
  readonly #solving: number;
  readonly #events: Event[] = [];
  #order = 0;

  constructor(options: WorldOptions = {}) {
    const { seed = 1, isALarge = false } = options;
    const [own, peer] = isALarge ? [large, small] : [small, large];
    const { aLocators = [A1], bLocators = [B1] } = options;
    this.a = new End('a', own, peer, aLocators, 2 * seed + 1, { ...SETTINGS, ...options.a });
    this.b = new End('b', peer, own, bLocators, 2 * seed + 2, { ...SETTINGS, ...options.b });
    this.delay = options.delay ?? 10;
    this.filter = options.filter;
    this.#random = seededRandom(seed ^ 0x5555);
    this.#loss = options.lossPercent ?? 0;
    this.#solving = options.solving ?? 3;
  }

  get types(): string[] {
    return this.log.map(({ from, packet }) => `${from.name} ${packet.type}`);
  }

  path(from: End, carriage: 'raw' | 'udp' = 'raw'): HipPath {
    return from === this.a ? { local: A1, peer: B1, carriage } : { local: B1, peer: A1, carriage };
  }

  other(end: End): End {
    return end === this.a ? this.b : this.a;
  }

  handle(end: End, input: AssociationInput): AssociationEffect[] {
    const effects = end.association.handle(input, this.now);
    for (const effect of effects) this.#perform(end, effect);
    return effects;
  }

  connect(end: End = this.a, paths: readonly HipPath[] = [this.path(end)]): void {
    this.handle(end, { type: 'connect', paths });
  }

  /** Run the network and the timers up to `until`. */
  run(until: number = this.now + 20_000): void {
    for (let steps = 0; steps < 100_000; steps++) {
      const event = this.#events.reduce<Event | undefined>(
        (first, one) =>
          first === undefined || one.at < first.at || (one.at === first.at && one.order < first.order) ? one : first,
        undefined,
      );
      const ends = [this.a, this.b];
      const timer = Math.min(...ends.map(({ association }) => association.deadline));
      const at = Math.min(event?.at ?? Number.POSITIVE_INFINITY, timer);
      if (at > until) {
        this.now = until;
        return;
      }
      this.now = Math.max(this.now, at);
      if (event !== undefined && event.at <= timer) {
        this.#events.splice(this.#events.indexOf(event), 1);
        event.run();
        continue;
      }
      for (const end of ends) {
        if (end.association.deadline > this.now) continue;
        this.handle(end, { type: 'tick' });
        if (end.association.deadline <= this.now) throw new Error(`${end.name} makes no progress`);
      }
    }
    throw new Error('it never ends');
  }

  /** A whole exchange, a → b. */
  establish(): this {
    this.connect();
    this.run(this.now + 2000);
    return this;
  }

  /** Hand octets to an end as if they had come over `path`, which is the receiver's. */
  deliver(end: End, octets: Uint8Array, path: HipPath): AssociationEffect[] {
    const admitted = admitHip(octets, path);
    if (!admitted.ok) {
      end.effects.push(...admitted.effects);
      return admitted.effects;
    }
    const effects = this.handle(end, { type: 'packet', packet: admitted.packet, path });
    return effects;
  }

  /** Payload of `from` that the other one can read. */
  payload(from: End, octets = 1000): boolean {
    const to = this.other(from);
    const sa = from.out;
    if (sa === undefined) return false;
    const reader = to.sas.get(`in ${String(sa.spi)}`);
    if (reader === undefined) return false;
    if (toHex(reader.keys.encryption) !== toHex(sa.keys.encryption)) return false;
    this.handle(to, { type: 'payload-received', spi: sa.spi, octets });
    this.handle(from, { type: 'payload-sent', octets });
    return true;
  }

  move(end: End, locators: readonly Address[]): void {
    end.locators = preferringFirst(locators);
    this.handle(end, { type: 'own-locators', locators: end.locators });
  }

  #perform(end: End, effect: AssociationEffect): void {
    end.effects.push(effect);
    switch (effect.type) {
      case 'transmit':
        this.#transmit(end, effect.path, effect.octets);
        break;
      case 'install-sa':
        if (end.sas.has(key(effect.sa))) throw new Error('an SPI twice');
        end.sas.set(key(effect.sa), effect.sa);
        if (effect.sa.direction === 'out') end.out = effect.sa;
        break;
      case 'retire-sa':
        if (!end.sas.delete(key(effect))) throw new Error(`retires what was not there: ${key(effect)}`);
        if (effect.direction === 'out' && end.out?.spi === effect.spi) end.out = undefined;
        break;
      case 'solve-puzzle':
        if (this.#solving < Number.POSITIVE_INFINITY) {
          this.#after(this.#solving, () => {
            const j = solvePuzzle(end.crypto, effect.task);
            this.handle(end, { type: 'solved', i: effect.task.i, j });
          });
        }
        break;
      default:
    }
  }

  #transmit(from: End, path: HipPath, octets: Uint8Array): void {
    const reverse = { local: path.peer, peer: path.local, carriage: path.carriage };
    const admitted = admitHip(octets, reverse);
    if (!admitted.ok) throw new Error(`${from.name} sent what nobody takes: ${JSON.stringify(admitted.effects)}`);
    const sent = { from, packet: admitted.packet, octets, path, at: this.now };
    this.log.push(sent);
    if (this.dead.has(addressKey(path.local)) || this.dead.has(addressKey(path.peer))) return;
    if (this.filter?.(sent) === false) return;
    const to = this.other(from);
    const [chance = 0, late = 0] = this.#random(2);
    if ((chance * 100) / 256 < this.#loss) return;
    const extra = this.#loss > 0 ? late % 40 : 0;
    const arrive = (): void => {
      const isThere = to.locators.some(({ address }) => addressKey(address) === addressKey(path.peer));
      if (isThere) this.deliver(to, octets, reverse);
    };
    this.#after(this.delay + extra, arrive);
    if (this.#loss > 0 && chance % 7 === 0) this.#after(this.delay + late, arrive);
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#order++, run });
  }
}

function key({ direction, spi }: { readonly direction: 'in' | 'out'; readonly spi: number }): string {
  return `${direction} ${String(spi)}`;
}

function preferringFirst(locators: readonly Address[]): readonly OwnHipLocator[] {
  return locators.map((address, i) => ({ address, isPreferred: i === 0 }));
}
