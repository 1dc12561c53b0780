import type { Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { locatorSetEntryLength, readLocatorSetEntry, writeLocatorSetEntry } from './locator-set.ts';
import type { KnownParameter, KnownParameters, ParameterName } from './parameter.ts';

/** The contents of one parameter, between its Length and its Padding. */
interface ContentsCodec<P> {
  /** Reads all that `r` holds; what it leaves is refused by the caller. */
  read(r: Reader): P;
  length(parameter: P): number;
  write(w: Writer, parameter: P): void;
}

/** RFC 7401 §5.2.8, RFC 7402 §5.1.2, RFC 5770 §5.4: no more entries than this are sent, and the first of more count. */
const MAX_PROPOSALS = 6;

/** RFC 7401 §5.2.4, §5.2.5: what stands before I. */
const PUZZLE_HEADER_LENGTH = 4;
/** RFC 7401 §5.2.9: HI Length, DI-Type and DI Length, Algorithm. */
const HOST_ID_HEADER_LENGTH = 6;
/** RFC 8002 §2: group, count, identifier, type. */
const CERT_HEADER_LENGTH = 4;

type Octets<Field extends string> = Readonly<Record<Field, Uint8Array>>;

/** Contents that are octets of a meaning of their own. */
function opaque<Type extends string>(type: Type): ContentsCodec<{ readonly type: Type } & Octets<'opaque'>> {
  return {
    read: (r) => ({ type, opaque: r.rest() }),
    length: (parameter) => parameter.opaque.length,
    write: (w, parameter) => {
      w.octets(parameter.opaque);
    },
  };
}

/** RFC 7401 §5.2.12 and §5.2.13. */
function mac<Type extends string>(type: Type): ContentsCodec<{ readonly type: Type } & Octets<'mac'>> {
  return {
    read: (r) => ({ type, mac: r.rest() }),
    length: (parameter) => parameter.mac.length,
    write: (w, parameter) => {
      w.octets(parameter.mac);
    },
  };
}

/** RFC 7401 §5.2.14 and §5.2.15. */
function signature<Type extends string>(
  type: Type,
): ContentsCodec<{ readonly type: Type; readonly algorithm: number } & Octets<'signature'>> {
  return {
    read: (r) => ({ type, algorithm: r.u16(), signature: r.rest() }),
    length: (parameter) => 2 + parameter.signature.length,
    write: (w, parameter) => {
      w.u16(parameter.algorithm);
      w.octets(parameter.signature);
    },
  };
}

function u16List(r: Reader): number[] {
  return r.list(Math.ceil(r.left / 2), () => r.u16());
}

function writeU16List(w: Writer, values: readonly number[]): void {
  for (const value of values) w.u16(value);
}

function proposed(r: Reader): number[] {
  return u16List(r).slice(0, MAX_PROPOSALS);
}

function proposals(values: readonly number[]): readonly number[] {
  if (values.length > MAX_PROPOSALS) throw new RangeError('more entries than may be proposed');
  return values;
}

/** Layouts, RFC 7401 §5.2.3 to §5.2.23, RFC 7402 §5.1, RFC 8046 §4, RFC 8002 §2, RFC 9028 §5.4. */
const CODECS: { readonly [Name in ParameterName]: ContentsCodec<KnownParameters[Name]> } = {
  ESP_INFO: {
    read: (r) => {
      r.u16(); // reserved
      return { type: 'ESP_INFO', keymatIndex: r.u16(), oldSpi: r.u32(), newSpi: r.u32() };
    },
    length: () => 12,
    write: (w, { keymatIndex, oldSpi, newSpi }) => {
      w.u16(0);
      w.u16(keymatIndex);
      w.u32(oldSpi);
      w.u32(newSpi);
    },
  },
  R1_COUNTER: {
    read: (r) => ({
      type: 'R1_COUNTER',
      reserved: r.u32(),
      generation: (BigInt(r.u32()) << 32n) | BigInt(r.u32()),
    }),
    length: () => 12,
    write: (w, { reserved, generation }) => {
      w.u32(reserved);
      w.u32(Number(generation >> 32n));
      w.u32(Number(generation & 0xffff_ffffn));
    },
  },
  LOCATOR_SET: {
    read: (r) => {
      const locators = [];
      while (r.left > 0) locators.push(readLocatorSetEntry(r));
      return { type: 'LOCATOR_SET', locators };
    },
    length: ({ locators }) => locators.reduce((sum, entry) => sum + locatorSetEntryLength(entry), 0),
    write: (w, { locators }) => {
      for (const entry of locators) writeLocatorSetEntry(w, entry);
    },
  },
  PUZZLE: {
    read: (r) => ({ type: 'PUZZLE', k: r.u8(), lifetime: r.u8(), opaque: r.u16(), i: r.rest() }),
    length: ({ i }) => PUZZLE_HEADER_LENGTH + i.length,
    write: (w, { k, lifetime, opaque, i }) => {
      w.u8(k);
      w.u8(lifetime);
      w.u16(opaque);
      w.octets(i);
    },
  },
  SOLUTION: {
    read: (r) => {
      const k = r.u8();
      r.u8(); // reserved
      const opaque = r.u16();
      const half = Math.floor(r.left / 2); // an odd octet is left over
      return { type: 'SOLUTION', k, opaque, i: r.octets(half), j: r.octets(half) };
    },
    length: ({ i, j }) => PUZZLE_HEADER_LENGTH + i.length + j.length,
    write: (w, { k, opaque, i, j }) => {
      if (i.length !== j.length) throw new RangeError('I and J differ in length');
      w.u8(k);
      w.u8(0);
      w.u16(opaque);
      w.octets(i);
      w.octets(j);
    },
  },
  SEQ: {
    read: (r) => ({ type: 'SEQ', updateId: r.u32() }),
    length: () => 4,
    write: (w, { updateId }) => {
      w.u32(updateId);
    },
  },
  ACK: {
    read: (r) => ({ type: 'ACK', peerUpdateIds: r.list(Math.ceil(r.left / 4), () => r.u32()) }),
    length: ({ peerUpdateIds }) => 4 * peerUpdateIds.length,
    write: (w, { peerUpdateIds }) => {
      for (const updateId of peerUpdateIds) w.u32(updateId);
    },
  },
  DH_GROUP_LIST: {
    read: (r) => ({ type: 'DH_GROUP_LIST', groups: r.list(r.left, () => r.u8()) }),
    length: ({ groups }) => groups.length,
    write: (w, { groups }) => {
      for (const group of groups) w.u8(group);
    },
  },
  DIFFIE_HELLMAN: {
    read: (r) => ({ type: 'DIFFIE_HELLMAN', group: r.u8(), publicValue: r.octets(r.u16()) }),
    length: ({ publicValue }) => 3 + publicValue.length,
    write: (w, { group, publicValue }) => {
      w.u8(group);
      w.u16(publicValue.length);
      w.octets(publicValue);
    },
  },
  HIP_CIPHER: {
    read: (r) => ({ type: 'HIP_CIPHER', ciphers: proposed(r) }),
    length: ({ ciphers }) => 2 * ciphers.length,
    write: (w, { ciphers }) => {
      writeU16List(w, proposals(ciphers));
    },
  },
  NAT_TRAVERSAL_MODE: {
    read: (r) => {
      r.u16(); // reserved
      return { type: 'NAT_TRAVERSAL_MODE', modes: proposed(r) };
    },
    length: ({ modes }) => 2 + 2 * modes.length,
    write: (w, { modes }) => {
      w.u16(0);
      writeU16List(w, proposals(modes));
    },
  },
  ENCRYPTED: {
    read: (r) => {
      r.u32(); // reserved
      return { type: 'ENCRYPTED', ivAndCiphertext: r.rest() };
    },
    length: ({ ivAndCiphertext }) => 4 + ivAndCiphertext.length,
    write: (w, { ivAndCiphertext }) => {
      w.u32(0);
      w.octets(ivAndCiphertext);
    },
  },
  HOST_ID: {
    read: (r) => {
      const hostIdentityLength = r.u16();
      const typeAt = r.at;
      const typeAndLength = r.u16();
      const domainIdentifierType = typeAndLength >> 12;
      const domainIdentifierLength = typeAndLength & 0xfff;
      const algorithm = r.u16();
      if (domainIdentifierType === 0 && domainIdentifierLength !== 0) r.reject('bad-value', typeAt); // §5.2.9: MUST be zero
      const hostIdentity = r.octets(hostIdentityLength);
      const domainIdentifier = r.octets(domainIdentifierLength);
      return { type: 'HOST_ID', algorithm, hostIdentity, domainIdentifierType, domainIdentifier };
    },
    length: ({ hostIdentity, domainIdentifier }) =>
      HOST_ID_HEADER_LENGTH + hostIdentity.length + domainIdentifier.length,
    write: (w, { algorithm, hostIdentity, domainIdentifierType, domainIdentifier }) => {
      if (domainIdentifier.length > 0xfff) throw new RangeError('the domain identifier is too long');
      w.u16(hostIdentity.length);
      w.u16(domainIdentifierType * 0x1000 + domainIdentifier.length);
      w.u16(algorithm);
      w.octets(hostIdentity);
      w.octets(domainIdentifier);
    },
  },
  HIT_SUITE_LIST: {
    read: (r) => ({
      type: 'HIT_SUITE_LIST',
      suites: r.list(r.left, () => {
        const at = r.at;
        const suite = r.u8();
        if ((suite & 0x0f) !== 0) r.reject('bad-value', at); // §5.2.10: SHOULD be treated as an error
        return suite >> 4;
      }),
    }),
    length: ({ suites }) => suites.length,
    write: (w, { suites }) => {
      for (const suite of suites) w.u8(suite << 4);
    },
  },
  CERT: {
    read: (r) => ({
      type: 'CERT',
      group: r.u8(),
      count: r.u8(),
      id: r.u8(),
      certificateType: r.u8(),
      certificate: r.rest(),
    }),
    length: ({ certificate }) => CERT_HEADER_LENGTH + certificate.length,
    write: (w, { group, count, id, certificateType, certificate }) => {
      for (const value of [group, count, id, certificateType]) w.u8(value);
      w.octets(certificate);
    },
  },
  NOTIFICATION: {
    read: (r) => {
      r.u16(); // reserved
      return { type: 'NOTIFICATION', notifyType: r.u16(), notificationData: r.rest() };
    },
    length: ({ notificationData }) => 4 + notificationData.length,
    write: (w, { notifyType, notificationData }) => {
      w.u16(0);
      w.u16(notifyType);
      w.octets(notificationData);
    },
  },
  ECHO_REQUEST_SIGNED: opaque('ECHO_REQUEST_SIGNED'),
  ECHO_RESPONSE_SIGNED: opaque('ECHO_RESPONSE_SIGNED'),
  TRANSPORT_FORMAT_LIST: {
    read: (r) => ({ type: 'TRANSPORT_FORMAT_LIST', formats: u16List(r) }),
    length: ({ formats }) => 2 * formats.length,
    write: (w, { formats }) => {
      writeU16List(w, formats);
    },
  },
  ESP_TRANSFORM: {
    read: (r) => {
      r.u16(); // reserved
      return { type: 'ESP_TRANSFORM', suites: proposed(r) };
    },
    length: ({ suites }) => 2 + 2 * suites.length,
    write: (w, { suites }) => {
      w.u16(0);
      writeU16List(w, proposals(suites));
    },
  },
  HIP_MAC: mac('HIP_MAC'),
  HIP_MAC_2: mac('HIP_MAC_2'),
  HIP_SIGNATURE_2: signature('HIP_SIGNATURE_2'),
  HIP_SIGNATURE: signature('HIP_SIGNATURE'),
  ECHO_RESPONSE_UNSIGNED: opaque('ECHO_RESPONSE_UNSIGNED'),
  ECHO_REQUEST_UNSIGNED: opaque('ECHO_REQUEST_UNSIGNED'),
};

/** The contents of a parameter of this name, from all octets of `r`. */
export function readContents(name: ParameterName, r: Reader): KnownParameter {
  return CODECS[name].read(r);
}

export function contentsLength<Name extends ParameterName>(parameter: NamedParameter<Name>): number {
  return CODECS[parameter.type].length(parameter);
}

export function writeContents<Name extends ParameterName>(w: Writer, parameter: NamedParameter<Name>): void {
  CODECS[parameter.type].write(w, parameter);
}

/** One parameter by a name that is not yet known, in the form in which its codec takes it. */
type NamedParameter<Name extends ParameterName> = KnownParameters[Name] & { readonly type: Name };
