import { describe, expect, it } from 'vitest';
import { verifyCga } from '../../src/cga/verify.ts';
import type { Crypto } from '../../src/crypto/ports.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { hex, ip, vectors } from './vectors.ts';

/** The wording of the vectors' verdicts. */
const REASON: Readonly<Record<string, string>> = {
  short: 'truncated',
  'collision count > 2': 'bad-collision-count',
  'prefix mismatch': 'prefix-mismatch',
  'hash1 mismatch': 'hash1-mismatch',
  'hash2 mismatch': 'hash2-mismatch',
};

describe('CGAs of another implementation', () => {
  it.each(vectors.cga)('S6-232 accepts $id ($key_type, Sec $sec)', (row) => {
    const verdict = verifyCga(nodeCrypto, ip(row.independent_address), hex(row.cga_params_hex));
    expect(verdict.valid).toBe(row.rfc_verify);
  });

  it.each(vectors.cga_negative)('S6-232 judges $id: $mutation', (row) => {
    const verdict = verifyCga(nodeCrypto, ip(row.address), hex(row.cga_params_hex));
    expect(verdict).toEqual(row.rfc_verify ? { valid: true } : { valid: false, reason: REASON[row.rfc_reason] });
  });

  it('covers acceptance and every reason but the unassigned Sec', () => {
    const seen = new Set(vectors.cga_negative.map((row) => row.rfc_reason));
    expect([...seen].sort()).toEqual([...Object.keys(REASON), 'ok'].sort());
  });
});

describe('RFC 3972 §5', () => {
  const [example] = vectors.cga;
  const address = ip(example?.independent_address ?? '');
  const parameters = hex(example?.cga_params_hex ?? '');

  function counting(): { crypto: Crypto; runs: () => number } {
    let runs = 0;
    const crypto = { ...nodeCrypto, sha1: (octets: Uint8Array) => (runs++, nodeCrypto.sha1(octets)) };
    return { crypto, runs: () => runs };
  }

  it('S6-233 stops at the first failure and never hashes more than twice', () => {
    const changed = (at: number, octets: Uint8Array): Uint8Array => {
      const copy = octets.slice();
      copy[at] = (copy[at] ?? 0) ^ 0x80;
      return copy;
    };
    const runsFor = (who: Uint8Array, what: Uint8Array): number => {
      const { crypto, runs } = counting();
      verifyCga(crypto, who, what);
      return runs();
    };
    expect(runsFor(address, parameters)).toBe(2);
    expect(runsFor(changed(15, address), parameters)).toBe(1);
    expect(runsFor(changed(0, address), parameters)).toBe(0);
    expect(runsFor(address, changed(24, parameters))).toBe(0);
    expect(runsFor(address, parameters.subarray(0, 24))).toBe(0);
  });

  it('S6-236 refuses Sec 3 to 7, which no registry entry defines, unless asked to read them as RFC 3972 does', () => {
    for (const sec of [3, 4, 5, 6, 7]) {
      const raised = address.slice();
      raised[8] = ((raised[8] ?? 0) & 0x1f) | (sec << 5);
      expect(verifyCga(nodeCrypto, raised, parameters)).toEqual({ valid: false, reason: 'unassigned-sec' });
      expect(verifyCga(nodeCrypto, raised, parameters, { unassignedSecAsSha1: true })).toEqual({
        valid: false,
        reason: 'hash2-mismatch',
      });
    }
  });

  it('S6-236 accepts Sec 7 by the rule of RFC 3972 when Hash2 is all zeros', () => {
    const zeros: Crypto = { ...nodeCrypto, sha1: () => new Uint8Array(20) };
    const every = Uint8Array.of(...parameters.subarray(16, 24), 0xe0, 0, 0, 0, 0, 0, 0, 0);
    expect(verifyCga(zeros, every, parameters, { unassignedSecAsSha1: true })).toEqual({ valid: true });
    expect(verifyCga(zeros, every, parameters)).toEqual({ valid: false, reason: 'unassigned-sec' });
  });

  it('S6-221 covers unrecognised extension octets by both hashes', () => {
    const [row] = vectors.cga.filter(({ ext_hex }) => ext_hex !== '');
    const whole = hex(row?.cga_params_hex ?? '');
    const last = whole.slice();
    last[last.length - 1] = (last.at(-1) ?? 0) ^ 1;
    expect(verifyCga(nodeCrypto, ip(row?.independent_address ?? ''), whole)).toEqual({ valid: true });
    expect(verifyCga(nodeCrypto, ip(row?.independent_address ?? ''), last).valid).toBe(false);
  });

  it('S6-234 S6-235 S6-237 judges by the hashes alone, whatever key, Modifier, count and assigned Sec', () => {
    const kinds = new Set(vectors.cga.map((row) => `${row.key_type}/${String(row.collision_count)}`));
    expect([...kinds]).toEqual(expect.arrayContaining(['rsa512/0', 'rsa1024/1', 'rsa2048/2', 'ec-p256/2']));
    const [sec2] = vectors.hba.filter((row) => row.sec === 2);
    const verdicts = sec2?.independent_addresses.map((own) => verifyCga(nodeCrypto, ip(own), hex(sec2.cga_params_hex)));
    expect(verdicts).toContainEqual({ valid: true });
  });
});
