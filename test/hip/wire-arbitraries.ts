import fc from 'fast-check';
import type { LocatorSetEntry } from '../../src/hip/locator-set.ts';
import type { HipPacket } from '../../src/hip/packet.ts';
import { PARAMETER_TYPES } from '../../src/hip/parameter.ts';
import type { HipParameter } from '../../src/hip/parameter.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const fixed = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const sixteen = fixed(16);
const octets = fc.uint8Array({ maxLength: 40 });
const proposals = fc.array(u16, { maxLength: 6 });
const hashLength = fc.constantFrom(20, 32, 48);

const locator: fc.Arbitrary<LocatorSetEntry> = fc.record({
  trafficType: u8,
  isPreferred: fc.boolean(),
  lifetimeSeconds: fc.integer({ min: 1, max: 0xffff_ffff }),
  locator: fc.oneof(
    fc.record({ locatorType: fc.constant(0 as const), address: sixteen }),
    fc.record({ locatorType: fc.constant(1 as const), spi: u32, address: sixteen }),
    fc.record({
      locatorType: fc.constant('unsupported' as const),
      number: fc.integer({ min: 2, max: 255 }),
      octets: fc.nat(7).chain((units) => fixed(4 * units)),
    }),
  ),
});

/** Parameters of one type. */
function of<Type extends string, Fields extends object>(
  type: Type,
  fields: { readonly [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> },
): fc.Arbitrary<Fields & { readonly type: Type }> {
  return fc.record<Fields>(fields).map((value) => ({ ...value, type }));
}

const domain = fc.oneof(
  fc.constant({ domainIdentifierType: 0, domainIdentifier: new Uint8Array(0) }),
  fc.record({ domainIdentifierType: fc.integer({ min: 1, max: 15 }), domainIdentifier: octets }),
);
const numbers = new Set<number>(Object.values(PARAMETER_TYPES));

export const anyParameter: fc.Arbitrary<HipParameter> = fc.oneof(
  of('ESP_INFO', { keymatIndex: u16, oldSpi: u32, newSpi: u32 }),
  of('R1_COUNTER', { reserved: u32, generation: u64 }),
  of('LOCATOR_SET', { locators: fc.array(locator, { maxLength: 5 }) }),
  of('PUZZLE', { k: u8, lifetime: u8, opaque: u16, i: hashLength.chain(fixed) }),
  hashLength.chain((length) => of('SOLUTION', { k: u8, opaque: u16, i: fixed(length), j: fixed(length) })),
  of('SEQ', { updateId: u32 }),
  of('ACK', { peerUpdateIds: fc.array(u32, { maxLength: 4 }) }),
  of('DH_GROUP_LIST', { groups: fc.array(u8, { maxLength: 9 }) }),
  of('DIFFIE_HELLMAN', { group: u8, publicValue: octets }),
  of('HIP_CIPHER', { ciphers: proposals }),
  of('NAT_TRAVERSAL_MODE', { modes: proposals }),
  of('ENCRYPTED', { ivAndCiphertext: octets }),
  domain.chain((field) => of('HOST_ID', { algorithm: u16, hostIdentity: octets }).map((id) => ({ ...id, ...field }))),
  of('HIT_SUITE_LIST', { suites: fc.array(fc.nat(15), { maxLength: 5 }) }),
  of('CERT', { group: u8, count: u8, id: u8, certificateType: u8, certificate: octets }),
  of('NOTIFICATION', { notifyType: u16, notificationData: octets }),
  of('ECHO_REQUEST_SIGNED', { opaque: octets }),
  of('ECHO_RESPONSE_SIGNED', { opaque: octets }),
  of('TRANSPORT_FORMAT_LIST', { formats: fc.array(u16, { maxLength: 8 }) }),
  of('ESP_TRANSFORM', { suites: proposals }),
  of('HIP_MAC', { mac: octets }),
  of('HIP_MAC_2', { mac: octets }),
  of('HIP_SIGNATURE_2', { algorithm: u16, signature: octets }),
  of('HIP_SIGNATURE', { algorithm: u16, signature: octets }),
  of('ECHO_RESPONSE_UNSIGNED', { opaque: octets }),
  of('ECHO_REQUEST_UNSIGNED', { opaque: octets }),
  of('UNKNOWN', { number: u16.filter((number) => !numbers.has(number)), contents: octets }),
);

/** Parameters of which each comes once at most. */
export const anyParameters: fc.Arbitrary<HipParameter[]> = fc.uniqueArray(anyParameter, {
  maxLength: 12,
  selector: (parameter) => (parameter.type === 'UNKNOWN' ? parameter.number : parameter.type),
});

/** Any packet that can be sent. */
export const anyPacket: fc.Arbitrary<HipPacket> = fc.record({
  type: fc.constantFrom('I1', 'R1', 'I2', 'R2', 'UPDATE', 'NOTIFY', 'CLOSE', 'CLOSE_ACK'),
  isAnonymous: fc.boolean(),
  senderHit: sixteen,
  receiverHit: sixteen,
  parameters: anyParameters,
});
