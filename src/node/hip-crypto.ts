import crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { DH_GROUPS, modpPublicValue } from '../crypto/dh-groups.ts';
import type { DhCurve } from '../crypto/dh-groups.ts';
import { cshake128, kmac128 } from '../crypto/keccak.ts';
import { RHASH_LENGTH } from '../crypto/ports.ts';
import type { DhGroup, DhKeyPair, HipCrypto, IdentitySigner } from '../crypto/ports.ts';
import { ED25519_KEY_LENGTH, SIGNING_CURVES, UNCOMPRESSED, encodePublicKey } from '../crypto/public-key.ts';
import type { PublicKey, SigningCurve } from '../crypto/public-key.ts';
import { parseRsaPublicKey } from '../crypto/rsa-key.ts';
import { SALT_LENGTH } from '../crypto/rsa-pss.ts';
import { sameOctets } from '../wire/address.ts';
import { digest, nodeCrypto, octetsOf } from './crypto.ts';
import { KeyCache } from './key-cache.ts';

const HASHES = { sha1: digest('sha1'), sha256: digest('sha256'), sha384: digest('sha384') } as const;
const NO_CUSTOMIZATION = new Uint8Array(0);

/** The `HipCrypto` port on the OpenSSL inside Node. */
export const nodeHipCrypto: HipCrypto = {
  hash: (rhash, octets) =>
    rhash === 'shake128' ? cshake128(octets, RHASH_LENGTH.shake128, NO_CUSTOMIZATION) : HASHES[rhash](octets),
  mac: (rhash, key, octets) =>
    rhash === 'shake128'
      ? kmac128(key, octets, RHASH_LENGTH.shake128)
      : octetsOf(crypto.createHmac(rhash, key).update(octets).digest()),
  cshake128,
  encryptCbc: (key, iv, blocks) => cbc(crypto.createCipheriv(cbcName(key), key, iv), blocks),
  decryptCbc: (key, iv, blocks) => cbc(crypto.createDecipheriv(cbcName(key), key, iv), blocks),
  dhKeyPair,
  verify,
  equal: nodeCrypto.equal,
};

/** OpenSSL's names where Node wants them. */
const CURVE_NAMES: Readonly<Record<DhCurve, string>> = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
  secp160r1: 'secp160r1',
};

function cbcName(key: Uint8Array): string {
  return key.length === 32 ? 'aes-256-cbc' : 'aes-128-cbc';
}

function cbc(cipher: crypto.Cipher | crypto.Decipher, blocks: Uint8Array): Uint8Array {
  if (blocks.length % 16 !== 0) throw new RangeError('AES-CBC takes whole blocks of 16 octets');
  return octetsOf(cipher.setAutoPadding(false).update(blocks)); // whole blocks: `final` has nothing to add
}

function dhKeyPair(group: DhGroup): DhKeyPair {
  const facts = DH_GROUPS[group];
  return facts.type === 'ecp'
    ? ecpKeyPair(group, facts.curve, facts.length)
    : modpKeyPair(group, facts.prime, facts.length);
}

function ecpKeyPair(group: DhGroup, curve: DhCurve, length: number): DhKeyPair {
  const pair = crypto.createECDH(CURVE_NAMES[curve]);
  const publicValue = octetsOf(pair.generateKeys()).slice(1);
  return {
    group,
    publicValue,
    sharedSecret(peer) {
      if (peer.length !== 2 * length) return undefined;
      try {
        return octetsOf(pair.computeSecret(Uint8Array.of(UNCOMPRESSED, ...peer)));
      } catch {
        return undefined; // the only thing that can be wrong: not on the curve (RFC 5903 §8)
      }
    },
  };
}

const MODP_NAMES = new Map<DhGroup, string>([
  [3, 'modp5'],
  [4, 'modp15'],
]);

function modpKeyPair(group: DhGroup, prime: bigint, length: number): DhKeyPair {
  const pair = crypto.getDiffieHellman(MODP_NAMES.get(group) ?? '');
  const publicValue = leftPadded(octetsOf(pair.generateKeys()), length);
  return {
    group,
    publicValue,
    sharedSecret(peer) {
      if (modpPublicValue(prime, length, peer) === undefined) return undefined;
      return leftPadded(octetsOf(pair.computeSecret(peer)), length);
    },
  };
}

function leftPadded(octets: Uint8Array, length: number): Uint8Array {
  const padded = new Uint8Array(length);
  padded.set(octets, length - octets.length);
  return padded;
}

