import { getSystemErrorMap } from 'node:util';

/** The cause of an error, and where in a file the mistake is. */
export interface LociErrorOptions extends ErrorOptions {
  readonly file?: string;
  readonly line?: number;
}

/** An error of the operating system or of configuration, with a stable `code` that callers may test. */
export class LociError extends Error {
  readonly code: string;
  readonly file: string | undefined;
  readonly line: number | undefined;

  constructor(code: string, message: string, options?: LociErrorOptions) {
    super(message, options);
    this.name = 'LociError';
    this.code = code;
    this.file = options?.file;
    this.line = options?.line;
  }
}

/** The error for a positive `errno` met while doing `what`; `code` is its name, such as `EPERM`. */
export function systemError(errno: number, what: string, detail?: string): LociError {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${String(errno)}`, `error ${String(errno)}`];
  return new LociError(code, `${what}: ${text}${detail === undefined ? '' : ` (${detail})`}`);
}
