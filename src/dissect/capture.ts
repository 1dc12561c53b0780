import type { Crypto, HipCrypto } from '../crypto/ports.ts';
import type { Shim6Message } from '../shim6/messages.ts';
import { formatAddress } from '../wire/address.ts';
import { SHIM6 } from '../wire/ipv6.ts';
import { networkPacket } from '../wire/link-layer.ts';
import type { Capture } from '../wire/pcapng.ts';
import type { DissectedMessage, Entry, Flaw, Inner } from './entry.ts';
import { HipSeen } from './hip-message.ts';
import type { KeyLog } from './key-log.ts';
import { ContextsSeen } from './shim6-contexts.ts';
import type { Signing } from './shim6-contexts.ts';
import { dissectShim6 } from './shim6-header.ts';
import type { Shim6Header } from './shim6-header.ts';
import { addressesOf, upperHeader } from './upper-header.ts';
import type { UpperHeader } from './upper-header.ts';

/** Cryptography that verifies, and keys that somebody wrote down. */
export interface Means {
  readonly crypto: Crypto;
  readonly hipCrypto: HipCrypto;
  readonly keys: KeyLog;
}

/**
 * The messages of a capture, in its order. Frames with anything else are counted and passed over. What is wrong with a
 * message is told in its entry; a damaged file ends with an entry that says where.
 */
export function* dissect({ packets, damage }: Capture, means: Means): Generator<Entry> {
  const contexts = new ContextsSeen(means.crypto);
  const associations = new HipSeen(means.hipCrypto, means.keys);
  let frame = 0;
  for (const { interface: port, octets, time } of packets) {
    frame += 1;
    const packet = networkPacket(port.linkType, octets);
    const upper = packet && upperHeader(packet);
    if (upper === undefined) continue;
    const message = upper.protocol === SHIM6 ? shim6Message(upper, contexts) : associations.message(upper);
    if (message !== undefined) yield { frame, time: secondsOf(time), ...message };
  }
  if (damage !== undefined) yield { frame: frame + 1, error: { reason: damage.reason, at: damage.at } };
}

/** The whole seconds apart, so that the fraction is rounded once only. */
function secondsOf(nanoseconds: bigint): number {
  return Number(nanoseconds / NANOSECONDS) + Number(nanoseconds % NANOSECONDS) / 1e9;
}

const NANOSECONDS = 1_000_000_000n;

function shim6Message(upper: UpperHeader, contexts: ContextsSeen): Omit<DissectedMessage, 'frame' | 'time'> {
  const whole = upper.fragment === 'later' ? LATER_FRAGMENT : dissectShim6(upper.octets);
  const { payload, parsed, error: flaw, ...header } = whole;
  const inner = payload && innerOf(payload, upper, contexts);
  const checks = parsed && checksOf(parsed, upper, contexts);
  if (parsed !== undefined && header.checksum === 'good' && checks?.signature !== 'bad') contexts.learn(parsed, upper);
  const goesOn = upper.fragment === 'first' && upper.octets.length < Math.max(header.length, MIN_LENGTH);
  const error: Flaw | undefined = flaw && goesOn ? { reason: 'fragment', at: flaw.at } : flaw;
  return {
    ...addressesOf(upper),
    protocol: 'shim6',
    ...header,
    ...(inner && { inner }),
    ...(checks && { checks }),
    ...(error && { error }),
  };
}

/** RFC 5533 §5.1: a length field of 0 means 8 octets. */
const MIN_LENGTH = 8;

/** No header is in it. */
const LATER_FRAGMENT: Shim6Header = {
  message: 'Unknown',
  length: 0,
  checksum: 'none',
  fields: {},
  options: [],
  error: { reason: 'fragment', at: 0 },
};

function innerOf(
  { nextHeader, contextTag }: NonNullable<Shim6Header['payload']>,
  { destination }: UpperHeader,
  contexts: ContextsSeen,
): Inner {
  const ulids = contexts.ulids(contextTag, destination);
  if (ulids === undefined) return { protocol: nextHeader };
  return { protocol: nextHeader, src: formatAddress(ulids.sender), dst: formatAddress(ulids.receiver) };
}

/** Only of messages that could hold a signed list. */
function checksOf(message: Shim6Message, upper: UpperHeader, contexts: ContextsSeen): DissectedMessage['checks'] {
  return isSigning(message) ? { signature: contexts.signature(message, upper) } : undefined;
}

function isSigning(message: Shim6Message): message is Signing {
  return message.type === 'I2' || message.type === 'R2' || message.type === 'I2bis' || message.type === 'UpdateRequest';
}
