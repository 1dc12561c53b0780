import { generateCga } from '../../src/cga/generate.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import type { Signer } from '../../src/crypto/ports.ts';
import { errorAbout } from '../../src/shim6/error-message.ts';
import { Host } from '../../src/host/host.ts';
import type { HostEffect, HostLocator } from '../../src/host/host-io.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import type { ContextStateName } from '../../src/shim6/context-io.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I2bis, R1, R1bis, Shim6Message } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import { seededRandom } from '../../src/sim/random.ts';
import type { Address } from '../../src/wire/address.ts';
import { parseAddress, prefixOf, sameOctets } from '../../src/wire/address.ts';
import { toHex } from '../../src/wire/hex.ts';
import { signers } from '../host/two-hosts.ts';

const SETTINGS = { profile: 'fast', idleMs: 300_000, returnAfterMs: 5_000, probeBudget: 200 } as const;
const START = 1_000_000;

export type Transmit = Extract<HostEffect, { readonly type: 'transmit' }>;

/** Who a host is: everything but its state. */
interface Identity {
  readonly signer: Signer;
  readonly seed: number;
  readonly locators: readonly HostLocator[];
}

/** The host under test, and its peer. Same seeds, same octets: what fits one instance of a scene fits the next. */
const a = identity('a', 1);
const b = identity('b', 2);

export const OWN: Address = addressOf(a, 0);
export const PEER: Address = addressOf(b, 0);

/** All addresses at which the peer may be talked to. */
export const PEER_ADDRESSES: readonly Address[] = b.locators.map(({ address }) => address);

/** Own tags and nonces of the host under test are seeded, so the same in every scene of a kind. */
export interface Scene {
  readonly host: Host;
  readonly now: number;
  /** What the host under test sent last. */
  readonly sent: Transmit | undefined;
  /** The peer, as far as it got. */
  readonly peer: Host;
}

/** Builds a host whose context with the peer is in this state. */
export function sceneOf(state: ContextStateName): Scene {
  switch (state) {
    case 'IDLE':
      return { host: hostOf(a), peer: hostOf(b), now: START, sent: undefined };
    case 'I1-SENT':
      return opened();
    case 'I2-SENT': {
      const { host, peer, now, sent } = opened();
      return { host, peer, now, sent: answer(host, answer(peer, sent, now), now) };
    }
    case 'ESTABLISHED':
      return established();
    case 'I2BIS-SENT': {
      const scene = established();
      const { host, now } = scene;
      return { ...scene, sent: answer(host, fromPeer(encodeShim6(r1bisFor(scene))), now) };
    }
    case 'E-FAILED': {
      const scene = opened();
      let now: number = scene.now;
      for (let left = 100; left > 0 && stateOf(scene.host) !== 'E-FAILED'; left--) {
        now = Math.max(now + 1, scene.host.deadline);
        scene.host.handle({ type: 'tick' }, now);
      }
      return { ...scene, now };
    }
    case 'NO-SUPPORT': {
      const scene = opened();
      scene.host.handle({ type: 'icmp', source: PEER, octets: noSupport(scene) }, scene.now);
      return scene;
    }
  }
}

/** Of the context with the peer; without one it is IDLE. */
export function stateOf(host: Host): ContextStateName {
  return host.contexts.of({ local: OWN, peer: PEER })?.context.state ?? 'IDLE';
}

/** RFC 5533 §8: the peer's kernel knows no Shim6. */
export function noSupport({ sent }: Scene): Uint8Array {
  return Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 6, ...quoted(sent));
}

