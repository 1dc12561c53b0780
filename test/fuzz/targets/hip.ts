import { readKeyLog } from '../../../src/cli/key-log.ts';
import { dissect } from '../../../src/dissect/capture.ts';
import { encodeHip, parseHip } from '../../../src/hip/packet-codec.ts';
import { mac2Range, macRange, signedRange, signedRange2 } from '../../../src/hip/packet-ranges.ts';
import { PACKET_TYPES } from '../../../src/hip/packet.ts';
import { PARAMETER_TYPES } from '../../../src/hip/parameter.ts';
import type { HipParameter } from '../../../src/hip/parameter.ts';
import { encodeParameters, parseDecrypted, parseParameters } from '../../../src/hip/parameter-list.ts';
import { encodeReapMessage, parseReapMessage } from '../../../src/hip/reap-message.ts';
import type { ReapMessage } from '../../../src/hip/reap-message.ts';
import { nodeCrypto } from '../../../src/node/crypto.ts';
import { nodeHipCrypto } from '../../../src/node/hip-crypto.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { networkPacket } from '../../../src/wire/link-layer.ts';
import {
  LINKTYPE_RAW,
  enhancedPacket,
  interfaceDescription,
  parseCapture,
  sectionHeader,
} from '../../../src/wire/pcapng.ts';
import { hipPacketsOf } from '../../hip/wire-capture.ts';
import { HOST_ID_P384 } from '../../hip/wire-examples.ts';
import type { Target } from '../targets.ts';
import { vector } from './wire.ts';

const exchange = hipPacketsOf('cutehip-rfcpatched-rsa.pcap').map(({ octets }) => octets);
const eight = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const address = new Uint8Array(16).fill(1);

/** One parameter of each type. */
const each: readonly HipParameter[] = [
  { type: 'ESP_INFO', keymatIndex: 96, oldSpi: 0, newSpi: 256 },
  { type: 'R1_COUNTER', reserved: 0, generation: 1n },
  {
    type: 'LOCATOR_SET',
    locators: [
      { trafficType: 0, isPreferred: true, lifetimeSeconds: 1, locator: { locatorType: 0, address } },
      { trafficType: 1, isPreferred: false, lifetimeSeconds: 1, locator: { locatorType: 1, spi: 256, address } },
      {
        trafficType: 2,
        isPreferred: false,
        lifetimeSeconds: 1,
        locator: { locatorType: 'unsupported', number: 2, octets: eight },
      },
    ],
  },
  { type: 'PUZZLE', k: 1, lifetime: 32, opaque: 0, i: eight },
  { type: 'SOLUTION', k: 1, opaque: 0, i: eight, j: eight },
  { type: 'SEQ', updateId: 1 },
  { type: 'ACK', peerUpdateIds: [1, 2] },
  { type: 'DH_GROUP_LIST', groups: [7, 8] },
  { type: 'DIFFIE_HELLMAN', group: 7, publicValue: eight },
  { type: 'HIP_CIPHER', ciphers: [2, 4] },
  { type: 'NAT_TRAVERSAL_MODE', modes: [1] },
  { type: 'ENCRYPTED', ivAndCiphertext: eight },
  { type: 'HOST_ID', algorithm: 7, hostIdentity: eight, domainIdentifierType: 1, domainIdentifier: eight },
  { type: 'HIT_SUITE_LIST', suites: [1, 2] },
  { type: 'CERT', group: 1, count: 1, id: 1, certificateType: 1, certificate: eight },
  { type: 'NOTIFICATION', notifyType: 1, notificationData: eight },
  { type: 'ECHO_REQUEST_SIGNED', opaque: eight },
  { type: 'ECHO_RESPONSE_SIGNED', opaque: eight },
  { type: 'TRANSPORT_FORMAT_LIST', formats: [4095] },
  { type: 'ESP_TRANSFORM', suites: [8, 13] },
  { type: 'HIP_MAC', mac: eight },
  { type: 'HIP_MAC_2', mac: eight },
  { type: 'HIP_SIGNATURE_2', algorithm: 7, signature: eight },
  { type: 'HIP_SIGNATURE', algorithm: 7, signature: eight },
  { type: 'ECHO_RESPONSE_UNSIGNED', opaque: eight },
  { type: 'ECHO_REQUEST_UNSIGNED', opaque: eight },
  { type: 'UNKNOWN', number: 40_001, contents: eight },
];

const notify = encodeHip({
  type: 'NOTIFY',
  isAnonymous: false,
  senderHit: address,
  receiverHit: address,
  parameters: [{ type: 'NOTIFICATION', notifyType: 16_385, notificationData: new Uint8Array(0) }],
});

