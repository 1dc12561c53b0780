import { randomFillSync } from 'node:crypto';
import type { Random } from '../crypto/ports.ts';

const POOL_LENGTH = 4096;

/** The operating system's generator, drawn on in pools: nonces and tags are a few octets each, a call costs microseconds. */
export const systemRandom: Random = pooled();

function pooled(): Random {
  let pool = new Uint8Array(0);
  let used = 0;
  return (length) => {
    if (length > POOL_LENGTH / 4) return new Uint8Array(randomFillSync(new Uint8Array(length)));
    if (used + length > pool.length) {
      pool = randomFillSync(new Uint8Array(POOL_LENGTH));
      used = 0;
    }
    const octets = pool.slice(used, used + length);
    pool.fill(0, used, used + length); // handed out once, remembered nowhere
    used += length;
    return octets;
  };
}
