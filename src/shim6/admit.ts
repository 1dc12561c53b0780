import { isGlobalUnicast, isMulticast, isUnspecified } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { ContextMessage } from './context-io.ts';
import { CRITICAL_OPTION, UNKNOWN_MESSAGE_TYPE } from './error-message.ts';
import { parseShim6 } from './message-codec.ts';
import type { ErrorMessage } from './messages.ts';
import { ulidsOf } from './received.ts';
import type { ReceivedPacket } from './received.ts';
import type { Answer, Responder } from './responder.ts';

/** Offset of the message type in the Shim6 header. */
const TYPE_AT = 2;

/** A message to be dispatched (RFC 5533 §12.4), or what becomes of the packet instead. */
export type Admission = { readonly type: 'message'; readonly message: ContextMessage | ErrorMessage } | Answer;

/**
 * The checks that every control message has to pass first, RFC 5533 §12.3: addresses, length, checksum; unknown types and
 * unknown critical options are answered with an Error; nobody gets a context for identifiers that cannot be a host's
 * (§1.4: multicast). There is no check of the hop limit.
 */
export function admit(packet: ReceivedPacket, responder: Responder, now: Instant): Admission {
  for (const address of [packet.source, packet.destination]) {
    if (isMulticast(address) || isUnspecified(address)) return { type: 'drop', reason: 'address' };
  }
  const parsed = parseShim6(packet.octets);
  if (!parsed.ok) return { type: 'drop', reason: parsed.reason === 'bad-checksum' ? 'checksum' : 'malformed' };
  const message = parsed.value;
  if (message.type === 'Unknown') return responder.error(UNKNOWN_MESSAGE_TYPE, TYPE_AT, packet, now);
  if (message.type === 'Error') return { type: 'message', message };
  const critical = message.options.unknown?.find((option) => option.critical);
  if (critical !== undefined) return responder.error(CRITICAL_OPTION, critical.at, packet, now); // §5.15: and no more
  if (message.type === 'I1' || message.type === 'I2' || message.type === 'I2bis') {
    const { local, peer } = ulidsOf(message, packet);
    if (!isGlobalUnicast(local) || !isGlobalUnicast(peer)) return { type: 'drop', reason: 'address' };
  }
  return { type: 'message', message };
}
