import type { Address } from '../wire/address.ts';
import type { LocatorSetEntry } from './locator-set.ts';

/** Parameter types under their RFC names, RFC 7401 §5.2, RFC 7402 §5.1, RFC 8046 §4, RFC 8002 §2, RFC 9028 §5.4. */
export const PARAMETER_TYPES = {
  ESP_INFO: 65,
  R1_COUNTER: 129,
  LOCATOR_SET: 193,
  PUZZLE: 257,
  SOLUTION: 321,
  SEQ: 385,
  ACK: 449,
  DH_GROUP_LIST: 511,
  DIFFIE_HELLMAN: 513,
  HIP_CIPHER: 579,
  NAT_TRAVERSAL_MODE: 608,
  ENCRYPTED: 641,
  HOST_ID: 705,
  HIT_SUITE_LIST: 715,
  CERT: 768,
  NOTIFICATION: 832,
  ECHO_REQUEST_SIGNED: 897,
  ECHO_RESPONSE_SIGNED: 961,
  TRANSPORT_FORMAT_LIST: 2049,
  ESP_TRANSFORM: 4095,
  HIP_MAC: 61505,
  HIP_MAC_2: 61569,
  HIP_SIGNATURE_2: 61633,
  HIP_SIGNATURE: 61697,
  ECHO_RESPONSE_UNSIGNED: 63425,
  ECHO_REQUEST_UNSIGNED: 63661,
} as const;

/** RFC 7402 §5.1.1. The SPIs are those of the sender's incoming security association. */
export interface EspInfo {
  readonly type: 'ESP_INFO';
  readonly keymatIndex: number;
  readonly oldSpi: number;
  readonly newSpi: number;
}

/** RFC 7401 §5.2.3. The reserved field comes back in the I2 as it was sent. */
export interface R1Counter {
  readonly type: 'R1_COUNTER';
  readonly reserved: number;
  readonly generation: bigint;
}

/** RFC 8046 §4: all locators that are to be active; none at all withdraws every one. */
export interface LocatorSet {
  readonly type: 'LOCATOR_SET';
  readonly locators: readonly LocatorSetEntry[];
}

/** RFC 7401 §5.2.4. `i` has as many octets as RHASH; `lifetime` means 2^(lifetime - 32) seconds. */
export interface Puzzle {
  readonly type: 'PUZZLE';
  readonly k: number;
  readonly lifetime: number;
  readonly opaque: number;
  readonly i: Uint8Array;
}

/** RFC 7401 §5.2.5. `i` and `j` have as many octets as RHASH each. */
export interface Solution {
  readonly type: 'SOLUTION';
  readonly k: number;
  readonly opaque: number;
  readonly i: Uint8Array;
  readonly j: Uint8Array;
}

/** RFC 7401 §5.2.16. */
export interface Seq {
  readonly type: 'SEQ';
  readonly updateId: number;
}

/** RFC 7401 §5.2.17. */
export interface Ack {
  readonly type: 'ACK';
  readonly peerUpdateIds: readonly number[];
}

/** RFC 7401 §5.2.6, in order of preference. */
export interface DhGroupList {
  readonly type: 'DH_GROUP_LIST';
  readonly groups: readonly number[];
}

/** RFC 7401 §5.2.7. */
export interface DiffieHellman {
  readonly type: 'DIFFIE_HELLMAN';
  readonly group: number;
  readonly publicValue: Uint8Array;
}

/** RFC 7401 §5.2.8, in order of preference: the first six of those received, at most six when sent. */
export interface HipCipher {
  readonly type: 'HIP_CIPHER';
  readonly ciphers: readonly number[];
}

/** RFC 9028 §5.4, in order of preference: six at most, as with ciphers. */
export interface NatTraversalMode {
  readonly type: 'NAT_TRAVERSAL_MODE';
  readonly modes: readonly number[];
}

/** RFC 7401 §5.2.18. How many octets are the IV is a matter of the HIP cipher. */
export interface Encrypted {
  readonly type: 'ENCRYPTED';
  readonly ivAndCiphertext: Uint8Array;
}

/** RFC 7401 §5.2.9. */
export interface HostId {
  readonly type: 'HOST_ID';
  readonly algorithm: number;
  /** The Host Identity field: what a HIT is the hash of. */
  readonly hostIdentity: Uint8Array;
  /** DI-Type: 0 none, 1 FQDN, 2 NAI. */
  readonly domainIdentifierType: number;
  readonly domainIdentifier: Uint8Array;
}

/** RFC 7401 §5.2.10: four-bit identifiers in order of preference. */
export interface HitSuiteList {
  readonly type: 'HIT_SUITE_LIST';
  readonly suites: readonly number[];
}

/** RFC 8002 §2. */
export interface Cert {
  readonly type: 'CERT';
  readonly group: number;
  readonly count: number;
  readonly id: number;
  readonly certificateType: number;
  readonly certificate: Uint8Array;
}

/** RFC 7401 §5.2.19; types are in `NOTIFY_TYPES`. */
export interface Notification {
  readonly type: 'NOTIFICATION';
  readonly notifyType: number;
  readonly notificationData: Uint8Array;
}

/** RFC 7401 §5.2.20: at most one in a packet. */
export interface EchoRequestSigned {
  readonly type: 'ECHO_REQUEST_SIGNED';
  readonly opaque: Uint8Array;
}

/** RFC 7401 §5.2.22. */
export interface EchoResponseSigned {
  readonly type: 'ECHO_RESPONSE_SIGNED';
  readonly opaque: Uint8Array;
}

