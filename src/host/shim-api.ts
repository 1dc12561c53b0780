import type { LocatorPair } from '../locators/pair.ts';
import { BALANCED, FAST, RFC } from '../reap/profile.ts';
import type { ReapProfile } from '../reap/profile.ts';
import type { PeerLocator } from '../shim6/context-io.ts';
import type { Address } from '../wire/address.ts';
import type { Instant } from '../wire/time.ts';
import type { HostContext } from './host-context.ts';
import type { HostEffect } from './host-io.ts';
import type { Host } from './host.ts';
import type { Wish } from './wish.ts';

/**
 * What RFC 6316 gives to a socket, for the pair of identifiers that a socket is connected with. Everything that reads
 * answers `undefined` without a context (the RFC: ENOENT); what writes returns effects for whoever drives the host.
 */
export class ShimApi {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** SHIM_ASSOCIATED, §6.1. */
  isAssociated(ulids: LocatorPair): boolean {
    return this.#context(ulids) !== undefined;
  }

  /** SHIM_LOC_LOCAL_SEND and SHIM_LOC_PEER_SEND, §6.8, §6.9: where packets go. */
  sending(ulids: LocatorPair): LocatorPair | undefined {
    return this.#context(ulids)?.current;
  }

  /** SHIM_LOC_LOCAL_RECV and SHIM_LOC_PEER_RECV, §6.6, §6.7: where packets come from. */
  receiving(ulids: LocatorPair): LocatorPair | undefined {
    return this.#context(ulids)?.incoming;
  }

  /** SHIM_LOCLIST_LOCAL, §6.10: Ls(local) as far as the peer has acknowledged it. */
  localLocators(ulids: LocatorPair): readonly Address[] | undefined {
    return this.#context(ulids)?.usableLocators;
  }

  /** SHIM_LOCLIST_PEER, §6.11, with what makes EUNVERIFIEDLOCATOR: was the peer seen there? */
  peerLocators(ulids: LocatorPair): readonly (PeerLocator & { readonly isProbed: boolean })[] | undefined {
    const context = this.#context(ulids);
    return context?.peerLocators.map((locator) => ({ ...locator, isProbed: context.isProbed(locator.address) }));
  }

  /** SHIM_PATHEXPLORE and SHIM_APP_TIMEOUT, §6.12, §6.13: what the profile of the context says; both are read only. */
  pathExploration(ulids: LocatorPair): ReapProfile | undefined {
    const context = this.#context(ulids);
    return context && { fast: FAST, balanced: BALANCED, rfc: RFC }[context.profile];
  }

  /** SHIM_LOC_LOCAL_PREF and SHIM_LOC_PEER_PREF, §6.4, §6.5: both at once; without a pair, no preference. */
  prefer(ulids: LocatorPair, pair: LocatorPair | undefined, now: Instant): HostEffect[] {
    return this.#wish(ulids, { type: 'prefer', pair }, now);
  }

  /** SHIM_HOT_STANDBY, §6.3. */
  setHotStandby(ulids: LocatorPair, isOn: boolean, now: Instant): HostEffect[] {
    return this.#wish(ulids, { type: 'standby', isOn }, now);
  }

  /** SHIM_FEEDBACK, §8.3. */
  feedback(ulids: LocatorPair, isGood: boolean, now: Instant): HostEffect[] {
    return this.#wish(ulids, { type: 'feedback', isGood }, now);
  }

  #wish(ulids: LocatorPair, wish: Wish, now: Instant): HostEffect[] {
    return this.#host.handle({ type: 'wish', ulids, wish }, now);
  }

  #context(ulids: LocatorPair): HostContext | undefined {
    const context = this.#host.contexts.of(ulids);
    return context?.isStanding === true ? context : undefined;
  }
}
