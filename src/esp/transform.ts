import { cbc, cmac, ctr, gcm } from '@noble/ciphers/aes.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { portableCrypto } from '../crypto/portable.ts';
import { Writer } from '../wire/writer.ts';
import { HEADER_LENGTH } from './suites.ts';
import type { Suite } from './suites.ts';

/** The keys of one direction, RFC 7402 §7, as long as the suite wants them. */
export interface SaKeys {
  /** The salt of GCM and CCM is its end. */
  readonly encryption: Uint8Array;
  readonly authentication: Uint8Array;
}

/** What a packet is bound to besides its octets. */
export interface Binding {
  readonly spi: number;
  readonly sequence: bigint;
  /** RFC 4303 §2.2.1; false only for peers that authenticate 32-bit numbers. */
  readonly isExtended: boolean;
}

/**
 * One packet protected, RFC 4303 §3.3; `plaintext` ends with padding, Pad Length and Next Header.
 *
 *     0                 4                 8
 *   +-----------------+-----------------+------+--------------------------------------------+-------+
 *   |       SPI       |  Sequence (low) |  IV  |  payload | padding | Pad Length | Next Hdr |  ICV  |
 */
export function protect(
  suite: Suite,
  keys: SaKeys,
  binding: Binding,
  iv: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const { ciphertext, tag } = encrypt(suite, keys, binding, iv, plaintext);
  const w = new Writer(HEADER_LENGTH + iv.length + ciphertext.length + suite.icvLength);
  w.u32(binding.spi);
  w.u32(Number(BigInt.asUintN(32, binding.sequence)));
  w.octets(iv);
  w.octets(ciphertext);
  const icv = tag ?? integrity(suite, keys, binding, w.bytes.subarray(0, w.at));
  w.octets(icv.subarray(0, suite.icvLength));
  return w.finish();
}

/** The plaintext of a packet, `undefined` unless its ICV is right for this number (RFC 4303 §3.4.4). */
export function unprotect(suite: Suite, keys: SaKeys, binding: Binding, packet: Uint8Array): Uint8Array | undefined {
  const end = packet.length - suite.icvLength;
  const start = HEADER_LENGTH + suite.ivLength;
  if (end < start || (end - start) % (suite.protection === 'cbc-hmac' ? 16 : 1) !== 0) return undefined;
  const iv = packet.subarray(HEADER_LENGTH, start);
  const ciphertext = packet.subarray(start, end);
  const decrypted = decrypt(suite, keys, binding, iv, ciphertext);
  const icv = decrypted.tag ?? integrity(suite, keys, binding, packet.subarray(0, end));
  return portableCrypto.equal(icv.subarray(0, suite.icvLength), packet.subarray(end)) ? decrypted.plaintext : undefined;
}

function encrypt(
  suite: Suite,
  keys: SaKeys,
  binding: Binding,
  iv: Uint8Array,
  plaintext: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tag?: Uint8Array } {
  const { key, salt } = split(suite, keys);
  const nonce = Uint8Array.of(...salt, ...iv);
  switch (suite.protection) {
    case 'null-hmac':
    case 'cmac':
      return { ciphertext: plaintext };
    case 'cbc-hmac':
      return { ciphertext: cbc(key, iv, { disablePadding: true }).encrypt(plaintext) };
    case 'gcm':
      return gcmSeal(key, nonce, associated(binding), plaintext);
    case 'gmac': {
      // RFC 4543 §3.3 and its Figure 4: everything is associated, the IV as well
      const { tag } = gcmSeal(key, nonce, Uint8Array.of(...associated(binding), ...iv, ...plaintext), NOTHING);
      return { ciphertext: plaintext, tag };
    }
    case 'ccm':
      return {
        ciphertext: ctr(key, ccmCounter(nonce, 1)).encrypt(plaintext),
        tag: ccmTag(key, nonce, associated(binding), plaintext, suite.icvLength),
      };
  }
}

