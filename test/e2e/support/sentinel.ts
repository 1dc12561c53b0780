import { readFileSync } from 'node:fs';
import { monotonicNow } from '../../../src/cli/demo/lines.ts';

const TICK_MS = 2;

/** What the machine itself was like during a measurement. */
export interface Load {
  /** The longest time that this process, an ordinary one, was not run although it was due. */
  readonly lagMs: number;
  readonly loadavg: string;
}

/** Watches how late an ordinary process comes to its turn. */
export function watchLoad(): { stop(): Load } {
  let last = monotonicNow();
  let lagMs = 0;
  const tick = (): void => {
    const now = monotonicNow();
    lagMs = Math.max(lagMs, now - last - TICK_MS);
    last = now;
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    stop: () => {
      clearInterval(timer);
      tick();
      return { lagMs: Math.round(lagMs), loadavg: readFileSync('/proc/loadavg', 'utf8').trim() };
    },
  };
}
