import type { LocatorPair } from '../locators/pair.ts';
import type { ContextMemory } from '../shim6/context-memory.ts';

/** What an application or an operator wants of a context, RFC 6316. */
export type Wish =
  /** Payload goes to this pair, until it fails there; without a pair, as if nothing had been wanted. */
  | { readonly type: 'prefer'; readonly pair: LocatorPair | undefined }
  /** Another pair is kept ready for a failure of the current one. */
  | { readonly type: 'standby'; readonly isOn: boolean }
  /** The communication goes well, or does not. */
  | { readonly type: 'feedback'; readonly isGood: boolean };

/** What is wanted of a context until somebody says otherwise. */
export interface Wishes {
  readonly preferred: LocatorPair | undefined;
  readonly standby: boolean;
}

export const NO_WISHES: Wishes = { preferred: undefined, standby: false };

/** What of a context outlives its process, with what was wanted of it. */
export interface RememberedContext extends ContextMemory {
  readonly wishes: Wishes;
}
