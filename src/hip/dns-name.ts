import { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';

/** Limits of RFC 1035 §2.3.4. */
const MAX_LABEL = 63;
const MAX_NAME = 255;
/** RFC 1035 §4.1.4. */
const POINTER = 0xc0;

/**
 * A domain name, RFC 1035 §3.1, as text without the last dot; the root is `.`. Dots and unprintable octets inside labels are escaped as
 * in master files (§5.1). Refuses compression.
 */
export function readName(r: Reader): string {
  const name = new NameText();
  for (;;) {
    const at = r.at;
    const length = r.u8();
    if (length === 0) return r.failed ? '' : name.text;
    if (length > MAX_LABEL || !name.add(r.octets(length))) {
      r.reject('bad-value', at);
      return '';
    }
  }
}

/** The same where pointers are allowed: `message` is the whole message that `r` reads. Each pointer leads further to the front. */
export function readCompressedName(r: Reader, message: Uint8Array): string {
  const start = r.at;
  const name = new NameText();
  let cursor = r;
  let before = start;
  for (;;) {
    const at = cursor.at;
    const length = cursor.u8();
    if (length === 0) {
      if (cursor.failed) r.reject('truncated', at);
      return r.failed ? '' : name.text;
    }
    if ((length & POINTER) === POINTER) {
      const target = ((length & ~POINTER) << 8) | cursor.u8();
      if (cursor.failed || target >= before) {
        r.reject('bad-value', start);
        return '';
      }
      before = target;
      cursor = new Reader(message.subarray(target), target);
    } else if (length > MAX_LABEL || !name.add(cursor.octets(length)) || cursor.failed) {
      r.reject('bad-value', start);
      return '';
    }
  }
}

/** Octets of a name on the wire; `RangeError` for text that is no name. */
export function nameLength(text: string): number {
  return labelsOf(text).reduce((sum, label) => sum + 1 + label.length, 1);
}

/** Without compression. */
export function writeName(w: Writer, text: string): void {
  for (const label of labelsOf(text)) {
    w.u8(label.length);
    w.octets(label);
  }
  w.u8(0);
}

/** Whether `text` is a name that can be written. */
export function isDnsName(text: string): boolean {
  try {
    labelsOf(text);
    return true;
  } catch {
    return false; // `labelsOf` says what is wrong only by throwing
  }
}

/** Names compare without regard to case, RFC 4343, nor to the last dot. */
export function sameName(a: string, b: string): boolean {
  return nameKey(a) === nameKey(b);
}

/** Equal for names that are the same. */
export function nameKey(text: string): string {
  return text.toLowerCase().replace(/(?<!\\)\.$/, '');
}

class NameText {
  #text = '';
  #length = 1;

  get text(): string {
    return this.#text === '' ? '.' : this.#text;
  }

  /** False when the name would get too long. */
  add(label: Uint8Array): boolean {
    this.#length += 1 + label.length;
    if (this.#length > MAX_NAME) return false;
    let text = '';
    for (const octet of label) {
      const letter = String.fromCharCode(octet);
      if (octet <= 0x20 || octet >= 0x7f) text += `\\${String(octet).padStart(3, '0')}`;
      else text += /[.\\"();@$]/.test(letter) ? `\\${letter}` : letter;
    }
    this.#text += this.#text === '' ? text : `.${text}`;
    return true;
  }
}

function labelsOf(text: string): Uint8Array[] {
  if (text === '.') return [];
  const labels: number[][] = [[]];
  for (const [part, escaped] of text.matchAll(/\\(\d{3}|[^\d])|./gsu)) {
    if (part === '.') labels.push([]);
    else labels.at(-1)?.push(escaped === undefined ? plainOctet(part) : escapedOctet(escaped));
  }
  if (labels.length > 1 && labels.at(-1)?.length === 0) labels.pop(); // the last dot
  const length = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  const isBad = labels.some(
    (label) => label.length === 0 || label.length > MAX_LABEL || label.some((octet) => octet > 0xff),
  );
  if (isBad || length > MAX_NAME) throw new RangeError('not a domain name');
  return labels.map((label) => Uint8Array.from(label));
}

const NO_OCTET = 0x100;

/** Beyond ASCII nothing is a name as it stands: RFC 5890 names come as `xn--`. A backslash alone escapes nothing. */
function plainOctet(letter: string): number {
  return letter === '\\' ? NO_OCTET : escapedOctet(letter);
}

/** Three digits, or the octet itself. */
function escapedOctet(escaped: string): number {
  if (escaped.length === 3) return Number(escaped);
  const code = escaped.codePointAt(0) ?? NO_OCTET;
  return code > 0x20 && code < 0x7f ? code : NO_OCTET;
}
