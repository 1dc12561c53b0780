import { ADDRESS_LENGTH } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import {
  DETECTION_LENGTH,
  LOCI_DETECTION,
  PATH_TEST,
  parseDetection,
  parsePathTest,
  writeDetection,
  writePathTest,
} from './fast-detection.ts';
import type { Detection } from './fast-detection.ts';
import {
  locatorListLength,
  locatorPreferencesLength,
  parseLocatorList,
  parseLocatorPreferences,
  writeLocatorList,
  writeLocatorPreferences,
} from './locator-list.ts';
import type { LocatorList, LocatorPreferences } from './locator-list.ts';

/** The ULID Pair option, RFC 5533 §5.15.6: sender and receiver of the message that carries it. */
export interface UlidPair {
  readonly sender: Address;
  readonly receiver: Address;
}

/** An option that is unknown, or not defined for the message it came in. `at` counts from the Shim6 header. */
export interface UnknownOption {
  readonly type: number;
  readonly critical: boolean;
  readonly body: Uint8Array;
  readonly at: number;
}

/** The options of a message, RFC 5533 §5.15. Each known one occurs at most once. */
export interface Shim6Options {
  readonly responderValidator?: Uint8Array | undefined;
  readonly locatorList?: LocatorList | undefined;
  readonly locatorPreferences?: LocatorPreferences | undefined;
  /** CGA Parameter Data Structure, §5.15.4. */
  readonly parameters?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly ulidPair?: UlidPair | undefined;
  readonly forkedInstanceId?: number | undefined;
  /** Seconds, RFC 5534 §5.3. */
  readonly keepaliveTimeout?: number | undefined;
  readonly detection?: Detection | undefined;
  readonly pathTest?: true | undefined;
  readonly unknown?: readonly UnknownOption[] | undefined;
}

/** Name of a known option. */
export type OptionName = Exclude<keyof Shim6Options, 'unknown'>;

interface OptionCodec<T> {
  parse(body: Uint8Array, at: number): Parsed<T>;
  length(value: T): number;
  write(w: Writer, value: T): void;
}

/** One known option, with the type of its value hidden so that all of them fit in one table. */
interface KnownOption {
  readonly name: OptionName;
  readonly type: number;
  parse(body: Uint8Array, at: number): Parsed<Shim6Options>;
  /** Octets of the contents; `undefined` when `options` has none of this kind. */
  length(options: Shim6Options): number | undefined;
  write(w: Writer, options: Shim6Options): void;
}

type Value<Name extends OptionName> = NonNullable<Shim6Options[Name]>;

function option<Name extends OptionName>(name: Name, type: number, codec: OptionCodec<Value<Name>>): KnownOption {
  const valueOf = (options: Shim6Options): Value<Name> | undefined => options[name] ?? undefined;
  return {
    name,
    type,
    parse: (body, at) => {
      const parsed = codec.parse(body, at);
      return parsed.ok ? { ok: true, value: { [name]: parsed.value } } : parsed;
    },
    length: (options) => {
      const value = valueOf(options);
      return value === undefined ? undefined : codec.length(value);
    },
    write: (w, options) => {
      const value = valueOf(options);
      if (value !== undefined) codec.write(w, value);
    },
  };
}

const OPAQUE: OptionCodec<Uint8Array> = {
  parse: (body) => ({ ok: true, value: body }),
  length: (value) => value.length,
  write: (w, value) => {
    w.octets(value);
  },
};

const ULID_PAIR: OptionCodec<UlidPair> = {
  parse: (body, at) => {
    const r = new Reader(body, at);
    r.skip(4); // §5.15.6: Reserved2, ignored
    return r.finish({ sender: r.octets(ADDRESS_LENGTH), receiver: r.octets(ADDRESS_LENGTH) });
  },
  length: () => 4 + 2 * ADDRESS_LENGTH,
  write: (w, { sender, receiver }) => {
    w.zeros(4);
    w.octets(sender);
    w.octets(receiver);
  },
};

const FORKED_INSTANCE_ID: OptionCodec<number> = {
  parse: (body, at) => {
    const r = new Reader(body, at);
    return r.finish(r.u32());
  },
  length: () => 4,
  write: (w, value) => {
    w.u32(value);
  },
};

const KEEPALIVE_TIMEOUT: OptionCodec<number> = {
  parse: (body, at) => {
    const r = new Reader(body, at);
    r.u16(); // RFC 5534 §5.3: reserved, ignored
    return r.finish(r.u16());
  },
  length: () => 4,
  write: (w, value) => {
    w.u16(0);
    w.u16(value);
  },
};

