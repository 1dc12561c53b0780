import {
  batch,
  DESTINATION_AT,
  HEADROOM,
  HOP_LIMIT,
  LENGTH,
  OFFSET,
  SOCKET,
  SOURCE_AT,
} from '../../../src/host/ports.ts';
import type { Batch } from '../../../src/host/ports.ts';
import type { Aside } from '../../../src/host/fast-path.ts';
import { fragments } from '../../../src/host/fragments.ts';
import type { Host } from '../../../src/host/host.ts';
import type { HostEffect } from '../../../src/host/host-io.ts';
import type { ContextStateName } from '../../../src/shim6/context-io.ts';
import { MESSAGE_TYPES } from '../../../src/shim6/message-codec.ts';
import { parseQuoted } from '../../../src/shim6/quoted.ts';
import { TRANSITIONS } from '../../../src/shim6/transitions.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import type { Address } from '../../../src/wire/address.ts';
import { parseIcmpError } from '../../../src/wire/icmpv6.ts';
import { SHIM6, UDP, parseIpv6Header, writeIpv6Header } from '../../../src/wire/ipv6.ts';
import { Writer } from '../../../src/wire/writer.ts';
import {
  OWN,
  PEER,
  PEER_ADDRESSES,
  addressed,
  isValidated,
  messagesFor,
  noSupport,
  sceneOf,
  stateOf,
  sum,
} from '../scenes.ts';
import type { Scene } from '../scenes.ts';
import type { Target } from '../targets.ts';
import { packetsOf } from './wire.ts';

const packets = packetsOf('linshim6-cga.pcap').filter((packet) => packet[6] === SHIM6);

/** ICMPv6 Parameter Problem, code 1, about each packet. */
const errors = packets.map((packet) => Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 6, ...packet));

/** Inputs that one instance of a host gets before a fresh one takes its place. */
const PER_HOST = 200;
/** Reasons for dropping are few, whatever comes. */
const MAX_REASONS = 40;
/** IPv6 header and Shim6 header of an answer. */
const OWN_HEADERS = 48;
const STRIDE = 8192;

const STATES = ['IDLE', 'I1-SENT', 'I2-SENT', 'ESTABLISHED', 'I2BIS-SENT', 'E-FAILED', 'NO-SUPPORT'] as const;
/** Nobody answers for a context in these: what is said then is said without state. */
const WITHOUT_CONTEXT: ReadonlySet<ContextStateName> = new Set(['IDLE', 'E-FAILED', 'NO-SUPPORT']);
const TYPES = [
  'I1',
  'R1',
  'I2',
  'R2',
  'R1bis',
  'I2bis',
  'UpdateRequest',
  'UpdateAcknowledgement',
  'Keepalive',
  'Probe',
] as const;
const MESSAGES = [...TYPES, 'payload-header', 'error-message'] as const;

/** What the corpus of a state must reach, by the table of transitions: each message that is not ignored, and where it leads. */
function reachable(state: ContextStateName): string[] {
  const row = TRANSITIONS[state];
  return MESSAGES.filter((message) => row[message].action !== 'ignore').flatMap((message) => {
    const { to } = row[message];
    return to.length === 0 ? [message] : to.map((next) => `${message} → ${next}`);
  });
}

function nameOf(octets: Uint8Array): string {
  const type = octets[2] ?? 0;
  if (type >= 0x80) return 'payload-header';
  if (type === MESSAGE_TYPES.Error) return 'error-message';
  return TYPES.find((name) => MESSAGE_TYPES[name] === type) ?? 'Unknown';
}

/** What must not grow by itself. */
function measured({ contexts, deadline, drops }: Host): { contexts: number; deadline: number; drops: number } {
  let dropped = 0;
  for (const count of drops.values()) dropped += count;
  if (drops.size > MAX_REASONS) throw new Error('more reasons than there are');
  return { contexts: contexts.size, deadline, drops: dropped };
}

