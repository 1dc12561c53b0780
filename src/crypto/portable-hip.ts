import { cbc } from '@noble/ciphers/aes.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import { modularPower, toBigInt, toOctets } from './big-integer.ts';
import { DH_GROUPS, modpPublicValue } from './dh-groups.ts';
import { CURVES, commonX, publicPoint, secretFrom } from './elliptic.ts';
import { cshake128, kmac128 } from './keccak.ts';
import { equal } from './portable.ts';
import { RHASH_LENGTH } from './ports.ts';
import type { DhGroup, DhKeyPair, HipCrypto, IdentitySigner, Random } from './ports.ts';
import { ED25519_KEY_LENGTH, SIGNING_CURVES, UNCOMPRESSED } from './public-key.ts';
import type { PublicKey, SigningCurve } from './public-key.ts';
import { modulusBits } from './rsa-key.ts';
import { SALT_LENGTH, encodePss, verifiesPss } from './rsa-pss.ts';

const NO_CUSTOMIZATION = new Uint8Array(0);
const HASHES = { sha1, sha256, sha384 } as const;
const LOW_S = { lowS: false } as const; // RFC 4754 knows no rule about s

/** The `HipCrypto` port without an operating system: slower, repeatable, and written by other people than OpenSSL. */
export function portableHipCrypto(random: Random): HipCrypto {
  return {
    hash: (rhash, octets) =>
      rhash === 'shake128' ? cshake128(octets, RHASH_LENGTH.shake128, NO_CUSTOMIZATION) : HASHES[rhash](octets),
    mac: (rhash, key, octets) =>
      rhash === 'shake128' ? kmac128(key, octets, RHASH_LENGTH.shake128) : hmac(HASHES[rhash], key, octets),
    cshake128,
    encryptCbc: (key, iv, blocks) => cbc(key, iv, { disablePadding: true }).encrypt(wholeBlocks(blocks)),
    decryptCbc: (key, iv, blocks) => cbc(key, iv, { disablePadding: true }).decrypt(wholeBlocks(blocks)),
    dhKeyPair: (group) => dhKeyPair(group, random),
    verify,
    equal,
  };
}

/** A private key in numbers. */
export type PrivateKey =
  | { readonly type: 'ecdsa'; readonly curve: SigningCurve; readonly secret: Uint8Array }
  | { readonly type: 'eddsa'; readonly secret: Uint8Array }
  | {
      readonly type: 'rsa';
      readonly modulus: Uint8Array;
      readonly exponent: Uint8Array;
      readonly privateExponent: Uint8Array;
    };

/** A signer whose elliptic signatures repeat (RFC 6979, RFC 8032); `random` is the salt of RSASSA-PSS. */
export function portableSigner(privateKey: PrivateKey, random: Random): IdentitySigner {
  switch (privateKey.type) {
    case 'ecdsa': {
      const { curve, secret } = privateKey;
      const key = { type: 'ecdsa', curve, point: publicPoint(curve, secret) } as const;
      return { key, sign: (octets) => CURVES[curve].sign(octets, secret, LOW_S) };
    }
    case 'eddsa': {
      const { secret } = privateKey;
      return {
        key: { type: 'eddsa', key: ed25519.getPublicKey(secret) },
        sign: (octets) => ed25519.sign(octets, secret),
      };
    }
    case 'rsa': {
      const { modulus, exponent } = privateKey;
      const n = toBigInt(modulus);
      const d = toBigInt(privateKey.privateExponent);
      const bits = modulusBits(privateKey);
      return {
        key: { type: 'rsa', modulus, exponent },
        sign: (octets) => {
          const encoded = toBigInt(encodePss(octets, random(SALT_LENGTH), bits - 1));
          return toOctets(modularPower(encoded, d, n), Math.ceil(bits / 8));
        },
      };
    }
  }
}

/** A new private key on a curve. */
export function newEcdsaSecret(curve: SigningCurve, random: Random): PrivateKey {
  return { type: 'ecdsa', curve, secret: secretFrom(curve, random) };
}

function dhKeyPair(group: DhGroup, random: Random): DhKeyPair {
  const facts = DH_GROUPS[group];
  if (facts.type === 'ecp') {
    const { curve } = facts;
    const secret = secretFrom(curve, random);
    return {
      group,
      publicValue: publicPoint(curve, secret),
      sharedSecret: (peer) => commonX(curve, secret, peer),
    };
  }
  const { prime, length } = facts;
  const exponent = toBigInt(random(MODP_EXPONENT_LENGTH)) | 1n;
  return {
    group,
    publicValue: toOctets(modularPower(2n, exponent, prime), length),
    sharedSecret(peer) {
      const value = modpPublicValue(prime, length, peer);
      return value === undefined ? undefined : toOctets(modularPower(value, exponent, prime), length);
    },
  };
}

/** RFC 3526 §8: 2 x 130 bits suffice for 3072. */
const MODP_EXPONENT_LENGTH = 36;

function verify(key: PublicKey, octets: Uint8Array, signature: Uint8Array): boolean {
  switch (key.type) {
    case 'rsa': {
      const bits = modulusBits(key);
      const modulus = toBigInt(key.modulus);
      const s = toBigInt(signature);
      if (signature.length !== Math.ceil(bits / 8) || s >= modulus) return false;
      const encoded = modularPower(s, toBigInt(key.exponent), modulus);
      const length = Math.ceil((bits - 1) / 8);
      return encoded >> BigInt(8 * length) === 0n && verifiesPss(octets, toOctets(encoded, length), bits - 1);
    }
    case 'ecdsa': {
      if (signature.length !== 2 * SIGNING_CURVES[key.curve].scalar) return false;
      return accepted(() =>
        CURVES[key.curve].verify(signature, octets, Uint8Array.of(UNCOMPRESSED, ...key.point), LOW_S),
      );
    }
    case 'eddsa':
      if (key.key.length !== ED25519_KEY_LENGTH || signature.length !== 2 * ED25519_KEY_LENGTH) return false;
      return accepted(() => ed25519.verify(signature, octets, key.key, { zip215: false }));
  }
}

/** The library throws at points off the curve, and at r or s out of range. */
function accepted(verification: () => boolean): boolean {
  try {
    return verification();
  } catch {
    return false;
  }
}

function wholeBlocks(octets: Uint8Array): Uint8Array {
  if (octets.length % 16 !== 0) throw new RangeError('AES-CBC takes whole blocks of 16 octets');
  return octets;
}
