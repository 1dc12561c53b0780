import { isMulticast, isUnspecified } from '../wire/address.ts';
import type { AssociationEffect, HipPath } from './association-io.ts';
import { hasGoodChecksum } from './packet-carriage.ts';
import { hipLength, parseHip } from './packet-codec.ts';
import type { ReceivedPacket } from './packet.ts';
import { unknownCritical } from './parameter.ts';

export type Admitted =
  | { readonly ok: true; readonly packet: ReceivedPacket }
  | { readonly ok: false; readonly effects: AssociationEffect[] };

/**
 * The cheap checks that every HIP packet passes before anybody looks for its association: addresses, checksum, form, critical
 * parameters. `octets` begin at the HIP header, behind the marker of UDP.
 */
export function admitHip(octets: Uint8Array, path: HipPath): Admitted {
  for (const address of [path.local, path.peer]) {
    if (isMulticast(address) || isUnspecified(address)) return refused({ type: 'drop', reason: 'address' });
  }
  const parsed = parseHip(octets);
  if (!parsed.ok && parsed.reason === 'unknown-version') {
    // §5.4.1: whatever the rest of it means
    return refused({ type: 'drop', reason: 'version' }, { type: 'parameter-problem', path, at: parsed.at });
  }
  const whole = octets.subarray(0, hipLength(octets));
  if (path.carriage === 'raw' && !hasGoodChecksum(whole, path.local, path.peer)) {
    return refused({ type: 'drop', reason: 'checksum' }); // §5.4.2: in silence
  }
  if (!parsed.ok) return refused({ type: 'drop', reason: 'malformed' });
  if (unknownCritical(parsed.value) !== undefined) return refused({ type: 'drop', reason: 'unknown-critical' });
  return { ok: true, packet: parsed.value };
}

function refused(...effects: AssociationEffect[]): Admitted {
  return { ok: false, effects };
}
