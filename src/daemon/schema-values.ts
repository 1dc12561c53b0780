import { z } from 'zod';

/** An integer from `from` to `to`. */
export function integer(from: number, to: number): z.ZodInt {
  const error = `must be an integer from ${String(from)} to ${String(to)}`;
  return z.int({ error }).min(from, { error }).max(to, { error });
}

/** Text of a form, or `error`. */
export function text(pattern: RegExp, error: string): z.ZodString {
  return z.string({ error }).regex(pattern, { error });
}

/** What is said of what should be a table. */
export const tableText: { readonly error: string } = { error: 'must be a table' };
/** What is said of what should be a list. */
export const list: string = 'must be a list';
export const path: z.ZodString = text(/^\/[^\0]+$/, 'must be an absolute path');
