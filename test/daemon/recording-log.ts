import type { Log } from '../../src/daemon/log.ts';

/** A log that keeps `LEVEL SENTENCE`, debug left out. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep =
    (level: string) =>
    (_: object, sentence: string): void => {
      lines.push(`${level} ${sentence}`);
    };
  return {
    level: 'info',
    lines,
    debug: () => undefined,
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    close: () => Promise.resolve(),
  };
}
