import type { PeerFacts } from '../shim6/context-io.ts';
import type { Instant } from '../wire/time.ts';
import type { Agreement } from './detector.ts';
import type { HostEffect, HostLocator } from './host-io.ts';
import type { Paths } from './paths.ts';
import type { Sharing } from './sharing.ts';
import type { Warnings } from './warnings.ts';

/** What a context needs from the host around it. */
export interface Surroundings<One> {
  readonly locators: () => readonly HostLocator[];
  /** What both ends agreed on about detection. */
  readonly agreement: (peer: PeerFacts) => Agreement;
  /** Names the host behind the identifier of a context: by its key, if that is known. */
  readonly peerKey: (context: One) => string;
  readonly sharing: Sharing;
  readonly warnings: Warnings;
  readonly paths: Paths;
  /** Without a packet for so long it is forgotten, RFC 5533 §9. */
  idleMs(): number;
  /** It changed: its deadline, its current pair, its tags. */
  touched(context: One): void;
  /** CT(peer) or Ls(peer) changed: look for confusion, RFC 5533 §7.15. */
  changed(context: One, now: Instant, out: HostEffect[]): void;
  /** Nothing is left of it. */
  gone(context: One, out: HostEffect[]): void;
  dropped(reason: string): void;
}
