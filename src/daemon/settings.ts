import type { HostSettings } from '../host/host-io.ts';
import type { Config } from './config.ts';

/** What the configuration says to the host. */
export function settingsOf(config: Config): HostSettings {
  const { returnAfterSeconds, probeBudget, sendTimeoutMs } = config.detection;
  return {
    profile: config.profile,
    idleMs: config.policy.idleMinutes * 60_000,
    returnAfterMs: returnAfterSeconds === 0 ? Number.POSITIVE_INFINITY : returnAfterSeconds * 1000,
    probeBudget,
    sendTimeoutMs,
    deliverAllErrors: config.interception.deliverAllErrors,
  };
}
