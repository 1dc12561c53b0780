import type { Refused } from '../wire/parsed.ts';
import type { HipParameter, Hit, Received } from './parameter.ts';

/** Packet types, RFC 7401 §5.3. */
export const PACKET_TYPES = {
  I1: 1,
  R1: 2,
  I2: 3,
  R2: 4,
  UPDATE: 16,
  NOTIFY: 17,
  CLOSE: 18,
  CLOSE_ACK: 19,
} as const;

export type PacketType = keyof typeof PACKET_TYPES;

interface HipHeader {
  readonly type: PacketType;
  /** The A bit of Controls, RFC 7401 §5.1.2: the sender's Host Identity is anonymous. Only R1 and I2 have it. */
  readonly isAnonymous: boolean;
  readonly senderHit: Hit;
  readonly receiverHit: Hit;
}

/** A packet to send. Parameters may be in any order: they are written in that of their types (RFC 7401 §5.2.1). */
export interface HipPacket extends HipHeader {
  readonly parameters: readonly HipParameter[];
}

/** A packet that came, RFC 7401 §5.1, with the octets that MACs and signatures are computed over. */
export interface ReceivedPacket extends HipHeader {
  readonly parameters: readonly Received[];
  /** From the Next Header field to where the Header Length ends. */
  readonly octets: Uint8Array;
}

/** Why a HIP packet was refused: `at` counts from the start of its header. */
export type HipRefused =
  | Refused
  | {
      readonly ok: false;
      /** `unknown-version` is worth an ICMP Parameter Problem (RFC 7401 §5.4.1); the others make it malformed. */
      readonly reason: 'unknown-version' | 'unknown-type' | 'out-of-order';
      readonly at: number;
    };

export type ParsedHip = { readonly ok: true; readonly value: ReceivedPacket } | HipRefused;

/** Notify Message Types, RFC 7401 §5.2.19, RFC 7402 §5.1.3, RFC 8046 §5.3, RFC 8002 §5, RFC 9028 §5.10. */
export const NOTIFY_TYPES = {
  UNSUPPORTED_CRITICAL_PARAMETER_TYPE: 1,
  INVALID_SYNTAX: 7,
  NO_DH_PROPOSAL_CHOSEN: 14,
  INVALID_DH_CHOSEN: 15,
  NO_HIP_PROPOSAL_CHOSEN: 16,
  INVALID_HIP_CIPHER_CHOSEN: 17,
  NO_ESP_PROPOSAL_CHOSEN: 18,
  INVALID_ESP_TRANSFORM_CHOSEN: 19,
  UNSUPPORTED_HIT_SUITE: 20,
  AUTHENTICATION_FAILED: 24,
  CHECKSUM_FAILED: 26,
  HIP_MAC_FAILED: 28,
  ENCRYPTION_FAILED: 32,
  INVALID_HIT: 40,
  BLOCKED_BY_POLICY: 42,
  RESPONDER_BUSY_PLEASE_RETRY: 44,
  LOCATOR_TYPE_UNSUPPORTED: 46,
  CREDENTIALS_REQUIRED: 48,
  INVALID_CERTIFICATE: 50,
  NO_VALID_NAT_TRAVERSAL_MODE_PARAMETER: 60,
  I2_ACKNOWLEDGEMENT: 16384,
  NAT_KEEPALIVE: 16385,
} as const;

/** RFC 7401 §5.2.19: up to here they are errors, above they are status. */
export const LAST_ERROR_TYPE = 16383;
