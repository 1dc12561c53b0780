/** Keys that hosts wrote down, by what they serve for. HITs and SPIs say where they belong. */
export interface KeyLog {
  readonly keymats: readonly LoggedKeymat[];
  readonly hipKeys: readonly LoggedHipKeys[];
  readonly associations: readonly LoggedAssociation[];
}

/** Keying material with what it was made of, RFC 7401 §6.5. */
export interface LoggedKeymat {
  /** I | J. */
  readonly salt: Uint8Array;
  /** Kij. */
  readonly secret: Uint8Array;
  /** As far as it was written down. */
  readonly keymat: Uint8Array;
}

/** What protects HIP packets in one direction. */
export interface LoggedHipKeys {
  readonly sender: Uint8Array;
  readonly receiver: Uint8Array;
  /** Of HIP_CIPHER. */
  readonly cipher: number;
  readonly encryption: Uint8Array;
  readonly mac: Uint8Array;
}

/** What protects ESP in one direction. */
export interface LoggedAssociation {
  readonly spi: number;
  /** Of ESP_TRANSFORM. */
  readonly suite: number;
  readonly encryption: Uint8Array;
  readonly authentication: Uint8Array;
  /** HITs of both ends, when they were written down. */
  readonly hits?: { readonly sender: Uint8Array; readonly receiver: Uint8Array };
}

export const NO_KEYS: KeyLog = { keymats: [], hipKeys: [], associations: [] };
