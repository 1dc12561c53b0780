import { LociError } from '../node/error.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import type { Control } from './protocol.ts';

/** A daemon at work. */
export interface Running {
  readonly control: Control;
  reload(config: Config): void;
  close(): Promise<void>;
}

/** Take over the machine's Shim6 traffic as `config` says. */
export function run(config: Config, log: Log): Promise<Running> {
  log.debug({ profile: config.profile }, 'starting');
  return Promise.reject(new LociError('internal', 'the daemon loop is not part of this build'));
}
