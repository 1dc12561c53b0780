import type { Parsed } from '../wire/parsed.ts';
import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import { nameLength, readCompressedName, writeName } from './dns-name.ts';

/** Resource record types, RFC 1035 §3.2.2, RFC 3596 §2.1. */
export const DNS_TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** RFC 1035 §4.1.1 and RFC 6891 §6.1.3. */
export const NXDOMAIN = 3;

const IN = 1;
const HEADER_LENGTH = 12;
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
const OPCODE = 0x7800;

/** EDNS, RFC 6891 §6.1.2. */
const OPT = 41;
const OPT_LENGTH = 11;
/** What fits unfragmented everywhere; longer answers come over TCP. */
const UDP_PAYLOAD = 1232;

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
  /** Where a CNAME leads; empty for other types. */
  readonly target: string;
}

export interface DnsResponse {
  readonly id: number;
  readonly responseCode: number;
  /** Ask again over TCP. */
  readonly isTruncated: boolean;
  readonly question: { readonly name: string; readonly type: number };
  readonly answers: readonly DnsRecord[];
}

/** A recursive query for one name and type, RFC 1035 §4.1. */
export function encodeQuery(id: number, name: string, type: number): Uint8Array {
  const w = new Writer(HEADER_LENGTH + nameLength(name) + 4 + OPT_LENGTH);
  w.u16(id);
  w.u16(RECURSION_DESIRED);
  w.u16(1); // questions
  w.u16(0);
  w.u16(0);
  w.u16(1); // additional: OPT
  writeName(w, name);
  w.u16(type);
  w.u16(IN);
  w.u8(0); // the root
  w.u16(OPT);
  w.u16(UDP_PAYLOAD);
  w.u32(0); // extended response code, version, flags
  w.u16(0);
  return w.finish();
}

/** A response to such a query: its answer section, records of class IN. Nothing behind that section is looked at. */
export function parseResponse(bytes: Uint8Array): Parsed<DnsResponse> {
  const r = new Reader(bytes);
  const id = r.u16();
  const flagsAt = r.at;
  const flags = r.u16();
  if ((flags & RESPONSE) === 0 || (flags & OPCODE) !== 0) r.reject('bad-value', flagsAt);
  const questions = r.u16();
  if (questions !== 1) r.reject('bad-value', flagsAt + 2);
  const count = r.u16();
  r.skip(4); // authority and additional
  const question = { name: readCompressedName(r, bytes), type: r.u16() };
  r.skip(2);
  const isTruncated = (flags & TRUNCATED) !== 0;
  const answers: DnsRecord[] = [];
  for (let i = 0; i < count && !r.failed && !(isTruncated && r.left === 0); i++) {
    const record = readRecord(r, bytes);
    if (record !== undefined) answers.push(record);
  }
  r.skip(r.left);
  return r.finish({ id, responseCode: flags & 0x0f, isTruncated, question, answers });
}

/** `undefined` for another class than IN. */
function readRecord(r: Reader, message: Uint8Array): DnsRecord | undefined {
  const name = readCompressedName(r, message);
  const type = r.u16();
  const of = r.u16();
  const ttl = r.u32();
  const length = r.u16();
  const at = r.at;
  const data = r.octets(length);
  let target = '';
  if (type === DNS_TYPES.CNAME && !r.failed) {
    const inside = new Reader(message.subarray(at, at + length), at);
    target = readCompressedName(inside, message);
    r.accept(inside.finish(target));
  }
  if (of !== IN) return undefined;
  const ttlSeconds = ttl >= 0x8000_0000 ? 0 : ttl; // RFC 2181 §8
  return { name, type, ttlSeconds, data, target };
}