const keys = readKeyLog(new URL('../../vectors/cutehip-rfcpatched-rsa-keys-a.jsonl', import.meta.url).pathname);
const MEANS = { crypto: nodeCrypto, hipCrypto: nodeHipCrypto, keys };
const FILE_HEAD = [...sectionHeader(), ...interfaceDescription({ linkType: LINKTYPE_RAW })];

/** The IPv4 packets of the exchange, HIP and ESP, each also with UDP before its payload. */
function ipPackets(): Uint8Array[] {
  const parsed = parseCapture(vector('cutehip-rfcpatched-rsa.pcap'));
  if (!parsed.ok) throw new Error(parsed.reason);
  const packets = parsed.value.packets
    .map(({ interface: port, octets }) => networkPacket(port.linkType, octets)?.slice() ?? new Uint8Array(0))
    .filter((packet) => packet[9] === 139 || packet[9] === 50);
  return packets.flatMap((packet) => {
    const marker = packet[9] === 139 ? [0, 0, 0, 0] : [];
    const payload = [...marker, ...packet.subarray(20)];
    const length = 8 + payload.length;
    const udp = [0x29, 0x04, 0x29, 0x04, length >> 8, length & 0xff, 0, 0];
    const header = packet.slice(0, 20);
    header.set([(20 + length) >> 8, (20 + length) & 0xff], 2);
    header[9] = 17;
    return [packet, Uint8Array.from([...header, ...udp, ...payload])];
  });
}

/** Padding and reserved fields become zeros when written, so octets written twice are compared. */
function writesAlike(once: Uint8Array, twice: Uint8Array): void {
  if (!sameOctets(once, twice)) throw new Error('does not read what it wrote');
}

const report = { source: address, destination: address, nonce: 1, data: 0 };
const reap: readonly ReapMessage[] = [
  { type: 'Keepalive' },
  { type: 'Probe', probe: { state: 'Exploring', sent: [report, report], received: [report], pathTest: false } },
  { type: 'Probe', probe: { state: 'Operational', sent: [report], received: [], pathTest: true } },
];

export const hipTargets: Readonly<Record<string, Target>> = {
  'REAP over HIP': {
    run: (bytes) => {
      const parsed = parseReapMessage(bytes);
      if (!parsed.ok) return false;
      const written = encodeReapMessage(parsed.value);
      const again = parseReapMessage(written);
      writesAlike(written, again.ok ? encodeReapMessage(again.value) : new Uint8Array(0));
      return parsed.value.type;
    },
    corpus: reap.map(encodeReapMessage),
    reaches: ['Keepalive', 'Probe'],
  },
  'HIP packet': {
    run: (bytes) => {
      for (const range of [macRange, signedRange, signedRange2]) range(bytes);
      mac2Range(bytes, HOST_ID_P384);
      const parsed = parseHip(bytes);
      if (!parsed.ok) return false;
      const written = encodeHip(parsed.value);
      const again = parseHip(written);
      writesAlike(written, again.ok ? encodeHip(again.value) : new Uint8Array(0));
      return parsed.value.type;
    },
    corpus: [...exchange, notify],
    repair: (bytes) => {
      if (bytes.length > 40) bytes[1] = Math.floor(bytes.length / 8) - 1;
    },
    reaches: Object.keys(PACKET_TYPES),
  },
  'HIP parameters': {
    run: (bytes) => {
      const parsed = parseParameters(bytes, 0);
      if (!parsed.ok) return false;
      const written = encodeParameters(parsed.value);
      const again = parseParameters(written, 0);
      writesAlike(written, again.ok ? encodeParameters(again.value) : new Uint8Array(0));
      return parsed.value[0]?.type ?? true;
    },
    corpus: [...each.map((parameter) => encodeParameters([parameter])), encodeParameters(each)],
    reaches: [...Object.keys(PARAMETER_TYPES), 'UNKNOWN'],
  },
  'HIP decrypted parameters': {
    run: (bytes) => parseDecrypted(bytes).ok,
    corpus: [HOST_ID_P384, Uint8Array.from([...HOST_ID_P384, ...new Uint8Array(16).fill(16)])],
  },
  /** An IP packet in, verified with keys. */
  'loci dissect of HIP': {
    isSlow: true,
    run: (bytes) => {
      const file = parseCapture(Uint8Array.from([...FILE_HEAD, ...enhancedPacket(0, 0n, bytes)]));
      if (!file.ok) throw new Error('the frame around the packet is wrong');
      const [entry] = [...dissect(file.value, MEANS)];
      if (entry === undefined) return false;
      if (JSON.stringify(entry).length === 0) throw new Error('is no JSON');
      return 'message' in entry ? entry.message : false;
    },
    corpus: ipPackets(),
    reaches: [...Object.keys(PACKET_TYPES).filter((type) => type !== 'NOTIFY'), 'ESP'],
  },
};
