import type { Random } from '../crypto/ports.ts';
import { BALANCED, FAST, RFC } from '../reap/profile.ts';
import type { ReapProfile } from '../reap/profile.ts';
import type { PeerFacts } from '../shim6/context-io.ts';
import type { Agreement } from './detector.ts';
import type { HostSettings, Profile } from './host-io.ts';

/** How a host notices failures. */
export type DetectionSettings = Pick<HostSettings, 'profile' | 'returnAfterMs' | 'sendTimeoutMs' | 'probeBudget'>;

const MAX_AGREEMENTS = 64;
const PROFILES: { readonly [Name in Profile]: ReapProfile } = { fast: FAST, balanced: BALANCED, rfc: RFC };

/** The Send Timeout that this host offers and grants for detection in milliseconds; none in the profile `rfc`. */
export function detectionOf(settings: DetectionSettings): number | undefined {
  return settings.profile === 'rfc' ? undefined : sendTimeoutOf(settings.profile, settings);
}

/** The Send Timeout of the profile `rfc`, RFC 5534 §5.3; `undefined` when it is the default. */
export function sendTimeoutSecondsOf({ sendTimeoutMs }: HostSettings): number | undefined {
  return sendTimeoutMs?.rfc === undefined ? undefined : Math.ceil(sendTimeoutMs.rfc / 1000);
}

function sendTimeoutOf(profile: Profile, settings: DetectionSettings): number {
  return settings.sendTimeoutMs?.[profile] ?? PROFILES[profile].sendTimeoutMs;
}

/**
 * What the REAP machines of contexts are made with: our profile when the peer agreed to detection in milliseconds, else
 * RFC 5534 as it stands.
 */
export class Agreements {
  readonly #random: Random;
  readonly #reap: { readonly [Name in Profile]: ReapProfile };
  readonly #profile: Profile;
  /** Peers with the same Send Timeout have the same agreement. */
  readonly #made = new Map<number | undefined, Agreement>();

  constructor(settings: DetectionSettings, random: Random) {
    const { returnAfterMs, profile } = settings;
    const tuned = (name: Profile): ReapProfile => {
      return { ...PROFILES[name], sendTimeoutMs: sendTimeoutOf(name, settings), returnAfterMs };
    };
    this.#random = random;
    this.#profile = profile;
    this.#reap = { fast: tuned('fast'), balanced: tuned('balanced'), rfc: tuned('rfc') };
  }

  with({ detectionMs }: Pick<PeerFacts, 'detectionMs'>): Agreement {
    let agreement = this.#made.get(detectionMs);
    if (agreement !== undefined) return agreement;
    const profile = detectionMs === undefined ? 'rfc' : this.#profile;
    agreement = { profile, reap: this.#reap[profile], random: this.#random, keepaliveTimeoutMs: detectionMs };
    if (this.#made.size < MAX_AGREEMENTS) this.#made.set(detectionMs, agreement);
    return agreement;
  }
}
