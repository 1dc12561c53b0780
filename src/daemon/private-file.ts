import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LociError, messageOf, systemCode } from '../node/error.ts';

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;
/** What a private file is called in complaints, and the longest one that is read. */
export interface PrivateKind {
  readonly code: string;
  readonly name: string;
  readonly maxLength: number;
}

/** Far more than any key file has. */
const KEY: PrivateKind = { code: 'key', name: 'key file', maxLength: 64 * 1024 };

/** The text of a file that only its owner can reach. Anything else is refused: others may have read or changed it. */
export function readPrivateFile(file: string, { code, name, maxLength }: PrivateKind = KEY): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO must not make us wait
  } catch (cause) {
    throw new LociError(code, `cannot open the ${name}: ${reasonOf(cause)}`, { file, cause });
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.size > maxLength) throw new LociError(code, `not a ${name}`, { file });
    if ((status.mode & OTHERS) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, '0');
      throw new LociError(code, `the ${name} is open to others (mode ${mode}); run chmod 600 on it`, { file });
    }
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Refuse early what `writePrivateFile` would refuse in the end. */
export function refuseExisting(file: string): void {
  if (existsSync(file)) throw new LociError('exists', 'the file exists already; use --force to replace it', { file });
}

/**
 * Write a file with mode 0600 so that under its name there is at any time the whole new text, or what was there before.
 * Without `force` an existing file is never replaced, not even one that appears meanwhile.
 */
export function writePrivateFile(file: string, text: string, force: boolean, { code, name }: PrivateKind = KEY): void {
  if (!force) refuseExisting(file);
  const folder = dirname(file);
  const temporary = join(folder, `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    writeDurably(temporary, text);
    if (force) renameSync(temporary, file);
    else linkSync(temporary, file); // fails where rename would replace
    syncFolder(folder);
  } catch (cause) {
    if (!force && systemCode(cause) === 'EEXIST') refuseExisting(file);
    throw new LociError(code, `cannot write the ${name}: ${reasonOf(cause)}`, { file, cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY);
  try {
    fchmodSync(descriptor, OWNER_ONLY); // whatever the umask says
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the new name survive a power cut. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function reasonOf(cause: unknown): string {
  switch (systemCode(cause)) {
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return messageOf(cause);
  }
}
