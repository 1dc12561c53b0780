import type { Random } from '../../crypto/ports.ts';
import { random32 } from '../../crypto/ports.ts';
import { encodeShim6, parseShim6 } from '../../shim6/message-codec.ts';
import { randomTag } from '../../shim6/tag.ts';
import type { Address } from '../../wire/address.ts';
import { sameOctets } from '../../wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../wire/checksum.ts';
import { parseIcmpError } from '../../wire/icmpv6.ts';
import type { IcmpError } from '../../wire/icmpv6.ts';
import {
  ICMPV6,
  IPV6_HEADER_LENGTH,
  NO_NEXT_HEADER,
  parseIpv6Header,
  SHIM6,
  writeIpv6Header,
} from '../../wire/ipv6.ts';
import { Writer } from '../../wire/writer.ts';

/** Protocol number of HIP, RFC 7401 §5.1. */
export const HIP = 139;

const HOP_LIMIT = 64;
const ECHO_REQUEST = 128; // RFC 4443 §4
const ECHO_REPLY = 129;
const ECHO_HEADER_LENGTH = 8;
const HIP_HEADER_LENGTH = 40;
const HIP_CHECKSUM_AT = 4;
const ICMP_CHECKSUM_AT = 2;
const COMPARED = 16; // octets behind the IPv6 header by which a quoted packet is recognised

/** Where a probe goes, and by which interface. */
export interface ProbePath {
  readonly source: Address;
  readonly destination: Address;
  readonly interface: string;
}

/** A packet that asks for an answer. */
export interface Probe extends ProbePath {
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly hopLimit: number;
  /** Whether a message of `protocol`, from behind the IPv6 header on, is the answer. */
  readonly isAnswer: (octets: Uint8Array) => boolean;
}

/** What came of a probe. */
export type Outcome =
  | { readonly kind: 'answer'; readonly from: string; readonly afterMs: number }
  | ({ readonly kind: 'error'; readonly from: string } & Pick<IcmpError, 'type' | 'code' | 'parameter'>)
  | { readonly kind: 'silence' }
  /** This host did not let it out. */
  | { readonly kind: 'refused'; readonly reason: string };

/** ICMPv6 Echo Request in a packet of `size` octets (RFC 4443 §4.1). */
export function echo(
  path: ProbePath,
  random: Random,
  size: number = IPV6_HEADER_LENGTH + 16,
  hopLimit: number = HOP_LIMIT,
): Probe {
  const w = new Writer(size - IPV6_HEADER_LENGTH);
  const key = random(8);
  w.u8(ECHO_REQUEST);
  w.u8(0);
  w.u16(0);
  w.octets(key); // identifier and sequence number, and four octets of data
  w.octets(new Uint8Array(size - IPV6_HEADER_LENGTH - 4 - key.length));
  const payload = w.finish();
  sum(payload, ICMP_CHECKSUM_AT, path, ICMPV6);
  return {
    ...path,
    protocol: ICMPV6,
    payload,
    hopLimit,
    isAnswer: (octets) =>
      octets[0] === ECHO_REPLY &&
      octets.length >= ECHO_HEADER_LENGTH + 4 &&
      sameOctets(octets.subarray(4, 4 + key.length), key),
  };
}

/** A Shim6 I1 that opens nothing here (RFC 5533 §5.4): whoever speaks Shim6 answers with an R1, and keeps no state (§7.9). */
export function shim6I1(path: ProbePath, random: Random, hopLimit: number = HOP_LIMIT): Probe {
  const initiatorNonce = random32(random);
  const payload = encodeShim6({ type: 'I1', initiatorContextTag: randomTag(random), initiatorNonce, options: {} });
  return {
    ...path,
    protocol: SHIM6,
    payload,
    hopLimit,
    isAnswer: (octets) => {
      const parsed = parseShim6(octets);
      return (
        parsed.ok &&
        (parsed.value.type === 'R1' || parsed.value.type === 'R2') &&
        parsed.value.initiatorNonce === initiatorNonce
      );
    },
  };
}

/** A HIP I1 to whom it may concern (RFC 7401 §5.3.1, §4.1.8): the receiver's HIT is zero. */
export function hipI1(path: ProbePath, random: Random): Probe {
  const w = new Writer(HIP_HEADER_LENGTH);
  const hit = Uint8Array.of(0x20, 0x01, 0x00, 0x21, ...random(12)); // an ORCHID, RFC 7343 §2
  w.u8(NO_NEXT_HEADER);
  w.u8(HIP_HEADER_LENGTH / 8 - 1);
  w.u8(1); // I1
  w.u8(0x21); // version 2, and the bit that is always set
  w.u32(0); // checksum, controls
  w.octets(hit);
  w.octets(new Uint8Array(16));
  const payload = w.finish();
  sum(payload, HIP_CHECKSUM_AT, path, HIP);
  return {
    ...path,
    protocol: HIP,
    payload,
    hopLimit: HOP_LIMIT,
    isAnswer: (octets) => octets.length >= HIP_HEADER_LENGTH && sameOctets(octets.subarray(24, 40), hit),
  };
}

/** The whole packet. */
export function packetOf({ source, destination, protocol, payload, hopLimit }: Probe): Uint8Array {
  const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
  writeIpv6Header(w, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: payload.length,
    nextHeader: protocol,
    hopLimit,
    source,
    destination,
  });
  w.octets(payload);
  return w.finish();
}

/** The ICMPv6 error in `octets` when it is about this probe. */
export function errorAbout(probe: Probe, octets: Uint8Array): IcmpError | undefined {
  const error = parseIcmpError(octets);
  if (!error.ok) return undefined;
  const { invokingPacket } = error.value;
  const header = parseIpv6Header(invokingPacket);
  if (!header.ok || header.value.nextHeader !== probe.protocol) return undefined;
  if (!sameOctets(header.value.destination, probe.destination)) return undefined;
  const length = Math.min(COMPARED, probe.payload.length);
  const quoted = invokingPacket.subarray(IPV6_HEADER_LENGTH, IPV6_HEADER_LENGTH + length);
  return sameOctets(quoted, probe.payload.subarray(0, length)) ? error.value : undefined;
}

function sum(payload: Uint8Array, at: number, { source, destination }: ProbePath, protocol: number): void {
  const pseudo = pseudoHeaderSum(source, destination, payload.length, protocol);
  new DataView(payload.buffer, payload.byteOffset).setUint16(at, internetChecksum(payload, pseudo));
}
