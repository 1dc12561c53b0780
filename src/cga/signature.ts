import type { Crypto, Signer } from '../crypto/ports.ts';
import { modulusBits, parseRsaPublicKey } from '../crypto/rsa-key.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { Writer } from '../wire/writer.ts';
import { findMultiPrefix } from './extensions.ts';
import { parseCgaParameters } from './parameters.ts';
import { failed, verifyCga } from './verify.ts';
import type { CgaFailure, CgaVerification, Verdict } from './verify.ts';

/** The CGA message type tag of Shim6, RFC 5533 §5.15.5. */
export const SHIM6_TYPE_TAG: Uint8Array = new Uint8Array([
  0x4a, 0x30, 0x56, 0x62, 0x48, 0x58, 0x57, 0x4b, 0x36, 0x55, 0x41, 0x6f, 0x50, 0x6a, 0x6d, 0x48,
]);

/** RFC 5533 §16: keys of CGAs used with Shim6 are at least this long. */
export const MIN_MODULUS_BITS = 1024;

/**
 * What a Shim6 CGA signature covers, RFC 5533 §5.15.5: type tag, Locator List Generation, and the locators whose
 * method is CGA, in the order of the list.
 */
export function signedOctets(generation: number, locators: readonly Address[]): Uint8Array {
  const w = new Writer(SHIM6_TYPE_TAG.length + 4 + locators.length * ADDRESS_LENGTH);
  w.octets(SHIM6_TYPE_TAG);
  w.u32(generation);
  for (const locator of locators) w.octets(locator);
  return w.finish();
}

/** RFC 3972 §6: RSASSA-PKCS1-v1_5 with SHA-1 over tag and message. */
export function signLocators(signer: Signer, generation: number, locators: readonly Address[]): Uint8Array {
  return signer.sign(signedOctets(generation, locators));
}

export type KeyFailure =
  | 'malformed' // no key where it should be
  | 'hba-only' // P=0: a random number stands where a key would (RFC 5535 §5)
  | 'not-rsa'
  | 'short-key'; // RFC 5533 §16

/** Can these parameters back the verification method CGA at all? If not, a list that claims it contradicts them. */
export function verifySigningKey(parameters: Uint8Array): Verdict<KeyFailure> {
  const parsed = parseCgaParameters(parameters);
  if (!parsed.ok) return failed('malformed');
  const multiPrefix = findMultiPrefix(parsed.value.extensions);
  if (multiPrefix !== undefined && !multiPrefix.hasPublicKey) return failed('hba-only');
  const key = parseRsaPublicKey(parsed.value.publicKey);
  if (!key.ok) return failed('not-rsa');
  return modulusBits(key.value) < MIN_MODULUS_BITS ? failed('short-key') : { valid: true };
}

export interface SignedLocators {
  readonly ulid: Address;
  /** The CGA Parameters data structure of the ULID, as received. */
  readonly parameters: Uint8Array;
  readonly generation: number;
  /** Those with method CGA, in list order. */
  readonly locators: readonly Address[];
  readonly signature: Uint8Array;
}

export type SignatureFailure = CgaFailure | KeyFailure | 'bad-signature';

/** RFC 3972 §6: accepted only if the ULID is the CGA of these parameters and the signature is one of their key. */
export function verifyLocators(
  crypto: Crypto,
  signed: SignedLocators,
  options: CgaVerification = {},
): Verdict<SignatureFailure> {
  const cga = verifyCga(crypto, signed.ulid, signed.parameters, options);
  if (!cga.valid) return cga;
  const key = verifySigningKey(signed.parameters);
  if (!key.valid) return key;
  const parsed = parseCgaParameters(signed.parameters);
  if (!parsed.ok) return failed('malformed');
  const octets = signedOctets(signed.generation, signed.locators);
  const genuine = crypto.verifyRsaSha1(parsed.value.publicKey, octets, signed.signature);
  return genuine ? { valid: true } : failed('bad-signature');
}
