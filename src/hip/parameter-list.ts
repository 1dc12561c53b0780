import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import type { HipRefused } from './packet.ts';
import { PARAMETER_TYPES, parameterNumber } from './parameter.ts';
import type { HipParameter, ParameterName, Received } from './parameter.ts';
import { contentsLength, readContents, writeContents } from './parameter-codec.ts';
import { byNumber } from './registry.ts';

export type ParsedParameters = { readonly ok: true; readonly value: readonly Received[] } | HipRefused;

const NAME_OF = byNumber(PARAMETER_TYPES);

/** What may come more than once; of several LOCATOR_SETs the first counts (RFC 8047 §5.1). */
const REPEATABLE: ReadonlySet<ParameterName> = new Set<ParameterName>([
  'LOCATOR_SET',
  'CERT',
  'NOTIFICATION',
  'ECHO_RESPONSE_UNSIGNED',
  'ECHO_REQUEST_UNSIGNED',
]);

/** Type and Length. */
export const TLV_HEADER_LENGTH = 4;
const LONGEST_CONTENTS = 0xffff;

/** RFC 7401 §5.2.1: Type, Length, Contents, and Padding up to a multiple of 8. */
function paddedLength(contents: number): number {
  return 11 + contents - ((contents + 3) % 8);
}

/** One parameter as it lies in a packet, its contents not yet looked at. */
export interface RawParameter {
  readonly number: number;
  /** Offset of its Type field, counted like `base`. */
  readonly at: number;
  readonly contents: Uint8Array;
  /** Type, Length, Contents and Padding. */
  readonly octets: Uint8Array;
}

/**
 * The TLVs in `octets`, as views of it, up to the first one that is cut off: `undefined` then stands for the rest.
 * `base` is where `octets` starts in what the caller parses.
 */
export function* rawParameters(octets: Uint8Array, base = 0): Generator<RawParameter | undefined> {
  for (let start = 0; start < octets.length;) {
    const [a = 0, b = 0, c = 0, d = 0] = octets.subarray(start, start + TLV_HEADER_LENGTH);
    const length = (c << 8) | d;
    const end = start + paddedLength(length);
    if (octets.length < end) {
      yield undefined;
      return;
    }
    const contents = octets.subarray(start + TLV_HEADER_LENGTH, start + TLV_HEADER_LENGTH + length);
    yield { number: (a << 8) | b, at: base + start, contents, octets: octets.subarray(start, end) };
    start = end;
  }
}

/** What one TLV says, RFC 7401 §5.2; its padding is not looked at (§5.2.1). */
export function parseParameter({
  number,
  at,
  contents,
  octets,
}: RawParameter): { readonly ok: true; readonly value: Received } | HipRefused {
  const received = { at, octets: octets.slice() };
  const name = NAME_OF.get(number);
  if (name === undefined)
    return { ok: true, value: { type: 'UNKNOWN', number, contents: contents.slice(), ...received } };
  const r = new Reader(contents, at + TLV_HEADER_LENGTH);
  return r.finish({ ...readContents(name, r), ...received });
}

/** The parameters that fill `octets`, in the order that RFC 7401 §5.2.1 demands. */
export function parseParameters(octets: Uint8Array, base: number): ParsedParameters {
  const parameters: Received[] = [];
  const seen = new Set<ParameterName>();
  let previous = 0;
  let next = base;
  for (const raw of rawParameters(octets, base)) {
    if (raw === undefined) return { ok: false, reason: 'truncated', at: next };
    if (raw.number < previous) return { ok: false, reason: 'out-of-order', at: raw.at };
    const name = NAME_OF.get(raw.number);
    if (name !== undefined && seen.has(name) && !REPEATABLE.has(name)) {
      return { ok: false, reason: 'duplicate', at: raw.at };
    }
    const parsed = parseParameter(raw);
    if (!parsed.ok) return parsed;
    if (name !== undefined) seen.add(name);
    parameters.push(parsed.value);
    previous = raw.number;
    next = raw.at + raw.octets.length;
  }
  return { ok: true, value: parameters };
}

/**
 * The parameters inside the decrypted contents of ENCRYPTED, RFC 7401 §5.2.18, still with what the block cipher padded
 * with: n octets of value n. Read from the front, since the end of a parameter may look like padding.
 */
export function parseDecrypted(plaintext: Uint8Array): ParsedParameters {
  let end = 0;
  for (const raw of rawParameters(plaintext)) {
    if (raw !== undefined) end = raw.at + raw.octets.length;
  }
  const rest = plaintext.subarray(end);
  const isPadding = (rest.length === 8 || rest.length === 16) && rest.every((octet) => octet === rest.length);
  return parseParameters(isPadding ? plaintext.subarray(0, end) : plaintext, 0);
}

/** In the order of their types, those of equal type in that of the list (RFC 7401 §5.2.1). */
function inOrder(parameters: readonly HipParameter[]): readonly HipParameter[] {
  return parameters.toSorted((a, b) => parameterNumber(a) - parameterNumber(b));
}

/** Octets that the parameters take. */
export function parametersLength(parameters: readonly HipParameter[]): number {
  return parameters.reduce((sum, parameter) => sum + paddedLength(lengthOf(parameter)), 0);
}

export function writeParameters(w: Writer, parameters: readonly HipParameter[]): void {
  for (const parameter of inOrder(parameters)) {
    const length = lengthOf(parameter);
    if (length > LONGEST_CONTENTS) throw new RangeError('longer than a parameter can be');
    w.u16(parameterNumber(parameter));
    w.u16(length);
    if (parameter.type === 'UNKNOWN') w.octets(parameter.contents);
    else writeContents(w, parameter);
    w.zeros(paddedLength(length) - TLV_HEADER_LENGTH - length);
  }
}

/** Parameters by themselves: what ENCRYPTED is the encryption of, a HOST_ID for HIP_MAC_2. */
export function encodeParameters(parameters: readonly HipParameter[]): Uint8Array {
  const w = new Writer(parametersLength(parameters));
  writeParameters(w, parameters);
  return w.finish();
}

function lengthOf(parameter: HipParameter): number {
  return parameter.type === 'UNKNOWN' ? parameter.contents.length : contentsLength(parameter);
}
