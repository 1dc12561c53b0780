import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { modulusBits } from '../crypto/rsa-key.ts';
import { isAuthority } from '../hip/det.ts';
import type { DetDomain } from '../hip/det.ts';
import { parseHostsFile } from '../hip/hosts-file.ts';
import type { HipHost } from '../hip/hosts-file.ts';
import { ownIdentity } from '../hip/orchid.ts';
import type { OwnIdentity } from '../hip/orchid.ts';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import { generateIdentityKey, identitySigner, nodeHipCrypto } from '../node/hip-crypto.ts';
import type { IdentityKind } from '../node/hip-crypto.ts';
import { keyFileFault, keyFileJson, malformedKeyFile, storedPrivateKey } from './keys.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** RFC 7401 §5.2.9: at least 112 bits of strength, which RSA has from here on (SP 800-57). */
export const MIN_HIP_RSA_BITS = 2048;

/** The private key of a Host Identity. */
export interface HipKey {
  /** An object of the cryptographic library, which does not show its content when printed. */
  readonly privateKey: KeyObject;
  /** Of an Ed25519 key that goes by a DET (RFC 9374) instead of a HIT. */
  readonly domain?: DetDomain;
}

/** A new key; `bits` counts for RSA alone. */
export async function newHipKey(kind: IdentityKind, bits?: number, domain?: DetDomain): Promise<HipKey> {
  const privateKey = await generateIdentityKey(kind, bits);
  return domain === undefined ? { privateKey } : { privateKey, domain };
}

/** The Host Identity of a key, its HIT or DET, and what signs for it. */
export function ownIdentityOf({ privateKey, domain }: HipKey): OwnIdentity {
  return ownIdentity(nodeHipCrypto, identitySigner(privateKey), domain);
}

/**
 * The key file: one JSON object.
 *
 *     format      "loci-key"
 *     version     1
 *     kind        "hip"
 *     privateKey  PKCS#8 PEM: RSA, ECDSA on P-256, P-384 or SECP160R1, Ed25519
 *     det         of an Ed25519 key with a DET: {"raa": 10, "hda": 20}
 */
const authority = z.number().refine(isAuthority, 'not of 14 bits');
const hipKeyFile = z.strictObject({
  format: z.literal('loci-key'),
  version: z.literal(1),
  kind: z.literal('hip'),
  privateKey: z.string(),
  det: z.strictObject({ raa: authority, hda: authority }).optional(),
});

/** Write a key file, mode 0600, whole or not at all. */
export function writeHipKeyFile(file: string, key: HipKey, options: { readonly force?: boolean } = {}): void {
  const document = {
    format: 'loci-key',
    version: 1,
    kind: 'hip',
    privateKey: key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    ...(key.domain === undefined ? {} : { det: key.domain }),
  };
  writePrivateFile(file, `${JSON.stringify(document, undefined, 2)}\n`, options.force === true);
}

/** Read and check a key file. Errors name the file and the field, never what it holds. */
export function readHipKeyFile(file: string): HipKey {
  const document = keyFileJson(readPrivateFile(file), file);
  const parsed = hipKeyFile.safeParse(document);
  if (!parsed.success) throw wrongKind(document, file) ?? keyFileFault(parsed.error, file);
  const privateKey = storedPrivateKey(parsed.data.privateKey, file);
  const key = parsed.data.det === undefined ? { privateKey } : { privateKey, domain: parsed.data.det };
  const { type } = signerKey(privateKey, file);
  if (key.domain !== undefined && type !== 'eddsa') {
    throw malformedKeyFile(file, 'the key file has "det", but only Ed25519 keys have DETs');
  }
  return key;
}

function signerKey(privateKey: KeyObject, file: string): OwnIdentity['identity']['key'] {
  let key: OwnIdentity['identity']['key'];
  try {
    key = identitySigner(privateKey).key;
  } catch {
    const kinds = 'RSA, ECDSA on P-256, P-384 or SECP160R1, or Ed25519';
    throw malformedKeyFile(file, `the private key in the key file is not of a kind that HIP has: ${kinds}`);
  }
  if (key.type === 'rsa' && modulusBits(key) < MIN_HIP_RSA_BITS) {
    throw malformedKeyFile(file, `the RSA key in the key file has less than ${String(MIN_HIP_RSA_BITS)} bits`);
  }
  return key;
}

/** A key file that is fine in itself, but for the addresses of Shim6. */
function wrongKind(document: unknown, file: string): LociError | undefined {
  const other = z.looseObject({ format: z.literal('loci-key'), kind: z.enum(['cga', 'hba']) }).safeParse(document);
  if (!other.success) return undefined;
  const { kind } = other.data;
  return malformedKeyFile(file, `the key file is for addresses (${kind}), not for HIP; make one with loci keygen hip`);
}

/** The peers of a hosts file. One that is not there has none. */
export function readHostsFile(file: string): readonly HipHost[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw new LociError('config', `cannot read the hosts file: ${messageOf(cause)}`, { file, cause });
  }
  const parsed = parseHostsFile(text);
  if (!parsed.ok) throw new LociError('config', parsed.problem, { file, line: parsed.line });
  return parsed.hosts;
}
