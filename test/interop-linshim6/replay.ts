import { readFileSync } from 'node:fs';
import { MODIFIER_LENGTH, parseCgaParameters } from '../../src/cga/parameters.ts';
import type { Signer } from '../../src/crypto/ports.ts';
import type { HostContext } from '../../src/host/host-context.ts';
import type { HostEffect, HostLocator, Profile } from '../../src/host/host-io.ts';
import { Host } from '../../src/host/host.ts';
import { samePair } from '../../src/locators/pair.ts';
import type { LocatorPair } from '../../src/locators/pair.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { METHOD_HBA } from '../../src/shim6/locator-list.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { KnownMessage, OptionedMessage } from '../../src/shim6/messages.ts';
import type { ProbeReport } from '../../src/reap/probe.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import { seededRandom } from '../../src/sim/random.ts';
import { formatAddress, prefixOf, sameOctets } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { ICMPV6, IPV6_HEADER_LENGTH, PAYLOAD_LENGTH_AT, parseIpv6Header } from '../../src/wire/ipv6.ts';
import { networkPacket } from '../../src/wire/link-layer.ts';
import { parseCapture } from '../../src/wire/pcapng.ts';

/**
 * One side of a LinShim6 capture played to a `Host` that has the place of the other side: its addresses and parameter
 * structure, in virtual time. What a captured message echoes of its receiver is replaced by what our host sent instead,
 * and the checksum made anew; nothing else is touched:
 *
 *   R1, R2             Initiator Nonce: that of our I1 between the same addresses
 *   I2                 Responder Nonce and validator: those of our last R1 between the same addresses
 *   UpdateAck          Request Nonce: that of our last Update Request
 *   all with a tag     Receiver Context Tag: CT(local) of our context in place of the captured one
 *   Probe              received reports: our last probe that can have arrived, on the same pair if there is one
 *   ICMPv6 error       the quoted Shim6 message: our last I1 between the same addresses
 */
export type SideName = 'A' | 'B';
export type CaptureName = 'cga' | 'hba' | 'ka' | 'i1-retransmit' | 'reap-backoff';

interface Captured {
  readonly atMs: number;
  readonly source: Address;
  readonly destination: Address;
  readonly nextHeader: number;
  readonly octets: Uint8Array;
  /** Of Shim6 packets. */
  readonly message: OptionedMessage | undefined;
}

/** A message of our host. */
export interface Sent {
  readonly at: number;
  readonly pair: LocatorPair;
  readonly octets: Uint8Array;
  readonly message: KnownMessage;
}

/** Captured peers verify nothing any more, and the private keys of the captured hosts are not known. */
const NOBODY: Signer = { publicKey: new Uint8Array(0), sign: () => new Uint8Array(128) };

const VALIDATED = new Set(['I2', 'R2']);

export class Replay {
  readonly host: Host;
  now = 0;
  /** Pairs on which the router dropped everything at the time. */
  blocked: (source: string, destination: string) => boolean = () => false;
  readonly #ours: SideName;
  readonly #capture: readonly Captured[];
  readonly #sent: Sent[] = [];
  #taken = 0;

  constructor(name: CaptureName, ours: SideName, profile: Profile = 'fast') {
    this.#ours = ours;
    this.#capture = readCapture(name);
    this.host = new Host(
      {
        crypto: nodeCrypto,
        random: seededRandom(7),
        signer: NOBODY,
        settings: { profile, idleMs: 1e9, returnAfterMs: 0, probeBudget: 200 },
      },
      0,
    );
    this.#setLocators(this.#firstList().locators.map(({ address }) => address));
  }

  /** The captured message with this number, counted from 1 as in the JSON file. */
  captured(n: number): Captured {
    const captured = this.#capture[n - 1];
    if (captured === undefined) throw new RangeError(`the capture has no message ${String(n)}`);
    return captured;
  }