/** One message of each kind that means something to the host of a scene, all from the peer. */
export function messagesFor(state: ContextStateName): Uint8Array[] {
  const scene = sceneOf(state);
  const tag = tagOf(scene.host) ?? contextTag(0x1234_5678_9abc);
  const again = hostOf({ ...b, seed: 3 });
  const [i1] = transmitted(again.handle({ type: 'open', ulids: { local: PEER, peer: OWN } }, scene.now));
  const r1 = answer(answering(state), i1, scene.now);
  const i2 = answer(again, r1, scene.now);
  const octets = [i1, i2, theirs(state)].flatMap((transmit) => (transmit === undefined ? [] : [transmit.octets]));
  const nonce = scene.host.contexts.of({ local: OWN, peer: PEER })?.context.pendingNonce ?? 7;
  const peerTag = scene.host.contexts.of({ local: OWN, peer: PEER })?.tagPeer ?? contextTag(7);
  const reports = { sent: [{ source: PEER, destination: OWN, nonce: 1, data: 2 }], received: [], options: {} };
  const responderValidator = new Uint8Array(20);
  return [
    ...octets,
    ...updates(state),
    encodeShim6(i2bisFor(state)),
    encodeShim6({ type: 'R1', initiatorNonce: nonce, responderNonce: 1, options: { responderValidator } }),
    encodeShim6({ type: 'R2', responderContextTag: contextTag(9), initiatorNonce: nonce, options: {} }),
    encodeShim6({
      type: 'R1bis',
      packetContextTag: peerTag,
      responderNonce: 5,
      options: { responderValidator },
    }),
    encodeShim6({
      type: 'UpdateAcknowledgement',
      receiverContextTag: tag,
      requestNonce: requestNonce(),
      options: {},
    }),
    encodeShim6({ type: 'UpdateRequest', receiverContextTag: tag, requestNonce: 5, options: {} }),
    encodeShim6({ type: 'Keepalive', receiverContextTag: tag, options: {} }),
    ...(['Operational', 'Exploring', 'InboundOk'] as const).map((reap) =>
      encodeShim6({
        type: 'Probe',
        receiverContextTag: tag,
        state: reap,
        pathTest: reap === 'Operational',
        ...reports,
      }),
    ),
    ...[0, 1, 2, 3].map((code) =>
      encodeShim6({ type: 'Error', code, pointer: 42, packet: Uint8Array.from(quoted(scene.sent)) }),
    ),
    payload(tag),
  ];
}

/** Puts right, in place, the fields that only who has seen this host's messages can know. */
export function addressed(state: ContextStateName): (octets: Uint8Array) => void {
  const { host } = sceneOf(state);
  const context = host.contexts.of({ local: OWN, peer: PEER });
  const { tag, tagPeer } = { tag: context?.tag, tagPeer: context?.tagPeer };
  const nonce = context?.context.pendingNonce;
  let asked = answering(state);
  let questions = 0;
  return (octets) => {
    const type = octets[2] ?? 0;
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    if (octets.length < 16) return;
    if (type >= 64 && type <= 67 && tag !== undefined) putTag(view, 6, tag);
    else if (type >= 0x80 && tag !== undefined) putTag(view, 2, tag, 0x8000);
    else if (type === 2 && nonce !== undefined) view.setUint32(8, nonce);
    else if (type === 4 && nonce !== undefined) view.setUint32(12, nonce);
    else if (type === 5 && tagPeer !== undefined) putTag(view, 6, tagPeer);
    else if (type === 3 || type === 6) {
      if (++questions % 300 === 0) asked = answering(state); // before it tires of answering
      revalidate(asked, octets, sceneNow(state));
    }
  };
}

/** Puts in the validator that the host gives to who sends this I2 or I2bis. */
function revalidate(host: Host, octets: Uint8Array, now: number): void {
  const copy = octets.slice();
  sum(copy);
  const message = parsedOf(fromPeer(copy));
  const { responderValidator: found } = message !== undefined && 'options' in message ? message.options : {};
  const genuine = found?.length === 20 ? r1Like(host, message, now) : undefined;
  const at = found === undefined || genuine === undefined ? -1 : indexOf(octets, found);
  if (at < 0 || genuine === undefined) return;
  octets.set(genuine.options.responderValidator ?? OWN, at);
  new DataView(octets.buffer, octets.byteOffset).setUint32(16, genuine.responderNonce);
}

