import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  InboundAssociation,
  OutboundAssociation,
  RESYNC_AFTER,
  RESYNC_EVERY,
} from '../../src/esp/security-association.ts';
import { espLength, isAuthenticationOnly, suiteOf, SUITES } from '../../src/esp/suites.ts';
import type { SuiteId } from '../../src/esp/suites.ts';
import { protect } from '../../src/esp/transform.ts';
import { association, octets, SUITE_IDS } from './vectors.ts';

const HIGH = 1n << 32n;
const random = (length: number): Uint8Array => octets(length, 17);

const pair = (suite: SuiteId, change = {}): [OutboundAssociation, InboundAssociation] => {
  const sa = association(suite, change);
  return [new OutboundAssociation(sa, random), new InboundAssociation(sa)];
};

function seal(from: OutboundAssociation, payload: Uint8Array, nextHeader = 17): Uint8Array {
  const packet = from.seal(nextHeader, payload);
  if (packet === undefined) throw new Error('out of numbers');
  return packet;
}

/** What a peer would send that pads its own way. */
function withPlaintext(suite: SuiteId, sequence: bigint, plaintext: Uint8Array): Uint8Array {
  const { keys, spi } = association(suite);
  return protect(SUITES[suite], keys, { spi, sequence, isExtended: true }, octets(SUITES[suite].ivLength), plaintext);
}

describe('suites', () => {
  it('are those of RFC 7402 §5.1.2 that are neither reserved nor deprecated', () => {
    expect(Array.from({ length: 20 }, (_, id) => id).filter((id) => suiteOf(id) !== undefined)).toEqual([...SUITE_IDS]);
  });

  it('without encryption are told apart (HIP-242)', () => {
    expect(SUITE_IDS.filter((id) => isAuthenticationOnly(SUITES[id]))).toEqual([7, 14, 15]);
  });

  it('encrypt nothing only together with SHA-256, or none of HMAC (HIP-241)', () => {
    expect(SUITE_IDS.filter((id) => SUITES[id].protection === 'null-hmac').map((id) => SUITES[id].hash)).toEqual([
      'SHA-256',
    ]);
  });
});

describe.each(SUITE_IDS)('suite %i', (suite) => {
  it('opens what it sealed, at any length (property, HIP-239, HIP-240)', () => {
    const [outbound, inbound] = pair(suite);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 255 }), (payload, nextHeader) => {
        fc.pre(nextHeader !== 59);
        const packet = seal(outbound, payload, nextHeader);
        expect(packet.length).toBe(espLength(SUITES[suite], payload.length));
        expect((packet.length - SUITES[suite].icvLength) % 4).toBe(0);
        expect(inbound.open(packet)).toEqual({ ok: true, sequence: outbound.sequence, nextHeader, payload });
      }),
    );
  });

  it('notices any octet changed, and leaves its window alone then (HIP-144, HIP-283, HIP-293, HIP-295)', () => {
    const [outbound, inbound] = pair(suite);
    const packet = seal(outbound, octets(37));
    for (let at = 4; at < packet.length; at++) {
      const changed = packet.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(inbound.open(changed)).toMatchObject({ ok: false });
      expect(inbound.sequence).toBe(0n);
    }
    expect(inbound.open(packet).ok).toBe(true);
  });

  it('binds a packet to the high half of its number (HIP-292)', () => {
    const packet = seal(pair(suite, { sequence: HIGH })[0], octets(30));
    expect(pair(suite)[1].open(packet)).toEqual({ ok: false, reason: 'integrity' });
    expect(pair(suite, { sequence: HIGH })[1].open(packet).ok).toBe(true);
  });

  it('refuses what is too short or not aligned, without a look at it', () => {
    const [outbound, inbound] = pair(suite);
    const packet = seal(outbound, octets(30));
    for (let length = 8; length < packet.length; length++) {
      const { ok, ...rest } = inbound.open(packet.subarray(0, length));
      expect(ok).toBe(false);
      const whole = length >= espLength(SUITES[suite], 0) && (packet.length - length) % SUITES[suite].alignment === 0;
      expect(rest).toEqual({ reason: whole ? 'integrity' : 'malformed' });
    }
  });

  it('wants keys of its length and an SPI from 256 on (HIP-425)', () => {
    const right = association(suite);
    const longer = { ...right.keys, authentication: octets(33) };
    expect(() => new InboundAssociation({ ...right, keys: longer })).toThrow(RangeError);
    expect(() => new OutboundAssociation({ ...right, spi: 255 }, random)).toThrow(RangeError);
  });
});

