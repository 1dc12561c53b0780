import { addon } from '../node/addon.ts';
import { errorName } from '../node/error.ts';
import type { Log } from './log.ts';

/** What the service manager said in our environment, sd_notify(3) and sd_watchdog_enabled(3). */
export type NotifyEnvironment = Readonly<
  Partial<Record<'NOTIFY_SOCKET' | 'WATCHDOG_USEC' | 'WATCHDOG_PID', string | undefined>>
>;

/** Tells the service manager that started us how far we are; without one, nobody. */
export class ServiceManager {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #log: Log;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(environment: NotifyEnvironment, log: Log) {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
    this.#log = log;
    this.#socket = socket === undefined || socket === '' ? undefined : socket;
    const isForUs = pid === undefined || pid === String(process.pid);
    this.#watchdogMs = isForUs && Number(usec) > 0 ? Number(usec) / 1000 : undefined;
  }

  /** Everything is at work; from now on the watchdog hears of us, twice in its time. */
  ready(): void {
    this.#tell('READY=1', 'STATUS=at work');
    if (this.#socket === undefined || this.#watchdogMs === undefined || this.#watchdog !== undefined) return;
    this.#watchdog = setInterval(() => {
      this.#tell('WATCHDOG=1');
    }, this.#watchdogMs / 2);
  }

  /** The configuration is being read again; `ready` or `kept` ends that. */
  reloading(): void {
    const microseconds = process.hrtime.bigint() / 1000n; // of CLOCK_MONOTONIC
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${String(microseconds)}`);
  }

  /** The new configuration was refused. */
  kept(reason: string): void {
    this.#tell('READY=1', `STATUS=kept the old configuration: ${reason.replaceAll('\n', ' ')}`);
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#tell('STOPPING=1');
  }

  #tell(...lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    const result = addon().notify(Buffer.from(this.#socket), Buffer.from(lines.join('\n')));
    if (result < 0) this.#log.warn({ reason: errorName(-result) }, 'could not tell the service manager');
  }
}
