import type { Random } from '../crypto/ports.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { BALANCED, FAST, RFC } from '../reap/profile.ts';
import type { ReapProfile } from '../reap/profile.ts';
import { Reap } from '../reap/reap.ts';
import type { PeerFacts } from '../shim6/context-io.ts';
import type { Instant } from '../wire/time.ts';
import type { HostSettings, Profile } from './host-io.ts';

const PROFILES: { readonly [Name in Profile]: ReapProfile } = { fast: FAST, balanced: BALANCED, rfc: RFC };

/** The Send Timeout that this host offers and grants for detection in milliseconds; none in the profile `rfc`. */
export function detectionOf(settings: HostSettings): number | undefined {
  return settings.profile === 'rfc' ? undefined : sendTimeoutOf(settings.profile, settings);
}

function sendTimeoutOf(profile: Profile, settings: HostSettings): number {
  return settings.sendTimeoutMs?.[profile] ?? PROFILES[profile].sendTimeoutMs;
}

/** The REAP machine of a context: our profile when the peer agreed to detection in milliseconds, else RFC 5534 as it stands. */
export function reapFor(
  pair: LocatorPair,
  peer: PeerFacts,
  settings: HostSettings,
  random: Random,
  now: Instant,
): { readonly machine: Reap; readonly profile: Profile } {
  const profile = peer.detectionMs === undefined ? 'rfc' : settings.profile;
  const machine = new Reap({
    pair,
    random,
    profile: {
      ...PROFILES[profile],
      sendTimeoutMs: sendTimeoutOf(profile, settings),
      returnAfterMs: settings.returnAfterMs,
    },
  });
  if (peer.detectionMs !== undefined)
    machine.handle({ type: 'peer-timeout', keepaliveTimeoutMs: peer.detectionMs }, now);
  return { machine, profile };
}
