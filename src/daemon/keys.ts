import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { formAddress } from '../cga/generate.ts';
import type { Cga } from '../cga/generate.ts';
import { EXTENDED_MODIFIER_LENGTH, hbaExtensions, pseudoKey } from '../cga/hba.ts';
import type { Sec } from '../cga/hash.ts';
import { MODIFIER_LENGTH } from '../cga/parameters.ts';
import { ModifierSearch } from '../cga/search.ts';
import type { ModifierTask } from '../cga/search.ts';
import { MIN_MODULUS_BITS } from '../cga/signature.ts';
import type { Crypto, Signer } from '../crypto/ports.ts';
import { modulusBits, parseRsaPublicKey } from '../crypto/rsa-key.ts';
import { generateRsaKey, nodeCrypto, rsaSigner } from '../node/crypto.ts';
import { LociError } from '../node/error.ts';
import { systemRandom } from '../node/random.ts';
import { fromHex, toHex } from '../wire/hex.ts';
import { formatSubnetPrefix, parseSubnetPrefix } from './prefix.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/**
 * What a host keeps so that it can form its addresses again, for old and for new prefixes: with the Modifier found
 * once, a new prefix costs one hash (RFC 3972 §4).
 */
export interface IdentityKey {
  /** `hba`: the addresses form the set of `prefixes`. With a private key they can sign as well (CGA/HBA). */
  readonly kind: 'cga' | 'hba';
  readonly sec: Sec;
  readonly modifier: Uint8Array;
  /** DER SubjectPublicKeyInfo; of an HBA without a private key the random number in its place. */
  readonly publicKey: Uint8Array;
  /** In the order of the Multi-Prefix extension; empty for a CGA. */
  readonly prefixes: readonly Uint8Array[];
  /** Extension fields of the CGA Parameters. */
  readonly extensions: Uint8Array;
  /** An object of the cryptographic library, which does not show its content when printed. */
  readonly privateKey?: KeyObject;
}

/** Finds a Modifier without blocking the caller. */
export type Search = (task: ModifierTask) => Promise<Uint8Array>;

export interface KeyRequest {
  readonly sec: Sec;
  readonly search: Search;
  /** Length of the RSA key; left out, 2048. */
  readonly bits?: number;
}

/** A new key for CGAs. */
export async function newCgaKey({ sec, search, bits }: KeyRequest): Promise<IdentityKey> {
  const privateKey = await generateRsaKey(bits);
  const { publicKey } = rsaSigner(privateKey);
  const extensions = new Uint8Array(0);
  const modifier = await search({ modifier: systemRandom(MODIFIER_LENGTH), publicKey, extensions, sec });
  return { kind: 'cga', sec, modifier, publicKey, prefixes: [], extensions, privateKey };
}

export interface HbaKeyRequest extends KeyRequest {
  readonly prefixes: readonly Uint8Array[];
  /** Make a CGA/HBA set. */
  readonly withKey: boolean;
}

/** A new HBA set, RFC 5535 §6. */
export async function newHbaKey({ sec, search, bits, prefixes, withKey }: HbaKeyRequest): Promise<IdentityKey> {
  const extensions = hbaExtensions(prefixes, withKey);
  const privateKey = withKey ? await generateRsaKey(bits) : undefined;
  const publicKey =
    privateKey === undefined ? pseudoKey(systemRandom(EXTENDED_MODIFIER_LENGTH)) : rsaSigner(privateKey).publicKey;
  const modifier = await search({ modifier: systemRandom(MODIFIER_LENGTH), publicKey, extensions, sec });
  const key = { kind: 'hba', sec, modifier, publicKey, prefixes, extensions } as const;
  return privateKey === undefined ? key : { ...key, privateKey };
}

/**
 * The address of a key under a prefix. An HBA set without a key has none outside its prefixes: `undefined`. One with
 * a key has, as a CGA.
 */
export function addressOf(
  crypto: Crypto,
  key: IdentityKey,
  subnetPrefix: Uint8Array,
  collisionCount = 0,
): Cga | undefined {
  const { modifier, publicKey, extensions } = key;
  if (key.privateKey === undefined && !isMember(key, subnetPrefix)) return undefined;
  const parameters = { modifier, subnetPrefix, collisionCount, publicKey, extensions };
  return { address: formAddress(crypto, parameters, key.sec), parameters };
}

/** Whether the prefix belongs to the HBA set, so that its address needs no signature. */
export function isMember(key: IdentityKey, prefix: Uint8Array): boolean {
  return key.prefixes.some((member) => toHex(member) === toHex(prefix));
}

/** `undefined` for an HBA set without a key. */
export function signerOf(key: IdentityKey): Signer | undefined {
  return key.privateKey === undefined ? undefined : rsaSigner(key.privateKey);
}