/** Option types, RFC 5533 §17 and RFC 5534 §5.3, in the order in which options are written. */
const OPTIONS: readonly KnownOption[] = [
  option('responderValidator', 1, OPAQUE),
  option('locatorList', 2, { parse: parseLocatorList, length: locatorListLength, write: writeLocatorList }),
  option('locatorPreferences', 3, {
    parse: parseLocatorPreferences,
    length: locatorPreferencesLength,
    write: writeLocatorPreferences,
  }),
  option('parameters', 4, OPAQUE),
  option('signature', 5, OPAQUE),
  option('ulidPair', 6, ULID_PAIR),
  option('forkedInstanceId', 7, FORKED_INSTANCE_ID),
  option('keepaliveTimeout', 10, KEEPALIVE_TIMEOUT),
  option('detection', LOCI_DETECTION, { parse: parseDetection, length: () => DETECTION_LENGTH, write: writeDetection }),
  option('pathTest', PATH_TEST, { parse: parsePathTest, length: () => 0, write: writePathTest }),
];

const OPTION_OF: ReadonlyMap<number, KnownOption> = new Map(OPTIONS.map((known) => [known.type, known]));

/** Private options must not hurt: one that does not parse is as good as unknown. */
const FORGIVEN: ReadonlySet<OptionName> = new Set<OptionName>(['detection', 'pathTest']);

/** Octets of an option on the wire: type, length, contents, padding to a multiple of 8 (§5.15). */
function optionLength(contents: number): number {
  return 11 + contents - ((contents + 3) % 8);
}

/**
 * Options up to the end of `octets`, which start `base` octets into the header. `allowed` are those defined for the
 * message; others of them are kept as unknown ones (§5.15 gives both the same rule).
 */
export function parseOptions(octets: Uint8Array, base: number, allowed: ReadonlySet<OptionName>): Parsed<Shim6Options> {
  let known: Shim6Options = {};
  const unknown: UnknownOption[] = [];
  const r = new Reader(octets, base);
  while (r.left > 0) {
    const option = readOption(r);
    if (r.failed) break;
    const codec = OPTION_OF.get(option.type);
    if (codec !== undefined && allowed.has(codec.name)) {
      if (codec.name in known) r.reject('duplicate', option.at);
      const parsed = codec.parse(option.body, option.at + 4);
      if (parsed.ok || !FORGIVEN.has(codec.name)) {
        known = { ...known, ...r.accept(parsed) };
        continue;
      }
    }
    unknown.push(option);
  }
  return r.finish(unknown.length === 0 ? known : { ...known, unknown });
}

/** The next option whatever its type, padding included; means nothing when `r` has failed. */
export function readOption(r: Reader): UnknownOption {
  const at = r.at;
  const typeAndCritical = r.u16();
  const length = r.u16();
  const body = r.octets(length);
  r.skip(optionLength(length) - 4 - length); // §5.15: padding is not checked
  return { type: typeAndCritical >> 1, critical: (typeAndCritical & 1) !== 0, body, at };
}

/** What an option says, in whichever message it came; `undefined` for a type that is not known. */
export function understand(
  option: UnknownOption,
): { readonly name: OptionName; readonly contents: Parsed<Shim6Options> } | undefined {
  const codec = OPTION_OF.get(option.type);
  return codec && { name: codec.name, contents: codec.parse(option.body, option.at + 4) };
}

/** Octets that `options` take. */
export function optionsLength(options: Shim6Options): number {
  let length = 0;
  for (const known of OPTIONS) {
    const contents = known.length(options);
    if (contents !== undefined) length += optionLength(contents);
  }
  for (const { body } of options.unknown ?? []) length += optionLength(body.length);
  return length;
}

/** In ascending order of their types, unknown ones last. */
export function writeOptions(w: Writer, options: Shim6Options): void {
  for (const known of OPTIONS) {
    const contents = known.length(options);
    if (contents === undefined) continue;
    writeOptionHeader(w, known.type * 2, contents);
    known.write(w, options);
    w.zeros(optionLength(contents) - 4 - contents);
  }
  for (const { type, critical, body } of options.unknown ?? []) {
    writeOptionHeader(w, type * 2 + (critical ? 1 : 0), body.length);
    w.octets(body);
    w.zeros(optionLength(body.length) - 4 - body.length);
  }
}

/** Offset of the first option of this name in a whole message whose options begin at `from`; -1 when there is none. */
export function optionAt(octets: Uint8Array, from: number, name: OptionName): number {
  const r = new Reader(octets.subarray(from), from);
  while (r.left > 0) {
    const at = r.at;
    if (OPTION_OF.get(r.u16() >> 1)?.name === name) return at;
    r.skip(optionLength(r.u16()) - 4);
  }
  return -1;
}

function writeOptionHeader(w: Writer, typeAndCritical: number, length: number): void {
  w.u16(typeAndCritical);
  w.u16(length);
}
