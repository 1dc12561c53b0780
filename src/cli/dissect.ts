import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { dissect } from '../dissect/capture.ts';
import type { Entry } from '../dissect/entry.ts';
import { entryText } from '../dissect/text.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import { parseCapture } from '../wire/pcapng.ts';
import type { Capture } from '../wire/pcapng.ts';
import type { Globals } from './online.ts';
import type { Terminal } from './terminal.ts';

/** Entries are told in pieces: a capture can hold more of them than one string can. */
const PIECE = 256;

/** `loci dissect`: the messages in a capture file, read and verified. */
export function registerDissect(program: Command, terminal: Terminal): void {
  program
    .command('dissect')
    .description('the Shim6 messages in a capture (pcap or pcapng), decoded and verified')
    .argument('<file>', 'the capture')
    .action((file: string, _: unknown, command: Command) => {
      const capture = read(file);
      const entries = dissect(capture, nodeCrypto);
      if (command.optsWithGlobals<Globals>().json === true) tellJson(entries, terminal);
      else for (const entry of entries) terminal.out(`${entryText(entry)}\n`);
      if (capture.damage === undefined) return;
      terminal.err(
        `loci: ${file} is cut off or damaged at octet ${String(capture.damage.at)}; told is what precedes\n`,
      );
      process.exitCode = 1;
    });
}

function read(file: string): Capture {
  let octets: Uint8Array;
  try {
    octets = new Uint8Array(readFileSync(file)); // a Buffer would give views where copies are meant
  } catch (cause) {
    throw new LociError(systemCode(cause) || 'file', `cannot be read: ${messageOf(cause)}`, { file, cause });
  }
  const parsed = parseCapture(octets);
  if (parsed.ok) return parsed.value;
  const where = `${parsed.reason} at octet ${String(parsed.at)}`;
  throw new LociError('capture', `holds no packet in the form of pcap or pcapng (${where}); see tcpdump -w`, { file });
}

/** One array on one line. */
function tellJson(entries: Iterable<Entry>, terminal: Terminal): void {
  let piece: string[] = [];
  let separator = '[';
  const flush = (): void => {
    if (piece.length === 0) return;
    terminal.out(separator + piece.join(','));
    separator = ',';
    piece = [];
  };
  for (const entry of entries) {
    piece.push(JSON.stringify(entry));
    if (piece.length === PIECE) flush();
  }
  flush();
  terminal.out(separator === '[' ? '[]\n' : ']\n');
}
