import type { Address } from '../wire/address.ts';
import type { Detection } from './fast-detection.ts';
import type { LocatorList, LocatorPreferences } from './locator-list.ts';

/** The ULID Pair option, RFC 5533 §5.15.6: sender and receiver of the message that carries it. */
export interface UlidPair {
  readonly sender: Address;
  readonly receiver: Address;
}

/** An option that is unknown, or not defined for the message it came in. `at` counts from the Shim6 header. */
export interface UnknownOption {
  readonly type: number;
  readonly critical: boolean;
  readonly body: Uint8Array;
  readonly at: number;
}

/** The options of a message, RFC 5533 §5.15. Each known one occurs at most once. */
export interface Shim6Options {
  readonly responderValidator?: Uint8Array | undefined;
  readonly locatorList?: LocatorList | undefined;
  readonly locatorPreferences?: LocatorPreferences | undefined;
  /** CGA Parameter Data Structure, §5.15.4. */
  readonly parameters?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly ulidPair?: UlidPair | undefined;
  readonly forkedInstanceId?: number | undefined;
  /** Seconds, RFC 5534 §5.3. */
  readonly keepaliveTimeout?: number | undefined;
  readonly detection?: Detection | undefined;
  readonly pathTest?: true | undefined;
  readonly unknown?: readonly UnknownOption[] | undefined;
}
