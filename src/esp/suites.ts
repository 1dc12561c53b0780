/** What protects an ESP packet: encryption and integrity apart, or an algorithm that does both. */
export type Protection = 'cbc-hmac' | 'null-hmac' | 'cmac' | 'gcm' | 'ccm' | 'gmac';

/** A suite of ESP_TRANSFORM, RFC 7402 §5.1.2. Lengths in octets. */
export interface Suite {
  readonly id: SuiteId;
  readonly name: string;
  readonly protection: Protection;
  /** Drawn from KEYMAT as encryption key, salt included. */
  readonly encryptionKeyLength: number;
  /** RFC 4106 §8.1, RFC 4309 §7.1: the last octets of the encryption key. */
  readonly saltLength: number;
  readonly authenticationKeyLength: number;
  readonly hash?: 'SHA-1' | 'SHA-256';
  readonly ivLength: number;
  readonly icvLength: number;
  /** Payload, padding and the two octets behind it are a multiple of this. */
  readonly alignment: 4 | 16;
}

export type SuiteId = 1 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

const CBC = { protection: 'cbc-hmac', saltLength: 0, ivLength: 16, alignment: 16 } as const;
const SHA1 = { hash: 'SHA-1', authenticationKeyLength: 20, icvLength: 12 } as const; // RFC 2404 §2
const SHA256 = { hash: 'SHA-256', authenticationKeyLength: 32, icvLength: 16 } as const; // RFC 4868 §2.3
/** RFC 7402 §7 names neither the size of the key nor where the salt comes from: AES-128, key and salt drawn as one key. */
const GCM = {
  encryptionKeyLength: 16 + 4,
  saltLength: 4,
  authenticationKeyLength: 0,
  ivLength: 8,
  alignment: 4,
} as const;
const CCM = {
  encryptionKeyLength: 16 + 3,
  saltLength: 3,
  authenticationKeyLength: 0,
  ivLength: 8,
  alignment: 4,
} as const;
const BARE = { encryptionKeyLength: 0, saltLength: 0, ivLength: 0, alignment: 4 } as const;

/** RFC 7402 §5.1.2, except the ids that are reserved or deprecated. */
export const SUITES: Readonly<Record<SuiteId, Suite>> = {
  1: { id: 1, name: 'AES-128-CBC with HMAC-SHA1', encryptionKeyLength: 16, ...CBC, ...SHA1 },
  7: { id: 7, name: 'NULL with HMAC-SHA-256', protection: 'null-hmac', ...BARE, ...SHA256 },
  8: { id: 8, name: 'AES-128-CBC with HMAC-SHA-256', encryptionKeyLength: 16, ...CBC, ...SHA256 },
  9: { id: 9, name: 'AES-256-CBC with HMAC-SHA-256', encryptionKeyLength: 32, ...CBC, ...SHA256 },
  10: { id: 10, name: 'AES-CCM-8', protection: 'ccm', ...CCM, icvLength: 8 },
  11: { id: 11, name: 'AES-CCM-16', protection: 'ccm', ...CCM, icvLength: 16 },
  12: { id: 12, name: 'AES-GCM with an 8 octet ICV', protection: 'gcm', ...GCM, icvLength: 8 },
  13: { id: 13, name: 'AES-GCM with a 16 octet ICV', protection: 'gcm', ...GCM, icvLength: 16 },
  14: { id: 14, name: 'AES-CMAC-96', protection: 'cmac', ...BARE, authenticationKeyLength: 16, icvLength: 12 },
  15: { id: 15, name: 'AES-GMAC', protection: 'gmac', ...GCM, icvLength: 16 },
};

/** The suite with a number from the network; `undefined` for those that are reserved, deprecated or unknown. */
export function suiteOf(id: number): Suite | undefined {
  return Object.values(SUITES).find((suite) => suite.id === id);
}

/** RFC 7402 §3.3.5: without encryption, to be accepted only where the policy for the peer says so. */
export function isAuthenticationOnly(suite: Suite): boolean {
  return suite.protection === 'null-hmac' || suite.protection === 'cmac' || suite.protection === 'gmac';
}

/** Octets of an ESP packet around a payload of `length`, RFC 4303 §2. */
export function espLength(suite: Suite, length: number): number {
  return HEADER_LENGTH + suite.ivLength + padded(suite, length) + suite.icvLength;
}

/** SPI and sequence number. */
export const HEADER_LENGTH = 8;
/** Pad Length and Next Header. */
export const TRAILER_LENGTH = 2;

/** Octets of payload, padding, Pad Length and Next Header, RFC 4303 §2.4. */
export function padded(suite: Suite, length: number): number {
  return Math.ceil((length + TRAILER_LENGTH) / suite.alignment) * suite.alignment;
}
