import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { espKeysView, wiresharkTable } from '../../src/cli/esp-keys.ts';

const ENDS = { source: '2001:22::1', destination: '2001:22::2' };

describe('loci esp-keys --wireshark', () => {
  it('writes AES-CBC as the table that Wireshark has read does', () => {
    const [line = ''] = readFileSync('test/vectors/cutehip-rfcpatched-rsa.esp_sa', 'utf8').split('\n');
    const keys = {
      spi: '0xc5a514bd',
      suite: 8,
      encryption: '1afb9610f01e959e75b394587ec03ea8',
      authentication: 'aa3853dc501ded72289163a77c6d35dd77fc3fcb86c918a838e5d60eb8ec89fe',
      ...ENDS,
    };
    expect(wiresharkTable([keys])).toBe(`${line.trim().replace('"IPv4"', '"IPv6"')}\n`);
  });

  it('writes AES-GCM with its salt behind the key, and no authentication, in eight fields', () => {
    const keys = { spi: '0x00000100', suite: 13, encryption: '00'.repeat(20), authentication: '', ...ENDS };
    expect(wiresharkTable([keys])).toBe(
      `"IPv6","*","*","0x00000100","AES-GCM with 16 octet ICV [RFC4106]","0x${'00'.repeat(20)}","NULL",""\n`,
    );
  });

  it('leaves out in a comment what Wireshark does not know', () => {
    const keys = { spi: '0x00000101', suite: 11, encryption: '00'.repeat(19), authentication: '', ...ENDS };
    expect(wiresharkTable([keys])).toBe('# 0x00000101: Wireshark does not know suite 11\n');
    expect(espKeysView([keys])).toContain('2001:22::1 → 2001:22::2');
  });
});
