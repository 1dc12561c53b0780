/** Unpredictable octets. Production: the operating system's generator; simulation: a seeded stream. */
export type Random = (length: number) => Uint8Array;

/** The cryptography that the pure layers ask for. Synchronous, and each call well below 2 ms. */
export interface Crypto {
  sha1(octets: Uint8Array): Uint8Array;
  sha256(octets: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, octets: Uint8Array): Uint8Array;
  /** Constant-time comparison; unequal lengths compare unequal. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
  /** RSASSA-PKCS1-v1_5 with SHA-1 under a DER SubjectPublicKeyInfo; false for keys that do not parse. */
  verifyRsaSha1(publicKey: Uint8Array, octets: Uint8Array, signature: Uint8Array): boolean;
}

/** A private key that stays where it is: only signatures come out. */
export interface Signer {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** RSASSA-PKCS1-v1_5 with SHA-1, RFC 3972 §6. */
  sign(octets: Uint8Array): Uint8Array;
}

/** Uniform in [0, 1), from 32 bits of `random`. */
export function uniform(random: Random): number {
  return random32(random) / 0x1_0000_0000;
}

export function random32(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random(4);
  return a * 0x100_0000 + ((b << 16) | (c << 8) | d);
}
