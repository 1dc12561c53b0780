import { z } from 'zod';
import type { HostEvent, PairText } from '../host/events.ts';
import type { AssociationSnapshot, EspKeysSnapshot } from '../host/show-associations.ts';
import type { ContextSnapshot, LocatorSnapshot, PathSnapshot } from '../host/snapshot.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { Profile } from './config.ts';

/**
 * The protocol of the control socket: one JSON value per line, both ways.
 *
 *     → {"id":1,"command":"status"}              ← {"id":1,"result":{…}}
 *     → {"id":2,"command":"close","ulids":[…]}   ← {"id":2,"error":{"code":"unknown-context","message":"…"}}
 *     → {"id":3,"command":"monitor"}             ← {"id":3,"result":{}}, then {"id":3,"event":{…}} until the connection closes
 */

/** The longest request line, in characters. */
export const LINE_LIMIT = 65_536;

/** What `loci status` shows. Ages and times are milliseconds. */
export interface StatusSnapshot {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly profile: Profile;
  readonly mode: 'tun' | 'simulated';
  /** How many contexts are in each state; states without any are left out. */
  readonly contexts: Readonly<Record<string, number>>;
  readonly locators: { readonly total: number; readonly operational: number };
  readonly counters: {
    /** Packets by what was done with them. */
    readonly packets: Readonly<Record<string, number>>;
    /** Dropped packets by reason. */
    readonly drops: Readonly<Record<string, number>>;
  };
  /** How late the loop woke up: most recently, and at worst since the start. */
  readonly loopLagMs: { readonly last: number; readonly max: number };
}

/** What the daemon's inside offers to the control socket. */
export interface Control {
  status(): StatusSnapshot;
  /** In parts, which are shown in turns of the event loop: other things may happen in between. */
  contexts(): Iterable<readonly ContextSnapshot[]>;
  locators(): LocatorSnapshot[];
  /** Of HIP. */
  associations(): AssociationSnapshot[];
  /** Throws unless the configuration allows it. */
  espKeys(): EspKeysSnapshot[];
  /** In parts, as contexts. */
  paths(): Iterable<readonly PathSnapshot[]>;
  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: HostEvent) => void): () => void;
  /** Drops the contexts between two ULIDs, or all of them; returns how many there were. */
  close(ulids: PairText | undefined): number;
  /** What somebody wants of the contexts with a peer; returns how many there are. Throws when that cannot be had. */
  wish(peer: string, wish: TextWish): number;
}

/** As `Wish`, RFC 6316. */
export type TextWish =
  | { readonly type: 'prefer'; readonly pair: PairText | null }
  | { readonly type: 'standby'; readonly isOn: boolean }
  | { readonly type: 'feedback'; readonly isGood: boolean };

/** The result of each command. */
export interface Results {
  readonly status: StatusSnapshot;
  readonly contexts: readonly ContextSnapshot[];
  readonly locators: readonly LocatorSnapshot[];
  readonly associations: readonly AssociationSnapshot[];
  readonly 'esp-keys': readonly EspKeysSnapshot[];
  readonly paths: readonly PathSnapshot[];
  readonly close: { readonly closed: number };
  readonly wish: { readonly contexts: number };
  readonly monitor: Readonly<Record<string, never>>;
}

export type Command = keyof Results;
export type RequestId = number | string;
export type Request = { readonly id: RequestId } & (
  | { readonly command: Exclude<Command, 'close' | 'monitor' | 'wish'> }
  | { readonly command: 'close'; readonly ulids: PairText | undefined }
  | { readonly command: 'wish'; readonly peer: string; readonly wish: TextWish }
  /** Only what concerns one peer, when it is named. */
  | { readonly command: 'monitor'; readonly peer?: string | undefined }
);

export interface ReplyError {
  readonly code: string;
  readonly message: string;
}

/** One line of the daemon. `id` is null when the request had none that could be read. */
export type Reply<C extends Command = Command> =
  | { readonly id: RequestId; readonly result: Results[C] }
  | { readonly id: RequestId | null; readonly error: ReplyError }
  | { readonly id: RequestId; readonly event: HostEvent };

const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed !== undefined) return formatAddress(parsed);
  context.addIssue({ code: 'custom', message: 'not an IPv6 address' });
  return z.NEVER;
});
const id = z.union([z.number(), z.string().max(64)]);
const wish = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('prefer'), pair: z.tuple([address, address]).nullable() }),
  z.strictObject({ type: z.literal('standby'), isOn: z.boolean() }),
  z.strictObject({ type: z.literal('feedback'), isGood: z.boolean() }),
]);
const request = z.discriminatedUnion('command', [
  z.strictObject({ id, command: z.enum(['status', 'contexts', 'locators', 'paths', 'associations', 'esp-keys']) }),
  z.strictObject({ id, command: z.literal('monitor'), peer: address.optional() }),
  z.strictObject({ id, command: z.literal('wish'), peer: address, wish }),
  z.strictObject({ id, command: z.literal('close'), ulids: z.tuple([address, address]).optional() }),
]);

/** A request line, or the reply that refuses it. */
export function parseRequest(line: string): { readonly request: Request } | { readonly refusal: Reply } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { refusal: { id: null, error: { code: 'bad-json', message: 'a request is one JSON object on one line' } } };
  }
  const parsed = request.safeParse(value);
  if (parsed.success) {
    const { data } = parsed;
    return { request: data.command === 'close' ? { ...data, ulids: data.ulids } : data };
  }
  const named = z.object({ id }).safeParse(value);
  const [issue] = parsed.error.issues;
  const message = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a request'}`.replace(/^: /, '');
  return { refusal: { id: named.success ? named.data.id : null, error: { code: 'bad-request', message } } };
}