describe('an outbound SA', () => {
  it('begins with number 1 and counts on (HIP-288)', () => {
    const [outbound] = pair(13);
    const numbers = [1, 2, 3].map(() => new DataView(seal(outbound, octets(4)).buffer).getUint32(4));
    expect(numbers).toEqual([1, 2, 3]);
  });

  it.each([
    ['64-bit', false, HIGH * HIGH - 2n],
    ['32-bit', true, HIGH - 2n],
  ])('stops for good at the last %s number (HIP-245, HIP-288)', (_, hasShortNumbers, sequence) => {
    const [outbound] = pair(13, { hasShortNumbers, sequence });
    expect(outbound.seal(17, octets(4))).toBeDefined();
    expect(outbound.seal(17, octets(4))).toBeUndefined();
    expect(outbound.seal(17, octets(4))).toBeUndefined();
  });

  it('uses unpredictable IVs for CBC, and the number for GCM and CCM (HIP-297, HIP-298)', () => {
    expect(seal(pair(8)[0], octets(4)).subarray(8, 24)).toEqual(octets(16, 17));
    for (const suite of [10, 13, 15] as const)
      expect(seal(pair(suite, { sequence: HIGH })[0], octets(4)).subarray(8, 16)).toEqual(
        Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1),
      );
  });

  it('keeps its own keys, and forgets them when it goes', () => {
    const keys = { encryption: octets(20, 3), authentication: octets(0) };
    const [outbound, inbound] = pair(13, { keys });
    keys.encryption.fill(0);
    expect(inbound.open(seal(outbound, octets(9))).ok).toBe(true);
    outbound.close();
    expect(inbound.open(seal(outbound, octets(9)))).toEqual({ ok: false, reason: 'integrity' });
  });
});

describe('an inbound SA', () => {
  it('drops replays, and packets that are too late (HIP-243)', () => {
    const [outbound, inbound] = pair(13, { window: 64 });
    const packets = Array.from({ length: 70 }, () => seal(outbound, octets(5)));
    const open = (index: number): unknown => inbound.open(packets[index] ?? octets(0));
    expect(open(69)).toMatchObject({ ok: true, sequence: 70n });
    expect(open(69)).toEqual({ ok: false, reason: 'replay' });
    expect(open(6)).toMatchObject({ ok: true, sequence: 7n });
    expect(open(5)).toEqual({ ok: false, reason: 'integrity' }); // Appendix A2.2: taken for a number beyond 2^32
  });

  it('discards dummies, whose padding may be anything, but takes their numbers (HIP-291, HIP-427)', () => {
    const [outbound, inbound] = pair(8);
    expect(inbound.open(seal(outbound, octets(40), 59))).toEqual({ ok: false, reason: 'dummy' });
    expect(inbound.sequence).toBe(1n);
  });

  it('looks at the padding (HIP-290)', () => {
    const right = Uint8Array.of(...octets(9), 1, 2, 3, 4, 5, 5, 17);
    const wrong = Uint8Array.of(...octets(9), 1, 2, 3, 4, 6, 5, 17);
    const tooLong = Uint8Array.of(...octets(14), 15, 17);
    const inbound = new InboundAssociation(association(8));
    expect(inbound.open(withPlaintext(8, 1n, right))).toMatchObject({ ok: true, payload: octets(9) });
    expect(inbound.open(withPlaintext(8, 2n, wrong))).toEqual({ ok: false, reason: 'padding' });
    expect(inbound.open(withPlaintext(8, 3n, tooLong))).toEqual({ ok: false, reason: 'padding' });
    expect(inbound.sequence).toBe(3n);
  });

  it('takes more padding than it would give (HIP-289)', () => {
    const padding = Array.from({ length: 30 }, (_, i) => i + 1);
    const plaintext = Uint8Array.of(...octets(16), ...padding, 30, 17);
    expect(new InboundAssociation(association(9)).open(withPlaintext(9, 1n, plaintext))).toMatchObject({ ok: true });
  });

  it('finds its way back after more than 2^32 lost packets, and not by each forged one (HIP-296)', () => {
    const [, inbound] = pair(13);
    const [far] = pair(13, { sequence: 3n * HIGH });
    let forged = 0;
    for (;;) {
      const opened = inbound.open(seal(far, octets(4)));
      if (opened.ok) break;
      expect(opened.reason).toBe('integrity');
      expect(++forged).toBeLessThan(2 * RESYNC_AFTER);
    }
    expect(forged).toBe(RESYNC_AFTER);
    expect(inbound.sequence).toBe(far.sequence);
    expect(RESYNC_AFTER % RESYNC_EVERY).toBe(0);
    expect(inbound.open(seal(far, octets(4))).ok).toBe(true);
  });
});
