import type { HipCrypto } from '../crypto/ports.ts';

/** HIP ciphers, RFC 7401 §5.2.8. NULL-ENCRYPT is for testing, and offered or accepted only when configured. */
export type HipCipherId = 1 | 2 | 4;

interface CipherFacts {
  readonly name: string;
  readonly keyLength: number;
  /** Of the IV in ENCRYPTED, §5.2.18, and of a block. */
  readonly ivLength: number;
}

export const HIP_CIPHERS: Readonly<Record<HipCipherId, CipherFacts>> = {
  1: { name: 'NULL-ENCRYPT', keyLength: 0, ivLength: 0 },
  2: { name: 'AES-128-CBC', keyLength: 16, ivLength: 16 },
  4: { name: 'AES-256-CBC', keyLength: 32, ivLength: 16 },
};

export function isHipCipher(id: number): id is HipCipherId {
  return Object.hasOwn(HIP_CIPHERS, id);
}

/** What ENCRYPTED holds behind its reserved field, §5.2.18: IV and ciphertext, padded as in PKCS#5. `iv`: random, of the cipher's length. */
export function encryptParameters(
  crypto: HipCrypto,
  cipher: HipCipherId,
  key: Uint8Array,
  iv: Uint8Array,
  parameters: Uint8Array,
): Uint8Array {
  const { ivLength } = HIP_CIPHERS[cipher];
  if (ivLength === 0) return parameters.slice();
  const padding = ivLength - (parameters.length % ivLength);
  const blocks = new Uint8Array(parameters.length + padding).fill(padding);
  blocks.set(parameters);
  const encrypted = new Uint8Array(ivLength + blocks.length);
  encrypted.set(iv);
  encrypted.set(crypto.encryptCbc(key, iv, blocks), ivLength);
  return encrypted;
}

/**
 * The plaintext of an ENCRYPTED parameter, its padding still there, as `parseDecrypted` takes it; `undefined` when the ciphertext is
 * no whole number of blocks.
 */
export function decryptParameters(
  crypto: HipCrypto,
  cipher: HipCipherId,
  key: Uint8Array,
  ivAndCiphertext: Uint8Array,
): Uint8Array | undefined {
  const { ivLength } = HIP_CIPHERS[cipher];
  if (ivLength === 0) return ivAndCiphertext.slice();
  const blocks = ivAndCiphertext.subarray(ivLength);
  if (ivAndCiphertext.length < 2 * ivLength || blocks.length % ivLength !== 0) return undefined;
  return crypto.decryptCbc(key, ivAndCiphertext.subarray(0, ivLength), blocks);
}
