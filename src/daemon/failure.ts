import { LociError } from '../node/error.ts';

/** Codes that mean "cannot start": exit status 2. Everything else is "the thing failed": 1. */
const CANNOT_START: ReadonlySet<string> = new Set([
  'usage', // arguments
  'config', // configuration file
  'privilege', // not root, a capability is missing
  'EPERM',
  'EACCES',
  'device', // /dev/net/tun
  'addon-missing', // the native module is not built
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

/** The one document of a failed command with `--json`. */
export interface FailureDocument {
  readonly error: { readonly code: string; readonly message: string; readonly file?: string; readonly line?: number };
}

export function failureDocument(error: unknown): FailureDocument {
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
export function failureText(error: unknown): string {
  const { message, file, line } = failureDocument(error).error;
  return [file, line, ` ${message}`]
    .filter((part) => part !== undefined)
    .join(':')
    .trim();
}

/** The `code` of a system error such as `ENOENT`; empty for everything else. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
