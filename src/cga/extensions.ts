import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { PREFIX_LENGTH } from './parameters.ts';

/** RFC 5535 §5. */
export const MULTI_PREFIX = 0x0012;

/** CGA extension field, RFC 4581 §2: 16-bit type, 16-bit length of the data, data; no padding. */
export interface CgaExtension {
  readonly type: number;
  readonly body: Uint8Array;
}

const HEADER_LENGTH = 4;

export function parseExtensions(bytes: Uint8Array): Parsed<CgaExtension[]> {
  const r = new Reader(bytes);
  const extensions: CgaExtension[] = [];
  while (r.left > 0) {
    const type = r.u16();
    extensions.push({ type, body: r.octets(r.u16()) });
  }
  return r.finish(extensions);
}

export function extensionsLength(extensions: readonly CgaExtension[]): number {
  return extensions.reduce((sum, extension) => sum + HEADER_LENGTH + extension.body.length, 0);
}

export function writeExtensions(w: Writer, extensions: readonly CgaExtension[]): void {
  for (const { type, body } of extensions) {
    w.u16(type);
    w.u16(body.length);
    w.octets(body);
  }
}

/**
 * Multi-Prefix extension, RFC 5535 §5, with its header.
 *
 *   +---------------+---------------+
 *   |    0x0012     | Length = 4+8n |
 *   +-+-------------+---------------+
 *   |P|        Reserved (31)        |
 *   +-+-----------------------------+
 *   |    Prefix[1 .. n], 8 each     |
 */
export interface MultiPrefix {
  /** P: the parameters hold a real public key, not a random number in its place. */
  readonly hasPublicKey: boolean;
  readonly prefixes: readonly Uint8Array[];
}

const P = 0x8000_0000;

/** From the data of the extension. */
export function parseMultiPrefix(body: Uint8Array): Parsed<MultiPrefix> {
  const r = new Reader(body);
  const flags = r.u32(); // §5: the reserved bits are ignored on receipt
  const count = Math.floor(r.left / PREFIX_LENGTH);
  if (count === 0) r.reject('bad-length', r.at);
  const prefixes = r.list(count, () => r.octets(PREFIX_LENGTH));
  return r.finish({ hasPublicKey: flags >= P, prefixes });
}

export function multiPrefixLength(extension: MultiPrefix): number {
  return HEADER_LENGTH + 4 + extension.prefixes.length * PREFIX_LENGTH;
}

export function writeMultiPrefix(w: Writer, extension: MultiPrefix): void {
  w.u16(MULTI_PREFIX);
  w.u16(multiPrefixLength(extension) - HEADER_LENGTH);
  w.u32(extension.hasPublicKey ? P : 0); // §5: reserved bits are zero
  for (const prefix of extension.prefixes) w.octets(prefix);
}

/**
 * The Multi-Prefix extension among extension octets. Octets that are no TLVs, a malformed extension or two of them
 * count as none at all: RFC 5535 leaves these cases open, and a set must be unambiguous.
 */
export function findMultiPrefix(extensions: Uint8Array): MultiPrefix | undefined {
  const parsed = parseExtensions(extensions);
  if (!parsed.ok) return undefined;
  const [only, second] = parsed.value.filter(({ type }) => type === MULTI_PREFIX);
  if (only === undefined || second !== undefined) return undefined;
  const multiPrefix = parseMultiPrefix(only.body);
  return multiPrefix.ok ? multiPrefix.value : undefined;
}