/** What the host answers to the I1, or the packet with an unknown tag, that comes before this I2 or I2bis. */
function r1Like(host: Host, message: Shim6Message | undefined, now: number): R1 | R1bis | undefined {
  if (message?.type !== 'I2' && message?.type !== 'I2bis') return undefined;
  const { initiatorContextTag, initiatorNonce } = message;
  const { ulidPair, forkedInstanceId } = message.options;
  const question =
    message.type === 'I2'
      ? encodeShim6({ type: 'I1', initiatorContextTag, initiatorNonce, options: { ulidPair, forkedInstanceId } })
      : encodeShim6({ type: 'Keepalive', receiverContextTag: message.packetContextTag, options: {} });
  const reply = parsedOf(answer(host, fromPeer(question), now));
  return reply?.type === 'R1' || reply?.type === 'R1bis' ? reply : undefined;
}

/** Does this I2 or I2bis carry a validator that the host of such a scene has given to its sender? */
export function isValidated(state: ContextStateName, octets: Uint8Array): boolean {
  const message = parsedOf(fromPeer(octets));
  const genuine = r1Like(answering(state), message, sceneNow(state));
  const shown = message !== undefined && 'options' in message ? message.options.responderValidator : undefined;
  const given = genuine?.options.responderValidator;
  return shown !== undefined && given !== undefined && sameOctets(shown, given);
}

export function transmitted(effects: readonly HostEffect[]): Transmit[] {
  return effects.filter((effect): effect is Transmit => effect.type === 'transmit');
}

function opened(): Scene {
  const host = hostOf(a);
  const [sent] = transmitted(host.handle({ type: 'open', ulids: { local: OWN, peer: PEER } }, START));
  return { host, peer: hostOf(b), now: START, sent };
}

/** With an Update Request under way. */
function established(): Scene {
  const { host, peer, now, sent: i1 } = opened();
  const i2 = answer(host, answer(peer, i1, now), now);
  answer(host, answer(peer, i2, now), now);
  if (stateOf(host) !== 'ESTABLISHED') throw new Error('the two hosts found no context');
  host.handle({ type: 'locators', locators: a.locators.slice(0, 2) }, now);
  const [sent] = transmitted(host.handle({ type: 'tick' }, now));
  return { host, peer, now, sent };
}

/** What the peer answers to what the host of the scene has sent. */
function theirs(state: ContextStateName): Transmit | undefined {
  const { peer, sent, now } = sceneOf(state);
  return answer(peer, sent, now);
}

/** Update Requests of the peer, signed, as it sends them in an established context. */
function updates(state: ContextStateName): Uint8Array[] {
  const tag = tagOf(sceneOf(state).host);
  const { peer, now } = established();
  peer.handle({ type: 'locators', locators: b.locators.slice(0, 2) }, now);
  return transmitted(peer.handle({ type: 'tick' }, now)).flatMap(({ octets }) => {
    if (octets[2] !== 64 || tag === undefined) return [];
    putTag(new DataView(octets.buffer, octets.byteOffset), 6, tag);
    sum(octets);
    return [octets];
  });
}

function i2bisFor(state: ContextStateName): I2bis {
  const lost = contextTag(0x1111_2222_3333);
  const keepalive = encodeShim6({ type: 'Keepalive', receiverContextTag: lost, options: {} });
  const reply = parsedOf(answer(answering(state), fromPeer(keepalive), sceneNow(state)));
  if (reply?.type !== 'R1bis') throw new Error('no R1bis');
  const { responderNonce, options } = reply;
  return {
    type: 'I2bis',
    initiatorContextTag: contextTag(77),
    initiatorNonce: 78,
    responderNonce,
    packetContextTag: lost,
    options,
  };
}

/** Somebody with the secret of the scene's host, and at its time, who has no context. */
function answering(state: ContextStateName): Host {
  return state === 'E-FAILED' || state === 'NO-SUPPORT' ? sceneOf(state).host : hostOf(a);
}

const times = new Map<ContextStateName, number>();

function sceneNow(state: ContextStateName): number {
  const known = times.get(state) ?? sceneOf(state).now;
  times.set(state, known);
  return known;
}

