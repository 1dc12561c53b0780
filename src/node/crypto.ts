import crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Crypto, Signer } from '../crypto/ports.ts';
import { parseRsaPublicKey } from '../crypto/rsa-key.ts';
import { KeyCache } from './key-cache.ts';

const keys = new KeyCache((publicKey) => parseRsaPublicKey(publicKey).ok);

/** The `Crypto` port on the OpenSSL inside Node. */
export const nodeCrypto: Crypto = {
  sha1: digest('sha1'),
  sha256: digest('sha256'),
  hmacSha256: (key, octets) => octetsOf(crypto.createHmac('sha256', key).update(octets).digest()),
  equal: (a, b) => a.length === b.length && crypto.timingSafeEqual(a, b),
  verifyRsaSha1(publicKey, octets, signature) {
    const key = keys.imported(publicKey);
    return key !== undefined && crypto.verify('RSA-SHA1', octets, key, signature);
  },
};

/** Bits of keys that may be generated: RFC 5533 §16 wants 1024 at least; longer than 4096 leaves no room in a message. */
export const MIN_GENERATED_BITS = 2048;
export const MAX_GENERATED_BITS = 4096;

/** A new RSA key, made in a thread of the pool. */
export function generateRsaKey(bits: number = MIN_GENERATED_BITS): Promise<KeyObject> {
  if (!Number.isInteger(bits) || bits < MIN_GENERATED_BITS || bits > MAX_GENERATED_BITS) {
    throw new RangeError(`RSA keys have ${String(MIN_GENERATED_BITS)} to ${String(MAX_GENERATED_BITS)} bits here`);
  }
  return new Promise((resolve, reject) => {
    crypto.generateKeyPair(
      'rsa',
      { modulusLength: bits, publicExponent: 0x1_0001 },
      (error, _publicKey, privateKey) => {
        if (error === null) resolve(privateKey);
        else reject(error);
      },
    );
  });
}

/** A signer over an RSA private key (PKCS#8 PEM or an imported key). */
export function rsaSigner(privateKey: string | KeyObject): Signer {
  const key = typeof privateKey === 'string' ? crypto.createPrivateKey(privateKey) : privateKey;
  if (key.type !== 'private' || key.asymmetricKeyType !== 'rsa') throw new TypeError('not an RSA private key');
  return {
    publicKey: octetsOf(crypto.createPublicKey(key).export({ format: 'der', type: 'spki' })),
    sign: (octets) => octetsOf(crypto.sign('RSA-SHA1', octets, key)),
  };
}

/** Node 20.12 brought the one-shot `hash`, which spares the hash object. */
export function digest(algorithm: string): (octets: Uint8Array) => Uint8Array {
  return 'hash' in crypto
    ? (octets) => octetsOf(crypto.hash(algorithm, octets, 'buffer'))
    : (octets) => octetsOf(crypto.createHash(algorithm).update(octets).digest());
}

/** Ports speak `Uint8Array`; a `Buffer` would drag its pool and its other methods along. */
export function octetsOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
