import type { Locator } from '../hip/locator-set.ts';
import { NOTIFY_TYPES } from '../hip/packet.ts';
import type { HipParameter, Received } from '../hip/parameter.ts';
import { parseParameter, rawParameters } from '../hip/parameter-list.ts';
import type { RawParameter } from '../hip/parameter-list.ts';
import { byNumber } from '../hip/registry.ts';
import { formatAddress } from '../wire/address.ts';
import { toHex } from '../wire/hex.ts';
import type { DissectedOption, Fields, Json } from './entry.ts';
import { addressText } from './upper-header.ts';

/** Parameters that have a name but no codec, RFC 8003, RFC 8004, RFC 9028 and HIPv1. */
const NAMES: ReadonlyMap<number, string> = byNumber({
  R1_Counter: 128,
  HIP_TRANSFORM: 577,
  TRANSACTION_PACING: 610,
  REG_INFO: 930,
  REG_REQUEST: 932,
  REG_RESPONSE: 934,
  REG_FAILED: 936,
  REG_FROM: 950,
  RELAYED_ADDRESS: 4650,
  MAPPED_ADDRESS: 4660,
  PEER_PERMISSION: 4680,
  CANDIDATE_PRIORITY: 4700,
  NOMINATE: 4710,
  RELAY_FROM: 63998,
  RELAY_TO: 64002,
  FROM: 65498,
  RVS_HMAC: 65500,
  VIA_RVS: 65502,
  RELAY_HMAC: 65520,
});
const NOTIFY_NAMES = byNumber(NOTIFY_TYPES);

/** Every parameter in `octets`, RFC 7401 §5.2, up to the first one that is cut off. */
export function dissectParameters(octets: Uint8Array): DissectedOption[] {
  const options: DissectedOption[] = [];
  for (const raw of rawParameters(octets)) if (raw !== undefined) options.push(dissectParameter(raw));
  return options;
}

function dissectParameter(raw: RawParameter): DissectedOption {
  const { number, contents } = raw;
  const plain = { type: number, critical: (number & 1) === 1, length: contents.length };
  const body = toHex(contents);
  const parsed = parseParameter(raw);
  if (!parsed.ok) return { ...plain, body };
  const name = parsed.value.type === 'UNKNOWN' ? NAMES.get(number) : parsed.value.type;
  const fields = parameterFields(parsed.value);
  return { ...plain, ...(name === undefined ? {} : { name }), ...(fields === undefined ? {} : { fields }), body };
}

/** A name and what the contents say, for parameters inside of others. */
export function parameterSummary(parameter: Received): Json {
  const name = parameter.type === 'UNKNOWN' ? `parameter ${String(parameter.number)}` : parameter.type;
  return { name, ...parameterFields(parameter) };
}

/** What the contents say; nothing for octets that only their maker understands. */
function parameterFields(parameter: HipParameter): Fields | undefined {
  switch (parameter.type) {
    case 'ESP_INFO': {
      const { keymatIndex, oldSpi, newSpi } = parameter;
      return { keymatIndex, oldSpi: spiText(oldSpi), newSpi: spiText(newSpi) };
    }
    case 'R1_COUNTER':
      return { generation: numberText(parameter.generation) };
    case 'LOCATOR_SET':
      return {
        locators: parameter.locators.map(({ trafficType, isPreferred, lifetimeSeconds, locator }) => ({
          ...locatorFields(locator),
          trafficType,
          preferred: isPreferred,
          lifetimeSeconds,
        })),
      };
    case 'PUZZLE': {
      const { k, lifetime, opaque, i } = parameter;
      return { k, lifetime, opaque, i: toHex(i) };
    }
    case 'SOLUTION': {
      const { k, opaque, i, j } = parameter;
      return { k, opaque, i: toHex(i), j: toHex(j) };
    }
    case 'SEQ':
      return { updateId: parameter.updateId };
    case 'ACK':
      return { peerUpdateIds: parameter.peerUpdateIds };
    case 'DH_GROUP_LIST':
      return { groups: parameter.groups };
    case 'DIFFIE_HELLMAN':
      return { group: parameter.group, publicValue: toHex(parameter.publicValue) };
    case 'HIP_CIPHER':
      return { ciphers: parameter.ciphers };
    case 'NAT_TRAVERSAL_MODE':
      return { modes: parameter.modes };
    case 'HOST_ID': {
      const { algorithm, hostIdentity, domainIdentifierType, domainIdentifier } = parameter;
      const domain =
        domainIdentifierType === 0 ? {} : { domainIdentifierType, domainIdentifier: toHex(domainIdentifier) };
      return { algorithm, hostIdentity: toHex(hostIdentity), ...domain };
    }
    case 'HIT_SUITE_LIST':
    case 'ESP_TRANSFORM':
      return { suites: parameter.suites };
    case 'CERT': {
      const { group, count, id, certificateType } = parameter;
      return { group, count, id, certificateType };
    }
    case 'NOTIFICATION': {
      const { notifyType, notificationData } = parameter;
      const name = NOTIFY_NAMES.get(notifyType);
      return { notifyType: name ?? notifyType, notificationData: toHex(notificationData) };
    }
    case 'TRANSPORT_FORMAT_LIST':
      return { formats: parameter.formats };
    case 'HIP_SIGNATURE':
    case 'HIP_SIGNATURE_2':
      return { algorithm: parameter.algorithm, signature: toHex(parameter.signature) };
    case 'ENCRYPTED':
    case 'ECHO_REQUEST_SIGNED':
    case 'ECHO_RESPONSE_SIGNED':
    case 'ECHO_RESPONSE_UNSIGNED':
    case 'ECHO_REQUEST_UNSIGNED':
    case 'HIP_MAC':
    case 'HIP_MAC_2':
    case 'UNKNOWN':
      return undefined;
  }
}

function locatorFields(locator: Locator): Fields {
  switch (locator.locatorType) {
    case 0:
      return { address: addressText(locator.address) };
    case 1:
      return { spi: spiText(locator.spi), address: addressText(locator.address) };
    case 'unsupported':
      return { locatorType: locator.number, locator: toHex(locator.octets) };
  }
}

/** Eight digits. */
export function spiText(spi: number): string {
  return spi.toString(16).padStart(8, '0');
}

/** A number as far as JSON can be exact, then hexadecimal. */
export function numberText(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString(16);
}

/** Text of a HIT. */
export const hitText: (hit: Uint8Array) => string = formatAddress;
