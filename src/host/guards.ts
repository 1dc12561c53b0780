import { pairKey } from '../locators/pair.ts';
import type { LocatorPair } from '../locators/pair.ts';
import type { HostEffect } from './host-io.ts';

/** Pairs taken out of the kernel's path at most. */
const MAX_GUARDED = 256;

interface Guarded<Peer> {
  readonly ulids: LocatorPair;
  readonly peer: Peer;
}

/** Which packets are taken out of the kernel's path although no context has diverted them. */
export class Guards<Peer> {
  readonly #hold: (ulids: LocatorPair, on: boolean) => void;
  readonly #guarded = new Map<string, Guarded<Peer>>();

  constructor(hold: (ulids: LocatorPair, on: boolean) => void) {
    this.#hold = hold;
  }

  /** Of this peer, exactly these. What a context has diverted meanwhile is its own business. */
  set(
    peer: Peer,
    wanted: readonly LocatorPair[],
    isDiverted: (ulids: LocatorPair) => boolean,
    out: HostEffect[],
  ): void {
    const keys = new Set(wanted.map(pairKey));
    for (const [key, guarded] of this.#guarded) {
      if (guarded.peer !== peer || keys.has(key)) continue;
      this.#guarded.delete(key);
      this.#hold(guarded.ulids, false);
      if (!isDiverted(guarded.ulids)) out.push({ type: 'restore', ulids: guarded.ulids });
    }
    for (const ulids of wanted) {
      if (this.#guarded.has(pairKey(ulids)) || this.#guarded.size >= MAX_GUARDED) continue;
      this.#guarded.set(pairKey(ulids), { ulids, peer });
      this.#hold(ulids, true);
      out.push({ type: 'divert', ulids });
    }
  }
}
