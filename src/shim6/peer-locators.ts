import type { PeerLocator } from './context-io.ts';

/** Ls(peer) with preferences, RFC 5533 §6.1. */
export interface PeerLocators {
  /** Of the list last accepted; `undefined` before the first one. */
  readonly generation: number | undefined;
  /** As in the list. */
  readonly listed: readonly PeerLocator[];
  /** ULID(peer) where the list lacks it: it stays a member, but no preference counts it, and it is as if BROKEN. */
  readonly unlisted: readonly PeerLocator[];
}
