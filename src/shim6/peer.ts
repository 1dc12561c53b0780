import { isGlobalUnicast, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { DropReason, Method, PeerLocator } from './context-io.ts';
import { METHOD_HBA, NO_PREFERENCE } from './locator-list.ts';
import type { LocatorList, LocatorPreferences } from './locator-list.ts';
import type { I2, I2bis, R2 } from './messages.ts';
import type { PeerLocators } from './peer-locators.ts';
import type { ContextTag } from './tag.ts';
import type { ListVerdict, PeerVerifier } from './verification.ts';

/** What a context knows of its peer once the peer has shown itself, RFC 5533 §6.1. */
export interface Peer {
  /** CT(peer). */
  readonly contextTag: ContextTag;
  /** Ls(peer), all of it verified. */
  readonly locators: PeerLocators;
  /** CGA Parameter Data Structure, kept for later Updates. */
  readonly parameters: Uint8Array | undefined;
  /** Of the I2 or I2bis that this was last learnt from; after an R2, the count of that time. Older ones teach nothing. */
  readonly responderNonce: number;
  /** Of the same I2 or I2bis; `undefined` after an R2. */
  readonly initiatorNonce: number | undefined;
  readonly detectionMs: number | undefined;
  readonly keepaliveTimeoutSeconds: number | undefined;
  /** Nonce of the last Update Request taken: it may come again, if its acknowledgement was lost. */
  readonly lastRequest: number | undefined;
  /** Nonces of requests that something newer has replaced. */
  readonly oldRequests: readonly number[];
}

/** Ls(peer) of a peer that sent no list: its ULID, RFC 5533 §3. */
export function ulidOnly(ulid: Address): PeerLocators {
  return { generation: undefined, listed: [{ ...NO_PREFERENCE, address: ulid, method: 'ulid' }], unlisted: [] };
}

/** Ls(peer) after a list that verified. Preferences refer to a list, so they go with the old one. */
export function withList(ulid: Address, { generation, locators }: LocatorList): PeerLocators {
  const listed = locators.map(({ address, method }) => ({ ...NO_PREFERENCE, address, method: methodName(method) }));
  const lacksUlid = !listed.some(({ address }) => sameOctets(address, ulid));
  const unlisted: PeerLocator[] = [{ ...NO_PREFERENCE, broken: true, address: ulid, method: 'ulid' }];
  return { generation, listed, unlisted: lacksUlid ? unlisted : [] };
}

/** §10.4: preferences must be about the list that is stored and name each of its locators. */
export function preferencesFault(
  { generation, listed }: PeerLocators,
  preferences: LocatorPreferences,
): 'generation' | 'count' | undefined {
  if (preferences.generation !== generation) return 'generation';
  return preferences.elements.length === listed.length ? undefined : 'count';
}

export function withPreferences(locators: PeerLocators, { elements }: LocatorPreferences): PeerLocators {
  const listed = locators.listed.map((locator, i) => ({ ...locator, ...(elements[i] ?? NO_PREFERENCE) }));
  return { ...locators, listed };
}

/** The nonces that are old once the last request is. */
export function withOldRequest({ lastRequest, oldRequests }: Peer): readonly number[] {
  return lastRequest === undefined ? oldRequests : [...oldRequests, lastRequest].slice(-OLD_REQUESTS_REMEMBERED);
}

const OLD_REQUESTS_REMEMBERED = 16;
const NO_REQUESTS: readonly number[] = [];

export function allLocators({ listed, unlisted }: PeerLocators): readonly PeerLocator[] {
  return unlisted.length === 0 ? listed : [...listed, ...unlisted];
}

export function findLocator(locators: PeerLocators, address: Address): PeerLocator | undefined {
  return allLocators(locators).find((locator) => sameOctets(locator.address, address));
}

/** What may be a destination: a signature can cover any 128 bits, so common sense has to stop the rest. */
export function destinations(locators: PeerLocators, isOwn: (address: Address) => boolean): readonly PeerLocator[] {
  const all = allLocators(locators);
  const isPossible = ({ address }: PeerLocator): boolean => isGlobalUnicast(address) && !isOwn(address);
  return all.every(isPossible) ? all : all.filter(isPossible);
}

function methodName(method: number): Method {
  return method === METHOD_HBA ? 'hba' : 'cga';
}

/** What there is to learn from an I2, I2bis or R2, or why it is not believed. */
export type Lesson =
  | { readonly outcome: 'believed'; readonly peer: Peer }
  | { readonly outcome: 'dropped'; readonly reason: DropReason }
  | { readonly outcome: 'unverified'; readonly index: number };

export interface LessonCircumstances {
  readonly ulid: Address;
  readonly source: Address;
  readonly known: Peer | undefined;
  readonly verifier: PeerVerifier;
  /** What this host would put into an R1 now. */
  readonly responderNonce: number;
  /** Did both ends ask for fast detection? */
  readonly detectionAgreed: boolean;
}

/** RFC 5533 §7.13, §7.16, §7.20: parameters, source locator, then the list, cheap checks first. */
export function learn(message: I2 | I2bis | R2, circumstances: LessonCircumstances): Lesson {
  const { ulid, source, known, verifier, detectionAgreed } = circumstances;
  const { parameters, locatorList, locatorPreferences, signature, keepaliveTimeout, detection } = message.options;
  if (!isMember(source, circumstances, locatorList) && message.type !== 'R2') return dropped('source');
  if (parameters !== undefined && !verifier.ownsUlid(ulid, parameters)) return dropped('parameters');
  const effective = parameters === undefined ? known?.parameters : verifier.facts.parameters(parameters);
  let locators = known?.locators ?? ulidOnly(ulid);
  if (locatorList !== undefined) {
    const verdict: ListVerdict = verifier.verify({ ulid, parameters: effective, list: locatorList, signature });
    if (!verdict.valid) return { outcome: 'unverified', index: verdict.index };
    locators = verifier.facts.locators(ulid, locatorList, () => withList(ulid, locatorList));
  }
  if (locatorPreferences !== undefined && preferencesFault(locators, locatorPreferences) === undefined) {
    locators = withPreferences(locators, locatorPreferences);
  }
  return {
    outcome: 'believed',
    peer: {
      contextTag: message.type === 'R2' ? message.responderContextTag : message.initiatorContextTag,
      locators,
      parameters: effective,
      responderNonce: message.type === 'R2' ? circumstances.responderNonce : message.responderNonce,
      initiatorNonce: message.type === 'R2' ? undefined : message.initiatorNonce,
      detectionMs: detectionAgreed ? detection?.sendTimeoutMs : undefined,
      // RFC 5534 §5.3: sent once per association; 0 means nothing
      keepaliveTimeoutSeconds:
        keepaliveTimeout === 0 ? known?.keepaliveTimeoutSeconds : (keepaliveTimeout ?? known?.keepaliveTimeoutSeconds),
      lastRequest: undefined,
      oldRequests: known === undefined ? NO_REQUESTS : withOldRequest(known),
    },
  };
}

/** §7.13: the source is the ULID, a locator known before, or in the list that comes with the message. */
function isMember(source: Address, { ulid, known }: LessonCircumstances, list: LocatorList | undefined): boolean {
  if (sameOctets(source, ulid)) return true;
  if (known !== undefined && findLocator(known.locators, source) !== undefined) return true;
  return list?.locators.some(({ address }) => sameOctets(address, source)) ?? false;
}

function dropped(reason: DropReason): Lesson {
  return { outcome: 'dropped', reason };
}
