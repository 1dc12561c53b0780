import { readFileSync } from 'node:fs';
import { monotonicNow } from '../../../src/cli/demo/lines.ts';

const TICK_MS = 2;
const BEFORE_MS = 300;
const AFTER_MS = 20;

/** What the machine itself was like during a measurement. */
export interface Load {
  /** The longest time that this process, an ordinary one, was not run although it was due. */
  readonly lagMs: number;
  readonly loadavg: string;
}

/** Watches how late an ordinary process comes to its turn. `around`: within 300 ms before an instant (ms since 1970). */
export function watchLoad(): { stop(): Load; around(at: number): number } {
  let last = monotonicNow();
  const late: { readonly at: number; readonly lagMs: number }[] = [];
  const tick = (): void => {
    const now = monotonicNow();
    const lagMs = Math.round(now - last - TICK_MS);
    if (lagMs > 0) late.push({ at: Date.now(), lagMs });
    last = now;
  };
  const timer = setInterval(tick, TICK_MS);
  const worst = (chosen: typeof late): number => Math.max(0, ...chosen.map(({ lagMs }) => lagMs));
  return {
    stop: () => {
      clearInterval(timer);
      tick();
      return { lagMs: worst(late), loadavg: readFileSync('/proc/loadavg', 'utf8').trim() };
    },
    around: (at) => worst(late.filter((one) => one.at >= at - BEFORE_MS && one.at - one.lagMs <= at + AFTER_MS)),
  };
}
