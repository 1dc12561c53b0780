import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { formatTag } from '../shim6/tag.ts';
import { addressKey, formatAddress, sameOctets } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { PairText } from './events.ts';
import type { HostContext } from './host-context.ts';
import type { HostLocator } from './host-io.ts';
import type { Host } from './host.ts';
import type { Path } from './paths.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from './snapshot.ts';

/** What `loci contexts` shows, one at a time: with many contexts, others have their turn in between. */
export function* showContexts(host: Host, now: () => Instant): Generator<ContextSnapshot[]> {
  const text = addressTexts();
  for (const context of host.contexts) yield [showContext(context, now(), text)];
}

function showContext(context: HostContext, now: Instant, text: AddressText): ContextSnapshot {
  const pair = (of: LocatorPair): PairText => [text(of.local), text(of.peer)];
  return {
    ulids: pair(context.ulids),
    forkedInstanceId: context.forkedInstanceId,
    state: context.context.state,
    tagLocal: formatTag(context.tag),
    tagPeer: context.tagPeer === undefined ? null : formatTag(context.tagPeer),
    profile: context.profile,
    reap: context.reap ?? 'Operational',
    pair: pair(context.flow.pair),
    diverted: context.diverted,
    localLocators: context.usableLocators.map(text),
    peerLocators: context.peerLocators.map((locator) => ({
      address: text(locator.address),
      method: locator.method,
      probed: context.isProbed(locator.address),
      broken: locator.broken,
      priority: locator.priority,
      weight: locator.weight,
    })),
    sentAgoMs: ago(context.sentAt, now),
    heardAgoMs: ago(context.heardAt, now),
    ageMs: now - context.born,
  };
}

type AddressText = (address: Address) => string;

/** Contexts have most of their addresses in common. */
function addressTexts(): AddressText {
  const texts = new Map<string, string>();
  return (address) => {
    const key = addressKey(address);
    const known = texts.get(key);
    if (known !== undefined) return known;
    const text = formatAddress(address);
    texts.set(key, text);
    return text;
  };
}

/** What `loci locators` shows. */
export function showLocators(host: Host): LocatorSnapshot[] {
  return host.locators.map((locator) => ({
    address: formatAddress(locator.address),
    interface: locator.interface,
    method: locator.parameters === undefined ? 'none' : (locator.method ?? 'cga'),
    state: locator.state,
    operational: locator.operational,
    ...(locator.cost === undefined ? {} : { cost: locator.cost }),
    ...(locator.backup === undefined ? {} : { backup: locator.backup }),
    ...(locator.identity === undefined ? {} : { identity: locator.identity }),
    ulid: locator.parameters !== undefined && locator.state === 'preferred',
  }));
}

/**
 * What `loci paths` shows: every pair of a locator of ours and one of a peer's with which there is a context. For each context
 * in turn, those that were not shown before.
 */
export function* showPaths(host: Host, now: () => Instant): Generator<PathSnapshot[]> {
  const shown = new Set<string>();
  const text = addressTexts();
  for (const context of host.contexts) {
    const paths: PathSnapshot[] = [];
    for (const pair of context.reap === undefined ? [] : context.pairs) {
      const key = pairKey(pair);
      if (shown.has(key)) continue;
      shown.add(key);
      paths.push(showPath(host, pair, now(), text));
    }
    yield paths;
  }
}

function showPath(host: Host, pair: LocatorPair, now: Instant, text: AddressText): PathSnapshot {
  const path = host.paths.get(pair);
  const users = host.contexts.using(pair).filter((context) => context.reap !== undefined);
  const own = host.locators.find((locator) => sameOctets(locator.address, pair.local));
  const state = stateOf(own, path, users.length > 0);
  return {
    pair: [text(pair.local), text(pair.peer)],
    state,
    rttMs: path?.rttMs ?? null,
    heardAgoMs: ago(path?.heardAt, now),
    contexts: users.length,
    why: why(own, pair, state, users),
  };
}

function stateOf(own: HostLocator | undefined, path: Path | undefined, isUsed: boolean): PathSnapshot['state'] {
  if (own?.operational !== true) return 'failed';
  if (path?.suspectedAt !== undefined) return isUsed ? 'suspect' : 'failed';
  return path?.confirmedAt === undefined && path?.heardAt === undefined ? 'unknown' : 'operational';
}

function why(
  own: HostLocator | undefined,
  pair: LocatorPair,
  state: PathSnapshot['state'],
  users: readonly HostContext[],
): string {
  if (own === undefined) return 'local address gone';
  if (!own.operational) return `link ${own.interface} down`;
  const [user] = users;
  if (user !== undefined) {
    if (user.reap !== 'Operational') return 'in use, being tested';
    return samePair(pair, user.ulids)
      ? 'in use: the identifiers themselves'
      : `in use: ${CHOSEN_BECAUSE[user.chosenBecause] ?? user.chosenBecause}`;
  }
  if (state === 'failed') return 'stopped carrying packets';
  return state === 'operational' ? 'works, not needed' : 'never used';
}

/** Why payload left the pair before, for people. */
const CHOSEN_BECAUSE: Readonly<Record<string, string>> = {
  'send-timeout': 'the pair before stopped answering',
  'peer-exploring': 'the peer did not hear us on the pair before',
  'address-lost': 'our address or link of the pair before is gone',
  'peer-broken': "the peer's address of the pair before is gone",
  'address-deprecated': 'our address of the pair before is about to go',
  'send-error': 'the kernel could not send on the pair before',
  icmp: 'routers could not deliver on the pair before',
  application: 'an application complained about the pair before',
};

function ago(at: Instant | undefined, now: Instant): number | null {
  return at === undefined ? null : Math.max(0, now - at);
}
