import { DNS_TYPES } from '../../src/hip/dns-message.ts';
import { nameLength, writeName } from '../../src/hip/dns-name.ts';
import { Writer } from '../../src/wire/writer.ts';

/** A record as a zone has it. */
export interface ZoneRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
}

export interface Answer {
  readonly answers: readonly ZoneRecord[];
  readonly responseCode?: number;
  readonly isTruncated?: boolean;
}

/** Data of a CNAME record. */
export function cnameData(target: string): Uint8Array {
  const w = new Writer(nameLength(target));
  writeName(w, target);
  return w.finish();
}

/** A response to `query`, whose owner names point to its question where they are the same. */
export function encodeResponse(
  query: Uint8Array,
  { answers, responseCode = 0, isTruncated = false }: Answer,
): Uint8Array {
  const questionEnd = endOfName(query, 12) + 4;
  const asked = nameIn(query);
  const compressed = (name: string): boolean => name.toLowerCase() === asked.toLowerCase();
  const length = answers.reduce(
    (sum, { name, data }) => sum + (compressed(name) ? 2 : nameLength(name)) + 10 + data.length,
    questionEnd,
  );
  const w = new Writer(length);
  w.octets(query.subarray(0, 2));
  w.u16(0x8180 | (isTruncated ? 0x0200 : 0) | responseCode);
  w.u16(1);
  w.u16(answers.length);
  w.u32(0);
  w.octets(query.subarray(12, questionEnd));
  for (const { name, type, ttlSeconds, data } of answers) {
    if (compressed(name)) w.u16(0xc00c);
    else writeName(w, name);
    w.u16(type);
    w.u16(1);
    w.u32(ttlSeconds);
    w.u16(data.length);
    w.octets(data);
  }
  return w.finish();
}

/** The name and type that a query asks for; labels without dots inside. */
export function questionOf(query: Uint8Array): { readonly name: string; readonly type: number } {
  const end = endOfName(query, 12);
  return { name: nameIn(query), type: ((query[end] ?? 0) << 8) | (query[end + 1] ?? 0) };
}

/** What a zone says to a query, the CNAME of its name included. */
export function answerFrom(zone: readonly ZoneRecord[], query: Uint8Array): Answer {
  const { name, type } = questionOf(query);
  const of = zone.filter((record) => record.name.toLowerCase() === name.toLowerCase());
  if (of.length === 0) return { answers: [], responseCode: 3 };
  const alias = of.find((record) => record.type === DNS_TYPES.CNAME);
  const target = alias === undefined ? name : nameIn(Uint8Array.of(...new Uint8Array(12), ...alias.data));
  const answers = zone.filter((record) => record.type === type && record.name === target);
  return { answers: alias === undefined ? answers : [alias, ...answers] };
}

function endOfName(octets: Uint8Array, start: number): number {
  let at = start;
  while ((octets[at] ?? 0) !== 0) at += 1 + (octets[at] ?? 0);
  return at + 1;
}

function nameIn(query: Uint8Array): string {
  const labels: string[] = [];
  for (let at = 12; (query[at] ?? 0) !== 0; at += 1 + (query[at] ?? 0)) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + (query[at] ?? 0))));
  }
  return labels.join('.');
}
