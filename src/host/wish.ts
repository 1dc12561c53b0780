import type { LocatorPair } from '../locators/pair.ts';

/** What an application or an operator wants of a context, RFC 6316. */
export type Wish =
  /** Payload goes to this pair, until it fails there; without a pair, as if nothing had been wanted. */
  | { readonly type: 'prefer'; readonly pair: LocatorPair | undefined }
  /** Another pair is kept ready for a failure of the current one. */
  | { readonly type: 'standby'; readonly isOn: boolean }
  /** The communication goes well, or does not. */
  | { readonly type: 'feedback'; readonly isGood: boolean };
