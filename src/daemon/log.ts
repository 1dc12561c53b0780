import pino from 'pino';
import type { LogLevel } from './config.ts';

/** Where the daemon writes what happens. Fields come first, then one plain sentence. */
export interface Log {
  level: LogLevel;
  debug(fields: object, sentence: string): void;
  info(fields: object, sentence: string): void;
  warn(fields: object, sentence: string): void;
  error(fields: object, sentence: string): void;
  /** Until everything is written, or its reader is stuck; the last thing before the process ends. */
  close(): Promise<void>;
}

/** Names of fields that are never written, in case someone passes more than intended. */
const SECRET = ['key', 'privateKey', 'secret', 'pem'].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** More than this waiting for a stuck reader is thrown away: the daemon does not stop for its log. */
const QUEUE_OCTETS = 1 << 20;
const CLOSE_WITHIN_MS = 1_000;

/** JSON lines on a descriptor, by default stderr. */
export function createLog(level: LogLevel, descriptor = 2): Log {
  const destination = pino.destination({ fd: descriptor, sync: false, maxLength: QUEUE_OCTETS });
  destination.on('error', () => undefined); // a full disk behind stderr is no reason to stop
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET, censor: '[secret]' },
    },
    destination,
  );
  return {
    get level() {
      return level;
    },
    set level(next: LogLevel) {
      level = next;
      logger.level = next;
    },
    debug: (fields, sentence) => {
      logger.debug(fields, sentence);
    },
    info: (fields, sentence) => {
      logger.info(fields, sentence);
    },
    warn: (fields, sentence) => {
      logger.warn(fields, sentence);
    },
    error: (fields, sentence) => {
      logger.error(fields, sentence);
    },
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, CLOSE_WITHIN_MS);
        destination.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        destination.end();
      }),
  };
}
