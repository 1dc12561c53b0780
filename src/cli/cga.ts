import type { Command } from 'commander';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { verifyHba } from '../cga/hba.ts';
import { verifyCga } from '../cga/verify.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import { parseAddress } from '../wire/address.ts';
import { fromHex } from '../wire/hex.ts';

/** Where lines come from and go to. */
export interface VerifyPorts {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** `loci cga verify`: questions, one JSON object a line, answered in order as soon as they arrive. */
export function registerCga(
  program: Command,
  ports: VerifyPorts = { input: process.stdin, output: process.stdout },
): void {
  program
    .command('cga')
    .description('cryptographically generated addresses')
    .command('verify')
    .description(
      'check addresses: lines {"params":HEX,"address":TEXT,"hba"?:true} to lines {"valid":BOOL,"reason":TEXT}',
    )
    .argument('<file>', 'a file, or - for standard input')
    .action(async (file: string) => {
      const input = file === '-' ? ports.input : createReadStream(file);
      try {
        await pipeline(input, answers, ports.output, { end: false });
      } catch (cause) {
        if (systemCode(cause) === 'EPIPE') return; // the reader has seen enough
        throw new LociError('stream', `cannot go on: ${messageOf(cause)}`, { file, cause });
      }
    });
}

const NEWLINE = 0x0a;
/** More than two of the longest CGA Parameters that fit a Shim6 option, written in hexadecimal. */
const MAX_LINE = 1 << 20;

/** One line of answer for each line of question. Lines that came together leave together. */
async function* answers(source: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  let line: Uint8Array[] = [];
  let length = 0;
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length <= MAX_LINE) line.push(part);
  };
  const answer = (): string => {
    const text = length <= MAX_LINE ? Buffer.concat(line).toString('utf8') : '';
    line = [];
    length = 0;
    return `${JSON.stringify(verifyLine(text))}\n`;
  };
  for await (const piece of source) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    let out = '';
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end));
      out += answer();
      start = end + 1;
    }
    keep(chunk.subarray(start));
    if (out !== '') yield out;
  }
  if (length > 0) yield answer(); // a last line without its newline
}

const question = z.object({ params: z.string(), address: z.string(), hba: z.boolean().optional() });

export interface Answer {
  readonly valid: boolean;
  /** `ok`, `bad-input`, or why verification failed. */
  readonly reason: string;
}

/** The answer to one line: RFC 3972 §5, or with `hba` RFC 5535 §7.2. */
export function verifyLine(line: string): Answer {
  const parsed = question.safeParse(jsonOf(line));
  const params = fromHex(parsed.data?.params ?? '');
  const address = parseAddress(parsed.data?.address ?? '');
  if (!parsed.success || params === undefined || address === undefined) return { valid: false, reason: 'bad-input' };
  const verify = parsed.data.hba === true ? verifyHba : verifyCga;
  const verdict = verify(nodeCrypto, address, params);
  return verdict.valid ? { valid: true, reason: 'ok' } : verdict;
}

/** `undefined`, which is no question, for text that is no JSON. */
function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
