import { pairKey, samePair } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { formatTag } from '../shim6/tag.ts';
import { formatAddress, sameOctets } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import { pairText } from './context-event.ts';
import type { HostContext } from './host-context.ts';
import type { Host } from './host.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from './snapshot.ts';

/** What `loci contexts` shows. */
export function showContexts(host: Host, now: Instant): ContextSnapshot[] {
  return [...host.contexts].map((context) => ({
    ulids: pairText(context.ulids),
    forkedInstanceId: context.forkedInstanceId,
    state: context.context.state,
    tagLocal: formatTag(context.tag),
    tagPeer: context.tagPeer === undefined ? null : formatTag(context.tagPeer),
    profile: context.profile,
    reap: context.reap ?? 'Operational',
    pair: pairText(context.flow.pair),
    diverted: context.diverted,
    localLocators: context.usableLocators.map((locator) => formatAddress(locator)),
    peerLocators: context.peerLocators.map((locator) => ({
      address: formatAddress(locator.address),
      method: locator.method,
      probed: context.isProbed(locator.address),
      broken: locator.broken,
      priority: locator.priority,
      weight: locator.weight,
    })),
    sentAgoMs: ago(context.sentAt, now),
    heardAgoMs: ago(context.heardAt, now),
    ageMs: now - context.born,
  }));
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

/** What `loci paths` shows: every pair of a locator of ours and one of a peer's with which there is a context. */
export function showPaths(host: Host, now: Instant): PathSnapshot[] {
  const users = new Map<string, { pair: LocatorPair; current: HostContext[] }>();
  for (const context of host.contexts) {
    if (context.reap === undefined) continue;
    for (const pair of context.pairs) {
      const key = pairKey(pair);
      const user = users.get(key) ?? { pair, current: [] };
      users.set(key, user);
      if (samePair(pair, context.flow.pair)) user.current.push(context);
    }
  }
  return [...users.values()].map(({ pair, current }) => {
    const path = host.paths.get(pair);
    const state = stateOf(host, pair);
    return {
      pair: pairText(pair),
      state,
      rttMs: path?.rttMs ?? null,
      heardAgoMs: ago(path?.heardAt, now),
      contexts: current.length,
      why: why(host, pair, state, current),
    };
  });
}

function stateOf(host: Host, pair: LocatorPair): PathSnapshot['state'] {
  const own = host.locators.find((locator) => sameOctets(locator.address, pair.local));
  if (own?.operational !== true) return 'failed';
  const path = host.paths.get(pair);
  if (path?.suspectedAt !== undefined) return current(host, pair) ? 'suspect' : 'failed';
  return path?.confirmedAt === undefined && path?.heardAt === undefined ? 'unknown' : 'operational';
}

function current(host: Host, pair: LocatorPair): boolean {
  return host.contexts.using(pair).length > 0;
}

function why(host: Host, pair: LocatorPair, state: PathSnapshot['state'], users: readonly HostContext[]): string {
  const own = host.locators.find((locator) => sameOctets(locator.address, pair.local));
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
