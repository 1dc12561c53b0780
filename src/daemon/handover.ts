import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { NO_WISHES } from '../host/wish.ts';
import type { RememberedContext } from '../host/wish.ts';
import { LociError, errorText } from '../node/error.ts';
import { contextTag, TAG_SPACE } from '../shim6/tag.ts';
import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { fromHex, toHex } from '../wire/hex.ts';
import type { Log } from './log.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import type { PrivateKind } from './private-file.ts';

/** What a daemon that ends leaves for the one that starts next. */
export interface Handover {
  readonly contexts: readonly RememberedContext[];
  /** Addresses of this host that had passed duplicate address detection. */
  readonly identifiers: readonly Address[];
}

export const NO_HANDOVER: Handover = { contexts: [], identifiers: [] };

/** Peers forget contexts, and other hosts take addresses: what is older is worth nothing. */
const FRESH_MS = 60_000;

const HANDOVER: PrivateKind = { code: 'handover', name: 'handover file', maxLength: 256 * 1024 * 1024 };

const octets = z.string().transform((text, context) => {
  const value = fromHex(text);
  if (value === undefined) context.addIssue({ code: 'custom', message: 'must be hexadecimal digits' });
  return value ?? new Uint8Array(0);
});
const address = octets.refine((value) => value.length === ADDRESS_LENGTH, { error: 'must be an address' });
const pair = z.object({ local: address, peer: address });
const u32 = z.int().min(0).max(0xffff_ffff);
const tag = z
  .int()
  .min(0)
  .max(TAG_SPACE - 1)
  .transform(contextTag);
const preference = z.object({
  broken: z.boolean(),
  transient: z.boolean(),
  priority: z.int().min(0).max(255),
  weight: z.int().min(0).max(255),
});
const peerLocator = preference.extend({ address, method: z.enum(['hba', 'cga', 'ulid']) });
const list = z.object({
  generation: u32,
  locators: z.array(z.object({ address, method: z.int().min(0).max(255) })),
  signature: orNothing(octets),
});
const peer = z.object({
  contextTag: tag,
  locators: z.object({ generation: orNothing(u32), listed: z.array(peerLocator), unlisted: z.array(peerLocator) }),
  parameters: orNothing(octets),
  responderNonce: u32,
  initiatorNonce: orNothing(u32),
  detectionMs: orNothing(z.int().min(1).max(65_535)),
  keepaliveTimeoutSeconds: orNothing(z.int().min(0).max(65_535)),
  lastRequest: orNothing(u32),
  oldRequests: z.array(u32),
});
const file = z.object({
  boot: z.string(),
  at: z.number(),
  identifiers: z.array(address),
  contexts: z.array(
    z.object({
      ulids: pair,
      forkedInstanceId: u32,
      tag,
      pair,
      parameters: orNothing(octets),
      peer,
      wishes: z.object({ preferred: orNothing(pair), standby: z.boolean() }).default(NO_WISHES),
      told: z.array(z.object({ list: orNothing(list), preferences: z.array(preference) })),
    }),
  ),
});

/** A key that may be missing in the file, and is always there in the value. */
function orNothing<Schema extends z.ZodType>(
  schema: Schema,
): z.ZodPipe<z.ZodOptional<Schema>, z.ZodTransform<z.output<Schema> | undefined, z.output<Schema> | undefined>> {
  return schema.optional().transform((value: z.output<Schema> | undefined) => value);
}

/** Writes what the next daemon may go on with; only its owner can read it, since tags let anybody inject packets. */
export function writeHandover(path: string, handover: Handover): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ boot: bootId(), at: Date.now(), ...handover }, (_key, value: unknown) =>
    value instanceof Uint8Array ? toHex(value) : value,
  );
  writePrivateFile(path, text, true, HANDOVER);
}

/** What the last daemon left less than a minute ago. The file is gone then: a handover counts once. */
export function takeHandover(path: string, log: Log): Handover {
  if (!existsSync(path)) return NO_HANDOVER;
  try {
    const { boot, at, contexts, identifiers } = parsed(readPrivateFile(path, HANDOVER), path);
    const age = Date.now() - at;
    return boot === bootId() && age >= 0 && age <= FRESH_MS ? { contexts, identifiers } : NO_HANDOVER;
  } catch (error) {
    log.warn({ reason: errorText(error) }, 'starts without the contexts of the last run');
    return NO_HANDOVER;
  } finally {
    rmSync(path, { force: true });
  }
}

function parsed(text: string, path: string): z.output<typeof file> {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw new LociError('handover', 'not JSON', { file: path, cause });
  }
  const checked = file.safeParse(values);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new LociError('handover', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`, {
    file: path,
  });
}

/** Differs after every boot. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