function decrypt(
  suite: Suite,
  keys: SaKeys,
  binding: Binding,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): { readonly plaintext: Uint8Array; readonly tag?: Uint8Array } {
  const { key, salt } = split(suite, keys);
  const nonce = Uint8Array.of(...salt, ...iv);
  switch (suite.protection) {
    case 'null-hmac':
    case 'cmac':
      return { plaintext: ciphertext.slice() };
    case 'cbc-hmac':
      return { plaintext: cbc(key, iv, { disablePadding: true }).decrypt(ciphertext) };
    case 'gcm': {
      // the library knows only whole tags: decrypt, and see which tag sealing would have given
      const plaintext = ctr(key, Uint8Array.of(...nonce, 0, 0, 0, 2)).decrypt(ciphertext);
      return { plaintext, tag: gcmSeal(key, nonce, associated(binding), plaintext).tag };
    }
    case 'gmac': {
      const { tag } = gcmSeal(key, nonce, Uint8Array.of(...associated(binding), ...iv, ...ciphertext), NOTHING);
      return { plaintext: ciphertext.slice(), tag };
    }
    case 'ccm': {
      const plaintext = ctr(key, ccmCounter(nonce, 1)).decrypt(ciphertext);
      return { plaintext, tag: ccmTag(key, nonce, associated(binding), plaintext, suite.icvLength) };
    }
  }
}

const NOTHING = new Uint8Array(0);
const BLOCK = 16;
const GCM_TAG = 16;

function split(suite: Suite, { encryption }: SaKeys): { readonly key: Uint8Array; readonly salt: Uint8Array } {
  const at = suite.encryptionKeyLength - suite.saltLength;
  return { key: encryption.subarray(0, at), salt: encryption.subarray(at) };
}

/** RFC 4303 §2.2.1: of separate algorithms the ICV covers the packet and behind it the high half, which is not sent. */
function integrity(suite: Suite, keys: SaKeys, { sequence, isExtended }: Binding, octets: Uint8Array): Uint8Array {
  const w = new Writer(octets.length + (isExtended ? 4 : 0));
  w.octets(octets);
  if (isExtended) w.u32(Number(sequence >> 32n));
  const covered = w.finish();
  if (suite.protection === 'cmac') return cmac(covered, keys.authentication);
  return hmac(suite.hash === 'SHA-1' ? sha1 : sha256, keys.authentication, covered);
}

/** RFC 4106 §5, RFC 4309 §5: SPI and the whole sequence number. */
function associated({ spi, sequence, isExtended }: Binding): Uint8Array {
  const w = new Writer(isExtended ? 12 : 8);
  w.u32(spi);
  if (isExtended) w.u32(Number(sequence >> 32n));
  w.u32(Number(BigInt.asUintN(32, sequence)));
  return w.finish();
}

function gcmSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tag: Uint8Array } {
  const sealed = gcm(key, nonce, aad).encrypt(plaintext);
  const at = sealed.length - GCM_TAG;
  return { ciphertext: sealed.subarray(0, at), tag: sealed.subarray(at) };
}

/** RFC 3610 §2.3 with L = 4: flags, nonce of 11 octets, counter. */
function ccmCounter(nonce: Uint8Array, counter: number): Uint8Array {
  return Uint8Array.of(3, ...nonce, 0, 0, 0, counter);
}

/** RFC 3610 §2.2 and §2.3: CBC-MAC over B_0, the associated octets and the plaintext, encrypted with counter 0. */
function ccmTag(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  tagLength: number,
): Uint8Array {
  const aadEnd = BLOCK + Math.ceil((2 + aad.length) / BLOCK) * BLOCK;
  const blocks = new Uint8Array(aadEnd + Math.ceil(plaintext.length / BLOCK) * BLOCK);
  const w = new Writer(BLOCK + 2);
  w.u8(0x40 | (((tagLength - 2) / 2) << 3) | 3); // Adata, M', L'
  w.octets(nonce);
  w.u32(plaintext.length);
  w.u16(aad.length);
  blocks.set(w.finish());
  blocks.set(aad, BLOCK + 2);
  blocks.set(plaintext, aadEnd);
  const mac = cbc(key, new Uint8Array(BLOCK), { disablePadding: true }).encrypt(blocks).subarray(-BLOCK);
  return ctr(key, ccmCounter(nonce, 0)).encrypt(mac);
}