/** What a received packet may make a host send: little to who is not known, and to nobody but its sender or a known peer. */
function judge(state: ContextStateName, octets: Uint8Array, source: Address, effects: readonly HostEffect[]): void {
  for (const effect of effects) {
    if (effect.type !== 'transmit') continue;
    const isToSender = sameOctets(effect.destination, source);
    const isToPeer = PEER_ADDRESSES.some((address) => sameOctets(address, effect.destination));
    const length = effect.octets.length;
    const isR1 = effect.octets[2] === MESSAGE_TYPES.R1;
    if (!isToSender && (WITHOUT_CONTEXT.has(state) || !isToPeer)) throw new Error('answers somebody else');
    if (isR1 && length > 3 * octets.length) throw new Error('R1 is more than three times as long as the I1');
    const isForAnybody = isR1 || effect.octets[2] === MESSAGE_TYPES.R1bis || effect.octets[2] === MESSAGE_TYPES.Error;
    if (isForAnybody && length > octets.length + OWN_HEADERS) throw new Error('amplifies');
  }
}

/** A Shim6 packet on its way from the socket: to a program, or else to the host. */
function arrive(
  { host, now }: Scene,
  slots: Batch,
  octets: Uint8Array,
): { readonly effects: HostEffect[]; readonly delivered: boolean } {
  const { slab, meta } = slots;
  slab.set(PEER, SOURCE_AT);
  slab.set(OWN, DESTINATION_AT);
  slab.set(octets, HEADROOM);
  meta.fill(0);
  meta[OFFSET] = HEADROOM;
  meta[LENGTH] = octets.length;
  meta[HOP_LIMIT] = 64;
  const effects: HostEffect[] = [];
  const ready = host.fastPath.inbound(slots, 1, (packet: Aside) => {
    effects.push(...host.handle({ type: 'control', packet }, now));
  });
  return { effects, delivered: ready > 0 };
}

/** A whole host whose context with the peer is in this state, fed with Shim6 packets from the peer's address. */
function hostIn(state: ContextStateName): Target {
  const slots = batch(1, STRIDE);
  let scene: Scene | undefined;
  let uses = 0;
  let readdress: ((octets: Uint8Array) => void) | undefined;
  return {
    run: (octets) => {
      if (scene === undefined || ++uses > PER_HOST) {
        scene = sceneOf(state);
        uses = 0;
      }
      const { host } = scene;
      const before = measured(host);
      const { effects, delivered } = arrive(scene, slots, octets);
      const after = measured(host);
      judge(state, octets, PEER, effects);
      const isAccepted = delivered || (after.drops === before.drops && octets.length > 0);
      const made = after.contexts - before.contexts;
      if (made > 1) throw new Error('one packet makes more than one context');
      if (made > 0 && !isValidated(state, octets)) throw new Error('a context without a validator of ours');
      const isKept = made === 0 && (after.deadline === before.deadline || !WITHOUT_CONTEXT.has(state));
      if (!isAccepted && !isKept) throw new Error('a dropped packet left traces');
      const next = stateOf(host);
      if (next !== state || made !== 0) scene = undefined;
      if (!isAccepted) return false;
      return next === state ? nameOf(octets) : `${nameOf(octets)} → ${next}`;
    },
    corpus: messagesFor(state),
    repair: (octets) => {
      readdress ??= addressed(state);
      readdress(octets);
      sum(octets);
    },
    reaches: reachable(state),
    reset: () => {
      scene = undefined;
    },
  };
}

/** A host and ICMPv6 errors; none makes a context, none answers. */
function icmpIn(state: ContextStateName, reaches: readonly string[]): Target {
  let scene: Scene | undefined;
  return {
    run: (octets) => {
      scene ??= sceneOf(state);
      const { host, now } = scene;
      const before = measured(host);
      const effects = host.handle({ type: 'icmp', source: PEER, octets }, now);
      if (measured(host).contexts !== before.contexts) throw new Error('an ICMPv6 error made or removed a context');
      judge(state, octets, PEER, effects);
      const next = stateOf(host);
      if (next !== state) scene = undefined;
      if (!parseIcmpError(octets).ok) return false;
      return next === state ? 'read' : next;
    },
    corpus: [...errors, noSupport(sceneOf(state))],
    reaches,
  };
}

