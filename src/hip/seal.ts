import type { HipCrypto, Rhash } from '../crypto/ports.ts';
import type { HostIdentity } from './host-identity.ts';
import type { OwnIdentity } from './orchid.ts';
import { append, encodeHip } from './packet-codec.ts';
import { mac2Range, macRange, signedRange, signedRange2 } from './packet-ranges.ts';
import type { HipPacket, ReceivedPacket } from './packet.ts';
import { parameterOf } from './parameter.ts';
import type { HipParameter } from './parameter.ts';

/** What HIP_MAC is made with, RFC 7401 §6.4.1. */
export interface MacKey {
  readonly crypto: HipCrypto;
  readonly rhash: Rhash;
  readonly key: Uint8Array;
}

/** With HIP_MAC and HIP_SIGNATURE behind the parameters, and what neither covers behind them (RFC 7401 §6.4). */
export function sealed(
  packet: HipPacket,
  { crypto, rhash, key }: MacKey,
  own: OwnIdentity,
  behind: readonly HipParameter[] = [],
): Uint8Array {
  const octets = encodeHip(packet);
  const mac = append(octets, { type: 'HIP_MAC', mac: crypto.mac(rhash, key, macRange(octets)) });
  return behind.reduce(append, signed(mac, own));
}

/** An R2: HIP_MAC_2 covers this host's HOST_ID as well, as it was in the R1 (§5.2.13). */
export function sealedR2(
  packet: HipPacket,
  { crypto, rhash, key }: MacKey,
  own: OwnIdentity,
  hostId: Uint8Array,
  behind: readonly HipParameter[] = [],
): Uint8Array {
  const octets = encodeHip(packet);
  const mac = append(octets, { type: 'HIP_MAC_2', mac: crypto.mac(rhash, key, mac2Range(octets, hostId)) });
  return behind.reduce(append, signed(mac, own));
}

/** With HIP_MAC alone: what two Loci hosts agreed to send often (docs/reap-over-hip.md). */
export function sealedByMac(packet: HipPacket, { crypto, rhash, key }: MacKey): Uint8Array {
  const octets = encodeHip(packet);
  return append(octets, { type: 'HIP_MAC', mac: crypto.mac(rhash, key, macRange(octets)) });
}

/** An encoded packet with HIP_SIGNATURE behind it, §6.4.2. */
export function signed(octets: Uint8Array, { identity, signer }: OwnIdentity): Uint8Array {
  const signature = signer.sign(signedRange(octets));
  return append(octets, { type: 'HIP_SIGNATURE', algorithm: identity.algorithm, signature });
}

/** An encoded R1 with HIP_SIGNATURE_2 behind it, §6.4.2. */
export function signed2(octets: Uint8Array, { identity, signer }: OwnIdentity): Uint8Array {
  const signature = signer.sign(signedRange2(octets));
  return append(octets, { type: 'HIP_SIGNATURE_2', algorithm: identity.algorithm, signature });
}

export function hasGoodMac(packet: ReceivedPacket, { crypto, rhash, key }: MacKey): boolean {
  const mac = parameterOf(packet, 'HIP_MAC');
  return mac !== undefined && crypto.equal(mac.mac, crypto.mac(rhash, key, macRange(packet.octets)));
}

export function hasGoodMac2(packet: ReceivedPacket, { crypto, rhash, key }: MacKey, hostId: Uint8Array): boolean {
  const mac = parameterOf(packet, 'HIP_MAC_2');
  return mac !== undefined && crypto.equal(mac.mac, crypto.mac(rhash, key, mac2Range(packet.octets, hostId)));
}

export function hasGoodSignature(packet: ReceivedPacket, crypto: HipCrypto, identity: HostIdentity): boolean {
  const found = parameterOf(packet, 'HIP_SIGNATURE');
  if (found?.algorithm !== identity.algorithm) return false;
  return crypto.verify(identity.key, signedRange(packet.octets), found.signature);
}

/** Of an R1. */
export function hasGoodSignature2(packet: ReceivedPacket, crypto: HipCrypto, identity: HostIdentity): boolean {
  const found = parameterOf(packet, 'HIP_SIGNATURE_2');
  if (found?.algorithm !== identity.algorithm) return false;
  return crypto.verify(identity.key, signedRange2(packet.octets), found.signature);
}
