import type { DhKeyPair } from '../crypto/ports.ts';
import type { Instant } from '../wire/time.ts';
import type { DrawnKeys, Keymat } from './keymat.ts';

/** One end's part of a rekey, RFC 7402 §6.8. */
export interface OwnPart {
  readonly spi: number;
  readonly index: number;
  readonly dh: DhKeyPair | undefined;
}

/** What the peer's UPDATE said. */
export interface PeerPart {
  readonly spi: number;
  readonly index: number;
  readonly publicValue: Uint8Array | undefined;
}

/** A rekey under way, RFC 7402 §6.8 and §6.9. The SAs of before stay in use until it is finished. */
export interface Rekey {
  readonly ours: OwnPart;
  /** The peer's ESP_INFO, once it has come. */
  theirs: PeerPart | undefined;
  /** New keys, once both parts are known: what comes in on the new SPI can be read. */
  keys: { readonly keymat: DrawnKeys; readonly fresh: Keymat } | undefined;
  installed: boolean;
  /** §6.8 step 5: not outstanding for ever. */
  readonly until: Instant;
}
