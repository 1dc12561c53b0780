import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import type { ContextCore } from './context-core.ts';
import type { ContextEffect } from './context-io.ts';
import type { Offer } from './own-side.ts';
import type { Peer } from './peer.ts';
import type { ContextTag } from './tag.ts';

/** What of an ESTABLISHED context outlives its process: with it, another one goes on without a message (RFC 5533 §6.1). */
export interface ContextMemory {
  readonly ulids: LocatorPair;
  readonly forkedInstanceId: number;
  /** CT(local). */
  readonly tag: ContextTag;
  /** Lp(local) and Lp(peer). */
  readonly pair: LocatorPair;
  /** The CGA Parameter Data Structure of ULID(local), which is public: its address may be gone by then. */
  readonly parameters: Uint8Array | undefined;
  readonly peer: Peer;
  /** What the peer may have been told of this host's locators. */
  readonly told: readonly Offer[];
}

/** `undefined` in every other state: what is under way begins again. */
export function remember(core: ContextCore): ContextMemory | undefined {
  const { ulids, forkedInstanceId, tag, pair, state } = core;
  if (state.name !== 'ESTABLISHED') return undefined;
  const { peer } = state;
  return { ulids, forkedInstanceId, tag, pair, parameters: core.own.parameters, peer, told: core.update.told };
}

/** From IDLE to ESTABLISHED as it was remembered; nonces of the former process mean nothing to this one's validators. */
export function resume(core: ContextCore, { peer, pair, told }: ContextMemory, now: Instant): ContextEffect[] {
  const resumed = { ...peer, responderNonce: core.responder.nonce(now), initiatorNonce: undefined };
  core.pair = pair;
  core.update.resume(told);
  return [
    ...core.enter({ name: 'ESTABLISHED', peer: resumed }),
    { type: 'established', peer: core.facts(resumed), pair },
    core.acknowledged(),
    ...core.bringUpToDate(now),
  ];
}