const rsaKeys = new KeyCache((publicKey) => parseRsaPublicKey(publicKey).ok);
/** `encodePublicKey` wrote them; points off the curve are refused on import. */
const curveKeys = new KeyCache(() => true);

function verify(key: PublicKey, octets: Uint8Array, signature: Uint8Array): boolean {
  const imported = importedKey(key);
  if (imported === undefined) return false;
  switch (key.type) {
    case 'rsa':
      return crypto.verify('sha256', octets, pss(imported, crypto.constants.RSA_PSS_SALTLEN_AUTO), signature);
    case 'ecdsa': {
      const { hash, scalar } = SIGNING_CURVES[key.curve];
      if (signature.length !== 2 * scalar) return false;
      return crypto.verify(hash, octets, { key: imported, dsaEncoding: 'ieee-p1363' }, signature);
    }
    case 'eddsa':
      return crypto.verify(undefined, octets, imported, signature);
  }
}

function importedKey(key: PublicKey): KeyObject | undefined {
  if (key.type === 'rsa') return rsaKeys.imported(encodePublicKey(key));
  const length = key.type === 'eddsa' ? key.key.length : key.point.length;
  const wanted = key.type === 'eddsa' ? ED25519_KEY_LENGTH : 2 * SIGNING_CURVES[key.curve].field;
  if (length !== wanted) return undefined;
  try {
    return curveKeys.imported(encodePublicKey(key));
  } catch {
    return undefined; // a point that is not on its curve
  }
}

function pss(key: KeyObject, saltLength: number): crypto.SignKeyObjectInput {
  return { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/** What a Host Identity can be made of: `ed25519` only where suite 5 of RFC 9374 is asked for. */
export type IdentityKind = 'rsa' | SigningCurve | 'ed25519';

/** A new private key for a Host Identity, made in a thread of the pool. `bits` counts for RSA alone. */
export function generateIdentityKey(kind: IdentityKind, bits = 2048): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) resolve(privateKey);
      else reject(error);
    };
    if (kind === 'rsa') {
      crypto.generateKeyPair('rsa', { modulusLength: bits, publicExponent: 0x1_0001 }, done);
    } else if (kind === 'ed25519') {
      crypto.generateKeyPair('ed25519', undefined, done);
    } else {
      crypto.generateKeyPair('ec', { namedCurve: CURVE_NAMES[kind] }, done);
    }
  });
}

/** A signer over a private key; `TypeError` when it is of a kind that no Host Identity has. */
export function identitySigner(privateKey: string | KeyObject): IdentitySigner {
  const imported = typeof privateKey === 'string' ? crypto.createPrivateKey(privateKey) : privateKey;
  if (imported.type !== 'private') throw new TypeError('not a private key');
  const key = publicKeyOf(imported);
  switch (key.type) {
    case 'rsa':
      return { key, sign: (octets) => octetsOf(crypto.sign('sha256', octets, pss(imported, SALT_LENGTH))) };
    case 'ecdsa': {
      const { hash } = SIGNING_CURVES[key.curve];
      const options = { key: imported, dsaEncoding: 'ieee-p1363' } as const;
      return { key, sign: (octets) => octetsOf(crypto.sign(hash, octets, options)) };
    }
    case 'eddsa':
      return { key, sign: (octets) => octetsOf(crypto.sign(undefined, octets, imported)) };
  }
}

function publicKeyOf(privateKey: KeyObject): PublicKey {
  const der = octetsOf(crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
  if (privateKey.asymmetricKeyType === 'rsa') {
    const parsed = parseRsaPublicKey(der);
    if (parsed.ok) return { type: 'rsa', ...parsed.value };
  }
  if (privateKey.asymmetricKeyType === 'ed25519') return { type: 'eddsa', key: der.slice(-ED25519_KEY_LENGTH) };
  const curve = CURVE_KINDS.get(privateKey.asymmetricKeyDetails?.namedCurve ?? '');
  if (curve !== undefined) {
    const key = { type: 'ecdsa', curve, point: der.slice(-2 * SIGNING_CURVES[curve].field) } as const;
    if (sameOctets(encodePublicKey(key), der)) return key; // not a compressed point
  }
  throw new TypeError('not a private key for a Host Identity');
}

const CURVE_KINDS = new Map<string, SigningCurve>([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp160r1', 'secp160r1'],
]);