  /** By the capture's names: A1 is host A's address at its first provider. */
  address(name: string): Address {
    const beginning = `2001:db8:${name.toLowerCase()}:`;
    const all = this.#capture.flatMap(({ source, destination, message }) => [
      source,
      destination,
      ...(message?.options.locatorList?.locators.map(({ address }) => address) ?? []),
    ]);
    const address = all.find((one) => formatAddress(one).startsWith(beginning));
    if (address === undefined) throw new RangeError(`no address ${name} in the capture`);
    return address;
  }

  ulids(local: string, peer: string): LocatorPair {
    return { local: this.address(local), peer: this.address(peer) };
  }

  context(local: string, peer: string): HostContext {
    const context = this.host.contexts.of(this.ulids(local, peer));
    if (context === undefined) throw new Error(`no context between ${local} and ${peer}`);
    return context;
  }

  /** State, REAP state and current pair of a context, by the capture's names. */
  standing(local: string, peer: string): { state: string; reap: string | undefined; pair: string } {
    const { context, reap, flow } = this.context(local, peer);
    return {
      state: context.state,
      reap,
      pair: `${this.name(flow.pair.local)} ${this.name(flow.pair.peer)}`,
    };
  }

  name(address: Address): string {
    return /^2001:db8:([ab]\d):/.exec(formatAddress(address))?.[1]?.toUpperCase() ?? formatAddress(address);
  }

  open(local: string, peer: string): void {
    this.#perform(this.host.handle({ type: 'open', ulids: this.ulids(local, peer) }, this.now));
  }

  payload(local: string, peer: string, what: { readonly sent: boolean; readonly heard: boolean }): void {
    this.#perform(this.host.handle({ type: 'traffic', ulids: this.ulids(local, peer), ...what }, this.now));
  }

  setLocators(...names: readonly string[]): void {
    this.#setLocators(names.map((name) => this.address(name)));
    this.run(0);
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.host.deadline <= end) {
      this.now = Math.max(this.now, this.host.deadline);
      this.#perform(this.host.handle({ type: 'tick' }, this.now));
    }
    this.now = end;
  }

  /** Goes on to the instant of a captured message, without delivering it. */
  runTo(n: number): void {
    this.run(Math.max(0, this.captured(n).atMs - this.now));
  }

  /** Delivers captured messages, each at its instant in the capture or now if that has passed. */
  play(...numbers: readonly number[]): void {
    for (const n of numbers) {
      this.runTo(n);
      this.deliver(n);
    }
  }

  /** Delivers a captured message now. `change` is for messages that LinShim6 might have sent but did not. */
  deliver(n: number, change: (message: OptionedMessage) => OptionedMessage = (message) => message): void {
    const { source, destination, nextHeader, octets, message } = this.captured(n);
    if (sideOf(source) === this.#ours)
      throw new RangeError(`message ${String(n)} is one of the side that we have taken`);
    if (nextHeader === ICMPV6) {
      this.#perform(this.host.handle({ type: 'icmp', source, octets: this.#requoted(octets) }, this.now));
      return;
    }
    if (message === undefined) throw new RangeError(`message ${String(n)} is not Shim6`);
    const rewritten = encodeShim6(change(this.#rewritten(message, { local: destination, peer: source })));
    this.#perform(
      this.host.handle({ type: 'control', packet: { source, destination, hopLimit: 64, octets: rewritten } }, this.now),
    );
  }

  /** What our host sent since the last call. */
  take(): Sent[] {
    const sent = this.#sent.slice(this.#taken);
    this.#taken = this.#sent.length;
    return sent;
  }

  /** The same as `TYPE source destination`, by the capture's names, without the Keepalives that come in between. */
  takeText(): string[] {
    const sent = this.take().filter(({ message }) => message.type !== 'Keepalive');
    return sent.map(({ pair, message }) => `${message.type} ${this.name(pair.local)} ${this.name(pair.peer)}`);
  }

  #rewritten(message: OptionedMessage, pair: LocatorPair): OptionedMessage {
    switch (message.type) {
      case 'I1':
        return message;
      case 'R1':
        return { ...message, initiatorNonce: this.#last('I1', pair).initiatorNonce };
      case 'R2':
        return { ...message, initiatorNonce: this.#last('I1', pair).initiatorNonce };
      case 'I2': {
        const { responderNonce, options } = this.#last('R1', pair);
        const { responderValidator } = options;
        return { ...message, responderNonce, options: { ...message.options, responderValidator } };
      }
      case 'UpdateAcknowledgement': {
        const { requestNonce } = this.#last('UpdateRequest');
        return { ...message, requestNonce, receiverContextTag: this.#tag(message.receiverContextTag) };
      }
      case 'UpdateRequest':
      case 'Keepalive':
        return { ...message, receiverContextTag: this.#tag(message.receiverContextTag) };
      case 'Probe':
        return {
          ...message,
          receiverContextTag: this.#tag(message.receiverContextTag),
          received: message.received.map((report) => this.#report(report)),
        };
      default:
        throw new RangeError(`LinShim6 sends no ${message.type}`);
    }
  }

  /** Our last message of a type, on a pair when one is given. */
  #last<Type extends KnownMessage['type']>(type: Type, pair?: LocatorPair): Extract<KnownMessage, { type: Type }> {
    for (const sent of [...this.#sent].reverse()) {
      if (isOfType(sent.message, type) && (pair === undefined || samePair(sent.pair, pair))) return sent.message;
    }
    throw new Error(`our host has not sent ${type}`);
  }

  /** The tag of our context in the place of the one whose captured tag this is. */
  #tag(captured: ContextTag): ContextTag {
    const told = this.#capture.find(({ source, message }) => {
      if (sideOf(source) !== this.#ours || message === undefined) return false;
      const tag =
        message.type === 'R2'
          ? message.responderContextTag
          : 'initiatorContextTag' in message
            ? message.initiatorContextTag
            : undefined;
      return tag === captured;
    });
    if (told === undefined) throw new Error('a tag that the capture does not introduce');
    const ulids = { local: told.source, peer: told.destination };
    return this.host.contexts.of(ulids)?.tag ?? captured;
  }

  #report(captured: ProbeReport): ProbeReport {
    const arrived = this.#sent.flatMap(({ message }) => (message.type === 'Probe' ? message.sent.slice(0, 1) : []));
    const possible = arrived
      .filter(({ source, destination }) => !this.blocked(this.name(source), this.name(destination)))
      .reverse();
    const onSamePair = possible.find(
      ({ source, destination }) => sameOctets(source, captured.source) && sameOctets(destination, captured.destination),
    );
    return onSamePair ?? possible[0] ?? captured;
  }

  #requoted(octets: Uint8Array): Uint8Array {
    const header = parseIpv6Header(octets.subarray(8));
    if (!header.ok) throw new Error('no packet is quoted');
    const i1 = encodeShim6(this.#last('I1', { local: header.value.source, peer: header.value.destination }));
    const requoted = new Uint8Array(8 + IPV6_HEADER_LENGTH + i1.length);
    requoted.set(octets.subarray(0, 8 + IPV6_HEADER_LENGTH));
    requoted[8 + PAYLOAD_LENGTH_AT + 1] = i1.length;
    requoted.set(i1, 8 + IPV6_HEADER_LENGTH);
    return requoted;
  }

  #perform(effects: readonly HostEffect[]): void {
    for (const effect of effects) {
      if (effect.type !== 'transmit') continue;
      const parsed = parseShim6(effect.octets);
      if (!parsed.ok || parsed.value.type === 'Unknown') throw new Error('our host sent what it cannot read');
      const pair = { local: effect.source, peer: effect.destination };
      this.#sent.push({ at: this.now, pair, octets: effect.octets, message: parsed.value });
    }
  }

  #setLocators(addresses: readonly Address[]): void {
    const { parameters, method } = this.#firstList();
    const locators = addresses.map((address): HostLocator => ({
      address,
      state: 'preferred',
      operational: true,
      interface: this.name(address),
      parameters: withPrefixOf(parameters, address),
      method,
    }));
    this.#perform(this.host.handle({ type: 'locators', locators }, this.now));
  }

  /** What the captured host whose place we have says of itself first. */
  #firstList(): { locators: readonly { address: Address }[]; parameters: Uint8Array; method: 'hba' | 'cga' } {
    for (const { source, message } of this.#capture) {
      if (message === undefined || !VALIDATED.has(message.type) || sideOf(source) !== this.#ours) continue;
      const { locatorList, parameters } = message.options;
      if (locatorList === undefined || parameters === undefined) continue;
      const method = locatorList.locators[0]?.method === METHOD_HBA ? 'hba' : 'cga';
      return { locators: locatorList.locators, parameters, method };
    }
    throw new Error('the capture has no locator list of that side');
  }
}