/** A datagram of a program, between the identifiers. */
function datagram(source: Address, destination: Address, length: number): Uint8Array {
  const w = new Writer(40 + length);
  const fixed = { trafficClass: 0, flowLabel: 0, nextHeader: UDP, hopLimit: 64 };
  writeIpv6Header(w, { ...fixed, payloadLength: length, source, destination });
  w.zeros(length);
  return w.finish();
}

/** Hop-by-Hop Options with nothing but padding, then a datagram. */
const behindOptions = Uint8Array.of(
  ...datagram(OWN, PEER, 16).subarray(0, 40),
  UDP,
  0,
  1,
  4,
  0,
  0,
  0,
  0,
  ...new Uint8Array(8),
);
behindOptions[6] = 0;

/** Packets of programs on a path that is not that of the identifiers and has a narrow MTU. */
function outbound(): Target {
  const slots = batch(1, STRIDE);
  const scene = sceneOf('ESTABLISHED');
  const { host } = scene;
  const [flow] = [...host.contexts].map((context) => context.flow);
  if (flow === undefined) throw new Error('no context');
  flow.pair = { local: OWN, peer: PEER_ADDRESSES[1] ?? PEER };
  flow.mtu = 1280;
  return {
    run: (octets) => {
      const { slab, meta } = slots;
      slab.set(octets, HEADROOM);
      meta.fill(0);
      meta[OFFSET] = HEADROOM;
      meta[LENGTH] = octets.length;
      let reached = '';
      host.fastPath.outbound(slots, 1, () => 1, {
        tooLong: (packet, mtu) => {
          for (const fragment of fragments(packet, mtu, 1)) if (fragment.length > mtu) throw new Error('too long');
          reached = 'fragmented';
        },
        held: () => {
          reached = 'held';
        },
      });
      host.fastPath.takeTouched();
      const start = meta[OFFSET] ?? 0;
      if (start < 0 || start + (meta[LENGTH] ?? 0) > STRIDE) throw new Error('outside its slot');
      if (reached !== '') return reached;
      if ((meta[SOCKET] ?? -1) < 0) return false;
      return start < HEADROOM ? 'tagged' : 'plain';
    },
    corpus: [datagram(OWN, PEER, 100), behindOptions, datagram(OWN, PEER, 1240), datagram(PEER, OWN, 8)],
    reaches: ['tagged', 'plain', 'fragmented'],
  };
}

/** What a program sent and the fast path put aside: one context for it at most. */
function held(): Target {
  let scene = sceneOf('ESTABLISHED');
  return {
    run: (octets) => {
      const { host, now } = scene;
      const { contexts } = measured(host);
      host.handle({ type: 'held', octets }, now);
      if (host.contexts.size > contexts + 1) throw new Error('one packet makes more than one context');
      if (host.contexts.size > PER_HOST) scene = sceneOf('ESTABLISHED');
      return parseIpv6Header(octets).ok;
    },
    corpus: [datagram(OWN, PEER, 100), behindOptions],
  };
}

export const hostTargets: Readonly<Record<string, Target>> = {
  'IPv6 header': { run: (bytes) => parseIpv6Header(bytes).ok, corpus: packets },
  'quoted Shim6 packet': {
    run: (bytes) => parseQuoted(bytes)?.type ?? false,
    corpus: packets,
    reaches: ['I1', 'I2', 'UpdateRequest', 'UpdateAcknowledgement', 'Keepalive', 'Probe'],
  },
  ...Object.fromEntries(STATES.map((state) => [`host in ${state}`, hostIn(state)])),
  'ICMPv6 errors in I1-SENT': icmpIn('I1-SENT', ['read', 'NO-SUPPORT']),
  'ICMPv6 errors in ESTABLISHED': icmpIn('ESTABLISHED', ['read']),
  'packets of programs': outbound(),
  'held packets': held(),
};
