import { derSequenceLength } from '../crypto/rsa-key.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';

export const MODIFIER_LENGTH = 16;
export const PREFIX_LENGTH = 8;
/** §4: values 0, 1 and 2; a third collision ends generation. */
export const MAX_COLLISION_COUNT = 2;
/** Offset of the public key: everything before it has a fixed size. */
export const PUBLIC_KEY_OFFSET = 25;

/**
 * CGA Parameters data structure, RFC 3972 §3.
 *
 *     |          Modifier (16)          |
 *     | Subnet Prefix (8) | Coll.C. (1) |
 *     |      Public Key (variable)      |   DER SubjectPublicKeyInfo, its own length
 *     |   Extension Fields (variable)   |   kept as octets: they are hashed whether understood or not
 */
export interface CgaParameters {
  readonly modifier: Uint8Array;
  readonly subnetPrefix: Uint8Array;
  readonly collisionCount: number;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly extensions: Uint8Array;
}

/** The key only has to be a whole DER SEQUENCE: an HBA key is never interpreted (RFC 5535 §6). */
export function parseCgaParameters(bytes: Uint8Array): Parsed<CgaParameters> {
  const r = new Reader(bytes);
  const modifier = r.octets(MODIFIER_LENGTH);
  const subnetPrefix = r.octets(PREFIX_LENGTH);
  const collisionCount = r.u8();
  if (collisionCount > MAX_COLLISION_COUNT) r.reject('bad-value', PUBLIC_KEY_OFFSET - 1);
  const keyLength = derSequenceLength(bytes.subarray(PUBLIC_KEY_OFFSET));
  if (keyLength === undefined && !r.failed) r.reject('bad-value', PUBLIC_KEY_OFFSET);
  const publicKey = r.octets(keyLength ?? 0);
  const extensions = r.rest();
  return r.finish({ modifier, subnetPrefix, collisionCount, publicKey, extensions });
}

export function cgaParametersLength(parameters: CgaParameters): number {
  return PUBLIC_KEY_OFFSET + parameters.publicKey.length + parameters.extensions.length;
}

export function writeCgaParameters(w: Writer, parameters: CgaParameters): void {
  w.octets(parameters.modifier);
  w.octets(parameters.subnetPrefix);
  w.u8(parameters.collisionCount);
  w.octets(parameters.publicKey);
  w.octets(parameters.extensions);
}

/** The structure as octets: what is hashed, and what the Shim6 CGA PDS option carries. */
export function encodeCgaParameters(parameters: CgaParameters): Uint8Array {
  const w = new Writer(cgaParametersLength(parameters));
  writeCgaParameters(w, parameters);
  return w.finish();
}
