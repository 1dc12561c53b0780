import { getSystemErrorMap } from 'node:util';

/** An error of the operating system or of configuration, with a stable `code` that callers may test. */
export class LociError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LociError';
    this.code = code;
  }
}

/** The error for a positive `errno` met while doing `what`; `code` is its name, such as `EPERM`. */
export function systemError(errno: number, what: string, detail?: string): LociError {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${String(errno)}`, `error ${String(errno)}`];
  return new LociError(code, `${what}: ${text}${detail === undefined ? '' : ` (${detail})`}`);
}