/**
 * The key file: one JSON object.
 *
 *     format      "loci-key"
 *     version     1
 *     kind        "cga" or "hba"
 *     sec         0, 1 or 2
 *     modifier    32 hexadecimal digits
 *     privateKey  PKCS#8 PEM, RSA; an HBA set has this or publicKey
 *     publicKey   hexadecimal DER SubjectPublicKeyInfo: the random number of an HBA set without a key
 *     prefixes    of an HBA set, in the order of the Multi-Prefix extension: ["2001:db8:a:1::/64", …]
 */
const octets = z.string().transform((text, issues) => fromHex(text) ?? issue(issues, 'not hexadecimal'));
const prefix = z.string().transform((text, issues) => parseSubnetPrefix(text) ?? issue(issues, 'not a /64 prefix'));
const common = {
  format: z.literal('loci-key'),
  version: z.literal(1),
  sec: z.literal([0, 1, 2]),
  modifier: octets.refine(({ length }) => length === MODIFIER_LENGTH, 'not 16 octets'),
};
const keyFile = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, kind: z.literal('cga'), privateKey: z.string() }),
  z.strictObject({
    ...common,
    kind: z.literal('hba'),
    privateKey: z.string().optional(),
    publicKey: octets.optional(),
    prefixes: z.array(prefix).min(1),
  }),
]);

function issue(issues: z.RefinementCtx, message: string): never {
  issues.addIssue(message);
  return z.NEVER;
}

/** Write a key file, mode 0600, whole or not at all. */
export function writeKeyFile(file: string, key: IdentityKey, options: { readonly force?: boolean } = {}): void {
  const document = {
    format: 'loci-key',
    version: 1,
    kind: key.kind,
    sec: key.sec,
    modifier: toHex(key.modifier),
    ...(key.privateKey === undefined
      ? { publicKey: toHex(key.publicKey) }
      : { privateKey: key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }),
    ...(key.kind === 'hba' ? { prefixes: key.prefixes.map(formatSubnetPrefix) } : {}),
  };
  writePrivateFile(file, `${JSON.stringify(document, undefined, 2)}\n`, options.force === true);
}

/** Read and check a key file. Errors name the file and the field, never what it holds. */
export function readKeyFile(file: string): IdentityKey {
  const document = keyFileJson(readPrivateFile(file), file);
  const parsed = keyFile.safeParse(document);
  if (!parsed.success) {
    if (isForHip(document)) throw malformedKeyFile(file, 'the key file is for HIP, not for addresses');
    throw keyFileFault(parsed.error, file);
  }
  const stored = parsed.data;
  const prefixes = stored.kind === 'hba' ? stored.prefixes : [];
  const privateKey = stored.privateKey === undefined ? undefined : privateKeyOf(stored.privateKey, file);
  const given = stored.kind === 'hba' ? stored.publicKey : undefined;
  const publicKey = privateKey === undefined ? given : rsaSigner(privateKey).publicKey;
  if (publicKey === undefined || (privateKey !== undefined && given !== undefined)) {
    throw malformedKeyFile(file, 'the key file needs either "privateKey" or "publicKey"');
  }
  const key = {
    kind: stored.kind,
    sec: stored.sec,
    modifier: stored.modifier,
    publicKey,
    prefixes,
    extensions: stored.kind === 'hba' ? hbaExtensions(prefixes, privateKey !== undefined) : new Uint8Array(0),
  };
  if (!parseRsaPublicKey(publicKey).ok) throw malformedKeyFile(file, 'the key file is malformed in "publicKey"');
  if (new ModifierSearch(nodeCrypto, key).step(1) === undefined) {
    throw malformedKeyFile(
      file,
      `the Modifier in the key file does not satisfy Sec ${String(key.sec)}; make a new key`,
    );
  }
  return privateKey === undefined ? key : { ...key, privateKey };
}

/** The parser's own message would quote the text, that is, the key. */
export function keyFileJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedKeyFile(file, 'the key file is not JSON');
  }
}

/** Which field of a key file is wrong. */
export function keyFileFault({ issues: [first] }: z.ZodError, file: string): LociError {
  const field = first === undefined || first.path.length === 0 ? '' : ` in "${first.path.join('.')}"`;
  return malformedKeyFile(file, `the key file is malformed${field}`);
}

function isForHip(document: unknown): boolean {
  return z.looseObject({ format: z.literal('loci-key'), kind: z.literal('hip') }).safeParse(document).success;
}

/** The private key in the PEM of a key file. */
export function storedPrivateKey(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw malformedKeyFile(file, 'the key file is malformed in "privateKey"');
  }
}

function privateKeyOf(pem: string, file: string): KeyObject {
  const key = storedPrivateKey(pem, file);
  if (key.asymmetricKeyType !== 'rsa') throw malformedKeyFile(file, 'the private key in the key file is not RSA');
  const parsed = parseRsaPublicKey(rsaSigner(key).publicKey);
  if (!parsed.ok || modulusBits(parsed.value) < MIN_MODULUS_BITS) {
    const least = String(MIN_MODULUS_BITS); // RFC 5533 §16
    throw malformedKeyFile(file, `the private key in the key file has less than ${least} bits`);
  }
  return key;
}

export function malformedKeyFile(file: string, message: string): LociError {
  return new LociError('key', message, { file });
}
