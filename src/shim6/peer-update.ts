import type { Address } from '../wire/address.ts';
import type { DropReason } from './context-io.ts';
import { VERIFICATION_METHOD, WRONG_ELEMENT_COUNT, WRONG_GENERATION } from './error-message.ts';
import { METHODS_AT } from './locator-list.ts';
import { optionsOffset } from './message-codec.ts';
import type { UpdateRequest } from './messages.ts';
import { optionAt } from './options.ts';
import { preferencesFault, withList, withOldRequest, withPreferences } from './peer.ts';
import type { Peer } from './peer.ts';
import type { PeerVerifier } from './verification.ts';

/** What an Update Request does to what is known of the peer. A refused one can still have replaced the list. */
export type UpdateOutcome =
  | { readonly outcome: 'taken'; readonly peer: Peer }
  | {
      readonly outcome: 'refused';
      readonly peer: Peer;
      readonly reason: DropReason;
      readonly code: number;
      /** Where the Error message points, from the Shim6 header. */
      readonly at: number;
    }
  | { readonly outcome: 'dropped'; readonly reason: DropReason };

/** RFC 5533 §10.4: parameters, list, preferences, each replacing what was there before. */
export function takeUpdate(
  known: Peer,
  request: UpdateRequest,
  octets: Uint8Array,
  { ulid, verifier }: { readonly ulid: Address; readonly verifier: PeerVerifier },
): UpdateOutcome {
  const { parameters, locatorList, locatorPreferences, signature, keepaliveTimeout } = request.options;
  const contentsOf = (option: 'locatorList' | 'locatorPreferences'): number =>
    optionAt(octets, optionsOffset(request), option) + 4;
  if (parameters !== undefined && !verifier.ownsUlid(ulid, parameters)) {
    return { outcome: 'dropped', reason: 'parameters' };
  }
  if (isStale(known, request)) return { outcome: 'dropped', reason: 'replayed' };
  const effective = parameters ?? known.parameters;
  let peer = known;
  if (locatorList !== undefined) {
    const verdict = verifier.verify({ ulid, parameters: effective, list: locatorList, signature });
    if (!verdict.valid) {
      const at = contentsOf('locatorList') + METHODS_AT + verdict.index;
      return { outcome: 'refused', peer, reason: 'locator-list', code: VERIFICATION_METHOD, at };
    }
    peer = { ...peer, parameters: effective, locators: withList(ulid, locatorList) };
  }
  if (locatorPreferences !== undefined) {
    const fault = preferencesFault(peer.locators, locatorPreferences);
    const at = contentsOf('locatorPreferences');
    if (fault === 'generation') return { outcome: 'refused', peer, reason: 'preferences', code: WRONG_GENERATION, at };
    if (fault === 'count') {
      return { outcome: 'refused', peer, reason: 'preferences', code: WRONG_ELEMENT_COUNT, at: at - 2 };
    }
    peer = { ...peer, locators: withPreferences(peer.locators, locatorPreferences) };
  }
  // RFC 5534 §5.3; 0 means nothing
  if (keepaliveTimeout !== undefined && keepaliveTimeout !== 0) {
    peer = { ...peer, keepaliveTimeoutSeconds: keepaliveTimeout };
  }
  const { requestNonce: lastRequest } = request;
  if (lastRequest === known.lastRequest) return { outcome: 'taken', peer };
  return { outcome: 'taken', peer: { ...peer, lastRequest, oldRequests: withOldRequest(known) } };
}

/**
 * A request that an already taken one has replaced, delayed or replayed by the network. RFC 5533 does not order requests,
 * so this goes by what can be known: its nonce is one taken earlier, or its generation is one of those just
 * before the stored one (§10.1: increased by one; a generation chosen at random is not mistaken for one of these).
 */
function isStale(known: Peer, { requestNonce, options }: UpdateRequest): boolean {
  if (requestNonce === known.lastRequest) return false;
  if (known.oldRequests.includes(requestNonce)) return true;
  const stored = known.locators.generation;
  if (stored === undefined || options.locatorList === undefined) return false;
  const age = (stored - options.locatorList.generation) | 0; // modulo 2^32
  return age > 0 && age <= GENERATIONS_REMEMBERED;
}

const GENERATIONS_REMEMBERED = 64;
