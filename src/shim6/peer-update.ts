import type { Address } from '../wire/address.ts';
import type { DropReason } from './context-io.ts';
import { VERIFICATION_METHOD, WRONG_ELEMENT_COUNT, WRONG_GENERATION } from './error-message.ts';
import { METHODS_AT } from './locator-list.ts';
import { optionsOffset } from './message-codec.ts';
import type { UpdateRequest } from './messages.ts';
import { optionAt } from './options.ts';
import { preferencesFault, withList, withPreferences } from './peer.ts';
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
  | { readonly outcome: 'dropped' };

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
  if (parameters !== undefined && !verifier.ownsUlid(ulid, parameters)) return { outcome: 'dropped' };
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
  return { outcome: 'taken', peer };
}
