import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHostsFile } from '../../src/hip/hosts-file.ts';
import type { HipHost } from '../../src/hip/hosts-file.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { ip } from '../cga/vectors.ts';

const HIT = '2001:21:cb0c:1dcb:aea3:c363:8159:431e';
const OTHER = '2001:22:e536:3e46:4d1:79f5:53e2:2632';

function hosts(text: string): readonly HipHost[] {
  const parsed = parseHostsFile(text);
  if (!parsed.ok) throw new Error(`line ${String(parsed.line)}: ${parsed.problem}`);
  return parsed.hosts;
}

describe('the hosts file', () => {
  it('has a HIT, names and locators in a line, IPv4 too, in any order after the HIT', () => {
    const text = `# peers\n\n${HIT}  Server.Example server 2001:db8:a::1\t2001:db8:b::1 192.0.2.1 # the office\r\n${OTHER}`;
    const locators = ['2001:db8:a::1', '2001:db8:b::1', '::ffff:192.0.2.1'].map(ip);
    expect(hosts(text)).toEqual([
      { hit: ip(HIT), names: ['server.example', 'server'], locators },
      { hit: ip(OTHER), names: [], locators: [] },
    ]);
    expect(hosts(`${HIT} 192.0.2.1 server ::ffff:192.0.2.2`)[0]?.locators).toHaveLength(2);
    expect(hosts('')).toEqual([]);
  });

  it('is what HIPL keeps in /etc/hip/hosts when it has no locators', () => {
    expect(hosts(`${HIT} crossroads.example\n`)).toEqual([
      { hit: ip(HIT), names: ['crossroads.example'], locators: [] },
    ]);
  });

  it('takes DETs', () => {
    expect(hosts('2001:3f:fe00:5:5e60:a157:1e91:a0b7 drone')).toHaveLength(1);
  });

  it.each([
    ['an address first', `2001:db8::1 ${HIT}`, '"2001:db8::1" is not a HIT'],
    ['a name first', 'server 2001:db8::1', '"server" is not a HIT'],
    ['a suite that is unknown', '2001:2f::1 server', '"2001:2f::1" is not a HIT'],
    ['a HIT as locator', `${HIT} ${OTHER}`, `"${OTHER}" cannot be a locator`],
    ['the unspecified address', `${HIT} ::`, '"::" cannot be a locator'],
    ['a mistyped IPv4 address', `${HIT} 192.0.2.256`, '"192.0.2.256" is neither an address nor a host name'],
    ['a mistyped IPv6 address', `${HIT} 2001:db8:::1`, '"2001:db8:::1" is neither an address nor a host name'],
    ['a HIT twice', `${OTHER}\n${HIT} a\n${HIT} b`, `"${HIT}" is in line 2 already`],
    ['a name twice', `${OTHER} a\n\n${HIT} A`, '"a" is in line 1 already'],
    ['what a terminal obeys', `${HIT} \u001b[31m`, '"?[31m" is neither an address nor a host name'],
  ])('is refused with %s, by line and word', (_what, text, problem) => {
    const line = text.split('\n').length;
    expect(parseHostsFile(text)).toEqual({ ok: false, line, problem });
  });

  it('gives back what was written into it', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}[a-z]$/);
    const locator = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((octets) => octets.with(0, 0xfd));
    const host = fc.record({
      names: fc.uniqueArray(word, { maxLength: 3 }),
      locators: fc.array(locator, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(host, (one) => {
        const written = { hit: ip(HIT), ...one };
        const words = [HIT, ...one.names, ...one.locators.map(formatAddress)];
        expect(hosts(`${words.join('  ')}\n`)).toEqual([written]);
      }),
    );
  });

  it('never makes the parser throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(typeof parseHostsFile(`${HIT} ${text}`).ok).toBe('boolean');
      }),
    );
  });
});
