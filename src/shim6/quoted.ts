import type { LocatorPair } from '../locators/pair.ts';
import type { Address } from '../wire/address.ts';
import { SHIM6, parseIpv6Header, shimPosition } from '../wire/ipv6.ts';
import { Reader } from '../wire/reader.ts';
import { MESSAGE_TYPES } from './message-codec.ts';
import { parseOptions } from './options.ts';
import type { OptionName } from './options.ts';
import { isPayloadHeader } from './payload-header.ts';
import { tagOfField } from './tag.ts';
import type { ContextTag } from './tag.ts';

/** The beginning of a Shim6 packet that came back in an ICMPv6 error or in an Error message (RFC 5533 §8, §5.14). */
export interface QuotedPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly type: 'I1' | 'I2' | 'I2bis' | 'UpdateRequest' | 'UpdateAcknowledgement' | 'Keepalive' | 'Probe' | 'Payload';
  /** Ours in I1, I2, I2bis; the peer's in all others. */
  readonly contextTag: ContextTag;
  /** Initiator or Request Nonce; `undefined` where there is none. */
  readonly nonce: number | undefined;
  /** I1, I2, I2bis: sender and receiver by the ULID Pair option or the addresses. */
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
}

/** Kinds that can be matched to a context; an R1, R2 or R1bis that comes back is only logged. */
const QUOTED_TYPES: ReadonlyMap<number, { readonly type: QuotedPacket['type']; readonly optionsAt: number }> = new Map([
  [MESSAGE_TYPES.I1, { type: 'I1', optionsAt: 16 }],
  [MESSAGE_TYPES.I2, { type: 'I2', optionsAt: 24 }],
  [MESSAGE_TYPES.I2bis, { type: 'I2bis', optionsAt: 32 }],
  [MESSAGE_TYPES.UpdateRequest, { type: 'UpdateRequest', optionsAt: 16 }],
  [MESSAGE_TYPES.UpdateAcknowledgement, { type: 'UpdateAcknowledgement', optionsAt: 16 }],
  [MESSAGE_TYPES.Keepalive, { type: 'Keepalive', optionsAt: 16 }],
  [MESSAGE_TYPES.Probe, { type: 'Probe', optionsAt: 16 }],
]);

const IDENTIFYING: ReadonlySet<OptionName> = new Set<OptionName>(['ulidPair', 'forkedInstanceId']);

/** `octets` start at the IPv6 header and may be cut short anywhere. `undefined` when no context can be told from them. */
export function parseQuoted(octets: Uint8Array): QuotedPacket | undefined {
  const ip = parseIpv6Header(octets);
  const position = shimPosition(octets, 0, octets.length);
  if (!ip.ok || position === undefined || octets[position.nextHeaderAt] !== SHIM6) return undefined;
  const { source, destination } = ip.value;
  const shim = octets.subarray(position.at);
  const r = new Reader(shim);
  const common = { source, destination, ulids: { local: source, peer: destination }, forkedInstanceId: 0 };
  if (isPayloadHeader(shim)) {
    r.skip(2);
    const contextTag = tagOfField(r.u48());
    return r.failed ? undefined : { ...common, type: 'Payload', contextTag, nonce: undefined };
  }
  r.u8();
  const length = (r.u8() + 1) * 8;
  const kind = QUOTED_TYPES.get(r.u8());
  r.skip(3);
  const contextTag = tagOfField(r.u48());
  const number = r.u32();
  if (r.failed || kind === undefined) return undefined;
  const { type, optionsAt } = kind;
  const nonce = type === 'Keepalive' || type === 'Probe' ? undefined : number;
  if (type !== 'I1' && type !== 'I2' && type !== 'I2bis') return { ...common, type, contextTag, nonce };
  const options = parseOptions(shim.subarray(optionsAt, length), optionsAt, IDENTIFYING);
  const { ulidPair, forkedInstanceId = 0 } = options.ok ? options.value : {};
  const ulids = { local: ulidPair?.sender ?? source, peer: ulidPair?.receiver ?? destination };
  return { ...common, type, contextTag, nonce, ulids, forkedInstanceId };
}
