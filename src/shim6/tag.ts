import type { Random } from '../crypto/ports.ts';

/** A Context Tag, RFC 5533 §4.1: 47 bits, exact in a double. */
export type ContextTag = number & { readonly contextTag: true };

/** The whole tag space, 2^47 tags. */
export const TAG_SPACE = 0x8000_0000_0000;

/** The tag with this value; `RangeError` when it needs more than 47 bits. */
export function contextTag(value: number): ContextTag {
  if (!Number.isInteger(value) || value < 0 || value >= TAG_SPACE) throw new RangeError('not a 47-bit context tag');
  return value as ContextTag;
}

/** The tag in a 48-bit field, whose first bit is reserved and ignored on receipt (§5.4). */
export function tagOfField(u48: number): ContextTag {
  return contextTag(u48 % TAG_SPACE);
}

/** A random tag (§7.1 wants 30 random bits, this has 47). A smaller power of two as `space` is for tests (App. C.4). */
export function randomTag(random: Random, space: number = TAG_SPACE): ContextTag {
  let value = 0;
  for (const octet of random(6)) value = value * 256 + octet;
  return contextTag(value % space);
}

/** Twelve lower-case hexadecimal digits. */
export function formatTag(tag: ContextTag): string {
  return tag.toString(16).padStart(12, '0');
}