/** RFC 3972 §4: only the prefix differs between the parameter structures of one host's addresses. */
export function withPrefixOf(parameters: Uint8Array, address: Address): Uint8Array {
  if (!parseCgaParameters(parameters).ok) throw new Error('no parameter structure');
  const own = parameters.slice();
  own.set(prefixOf(address), MODIFIER_LENGTH);
  return own;
}

/** Every address of host A is below 2001:db8:aN::/48, of host B below 2001:db8:bN::/48. */
function sideOf(address: Address): SideName {
  return (address[5] ?? 0) >> 4 === 0xa ? 'A' : 'B';
}

function isOfType<Type extends KnownMessage['type']>(
  message: KnownMessage,
  type: Type,
): message is Extract<KnownMessage, { type: Type }> {
  return message.type === type;
}

function readCapture(name: CaptureName): Captured[] {
  const file = new URL(`../vectors/linshim6-${name}.pcap`, import.meta.url);
  const capture = parseCapture(new Uint8Array(readFileSync(file)));
  if (!capture.ok) throw new Error(`${name}: no capture`);
  const { packets } = capture.value;
  const [first] = packets;
  return packets.flatMap((packet): Captured[] => {
    const octets = networkPacket(packet.interface.linkType, packet.octets);
    const header = octets && parseIpv6Header(octets);
    if (octets === undefined || header?.ok !== true || first === undefined) return [];
    const { source, destination, nextHeader } = header.value;
    const payload = octets.slice(IPV6_HEADER_LENGTH);
    const parsed = parseShim6(payload);
    const message =
      nextHeader === ICMPV6 || !parsed.ok || parsed.value.type === 'Unknown' || parsed.value.type === 'Error'
        ? undefined
        : parsed.value;
    return [
      { atMs: Number(packet.time - first.time) / 1e6, source, destination, nextHeader, octets: payload, message },
    ];
  });
}
