import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { internetChecksum, onesComplementSum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { parseCapture } from '../../src/wire/pcapng.ts';

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071 §3', () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(onesComplementSum(bytes)).toBe(0xddf2);
    expect(internetChecksum(bytes)).toBe(0x220d);
  });

  it('pads an odd octet with zero', () => {
    expect(onesComplementSum(Uint8Array.of(1, 2, 3))).toBe(0x0402);
    expect(onesComplementSum(new Uint8Array(0))).toBe(0);
  });

  it('folds every carry, also of 64 KiB of ones', () => {
    expect(onesComplementSum(new Uint8Array(65_536).fill(0xff))).toBe(0xffff);
  });

  it('equals the sum modulo 65535', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let sum = 0n;
        for (let i = 0; i < bytes.length; i += 2) sum += BigInt(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
        expect(onesComplementSum(bytes) % 65_535).toBe(Number(sum % 65_535n));
      }),
    );
  });

  it('with the pseudo-header is that of an ICMPv6 echo request added up by hand', () => {
    const source = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const destination = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
    const message = Uint8Array.of(128, 0, 0, 0, 0, 1, 0, 1);
    // fe80 + 1 + fe80 + 2 + 8 (length) + 3a (protocol) + 8000 + 1 + 1 = 27d47, folded 7d49
    expect(internetChecksum(message, pseudoHeaderSum(source, destination, 8, 58))).toBe(0x82b6);
  });

  it.each(['linshim6-cga.pcap', 'linshim6-hba.pcap'])('agrees with the Shim6 messages of %s', (name) => {
    const parsed = parseCapture(new Uint8Array(readFileSync(new URL(`../vectors/${name}`, import.meta.url))));
    const packets = parsed.ok ? parsed.value.packets : [];
    const messages = packets.map(({ octets }) => octets).filter((octets) => octets[6] === 140);
    expect(messages.length).toBeGreaterThan(20);
    for (const octets of messages) {
      // RFC 5533 §5.3: over the Shim6 message alone, without pseudo-header.
      expect(internetChecksum(octets.subarray(40, 40 + 8 * (1 + (octets[41] ?? 0))))).toBe(0);
    }
  });
});
