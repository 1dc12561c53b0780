import type { PairText } from '../host/events.ts';
import type { PathSnapshot } from '../host/snapshot.ts';
import type { Defeat } from '../locators/why.ts';

/** A candidate, and the rule by which another one goes before it; the first one has none. */
export interface Candidate {
  readonly address: string;
  readonly lostBy?: Defeat;
}

/** What `loci why` prints with `--json`. */
export interface WhyReport {
  /** In the order of RFC 6724 §6, each compared with the one before it. */
  readonly destinations: readonly (Candidate & { readonly source: string | null })[];
  /** For the first destination, RFC 6724 §5; each compared with the first. */
  readonly source: {
    readonly destination: string;
    readonly interface: string | null;
    readonly asked: string | null;
    readonly chosen: string | null;
    /** What the kernel takes; another one than `chosen` when a route or rule names it. */
    readonly kernel: string | null;
    readonly candidates: readonly (Candidate & { readonly interface: string })[];
  };
  /** `null` when locid answers; else why it does not. */
  readonly withoutContexts: string | null;
  readonly contexts: readonly ExplainedContext[];
}

/** A context with the destination, and the pairs that it may use in the order of RFC 5534 §4.2. */
export interface ExplainedContext {
  readonly ulids: PairText;
  readonly state: string;
  readonly inUse: PairText;
  readonly pairs: readonly {
    readonly pair: PairText;
    /** 1: tried first; `null`: not tried. */
    readonly rank: number | null;
    readonly state: PathSnapshot['state'] | null;
    readonly lostBy?: Defeat;
  }[];
}
