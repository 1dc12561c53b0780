import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InboundAssociation, OutboundAssociation } from '../../src/esp/security-association.ts';
import type { SecurityAssociation } from '../../src/esp/security-association.ts';
import type { SaKeys } from '../../src/esp/transform.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { toHex } from '../../src/wire/hex.ts';
import { networkPacket } from '../../src/wire/link-layer.ts';
import { parseCapture } from '../../src/wire/pcapng.ts';
import { address, association, hex } from './vectors.ts';

const never = (): never => {
  throw new Error('no randomness is wanted here');
};
const HIGH = 1n << 32n;
const INNER = hex('0fa01388000c8fe574657374'); // UDP 4000 to 5000, "test"
const KEYMAT = { encryption: 'd81effeeb6ca2cbddf7878d3ae05f2cd', behind: '5c2ceefd0c20499c52a0dfaf21d7bd0e' };

function sealed(sa: SecurityAssociation, iv: Uint8Array, nextHeader: number, payload: Uint8Array): string {
  return toHex(
    new OutboundAssociation(sa, (length) => (length === iv.length ? iv : never())).seal(nextHeader, payload) ?? never(),
  );
}

/** RFC 3602 §4: whole ESP packets up to the ICV, which the RFC leaves out. */
const RFC3602 = [
  {
    name: 'case 5',
    key: '90d382b410eeba7ad938c46cec1a82bf',
    spi: 0x4321,
    sequence: 1n,
    iv: 'e96e8c08ab465763fd098d45dd3ff893',
    nextHeader: 1,
    payload: `08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617
      18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`,
    ciphertext: `f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856
      a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6`,
  },
  {
    name: 'case 6',
    key: '90d382b410eeba7ad938c46cec1a82bf',
    spi: 0x4321,
    sequence: 8n,
    iv: '69d08df7d203329db093fc4924e5bd80',
    nextHeader: 1,
    payload: '0800b5e8a80a0500a69c083d0b660e00777777777777777777777777',
    ciphertext: 'f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75',
  },
  {
    name: 'case 7',
    key: '0123456789abcdef0123456789abcdef',
    spi: 0x8765,
    sequence: 2n,
    iv: 'f4e765244f6407adf13dc1380f673f37',
    nextHeader: 4,
    payload: `45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a20400
      08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`,
    ciphertext: `773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8
      e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a
      109e0ca1e4dfe9d5a100b842f1c22f0d`,
  },
  {
    name: 'case 8',
    key: '0123456789abcdef0123456789abcdef',
    spi: 0x8765,
    sequence: 5n,
    iv: '85d47224b5f3dd5d2101d4ea8dffab22',
    nextHeader: 4,
    payload: `45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300
      ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff`,
    ciphertext: `15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5
      0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0de
      cbb13892`,
  },
] as const;

describe('RFC 3602 §4', () => {
  it.each(RFC3602)('seals $name with the padding of the RFC (HIP-238, HIP-289)', (vector) => {
    const sa = association(8, {
      spi: vector.spi,
      keys: { encryption: hex(vector.key), authentication: new Uint8Array(32) },
      sequence: vector.sequence - 1n,
    });
    const text = sealed(sa, hex(vector.iv), vector.nextHeader, hex(vector.payload));
    const header = vector.spi.toString(16).padStart(8, '0') + vector.sequence.toString(16).padStart(8, '0');
    expect(text.slice(0, -32)).toBe(header + vector.iv + toHex(hex(vector.ciphertext)));
    const opened = new InboundAssociation({ ...sa, sequence: 0n }).open(hex(text));
    expect(opened).toMatchObject({ ok: true, nextHeader: vector.nextHeader, payload: hex(vector.payload) });
  });
});

