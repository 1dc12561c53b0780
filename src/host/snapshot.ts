import type { PairText } from './events.ts';

/** What `loci contexts` shows of one context. Ages are milliseconds before the snapshot. */
export interface ContextSnapshot {
  readonly ulids: PairText;
  readonly forkedInstanceId: number;
  readonly state: string;
  readonly tagLocal: string;
  readonly tagPeer: string | null;
  readonly profile: 'fast' | 'balanced' | 'rfc';
  readonly reap: 'Operational' | 'Exploring' | 'InboundOk';
  readonly pair: PairText;
  readonly diverted: boolean;
  readonly localLocators: readonly string[];
  readonly peerLocators: readonly {
    readonly address: string;
    readonly method: 'ulid' | 'hba' | 'cga';
    readonly probed: boolean;
    readonly broken: boolean;
    /** Locator Preferences, RFC 5533 §5.15.3. */
    readonly priority: number;
    readonly weight: number;
  }[];
  readonly sentAgoMs: number | null;
  readonly heardAgoMs: number | null;
  readonly ageMs: number;
}

/** What `loci paths` shows of one locator pair. */
export interface PathSnapshot {
  readonly pair: PairText;
  readonly state: 'operational' | 'suspect' | 'failed' | 'unknown';
  readonly rttMs: number | null;
  readonly heardAgoMs: number | null;
  readonly contexts: number; // that use it now
  readonly why: string; // why it is used, or is not
}

/** What `loci locators` shows of one local address. */
export interface LocatorSnapshot {
  readonly address: string;
  readonly interface: string;
  readonly method: 'cga' | 'hba' | 'none';
  readonly state: 'tentative' | 'preferred' | 'deprecated';
  readonly operational: boolean;
  readonly cost?: number;
  readonly backup?: boolean;
  readonly identity?: string; // left out: the one that programs get without asking
  readonly ulid: boolean; // may be the identifier of new contexts
}