/** RFC 7401 §5.2.23. */
export interface EchoResponseUnsigned {
  readonly type: 'ECHO_RESPONSE_UNSIGNED';
  readonly opaque: Uint8Array;
}

/** RFC 7401 §5.2.21: any number of them, middleboxes add them too. */
export interface EchoRequestUnsigned {
  readonly type: 'ECHO_REQUEST_UNSIGNED';
  readonly opaque: Uint8Array;
}

/** RFC 7401 §5.2.11: numbers of the parameters that describe each format, in order of preference. */
export interface TransportFormatList {
  readonly type: 'TRANSPORT_FORMAT_LIST';
  readonly formats: readonly number[];
}

/** RFC 7402 §5.1.2: suites in order of preference, six at most, as with ciphers. */
export interface EspTransform {
  readonly type: 'ESP_TRANSFORM';
  readonly suites: readonly number[];
}

/** RFC 7401 §5.2.12. */
export interface HipMac {
  readonly type: 'HIP_MAC';
  readonly mac: Uint8Array;
}

/** RFC 7401 §5.2.13. */
export interface HipMac2 {
  readonly type: 'HIP_MAC_2';
  readonly mac: Uint8Array;
}

/** RFC 7401 §5.2.14. */
export interface HipSignature {
  readonly type: 'HIP_SIGNATURE';
  readonly algorithm: number;
  readonly signature: Uint8Array;
}

/** RFC 7401 §5.2.15. */
export interface HipSignature2 {
  readonly type: 'HIP_SIGNATURE_2';
  readonly algorithm: number;
  readonly signature: Uint8Array;
}

/** A parameter of a type that is not in `PARAMETER_TYPES`; odd numbers are critical. */
export interface UnknownParameter {
  readonly type: 'UNKNOWN';
  readonly number: number;
  readonly contents: Uint8Array;
}

/** Every parameter with a codec, by its name. */
export interface KnownParameters {
  readonly ESP_INFO: EspInfo;
  readonly R1_COUNTER: R1Counter;
  readonly LOCATOR_SET: LocatorSet;
  readonly PUZZLE: Puzzle;
  readonly SOLUTION: Solution;
  readonly SEQ: Seq;
  readonly ACK: Ack;
  readonly DH_GROUP_LIST: DhGroupList;
  readonly DIFFIE_HELLMAN: DiffieHellman;
  readonly HIP_CIPHER: HipCipher;
  readonly NAT_TRAVERSAL_MODE: NatTraversalMode;
  readonly ENCRYPTED: Encrypted;
  readonly HOST_ID: HostId;
  readonly HIT_SUITE_LIST: HitSuiteList;
  readonly CERT: Cert;
  readonly NOTIFICATION: Notification;
  readonly ECHO_REQUEST_SIGNED: EchoRequestSigned;
  readonly ECHO_RESPONSE_SIGNED: EchoResponseSigned;
  readonly TRANSPORT_FORMAT_LIST: TransportFormatList;
  readonly ESP_TRANSFORM: EspTransform;
  readonly HIP_MAC: HipMac;
  readonly HIP_MAC_2: HipMac2;
  readonly HIP_SIGNATURE_2: HipSignature2;
  readonly HIP_SIGNATURE: HipSignature;
  readonly ECHO_RESPONSE_UNSIGNED: EchoResponseUnsigned;
  readonly ECHO_REQUEST_UNSIGNED: EchoRequestUnsigned;
}

export type ParameterName = keyof typeof PARAMETER_TYPES;

export type KnownParameter = KnownParameters[ParameterName];

/** Any parameter, RFC 7401 §5.2. */
export type HipParameter = KnownParameter | UnknownParameter;

/** A parameter as it came: what it says, and the octets that said it. */
export type Received<P extends HipParameter = HipParameter> = P & {
  /** Offset of its Type field from the start of the HIP header; inside ENCRYPTED, of the plaintext. */
  readonly at: number;
  /** Type, Length, Contents and Padding. */
  readonly octets: Uint8Array;
};

/** What has parameters: a packet, or the inside of an ENCRYPTED one. */
interface WithParameters<P extends HipParameter> {
  readonly parameters: readonly P[];
}

/** The first parameter of this name. */
export function parameterOf<Name extends HipParameter['type']>(
  packet: WithParameters<Received>,
  name: Name,
): Received<Extract<HipParameter, { readonly type: Name }>> | undefined {
  return parametersOf(packet, name)[0];
}

/** All parameters of this name, in their order. */
export function parametersOf<Name extends HipParameter['type']>(
  { parameters }: WithParameters<Received>,
  name: Name,
): Received<Extract<HipParameter, { readonly type: Name }>>[] {
  return parameters.filter(
    (parameter): parameter is Received<Extract<HipParameter, { readonly type: Name }>> => parameter.type === name,
  );
}

/** The type number of a parameter. */
export function parameterNumber(parameter: HipParameter): number {
  return parameter.type === 'UNKNOWN' ? parameter.number : PARAMETER_TYPES[parameter.type];
}

/** RFC 7401 §5.2.1: the lowest bit of the type number, C. */
export function isCritical(parameter: HipParameter): boolean {
  return (parameterNumber(parameter) & 1) === 1;
}

/**
 * The first parameter that is critical and unknown: such a packet MUST NOT be processed further (RFC 7401 §5.2.1), and
 * the answer is UNSUPPORTED_CRITICAL_PARAMETER_TYPE with its number.
 */
export function unknownCritical(packet: WithParameters<Received>): Received<UnknownParameter> | undefined {
  return parametersOf(packet, 'UNKNOWN').find(isCritical);
}

/** A HIT, RFC 7401 §3.1; all zeros is the NULL HIT of opportunistic mode. */
export type Hit = Address;