describe('the digest of RFC 7402', () => {
  const suite8 = association(8, {
    keys: {
      encryption: hex(KEYMAT.encryption),
      authentication: hex(`${KEYMAT.behind}a84b52b5bf03f3c921a0e13b9ec3df9b`),
    },
  });
  const iv = hex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf');
  const ciphertext = 'aead72ffac9c35e44a7204f5d95a0dc2';

  it('seals suite 8, with a 64-bit number in the ICV that is not sent (HIP-239, HIP-244, HIP-292)', () => {
    expect(sealed(suite8, iv, 17, INNER)).toBe(
      `1122334400000001${toHex(iv)}${ciphertext}fa5c7c729f22e680e567f25d52a02248`,
    );
    expect(sealed({ ...suite8, sequence: HIGH + 4n }, iv, 17, INNER)).toBe(
      `1122334400000005${toHex(iv)}${ciphertext}0efae4536a2d0e07eeb31b463763598f`,
    );
  });

  it('seals suite 13, with the 64-bit number as IV and among the associated octets (HIP-292)', () => {
    const keys = { encryption: hex(KEYMAT.encryption + KEYMAT.behind.slice(0, 8)), authentication: hex('') };
    expect(sealed(association(13, { keys }), hex(''), 17, INNER)).toBe(
      '11223344000000010000000000000001a4f6e54b124a61d63454185de8ece394489d0b1e6829545609d208837963ef47',
    );
    expect(sealed(association(13, { keys, sequence: HIGH + 4n }), hex(''), 17, INNER)).toBe(
      '1122334400000005000000010000000591f095c0624beecbc775a0a8a8b3a53b0d7ccbac733ef58bb40e112a98cc9585',
    );
  });

  it('seals suite 11', () => {
    const keys = { encryption: hex(KEYMAT.encryption + KEYMAT.behind.slice(0, 6)), authentication: hex('') };
    expect(sealed(association(11, { keys }), hex(''), 17, INNER)).toBe(
      '1122334400000001000000000000000122acf431f9a8188dc447f0160894103cfbaa8d74009bb1f2634a85d4c2b7f56e',
    );
  });
});

describe('a captured exchange of cutehip, which authenticates 32-bit numbers', () => {
  const vector = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`../vectors/${name}`, import.meta.url)));
  const parsed = parseCapture(vector('cutehip-rfcpatched-rsa.pcap'));
  if (!parsed.ok) throw new Error(parsed.reason);
  const packets = parsed.value.packets
    .map(({ interface: port, octets }) => networkPacket(port.linkType, octets) ?? hex(''))
    .filter((packet) => packet[9] === 50 && (packet[0] ?? 0) === 0x45)
    .map((packet) => packet.slice(20, ((packet[2] ?? 0) << 8) | (packet[3] ?? 0)));
  const HITS = [
    address('2001:21:7b9a:8a15:8e07:73d6:42af:fe53'),
    address('2001:21:24da:567b:b532:7917:a150:365f'),
  ] as const;
  const table = new TextDecoder().decode(vector('cutehip-rfcpatched-rsa.esp_sa'));
  const keys = new Map(
    [...table.matchAll(/"0x([0-9a-f]{8})","AES-CBC [^"]*","0x([0-9a-f]+)","[^"]*","0x([0-9a-f]+)"/g)].map(
      ([, spi = '', encryption = '', authentication = '']): [number, SaKeys] => [
        Number(`0x${spi}`),
        { encryption: hex(encryption), authentication: hex(authentication) },
      ],
    ),
  );
  const associationOf = (packet: Uint8Array, hasShortNumbers: boolean): SecurityAssociation => {
    const spi = new DataView(packet.buffer).getUint32(0);
    return association(8, { spi, keys: keys.get(spi) ?? never(), hasShortNumbers });
  };

  it('opens with good ICVs when told so, to ICMPv6 whose checksum is over HITs (HIP-025, HIP-248)', () => {
    expect(packets.length).toBe(4);
    for (const packet of packets) {
      const opened = new InboundAssociation(associationOf(packet, true)).open(packet);
      if (!opened.ok) throw new Error(opened.reason);
      expect(opened.nextHeader).toBe(58);
      expect(internetChecksum(opened.payload, pseudoHeaderSum(...HITS, opened.payload.length, 58))).toBe(0);
    }
  });

  it('does not open otherwise: nothing falls back to 32-bit numbers (HIP-244)', () => {
    for (const packet of packets) {
      expect(new InboundAssociation(associationOf(packet, false)).open(packet)).toEqual({
        ok: false,
        reason: 'integrity',
      });
    }
  });

  it('seals to the same octets', () => {
    for (const packet of packets) {
      const sa = associationOf(packet, true);
      const sequence = BigInt(new DataView(packet.buffer).getUint32(4));
      const opened = new InboundAssociation(sa).open(packet);
      if (!opened.ok) throw new Error(opened.reason);
      const again = sealed({ ...sa, sequence: sequence - 1n }, packet.slice(8, 24), opened.nextHeader, opened.payload);
      expect(again).toBe(toHex(packet));
    }
  });
});
