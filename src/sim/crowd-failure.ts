import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { Instant } from '../wire/time.ts';
import { hasMoved } from './crowd.ts';
import type { Crowd, CrowdSide } from './crowd.ts';

export interface CrowdFailureOptions {
  /** Datagrams of each program, both ways. */
  readonly everyMs: number;
  readonly steadyMs: number;
  readonly watchMs: number;
  /** The direction in which provider 1 stops carrying anything. */
  readonly dead: 'both' | 'a-b' | 'b-a' | 'none';
}

/** What one failure of provider 1 did to all contexts of a crowd; times from the failure on. */
export interface CrowdFailure {
  /** Per context: until a datagram had arrived at both ends, ascending. `Infinity`: never. */
  readonly recoveryMs: readonly number[];
  readonly moved: number;
  /** The most control messages that one host sent within one second, before the failure and from then on. */
  readonly controlBefore: number;
  readonly controlAfter: number;
}

const ONE_SECOND_MS = 1_000;

/** Traffic in all contexts at once, then a failure. */
export function failCrowd(crowd: Crowd, pairs: readonly LocatorPair[], options: CrowdFailureOptions): CrowdFailure {
  const { everyMs, steadyMs, watchMs, dead } = options;
  const { a, b, world } = crowd;
  let failedAt = Number.POSITIVE_INFINITY;
  const first = { a: new Map<string, Instant>(), b: new Map<string, Instant>() };
  a.sim.deliver = (ulids) => {
    if (world.now > failedAt + everyMs / 2) note(first.a, ulids, world.now);
  };
  b.sim.deliver = ({ local, peer }) => {
    if (world.now > failedAt + everyMs / 2) note(first.b, { local: peer, peer: local }, world.now);
  };
  const end = world.now + steadyMs + watchMs;
  const send = (from: CrowdSide, ulids: LocatorPair): void => {
    if (world.now > end) return;
    from.sim.send(ulids, PAYLOAD);
    world.after(everyMs, () => {
      send(from, ulids);
    });
  };
  for (const [i, { local, peer }] of pairs.entries()) {
    world.after((i * everyMs) / pairs.length, () => {
      send(a, { local, peer });
    });
    world.after(((i + 1 / 2) * everyMs) / pairs.length, () => {
      send(b, { local: peer, peer: local });
    });
  }
  for (const { controls } of [a, b]) controls.length = 0;
  crowd.run(steadyMs);
  failedAt = world.now;
  const controlBefore = busiestSecond(a, b);
  for (const { controls } of [a, b]) controls.length = 0;
  crowd.way = (provider, direction) => ({
    delayMs: 0.15,
    loss: provider === 1 && (dead === 'both' || dead === direction) ? 1 : 0,
  });
  crowd.run(watchMs);
  const recoveryMs = pairs.map((ulids) => {
    const [atA, atB] = [first.a.get(pairKey(ulids)), first.b.get(pairKey(ulids))];
    return Math.max(atA ?? Number.POSITIVE_INFINITY, atB ?? Number.POSITIVE_INFINITY) - failedAt;
  });
  return {
    recoveryMs: recoveryMs.sort((x, y) => x - y),
    moved: pairs.filter((ulids) => hasMoved(crowd, ulids)).length,
    controlBefore,
    controlAfter: busiestSecond(a, b),
  };
}

const PAYLOAD = new Uint8Array(8);

function note(first: Map<string, Instant>, ulids: LocatorPair, now: Instant): void {
  const key = pairKey(ulids);
  if (!first.has(key)) first.set(key, now);
}

function busiestSecond(...sides: readonly CrowdSide[]): number {
  let most = 0;
  for (const { controls } of sides) {
    let from = 0;
    for (const [i, at] of controls.entries()) {
      while ((controls[from] ?? at) <= at - ONE_SECOND_MS) from++;
      most = Math.max(most, i + 1 - from);
    }
  }
  return most;
}