function r1bisFor({ host }: Scene): R1bis {
  const packetContextTag = host.contexts.of({ local: OWN, peer: PEER })?.tagPeer ?? contextTag(0);
  const options = { responderValidator: new Uint8Array(20) };
  return { type: 'R1bis', packetContextTag, responderNonce: 9, options };
}

/** The first answer of a host to a packet. */
function answer(host: Host, packet: Transmit | undefined, now: number): Transmit | undefined {
  if (packet === undefined) return undefined;
  return transmitted(host.handle({ type: 'control', packet: { ...packet, hopLimit: 64 } }, now))[0];
}

function fromPeer(octets: Uint8Array): Transmit {
  return { type: 'transmit', source: PEER, destination: OWN, octets };
}

function tagOf(host: Host): ContextTag | undefined {
  return host.contexts.of({ local: OWN, peer: PEER })?.tag;
}

/** Of the Update Request that is under way in an established context. */
function requestNonce(): number {
  const message = parsedOf(established().sent);
  return message?.type === 'UpdateRequest' ? message.requestNonce : 1;
}

/** A message in an IPv6 packet, as an error quotes it. */
function quoted(sent: Transmit | undefined): Uint8Array {
  return sent === undefined ? new Uint8Array(48) : errorAbout(sent, 0, 0).packet;
}

function payload(tag: ContextTag): Uint8Array {
  const octets = Uint8Array.from({ length: 32 }, (_, i) => i);
  octets.set([17, 0]);
  putTag(new DataView(octets.buffer), 2, tag, 0x8000);
  return octets;
}

function putTag(view: DataView, at: number, tag: number, above = 0): void {
  view.setUint16(at, above + Math.floor(tag / 2 ** 32));
  view.setUint32(at + 2, tag % 2 ** 32);
}

function parsedOf(transmit: Transmit | undefined): Shim6Message | undefined {
  const parsed = transmit === undefined ? undefined : parseShim6(transmit.octets);
  return parsed?.ok === true ? parsed.value : undefined;
}

/** RFC 5533 §5.3: the checksum covers as many octets as the length field says. */
export function sum(octets: Uint8Array): void {
  const length = ((octets[1] ?? 0) + 1) * 8;
  if (length > octets.length) return;
  octets.fill(0, 4, 6);
  let total = 0;
  for (let at = 0; at < length; at += 2) total += ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  octets[4] = ~total >> 8;
  octets[5] = ~total;
}

function indexOf(octets: Uint8Array, wanted: Uint8Array): number {
  for (let at = 0; at + wanted.length <= octets.length; at++) {
    if (sameOctets(octets.subarray(at, at + wanted.length), wanted)) return at;
  }
  return -1;
}

function hostOf({ signer, seed, locators }: Identity): Host {
  const random = seededRandom(seed);
  const host = new Host({ crypto: nodeCrypto, random, signer, settings: SETTINGS }, START);
  host.handle({ type: 'locators', locators }, START);
  return host;
}

function addressOf({ locators }: Identity, index: number): Address {
  const locator = locators[index];
  if (locator === undefined) throw new RangeError('no such locator');
  return locator.address;
}

/** Three locators, all formed with one key. */
function identity(name: 'a' | 'b', seed: number): Identity {
  const signer = remembering(signers[name]);
  const random = seededRandom(seed + 100);
  const locators = [1, 2, 3].map((number): HostLocator => {
    const prefix = prefixOf(parseAddress(`2001:db8:${name}${String(number)}::`) ?? new Uint8Array(16));
    const cga = generateCga({ crypto: nodeCrypto, random, publicKey: signer.publicKey, prefix, sec: 0 });
    return {
      address: cga.address,
      state: 'preferred',
      operational: true,
      interface: `l${String(number)}`,
      parameters: encodeCgaParameters(cga.parameters),
    };
  });
  return { signer, seed, locators };
}

/** The scenes sign the same lists again and again. */
function remembering(signer: Signer): Signer {
  const known = new Map<string, Uint8Array>();
  return {
    publicKey: signer.publicKey,
    sign: (octets) => {
      const key = toHex(octets);
      const signature = known.get(key) ?? signer.sign(octets);
      known.set(key, signature);
      return signature;
    },
  };
}
