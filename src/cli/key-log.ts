import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { KeyLog, LoggedAssociation, LoggedHipKeys, LoggedKeymat } from '../dissect/key-log.ts';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import { fromHex } from '../wire/hex.ts';

const Octets = z.string().transform((text, context) => {
  const octets = fromHex(text);
  if (octets !== undefined) return octets;
  context.addIssue({ code: 'custom', message: 'not hexadecimal' });
  return z.NEVER;
});
const Hit = Octets.refine(({ length }) => length === 16, 'not a HIT');

/** Lines that say nothing here have another `ev`. */
const Line = z.discriminatedUnion('ev', [
  z.object({ ev: z.literal('kdf'), salt: Octets, ikm: Octets, keymat: Octets }),
  z.object({ ev: z.literal('hip_key'), cipher: z.int(), arg1_hit: Hit, arg2_hit: Hit, enc: Octets, mac: Octets }),
  z.object({ ev: z.literal('esp_key'), arg1_hit: Hit, arg2_hit: Hit, enc: Octets, auth: Octets }),
  z.object({
    ev: z.literal('sa'),
    spi: z.string().regex(/^0x[0-9a-f]{8}$/i, 'not an SPI'),
    suite: z.int().optional(),
    enc: Octets,
    auth: Octets,
  }),
]);
type EspKey = Extract<z.infer<typeof Line>, { readonly ev: 'esp_key' }>;
type Sa = Extract<z.infer<typeof Line>, { readonly ev: 'sa' }>;

const EVENTS: ReadonlySet<unknown> = new Set(['kdf', 'hip_key', 'esp_key', 'sa']);

/** The JSON lines of a log of keys, as `locid` writes it (`docs/glossary.md`). */
export function readKeyLog(file: string): KeyLog {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LociError(systemCode(cause) || 'file', `cannot be read: ${messageOf(cause)}`, { file, cause });
  }
  const keymats: LoggedKeymat[] = [];
  const hipKeys: LoggedHipKeys[] = [];
  const espKeys: EspKey[] = [];
  const sas: Sa[] = [];
  for (const [i, words] of text.split('\n').entries()) {
    const line = words.trim() === '' ? undefined : parsedLine(words, file, i + 1);
    if (line?.ev === 'kdf') keymats.push({ salt: line.salt, secret: line.ikm, keymat: line.keymat });
    else if (line?.ev === 'hip_key') {
      const { cipher, arg1_hit: sender, arg2_hit: receiver, enc: encryption, mac } = line;
      hipKeys.push({ cipher, sender, receiver, encryption, mac });
    } else if (line?.ev === 'esp_key') espKeys.push(line);
    else if (line?.ev === 'sa') sas.push(line);
  }
  return { keymats, hipKeys, associations: sas.flatMap((sa) => association(sa, espKeys)) };
}

function parsedLine(words: string, file: string, line: number): z.infer<typeof Line> | undefined {
  const refused = (why: string, cause?: unknown): LociError =>
    new LociError('keys', `is no log of keys: ${why}; it holds one JSON object a line`, { file, line, cause });
  let value: unknown;
  try {
    value = JSON.parse(words);
  } catch (cause) {
    throw refused('the line is not JSON', cause);
  }
  const event = z.looseObject({ ev: z.unknown().optional() }).safeParse(value);
  if (!event.success) throw refused('the line is not an object');
  if (!EVENTS.has(event.data.ev)) return undefined;
  const parsed = Line.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** The HITs are in the line of the keys; without a suite, its lengths tell the ones with separate algorithms. */
function association(
  { spi, suite, enc: encryption, auth: authentication }: Sa,
  keys: readonly EspKey[],
): LoggedAssociation[] {
  const known = suite ?? suiteByLengths(encryption.length, authentication.length);
  if (known === undefined) return [];
  const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
  const key = keys.find(({ enc, auth }) => same(enc, encryption) && same(auth, authentication));
  const hits = key && { hits: { sender: key.arg1_hit, receiver: key.arg2_hit } };
  return [{ spi: Number(spi), suite: known, encryption, authentication, ...hits }];
}

/** RFC 7402 §5.1.2: suites 1, 7, 8 and 9 by the octets of both keys. */
function suiteByLengths(encryption: number, authentication: number): number | undefined {
  return SUITES_BY_LENGTHS.get(`${String(encryption)} ${String(authentication)}`);
}

const SUITES_BY_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['16 20', 1],
  ['0 32', 7],
  ['16 32', 8],
  ['32 32', 9],
]);
