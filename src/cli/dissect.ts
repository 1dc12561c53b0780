import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { dissect } from '../dissect/capture.ts';
import type { Entry } from '../dissect/entry.ts';
import { NO_KEYS } from '../dissect/key-log.ts';
import { entryText } from '../dissect/text.ts';
import { nodeCrypto } from '../node/crypto.ts';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import { nodeHipCrypto } from '../node/hip-crypto.ts';
import { parseCapture } from '../wire/pcapng.ts';
import type { Capture } from '../wire/pcapng.ts';
import { readKeyLog } from './key-log.ts';
import type { Globals } from './online.ts';
import type { Terminal } from './terminal.ts';

/** Entries are told in pieces: a capture can hold more of them than one string can. */
const PIECE = 256;

interface Options {
  readonly keys?: string;
}

/** `loci dissect`: the messages in a capture file, read and verified. */
export function registerDissect(program: Command, terminal: Terminal): void {
  program
    .command('dissect')
    .description('the Shim6, HIP and ESP messages in a capture (pcap or pcapng), decoded and verified')
    .argument('<file>', 'the capture')
    .option('--keys <file>', 'keys of HIP and ESP, as locid logs them: one JSON object a line')
    .action((file: string, { keys }: Options, command: Command) => {
      const capture = read(file);
      const log = keys === undefined ? NO_KEYS : readKeyLog(keys);
      const entries = dissect(capture, { crypto: nodeCrypto, hipCrypto: nodeHipCrypto, keys: log });
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
