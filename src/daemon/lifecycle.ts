import type { EventEmitter } from 'node:events';
import { errorText, exitStatus, messageOf } from '../node/error.ts';
import type { Config } from './config.ts';
import { ControlServer } from './control.ts';
import type { Log } from './log.ts';
import type { ServiceManager } from './notify.ts';
import type { Running } from './run.ts';

/** An orderly end may take this long; then the process ends as it is. */
const CLOSE_WITHIN_MS = 5_000;

/** What a life of the daemon needs from outside. */
export interface Life {
  readonly config: Config;
  readonly log: Log;
  readonly manager: ServiceManager;
  run(config: Config, log: Log): Promise<Running>;
  /** The configuration file, read once more. */
  reread(): Config;
  /** Removes from the kernel what a daemon that broke down may have left. */
  cleanup(): unknown;
  /** Emits SIGTERM, SIGINT, SIGHUP, uncaughtException and unhandledRejection: `process`. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
  /** Complains to the person who started it. */
  complain(sentence: string): void;
}

/**
 * From start to end; the exit status. SIGTERM and SIGINT end it in order (0), also while it starts; an exception that
 * nobody caught is logged, and the machine is left clean (1); what keeps it from starting is one sentence (1 or 2).
 */
export async function live(life: Life): Promise<number> {
  const { config, log } = life;
  const ending = watchEnding(life);
  let server: ControlServer | undefined;
  let running: Running | undefined;
  const reload = (): void => {
    if (running !== undefined) rereadInto(running, life);
  };
  life.signals.on('SIGHUP', reload); // before anything is set up: its default would kill us
  try {
    server = await ControlServer.claim(config.controlSocket, log);
    running = await Promise.race([life.run(config, log), ending.failure]);
    server.serve(running.control);
    log.info({ controlSocket: config.controlSocket, profile: config.profile }, 'ready');
    life.manager.ready();
    const signal = await Promise.race([ending.signal, ending.failure]);
    log.info({ signal }, 'ending');
    life.manager.stopping();
    running.handOver();
    return (await closed(running, server, log)) ? 0 : 1;
  } catch (error) {
    if (running === undefined) {
      life.complain(errorText(error));
    } else {
      log.error({ reason: messageOf(error), stack: error instanceof Error ? error.stack : undefined }, 'broke down');
      life.manager.stopping();
      await closed(running, server, log);
    }
    if (server !== undefined) await succeeds(() => life.cleanup(), log, 'could not clean up'); // else the machine is another daemon's
    await server?.close();
    return running === undefined ? exitStatus(error) : 1;
  } finally {
    ending.forget();
    life.signals.off('SIGHUP', reload);
  }
}

interface Ending {
  /** The signal that asks for an orderly end. */
  readonly signal: Promise<string>;
  /** Rejects with the first exception that nobody caught. */
  readonly failure: Promise<never>;
  forget(): void;
}

function watchEnding({ signals }: Life): Ending {
  const forgets: (() => void)[] = [];
  const listen = (name: string, listener: (argument: unknown) => void): void => {
    signals.on(name, listener);
    forgets.push(() => signals.off(name, listener));
  };
  const signal = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT']) {
      listen(name, () => {
        resolve(name);
      });
    }
  });
  const failure = new Promise<never>((_, reject) => {
    for (const name of ['uncaughtException', 'unhandledRejection']) listen(name, reject);
  });
  failure.catch(() => undefined); // it is awaited later, or never
  return {
    signal,
    failure,
    forget: () => {
      for (const forget of forgets) forget();
    },
  };
}

function rereadInto(running: Running, { config, log, manager, reread }: Life): void {
  manager.reloading();
  try {
    const next = reread();
    log.level = next.logLevel;
    running.reload(next);
    if (next.controlSocket !== config.controlSocket)
      log.warn({}, 'another control_socket is used from the next start on');
    log.info({ profile: next.profile }, 'read the configuration again');
    manager.ready();
  } catch (error) {
    log.error({ reason: errorText(error) }, 'kept the old configuration');
    manager.kept(errorText(error));
  }
}

/** Whether everything closed, in time and without an error. */
async function closed(running: Running, server: ControlServer | undefined, log: Log): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not closed within ${String(CLOSE_WITHIN_MS)} ms`));
    }, CLOSE_WITHIN_MS);
  });
  const all = Promise.all([server?.close(), running.close()]);
  const orderly = await succeeds(() => Promise.race([all, late]), log, 'could not close in order');
  clearTimeout(timer);
  return orderly;
}

async function succeeds(work: () => unknown, log: Log, sentence: string): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    log.error({ reason: messageOf(error) }, sentence); // the process ends anyway, with status 1
    return false;
  }
}
