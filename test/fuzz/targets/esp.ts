import { withInnerHeader } from '../../../src/esp/beet.ts';
import { InboundAssociation, OutboundAssociation } from '../../../src/esp/security-association.ts';
import type { SecurityAssociation } from '../../../src/esp/security-association.ts';
import { SUITES } from '../../../src/esp/suites.ts';
import { protect } from '../../../src/esp/transform.ts';
import { datagramKind } from '../../../src/esp/udp-encapsulation.ts';
import { CONTROL } from '../../../src/host/esp-ports.ts';
import { batch, FLAGS, GSO_SIZE, HEADROOM, LENGTH, OFFSET } from '../../../src/host/ports.ts';
import { NativeEsp } from '../../../src/node/esp.ts';
import { sameOctets } from '../../../src/wire/address.ts';
import { association, octets } from '../../esp/vectors.ts';
import type { Target } from '../targets.ts';

const START = 0xffff_ff00n;
const sealed = (suite: SecurityAssociation['suite'], nextHeader: number, length: number): Uint8Array =>
  new OutboundAssociation(association(suite, { sequence: START }), octets).seal(nextHeader, octets(length)) ??
  new Uint8Array(0);

/** The portable code and the addon must agree on what a datagram is, and on the packet inside. */
function agree(suite: SecurityAssociation['suite'], bytes: Uint8Array): string | false {
  const sa = association(suite, { sequence: START });
  const esp = new NativeEsp();
  const handle = esp.addInbound(sa);
  const from = batch(1, 4096);
  const into = batch(1, 4096);
  from.slab.set(bytes, HEADROOM);
  [from.meta[OFFSET], from.meta[LENGTH], from.meta[GSO_SIZE]] = [HEADROOM, bytes.length, 0];
  const rows = esp.open(from, 1, into, 'udp');
  const { replayed, forged, malformed, padding, dummies } = esp.counters(handle);
  esp.remove(handle);
  const length = into.meta[LENGTH] ?? 0;
  const packet = into.slab.subarray(HEADROOM, HEADROOM + length);
  const flags = rows === 1 ? (into.meta[FLAGS] ?? 0) : undefined;
  if (datagramKind(bytes) !== 'esp') {
    const isControl = datagramKind(bytes) === 'control';
    if (isControl ? flags !== CONTROL || !sameOctets(packet, bytes.subarray(4)) : rows !== 0)
      throw new Error('control');
    return isControl ? 'control' : false;
  }
  if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== sa.spi) return false;
  const opened = new InboundAssociation(sa).open(bytes);
  const counted = { replay: replayed, integrity: forged, malformed, padding, dummy: dummies };
  if (!opened.ok) {
    if (rows !== 0 || counted[opened.reason] !== 1) throw new Error(`not ${opened.reason} for the addon`);
    return opened.reason === 'integrity' || opened.reason === 'malformed' ? false : opened.reason;
  }
  const expected = withInnerHeader(opened, sa, { hopLimit: 0, trafficClass: 0 });
  if (flags !== handle || !sameOctets(packet, expected)) throw new Error('another packet for the addon');
  return 'packet';
}

/** A right ICV for whatever the packet has become, with the number that follows from its low half. */
function seal(bytes: Uint8Array): void {
  const end = bytes.length - SUITES[7].icvLength;
  if (end < 8) return;
  const { spi, keys } = association(7);
  const low = BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4));
  const sequence = low >= START - 1023n ? low : low + (1n << 32n);
  bytes.set(protect(SUITES[7], keys, { spi, sequence, isExtended: true }, new Uint8Array(0), bytes.slice(8, end)));
}

const control = Uint8Array.of(0, 0, 0, 0, 59, 4, 1, 0x21, 0, 0, 0, 0);

export const espTargets: Readonly<Record<string, Target>> = {
  'ESP datagram': {
    run: (bytes) => agree(7, bytes.subarray(0, 4000)),
    corpus: [
      sealed(7, 17, 30),
      sealed(7, 6, 0),
      sealed(7, 59, 9),
      control,
      badlyPadded(),
      Uint8Array.of(0xff),
      replay(),
    ],
    reaches: ['packet', 'dummy', 'control', 'padding', 'replay'],
    repair: seal,
  },
  'ESP datagram of AES-GCM': {
    run: (bytes) => agree(13, bytes.subarray(0, 4000)),
    corpus: [sealed(13, 17, 30), sealed(13, 6, 0), control],
  },
};

function badlyPadded(): Uint8Array {
  const packet = sealed(7, 17, 29);
  packet[packet.length - 16 - 2] = 200;
  seal(packet);
  return packet;
}

function replay(): Uint8Array {
  const packet = sealed(7, 17, 30);
  packet.set([0xff, 0xff, 0xff, 0x00], 4);
  return packet;
}
