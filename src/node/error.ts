import { getSystemErrorMap } from 'node:util';

/** Where a mistake in a file is. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
}

/**
 * What went wrong at the edge (operating system, configuration, control socket), with a `code` that stays stable.
 * The message is one sentence that also names the remedy; `loci` and `locid` print it once and choose the exit status.
 */
export class LociError extends Error {
  readonly code: string;
  readonly file: string | undefined;
  readonly line: number | undefined;

  constructor(code: string, message: string, options: Place & { readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'LociError';
    this.code = code;
    this.file = options.file;
    this.line = options.line;
  }
}

/** Codes that mean "cannot start": exit status 2. Everything else is "the thing failed": 1. */
const CANNOT_START: ReadonlySet<string> = new Set([
  'usage', // arguments
  'config', // configuration file
  'privilege', // not root, a capability is missing
  'EPERM',
  'EACCES',
  'device', // /dev/net/tun
  'addon-missing', // the native module is not built
  'missing-tool', // a program such as ip
  'addresses', // no usable IPv6 address
  'clash', // a rule preference, table or interface name is taken by someone else
  'key', // key file unreadable
  'not-running', // nobody listens on the control socket
  'already-running', // somebody does
]);

/** The exit status that an error deserves. */
export function exitStatus(error: unknown): 1 | 2 {
  return error instanceof LociError && CANNOT_START.has(error.code) ? 2 : 1;
}

/** The `code` of a system error such as `ENOENT`; empty for everything else. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The one document of a failed command with `--json`. */
export function errorDocument(error: unknown): {
  readonly error: Place & { readonly code: string; readonly message: string };
} {
  if (!(error instanceof LociError)) return { error: { code: 'internal', message: messageOf(error) } };
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error.file === undefined ? {} : { file: error.file }),
      ...(error.line === undefined ? {} : { line: error.line }),
    },
  };
}

/** One line for people: `FILE:LINE: sentence`. */
export function errorText(error: unknown): string {
  const { message, file, line } = errorDocument(error).error;
  return [file, line, ` ${message}`]
    .filter((part) => part !== undefined)
    .join(':')
    .trim();
}

/** The name of a positive `errno`, such as `EPERM`. */
export function errorName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `E${String(errno)}`;
}

/** The error for a positive `errno` met while doing `what`; `code` is its name, such as `EPERM`. */
export function systemError(errno: number, what: string, detail?: string): LociError {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${String(errno)}`, `error ${String(errno)}`];
  return new LociError(code, `${what}: ${text}${detail === undefined ? '' : ` (${detail})`}`);
}
